"""Codes in which spikes of both signs tell how a signal changes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array
from ._base import AbstractEncoder, flat, like, number, numbers, steps_of


def _signal(owner: str, x: Any) -> Array:
    array = numbers(owner, "x", x)
    if array.ndim < 1 or array.shape[0] < 1:
        raise ValueError(f"{owner}: x has shape {array.shape}; allowed: (T, ...), time first, at least one step")
    return flat(owner, array)


def _events(change: Array, theta: Array) -> Array:
    return (change >= theta).astype(change.dtype) - (change <= -theta).astype(change.dtype)


@dataclasses.dataclass(frozen=True)
class DeltaDifference(AbstractEncoder):
    """A spike where a signal jumps: +1 if x_t - x_{t-1} >= theta, -1 if it is <= -theta.

    Slow changes leave no trace, so the signal cannot be read back; `DeltaReference` keeps it.

    Args:
        theta: Smallest jump that is told, > 0.
        off: Whether falls are told too.
        padding: Whether the signal before the first step is x_0 (no spike there) instead of 0.
    Raises:
        ValueError: theta not positive; at encode: no step, or values that are not finite.
    References:
        Eshraghian et al. (2023), Proc. IEEE 111:1016 (delta modulation).
    Example:
        >>> import jaxsyn as js
        >>> js.encode.DeltaDifference(theta=1.0).encode([[0.0], [2.0], [2.5], [1.0]]).ravel().tolist()
        [0.0, 1.0, 0.0, -1.0]
    """

    theta: Any = number(above=0.0)
    off: bool = True
    padding: bool = False

    def encode(self, x: Any) -> Array:
        """Spikes in {-1, 0, 1} of a signal, both (T, ..., n)."""
        signal = _signal("DeltaDifference", x)
        before = signal[:1] if self.padding else jnp.zeros_like(signal[:1])
        events = _events(jnp.diff(signal, axis=0, prepend=before), like(self.theta, signal))
        return events if self.off else jnp.maximum(events, 0.0)


@dataclasses.dataclass(frozen=True)
class DeltaReference(AbstractEncoder):
    """A spike where a signal leaves a reference, which then moves by theta: send on delta.

    r = x_0 at first. In each step s = +1 if x_t - r >= theta, -1 if x_t - r <= -theta, then r += s theta. While the
    signal moves by at most theta in a step, r stays within theta of it.

    Args:
        theta: Distance from the reference that is told, > 0.
    Raises:
        ValueError: theta not positive; at encode: no step, or values that are not finite.
    References:
        Lichtsteiner, Posch and Delbruck (2008), IEEE J. Solid-State Circuits 43:566 (event camera pixel).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.DeltaReference(theta=1.0)
        >>> spikes = code.encode([[0.0], [2.0], [2.5], [1.0]])
        >>> spikes.ravel().tolist(), code.decode(spikes).ravel().tolist()
        ([0.0, 1.0, 1.0, -1.0], [0.0, 1.0, 2.0, 1.0])
    """

    theta: Any = number(above=0.0)

    def encode(self, x: Any) -> Array:
        """Spikes in {-1, 0, 1} of a signal, both (T, ..., n)."""
        signal = _signal("DeltaReference", x)
        theta = like(self.theta, signal[0])

        def step(reference: Array, now: Array) -> tuple[Array, Array]:
            events = _events(now - reference, theta)
            return reference + events * theta, events

        events: Array = jax.lax.scan(step, signal[0], signal)[1]
        return events

    def decode(self, spikes: Any, start: Any = 0.0) -> Array:
        """The reference after each step, (T, ..., n), from where the signal started, scalar or (..., n)."""
        events = steps_of("DeltaReference", spikes)
        begin = jnp.broadcast_to(numbers("DeltaReference", "start", start), events.shape[1:])
        return begin[None] + jnp.cumsum(events, axis=0) * like(self.theta, events)
