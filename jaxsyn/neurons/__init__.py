"""Membrane models and their integrators.

Continuous neurons (`LIF`, `EIF`, `AdEx`, `Izhikevich`, `HodgkinHuxley`) are differential equations in mV, ms, pA, nS
and pF, stepped by an integrator (`Exact`, `RK4`, `RK2`, `ExponentialEuler`, `Euler`). Discrete neurons (`DiscreteLIF`,
..., `IzhikevichPublished`, `Relay`) are recurrences. To add one: subclass `AbstractContinuousNeuron` (four methods) or
`AbstractDiscreteNeuron` (two), and add it to the table of `tests/conformance`.
"""

from ._base import AbstractChart as AbstractChart
from ._base import AbstractContinuousNeuron as AbstractContinuousNeuron
from ._base import AbstractDiscreteNeuron as AbstractDiscreteNeuron
from ._base import AbstractNeuron as AbstractNeuron
from ._counting import AccumulateFire as AccumulateFire
from ._counting import AccumulatingState as AccumulatingState
from ._counting import Difference as Difference
from ._counting import DifferenceState as DifferenceState
from ._counting import SignedIF as SignedIF
from ._counting import SignedState as SignedState
from ._discrete import AdaptiveState as AdaptiveState
from ._discrete import DiscreteALIF as DiscreteALIF
from ._discrete import DiscreteCuBaLIF as DiscreteCuBaLIF
from ._discrete import DiscreteIF as DiscreteIF
from ._discrete import DiscreteLIF as DiscreteLIF
from ._discrete import EmptyState as EmptyState
from ._discrete import LeakyIntegrator as LeakyIntegrator
from ._discrete import PotentialState as PotentialState
from ._discrete import Relay as Relay
from ._discrete import SynapticState as SynapticState
from ._exact import Exact as Exact
from ._exponential import EIF as EIF
from ._exponential import AdEx as AdEx
from ._exponential import AdExState as AdExState
from ._exponential import SoftplusChart as SoftplusChart
from ._hodgkin_huxley import AbstractKinetics as AbstractKinetics
from ._hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from ._hodgkin_huxley import HodgkinHuxleyState as HodgkinHuxleyState
from ._integrators import RK2 as RK2
from ._integrators import RK4 as RK4
from ._integrators import AbstractIntegrator as AbstractIntegrator
from ._integrators import Euler as Euler
from ._integrators import ExponentialEuler as ExponentialEuler
from ._integrators import Refractory as Refractory
from ._izhikevich import Izhikevich as Izhikevich
from ._izhikevich import IzhikevichPublished as IzhikevichPublished
from ._izhikevich import IzhikevichState as IzhikevichState
from ._lif import LIF as LIF
from ._lif import VoltageState as VoltageState
from ._membrane import Flow as Flow
from ._membrane import Membrane as Membrane
from ._membrane import MembraneState as MembraneState
