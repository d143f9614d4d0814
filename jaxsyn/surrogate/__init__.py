"""Surrogate gradients: spike functions whose derivative is replaced by a smooth one.

To add one: subclass `AbstractSurrogate` and write `derivative(gap)`; it must be finite for every gap.
"""

from ._base import AbstractSurrogate as AbstractSurrogate
from ._base import hard_spike as hard_spike
from ._more_shapes import Boxcar as Boxcar
from ._more_shapes import Exponential as Exponential
from ._more_shapes import Gaussian as Gaussian
from ._more_shapes import MultiGaussian as MultiGaussian
from ._more_shapes import StraightThrough as StraightThrough
from ._shapes import Arctangent as Arctangent
from ._shapes import Sigmoid as Sigmoid
from ._shapes import SuperSpike as SuperSpike
from ._shapes import Triangle as Triangle
