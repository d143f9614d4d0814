"""The two contracts a neuron can fulfil: continuous (a differential equation) or discrete (a recurrence)."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx

from .._core import Array, LinearSystem, Parameters

SpikeFunction = Callable[[Array], Array]


class AbstractChart(eqx.Module):
    """A monotone coordinate x = phi(V) in which the flow of a neuron is regular.

    Spike initiation sends V to infinity in finite time; in V no fixed step is accurate there. The integrators
    step x instead, and everything else keeps seeing V.
    """

    @abc.abstractmethod
    def to(self, V_mV: Array) -> Array:
        """Coordinate of a voltage, shape as given."""

    @abc.abstractmethod
    def back(self, x: Array) -> Array:
        """Voltage of a coordinate, mV."""

    @abc.abstractmethod
    def speed(self, x: Array, regular: Array) -> Array:
        """dx/dt at a coordinate, from the neuron's `regular` rate of V, mV per ms."""

    @abc.abstractmethod
    def gap(self, x: Array) -> Array:
        """Distance to the spike in the coordinate: zero where `threshold_gap` is."""


class AbstractNeuron(Parameters):
    """Base of all neurons: array parameters, scalar or one value for each neuron, shape (n,).

    Subclass `AbstractContinuousNeuron` or `AbstractDiscreteNeuron`, not this class. State is a module of arrays of
    shape (n,); batches come from `jax.vmap`. `graded` says that emissions are amplitudes, which travel as numbers, and
    not spikes alone.
    """

    graded: ClassVar[bool] = False

    @abc.abstractmethod
    def init_state(self, shape: tuple[int, ...]) -> Any:
        """State at rest, arrays of the given shape."""


class AbstractContinuousNeuron(AbstractNeuron):
    """A neuron given by a differential equation; the population's integrator makes the step.

    Write `init_state`, `derivative`, `threshold_gap` and `reset`; the state must have a field `V_mV`. Everything else
    (integrators, receptors, gradients, checkpoints, the error-controlled solver) follows from these four.
    `resets` is False for models whose equation repolarizes by itself (Hodgkin-Huxley): then only an upward crossing
    of the threshold is a spike and `reset` is the identity.
    """

    resets: ClassVar[bool] = True

    @abc.abstractmethod
    def derivative(self, state: Any, I_pA: Array) -> Any:
        """Time derivative of each state variable, per ms, in the structure of the state."""

    @abc.abstractmethod
    def threshold_gap(self, state: Any) -> Array:
        """Distance to threshold: a spike is emitted when it reaches zero from below."""

    @abc.abstractmethod
    def reset(self, state: Any) -> Any:
        """State just after a spike."""

    def linear(self) -> LinearSystem | None:
        """The subthreshold equation as a linear system, or None where it is not linear."""
        return None

    def regular(self, state: Any, I_pA: Array) -> Any:
        """`derivative` without the part of V' that becomes infinite, which is left to the chart."""
        return self.derivative(state, I_pA)

    def chart(self) -> AbstractChart | None:
        """Coordinate in which the integrators step the voltage; None for V itself."""
        return None


class AbstractDiscreteNeuron(AbstractNeuron):
    """A neuron given by a recurrence, one call for each step: the recurrence *is* the model.

    There is no equation behind it that an integrator or an error-controlled solver could use.
    """

    @abc.abstractmethod
    def step(self, state: Any, drive: Array, spike: SpikeFunction) -> tuple[Any, Array]:
        """Advance one step.

        Args:
            state: State before the step.
            drive: Sum of everything that arrives in this step, shape (n,), in the units of the model.
            spike: Maps a threshold gap, shape (n,), to spikes in {0, 1} of the same dtype; carries the surrogate
                gradient of the population.
        Returns:
            State after the step, and the emission, shape (n,).
        """
