"""Codes in which a value is when the one spike of its neuron comes."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array, is_concrete
from ._base import AbstractEncoder, checked, first_step, like, number, one_spike, steps_of, whole


def _window(owner: str, n_steps: int, first: int) -> None:
    whole(owner, "n_steps", n_steps)
    whole(owner, "first_step", first, low=0)
    if first >= n_steps:
        raise ValueError(f"{owner}.first_step: got {first}; allowed: below n_steps = {n_steps}")


@dataclasses.dataclass(frozen=True)
class LinearLatency(AbstractEncoder):
    """One spike, the earlier the larger the value: t = first + tau (1 - max(x, theta)), rounded half to even.

    Args:
        n_steps: Steps T, >= 1. A time beyond the last step gives no spike.
        tau_steps: Steps between the spikes of the values 1 and 0, > 0. Default: T - 1 - first, the whole window.
        theta: Smallest value that is told from 0, in 0 to 1.
        first_step: Step of the value 1, >= 0 and below T.
        clip: Whether values below theta are silent instead of late.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside 0 to 1.
    References:
        Thorpe, Delorme and van Rullen (2001), Neural Netw. 14:715 (rank and latency codes).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.LinearLatency(n_steps=11)
        >>> [round(float(x), 2) for x in code.decode(code.encode([0.0, 0.3, 1.0]))]
        [0.0, 0.3, 1.0]
    """

    n_steps: int
    tau_steps: Any = number(None, above=0.0, optional=True)
    theta: Any = number(0.0, low=0.0, high=1.0)
    first_step: int = 0
    clip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _window("LinearLatency", self.n_steps, self.first_step)

    def _span(self, x: Array) -> Array:
        return like(self.n_steps - 1 - self.first_step if self.tau_steps is None else self.tau_steps, x)

    def times_steps(self, x: Any) -> Array:
        """When each neuron would fire, in steps before rounding, (..., n)."""
        array = checked("LinearLatency", x)
        return self.first_step + self._span(array) * (1.0 - jnp.maximum(array, like(self.theta, array)))

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        times = self.times_steps(x)
        array = checked("LinearLatency", x)
        fires = array >= like(self.theta, array) if self.clip else jnp.ones(array.shape, bool)
        return one_spike(times, fires, self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) within 1/(2 tau) of those above theta; theta for what was below it, 0 for silent neurons."""
        times, fired = first_step(steps_of("LinearLatency", spikes, self.n_steps))
        span = self._span(times)
        x = 1.0 - (times - self.first_step) / jnp.where(span > 0, span, 1.0)
        return jnp.where(fired, jnp.clip(x, like(self.theta, x), 1.0), 0.0)


@dataclasses.dataclass(frozen=True)
class MembraneLatency(AbstractEncoder):
    """One spike when a leaky membrane with the current x reaches theta: t = first + tau ln(y / (y - theta)).

    y = max(x, theta + epsilon); written as tau ln(1 + theta / max(x - theta, epsilon)), which cancels no digits.

    Args:
        n_steps: Steps T, >= 1. A time beyond the last step gives no spike.
        tau_steps: Time constant of the membrane in steps, > 0.
        theta: Threshold, > 0 and < 1.
        epsilon: Distance above theta at which smaller values are kept, > 0.
        first_step: Step to count from, >= 0 and below T.
        normalize: Whether times are stretched so that the latest of the n values comes at the last step.
        clip: Whether values below theta are silent instead of late.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside 0 to 1.
    References:
        Gerstner and Kistler (2002), Spiking Neuron Models, section 4.1 (time to threshold, constant current).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.MembraneLatency(n_steps=40, tau_steps=10.0, theta=0.1)
        >>> [round(float(x), 1) for x in code.decode(code.encode([0.12, 0.2]))]
        [0.1, 0.2]
    """

    n_steps: int
    tau_steps: Any = number(1.0, above=0.0)
    theta: Any = number(0.01, above=0.0, high=1.0)
    epsilon: Any = number(1e-7, above=0.0)
    first_step: int = 0
    normalize: bool = False
    clip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _window("MembraneLatency", self.n_steps, self.first_step)
        if is_concrete(self.theta) and np.any(np.asarray(self.theta) >= 1):
            raise ValueError(
                f"MembraneLatency.theta: got {self.theta}; allowed: > 0 and < 1, as no value of 0 to 1 reaches it else"
            )

    def times_steps(self, x: Any) -> Array:
        """When each neuron would fire, in steps before rounding, (..., n)."""
        array = checked("MembraneLatency", x)
        theta, tau = like(self.theta, array), like(self.tau_steps, array)
        delay = tau * jnp.log1p(theta / jnp.maximum(array - theta, like(self.epsilon, array)))
        if self.normalize:
            latest = jnp.max(delay, axis=-1, keepdims=True, initial=0.0) if delay.ndim else delay
            delay = delay * (self.n_steps - 1 - self.first_step) / jnp.broadcast_to(latest, delay.shape)
        return self.first_step + delay

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        array = checked("MembraneLatency", x)
        fires = array >= like(self.theta, array) if self.clip else jnp.ones(array.shape, bool)
        return one_spike(self.times_steps(x), fires, self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) whose time is that of the spike; 1 for one at first, 0 for silent neurons.

        Raises:
            ValueError: Normalized times, which do not tell the scale of the values.
        """
        if self.normalize:
            raise ValueError(
                "MembraneLatency.decode: normalized times hold only the order of the values, not their scale; use "
                "normalize=False with a tau_steps that fits the window"
            )
        times, fired = first_step(steps_of("MembraneLatency", spikes, self.n_steps))
        passed = -jnp.expm1(-(times - self.first_step) / like(self.tau_steps, times))  # of the way to x
        x = like(self.theta, times) / jnp.where(passed > 0, passed, 1.0)
        return jnp.where(fired, jnp.where(passed > 0, jnp.clip(x, 0.0, 1.0), 1.0), 0.0)


@dataclasses.dataclass(frozen=True)
class LogLatency(AbstractEncoder):
    """One spike, at a time that falls with the logarithm of the value: t = (T - 1) - ln(alpha x + 1).

    alpha = e^(T-1) - 1, so that the values 0 and 1 take the last and the first step; computed without that power.

    Args:
        n_steps: Steps T, >= 2.
    Raises:
        ValueError: n_steps no whole number >= 2; at encode: values outside 0 to 1.
    References:
        The logarithmic latency encoder of SpikingJelly (Fang et al. 2023, Sci. Adv. 9:eadi1480).
    Example:
        >>> import jaxsyn as js
        >>> js.encode.LogLatency(n_steps=10).encode([0.0, 1.0]).argmax(0).tolist()
        [9, 0]
    """

    n_steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("LogLatency", "n_steps", self.n_steps, low=2)

    def times_steps(self, x: Any) -> Array:
        """When each neuron would fire, in steps before rounding, (..., n)."""
        array, last = checked("LogLatency", x), self.n_steps - 1.0
        log_alpha = last + jnp.log1p(-jnp.exp(jnp.asarray(-last, array.dtype)))
        safe = jnp.where(array > 0, array, 1.0)
        return last - jnp.where(array > 0, jnp.logaddexp(jnp.log(safe) + log_alpha, jnp.zeros_like(safe)), 0.0)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        times = self.times_steps(x)
        return one_spike(times, jnp.ones(times.shape, bool), self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) whose time is that of the spike, within a factor of about sqrt(e); 0 for silent neurons."""
        times, fired = first_step(steps_of("LogLatency", spikes, self.n_steps))
        last = self.n_steps - 1.0
        # (e^(last - t) - 1) / (e^last - 1), both over e^last
        x = (jnp.exp(-times) - jnp.exp(jnp.asarray(-last, times.dtype))) / -jnp.expm1(jnp.asarray(-last, times.dtype))
        return jnp.where(fired, jnp.clip(x, 0.0, 1.0), 0.0)
