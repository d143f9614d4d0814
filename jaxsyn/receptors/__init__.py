"""Receptors: what an arrival does to its target neuron.

A receptor is kinetics (`Exponential`, `Alpha`, `DualExponential`) read out as `Current` or `Conductance`; `Delta` adds
to V. To add one: subclass `AbstractReceptor` (or `AbstractKinetics` for a new time course), write its four methods
and `weight_unit`, and add it to the table of `tests/conformance`.
"""

from ._base import AbstractReceptor as AbstractReceptor
from ._kinetics import AbstractKinetics as AbstractKinetics
from ._kinetics import Alpha as Alpha
from ._kinetics import CascadeState as CascadeState
from ._kinetics import DecayState as DecayState
from ._kinetics import DualExponential as DualExponential
from ._kinetics import Exponential as Exponential
from ._receptors import AMPA as AMPA
from ._receptors import GABA_A as GABA_A
from ._receptors import NMDA as NMDA
from ._receptors import Conductance as Conductance
from ._receptors import Current as Current
from ._receptors import Delta as Delta
from ._receptors import NoState as NoState
from ._receptors import magnesium_block as magnesium_block
