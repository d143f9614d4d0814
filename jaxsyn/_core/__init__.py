"""What every room stands on: field validation, errors, linear systems, files, processes, stable names. Not public."""

from ._child import child as child
from ._errors import SimulationError as SimulationError
from ._errors import named as named
from ._fields import Parameters as Parameters
from ._fields import allowed_numbers as allowed_numbers
from ._fields import as_float as as_float
from ._fields import is_concrete as is_concrete
from ._fields import outside as outside
from ._fields import param as param
from ._fields import validate as validate
from ._files import write_whole as write_whole
from ._gradient import without_gradient as without_gradient
from ._linear import LinearSystem as LinearSystem
from ._linear import Propagator as Propagator
from ._linear import propagator as propagator
from ._numeric import expm1_ratio as expm1_ratio
from ._types import Array as Array
from ._types import ArrayLike as ArrayLike
from ._types import Parameter as Parameter
from ._types import float_dtype as float_dtype
from ._weights import Weights as Weights
