"""jaxsyn: spiking neural networks in JAX, simulated, differentiated and mapped to chips with one network concept."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from . import analysis as analysis
from . import circuits as circuits
from . import connect as connect
from . import cost as cost
from . import encode as encode
from . import kernels as kernels
from . import neurons as neurons
from . import plan as plan
from . import plasticity as plasticity
from . import receptors as receptors
from . import record as record
from . import stimuli as stimuli
from . import surrogate as surrogate
from ._core import SimulationError as SimulationError
from ._core import param as param
from ._version import __version__ as __version__
from .network import Network as Network
from .network import NetworkState as NetworkState
from .network import Population as Population
from .network import Projection as Projection
from .network import ShardedNetwork as ShardedNetwork
from .network import freeze as freeze
from .network import shard as shard
from .simulate import Solution as Solution
from .simulate import Solved as Solved
from .simulate import SpikeTrains as SpikeTrains
from .simulate import Trace as Trace
from .simulate import run as run
from .simulate import simulate as simulate
from .simulate import solve as solve
from .sweep import Sweep as Sweep
from .sweep import sweep as sweep

if TYPE_CHECKING:
    from . import checkpoint as checkpoint
    from . import convert as convert
    from . import plot as plot
    from . import train as train

_LAZY = ("checkpoint", "convert", "plot", "train")  # rooms that bring heavy packages, imported when first used


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
