"""The contract of a receptor."""

import abc
from typing import Any, ClassVar

from .._core import Array, LinearSystem, Parameters


class AbstractReceptor(Parameters):
    """What an arrival does to its target: kinetics with one state for each target neuron.

    Write `init_state`, `arrive`, `derivative` and `current`; `weight_unit` is the unit of an arrival ("pA", "nS",
    "mV"). A receptor that is linear and passes its output on as current also gives `linear`, and the population can
    then step it exactly, joined with the membrane.
    """

    weight_unit: ClassVar[str]
    at_once: ClassVar[bool] = False

    @abc.abstractmethod
    def init_state(self, shape: tuple[int, ...]) -> Any:
        """State without arrivals, arrays of the given shape."""

    @abc.abstractmethod
    def arrive(self, state: Any, weight: Array) -> Any:
        """State just after arrivals of the given summed weight, shape (n,)."""

    def input_variable(self) -> str | None:
        """Name of the variable to which `arrive` adds the weight, if it does nothing else; None otherwise.

        Spikes are then delivered straight into it, without a sum of arrivals in between.
        """
        return None

    @abc.abstractmethod
    def derivative(self, state: Any) -> Any:
        """Time derivative of the state, per ms."""

    @abc.abstractmethod
    def current(self, state: Any, V_mV: Array) -> Array:
        """Current into the cell, pA (depolarizing is positive), shape (n,)."""

    def linear(self) -> LinearSystem | None:
        """The kinetics as a linear system, or None where they are not linear."""
        return None

    def current_variable(self) -> tuple[str, ...] | None:
        """Name of the linear variable that is itself the current in pA, or None where it depends on V."""
        return None
