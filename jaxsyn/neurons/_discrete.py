"""Normalized neurons of machine learning: pure numbers, one recurrence for each step."""

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, Parameter, float_dtype, param
from ._base import AbstractDiscreteNeuron, SpikeFunction

Reset = Literal["subtract", "zero"]


def _check_reset(owner: str, reset: str) -> None:
    if reset not in ("subtract", "zero"):
        raise ValueError(f"{owner}.reset: got {reset!r}; allowed: 'subtract' or 'zero'")


def _after_spike(u: Array, spikes: Array, threshold: Array, reset: Reset, detach: bool) -> Array:
    r = jax.lax.stop_gradient(spikes) if detach else spikes
    return u - threshold * r if reset == "subtract" else u * (1.0 - r)


def _integrate(v: Array, drive: Array, decay: Array, scaled: bool) -> Array:
    return decay * v + ((1.0 - decay) * drive if scaled else drive)


class PotentialState(eqx.Module):
    """Membrane variable `v`, a pure number, shape (n,)."""

    v: Array


class AdaptiveState(eqx.Module):
    """Membrane variable `v` and adaptation `a`, pure numbers, shape (n,)."""

    v: Array
    a: Array


class SynapticState(eqx.Module):
    """Membrane variable `v` and synaptic current `i`, pure numbers, shape (n,)."""

    v: Array
    i: Array


class EmptyState(eqx.Module):
    """No state."""


class DiscreteLIF(AbstractDiscreteNeuron):
    """Leaky integrate-and-fire neuron in normalized units.

    u = decay v + I;  s = [u >= threshold];  v = u - threshold s (reset "subtract") or u (1 - s) (reset "zero").

    Args:
        decay: Leak for each step, in [0, 1]; `from_tau` gives it from a time constant.
        threshold: Firing threshold, > 0.
        reset: "subtract" or "zero".
        detach_reset: Whether the reset carries no gradient.
        scale_drive: Whether I is multiplied by 1 - decay, so that v follows a constant I.
    Raises:
        ValueError: A parameter is out of range, or `reset` is unknown.
    References:
        Neftci, Mostafa and Zenke (2019), IEEE Signal Process. Mag. 36:51, eqs. 4-6.
    Example:
        >>> import jaxsyn as js
        >>> round(float(js.neurons.DiscreteLIF.from_tau(tau_m_ms=20.0, dt_ms=1.0).decay), 4)
        0.9512
    """

    decay: Parameter = param(0.9, low=0.0, high=1.0)
    threshold: Parameter = param(1.0, above=0.0)
    reset: Reset = eqx.field(static=True, default="subtract")
    detach_reset: bool = eqx.field(static=True, default=False)
    scale_drive: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        _check_reset(type(self).__name__, self.reset)

    @classmethod
    def from_tau(cls, tau_m_ms: float, dt_ms: float, **options: Any) -> "DiscreteLIF":
        """Leak exp(-dt/tau_m) for a step of dt_ms."""
        return cls(decay=jnp.exp(-jnp.asarray(dt_ms, float_dtype()) / tau_m_ms), **options)

    def init_state(self, shape: tuple[int, ...]) -> PotentialState:
        return PotentialState(jnp.zeros(shape, float_dtype()))

    def step(self, state: PotentialState, drive: Array, spike: SpikeFunction) -> tuple[PotentialState, Array]:
        u = _integrate(state.v, drive, self.decay, self.scale_drive)
        spikes = spike(u - self.threshold)
        return PotentialState(_after_spike(u, spikes, self.threshold, self.reset, self.detach_reset)), spikes


class DiscreteALIF(AbstractDiscreteNeuron):
    """Adaptive leaky integrate-and-fire neuron in normalized units.

    u = decay v + I;  s = [u >= threshold + beta a];  v as in `DiscreteLIF`;  a' = rho a + s.

    Args:
        decay: Leak of the membrane for each step, in [0, 1].
        threshold: Base threshold, > 0.
        rho: Decay of the adaptation for each step, in [0, 1].
        beta: Threshold rise for each unit of adaptation.
        reset: "subtract" or "zero".
        detach_reset: Whether the reset carries no gradient.
        scale_drive: Whether I is multiplied by 1 - decay, so that v follows a constant I.
    Raises:
        ValueError: A parameter is out of range, or `reset` is unknown.
    References:
        Bellec et al. (2018), NeurIPS 31, eqs. 1-3; Bellec et al. (2020), Nat. Commun. 11:3625.
    Example:
        >>> import jaxsyn as js
        >>> sorted(vars(js.neurons.DiscreteALIF().init_state((2,))))
        ['a', 'v']
    """

    decay: Parameter = param(0.9, low=0.0, high=1.0)
    threshold: Parameter = param(1.0, above=0.0)
    rho: Parameter = param(0.98, low=0.0, high=1.0)
    beta: Parameter = param(0.1)
    reset: Reset = eqx.field(static=True, default="subtract")
    detach_reset: bool = eqx.field(static=True, default=False)
    scale_drive: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        _check_reset(type(self).__name__, self.reset)

    def init_state(self, shape: tuple[int, ...]) -> AdaptiveState:
        return AdaptiveState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, float_dtype()))

    def step(self, state: AdaptiveState, drive: Array, spike: SpikeFunction) -> tuple[AdaptiveState, Array]:
        u = _integrate(state.v, drive, self.decay, self.scale_drive)
        spikes = spike(u - self.threshold - self.beta * state.a)
        v = _after_spike(u, spikes, self.threshold, self.reset, self.detach_reset)
        return AdaptiveState(v, self.rho * state.a + spikes), spikes


class DiscreteCuBaLIF(AbstractDiscreteNeuron):
    """Current-based leaky integrate-and-fire neuron in normalized units: a synaptic current before the membrane.

    i' = alpha i + I;  u = decay v + i';  s = [u >= threshold];  v as in `DiscreteLIF`.

    Args:
        alpha: Decay of the synaptic current for each step, in [0, 1].
        decay: Leak of the membrane for each step, in [0, 1].
        threshold: Firing threshold, > 0.
        reset: "subtract" or "zero".
        detach_reset: Whether the reset carries no gradient.
    Raises:
        ValueError: A parameter is out of range, or `reset` is unknown.
    References:
        Zenke and Ganguli (2018), Neural Comput. 30:1514, eqs. 1-2.
    Example:
        >>> import jaxsyn as js
        >>> sorted(vars(js.neurons.DiscreteCuBaLIF().init_state((2,))))
        ['i', 'v']
    """

    alpha: Parameter = param(0.8, low=0.0, high=1.0)
    decay: Parameter = param(0.9, low=0.0, high=1.0)
    threshold: Parameter = param(1.0, above=0.0)
    reset: Reset = eqx.field(static=True, default="subtract")
    detach_reset: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        _check_reset(type(self).__name__, self.reset)

    def init_state(self, shape: tuple[int, ...]) -> SynapticState:
        return SynapticState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, float_dtype()))

    def step(self, state: SynapticState, drive: Array, spike: SpikeFunction) -> tuple[SynapticState, Array]:
        i = self.alpha * state.i + drive
        u = self.decay * state.v + i
        spikes = spike(u - self.threshold)
        return SynapticState(_after_spike(u, spikes, self.threshold, self.reset, self.detach_reset), i), spikes


class DiscreteIF(AbstractDiscreteNeuron):
    """Integrate-and-fire neuron without leak in normalized units, the neuron of ANN-to-SNN conversion.

    u = v + I;  s = [u >= threshold];  v = u - threshold s (reset "subtract") or u (1 - s) (reset "zero").

    Args:
        threshold: Firing threshold, > 0.
        v_init: Start value; half the threshold removes the rounding bias of conversion.
        reset: "subtract" or "zero".
        detach_reset: Whether the reset carries no gradient.
    Raises:
        ValueError: A parameter is out of range, or `reset` is unknown.
    References:
        Rueckauer et al. (2017), Front. Neurosci. 11:682, eqs. 1-2.
    Example:
        >>> import jaxsyn as js
        >>> float(js.neurons.DiscreteIF(v_init=0.5).init_state(()).v)
        0.5
    """

    threshold: Parameter = param(1.0, above=0.0)
    v_init: Parameter = param(0.0)
    reset: Reset = eqx.field(static=True, default="subtract")
    detach_reset: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        _check_reset(type(self).__name__, self.reset)

    def init_state(self, shape: tuple[int, ...]) -> PotentialState:
        return PotentialState(jnp.zeros(shape, float_dtype()) + self.v_init)

    def step(self, state: PotentialState, drive: Array, spike: SpikeFunction) -> tuple[PotentialState, Array]:
        u = state.v + drive
        spikes = spike(u - self.threshold)
        return PotentialState(_after_spike(u, spikes, self.threshold, self.reset, self.detach_reset)), spikes


class LeakyIntegrator(AbstractDiscreteNeuron):
    """Readout that never spikes: v = decay v + I, and v itself is what it emits.

    Args:
        decay: Leak for each step, in [0, 1].
    Raises:
        ValueError: `decay` is out of range.
    References:
        Bellec et al. (2020), Nat. Commun. 11:3625, eq. 11 (readout neurons).
    Example:
        >>> import jaxsyn as js
        >>> float(js.neurons.LeakyIntegrator(decay=1.0).init_state(()).v)
        0.0
    """

    graded: ClassVar[bool] = True

    decay: Parameter = param(0.9, low=0.0, high=1.0)

    def init_state(self, shape: tuple[int, ...]) -> PotentialState:
        return PotentialState(jnp.zeros(shape, float_dtype()))

    def step(self, state: PotentialState, drive: Array, spike: SpikeFunction) -> tuple[PotentialState, Array]:
        v = self.decay * state.v + drive
        return PotentialState(v), v


class Relay(AbstractDiscreteNeuron):
    """Source population: emits in each step what arrives in it, from `inputs` of `run` or from a stimulus.

    s = I. Values other than 0 and 1 travel as amplitudes (analog input, several events in one step).

    References:
        The parrot neuron of NEST (Gewaltig and Diesmann 2007, Scholarpedia 2:1430).
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.Relay()
        Relay()
    """

    graded: ClassVar[bool] = True

    def init_state(self, shape: tuple[int, ...]) -> EmptyState:
        return EmptyState()

    def step(self, state: EmptyState, drive: Array, spike: SpikeFunction) -> tuple[EmptyState, Array]:
        return state, drive
