"""Time courses of a receptor after an arrival, all as small linear cascades with unit peak."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, LinearSystem, Parameter, Parameters, expm1_ratio, float_dtype, param


class AbstractKinetics(Parameters):
    """Time course of a receptor, normalized so that an arrival of weight w peaks at w."""

    @abc.abstractmethod
    def init_state(self, shape: tuple[int, ...]) -> Any:
        """State without arrivals; its field `value` is the output."""

    @abc.abstractmethod
    def input_variable(self) -> str:
        """Name of the variable to which the weight of an arrival is added."""

    def arrive(self, state: Any, weight: Array) -> Any:
        """State just after an arrival of the given weight, shape (n,)."""
        name = self.input_variable()
        return eqx.tree_at(lambda s: getattr(s, name), state, getattr(state, name) + weight)

    @abc.abstractmethod
    def derivative(self, state: Any) -> Any:
        """Time derivative of the state, per ms."""

    @abc.abstractmethod
    def linear(self) -> LinearSystem:
        """The same equation as a linear system with the names of the state's fields."""


class DecayState(eqx.Module):
    """One decaying variable, `value`, shape (n,)."""

    value: Array


class CascadeState(eqx.Module):
    """`rise`, in the unit of a weight, feeds `value`; both shape (n,)."""

    value: Array
    rise: Array


class Exponential(AbstractKinetics):
    """Jump and exponential decay: value(t) = w exp(-t / tau).

    Args:
        tau_ms: Decay time constant, ms, > 0.
    Raises:
        ValueError: `tau_ms` is not finite or not positive.
    References:
        Rotter and Diesmann (1999), Biol. Cybern. 81:381, eq. 15.
    Example:
        >>> import jaxsyn as js
        >>> js.receptors.Current(js.receptors.Exponential(tau_ms=2.0)).weight_unit
        'pA'
    """

    tau_ms: Parameter = param(5.0, above=0.0)

    def init_state(self, shape: tuple[int, ...]) -> DecayState:
        return DecayState(jnp.zeros(shape, float_dtype()))

    def input_variable(self) -> str:
        return "value"

    def derivative(self, state: DecayState) -> DecayState:
        return DecayState(-state.value / self.tau_ms)

    def linear(self) -> LinearSystem:
        value = ("value",)
        return LinearSystem((value,), {(value, value): -1.0 / self.tau_ms})


class Alpha(AbstractKinetics):
    """Alpha function: value(t) = w e (t / tau) exp(-t / tau), peak w at tau.

    Args:
        tau_ms: Time of the peak, ms, > 0.
    Raises:
        ValueError: `tau_ms` is not finite or not positive.
    References:
        Rall (1967), J. Neurophysiol. 30:1138; Rotter and Diesmann (1999), eq. 16.
    Example:
        >>> import jaxsyn as js
        >>> float(js.receptors.Alpha(tau_ms=2.0).tau_ms)
        2.0
    """

    tau_ms: Parameter = param(5.0, above=0.0)

    def init_state(self, shape: tuple[int, ...]) -> CascadeState:
        return CascadeState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, float_dtype()))

    def input_variable(self) -> str:
        return "rise"

    def derivative(self, state: CascadeState) -> CascadeState:
        return CascadeState((jnp.e * state.rise - state.value) / self.tau_ms, -state.rise / self.tau_ms)

    def linear(self) -> LinearSystem:
        value, rise = ("value",), ("rise",)
        rate = -1.0 / self.tau_ms
        return LinearSystem((value, rise), {(value, value): rate, (rise, rise): rate, (value, rise): -jnp.e * rate})


class DualExponential(AbstractKinetics):
    """Difference of two exponentials: value(t) = w N (exp(-t / tau_decay) - exp(-t / tau_rise)), peak w.

    Stepped as a cascade, which has no 0/0 at tau_rise = tau_decay (there it is the alpha function), and in which the
    two time constants may come in either order.

    Args:
        tau_rise_ms: Rise time constant, ms, > 0.
        tau_decay_ms: Decay time constant, ms, > 0.
    Raises:
        ValueError: A time constant is not finite or not positive.
    References:
        Roth and van Rossum (2009), in De Schutter (ed.), Computational Modeling Methods, eqs. 6.4-6.6.
    Example:
        >>> import jaxsyn as js
        >>> float(js.receptors.DualExponential(tau_rise_ms=2.0, tau_decay_ms=100.0).tau_decay_ms)
        100.0
    """

    tau_rise_ms: Parameter = param(2.0, above=0.0)
    tau_decay_ms: Parameter = param(100.0, above=0.0)

    def init_state(self, shape: tuple[int, ...]) -> CascadeState:
        return CascadeState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, float_dtype()))

    def input_variable(self) -> str:
        return "rise"

    def derivative(self, state: CascadeState) -> CascadeState:
        feed = state.rise / self._peak_per_unit_feed()
        return CascadeState(feed - state.value / self.tau_decay_ms, -state.rise / self.tau_rise_ms)

    def linear(self) -> LinearSystem:
        value, rise = ("value",), ("rise",)
        fall, climb = -1.0 / self.tau_decay_ms, -1.0 / self.tau_rise_ms
        feed = 1.0 / self._peak_per_unit_feed()
        return LinearSystem((value, rise), {(value, value): fall, (rise, rise): climb, (value, rise): feed})

    def _peak_per_unit_feed(self) -> Array:
        """Peak of `value` fed by a unit jump: exp(-b t) t (exp(-d t) - 1) / (-d t), t = log(a/b)/d, d = a - b."""
        rate_rise, rate_decay = 1.0 / self.tau_rise_ms, 1.0 / self.tau_decay_ms
        difference = rate_rise - rate_decay
        ratio = difference / rate_decay
        small = jnp.abs(ratio) < 1e-5
        safe = jnp.where(small, 1.0, ratio)
        peak_ms = jnp.where(small, 1.0 - ratio / 2.0 + ratio * ratio / 3.0, jnp.log1p(safe) / safe) / rate_decay
        return jnp.exp(-rate_decay * peak_ms) * peak_ms * expm1_ratio(-difference * peak_ms)
