"""Codes in which a value is a burst: its number of spikes and their interval, or their weights."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array, float_dtype
from ._base import AbstractEncoder, checked, clock, like, number, steps_of, whole


@dataclasses.dataclass(frozen=True)
class Burst(AbstractEncoder):
    """A burst from step 0 on: ceil(N x) spikes, ceil(L - (L - S) x) steps apart; larger values, more and faster.

    A single spike has no interval. Spikes beyond the last step are lost.

    Args:
        n_steps: Steps T, >= 1.
        max_spikes: Spikes N of the value 1, >= 1.
        min_interval_steps: Interval S of the value 1, >= 1.
        max_interval_steps: Interval L of the value 0, >= S.
    Raises:
        ValueError: A count is out of range; at encode: values outside 0 to 1.
    References:
        Guo, Fouda, Eltawil and Salama (2021), Front. Neurosci. 15:638474 (burst coding).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.Burst(n_steps=12, max_spikes=4, min_interval_steps=2, max_interval_steps=5)
        >>> code.encode([0.1, 1.0]).T.astype(int).tolist()
        [[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0]]
    """

    n_steps: int
    max_spikes: int = 5
    min_interval_steps: int = 2
    max_interval_steps: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_steps", "max_spikes", "min_interval_steps"):
            whole("Burst", name, getattr(self, name))
        whole("Burst", "max_interval_steps", self.max_interval_steps, low=self.min_interval_steps)

    def n_spikes(self, x: Any) -> Array:
        """Number of spikes of each value, int32, (..., n); those beyond the last step included."""
        return jnp.ceil(self.max_spikes * checked("Burst", x)).astype(jnp.int32)

    def interval_steps(self, x: Any) -> Array:
        """Steps between the spikes of each value, int32, (..., n)."""
        span = self.max_interval_steps - self.min_interval_steps
        interval = jnp.ceil(self.max_interval_steps - span * checked("Burst", x)).astype(jnp.int32)
        return jnp.where(self.n_spikes(x) > 1, interval, jnp.int32(self.max_interval_steps))

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        array = checked("Burst", x)
        count, interval = self.n_spikes(x)[None], self.interval_steps(x)[None]
        step = clock(self.n_steps, array).astype(jnp.int32)
        return ((step % interval == 0) & (step < count * interval)).astype(array.dtype)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) in the middle of those with this number of spikes and this interval; 0 for silent neurons.

        A burst that the window cut tells its interval, and that it was at least as long.
        """
        array = steps_of("Burst", spikes, self.n_steps) > 0
        count = jnp.sum(array, axis=0)
        order = jnp.cumsum(array, axis=0)
        second = jnp.argmax(array & (order == 2), axis=0)
        span = self.max_interval_steps - self.min_interval_steps
        paced = (count > 1) & (span > 0)
        interval = jnp.where(count > 1, second, self.max_interval_steps)
        cut = count * interval >= self.n_steps
        number = count.astype(float_dtype())
        low, high = (number - 1.0) / self.max_spikes, jnp.where(cut, 1.0, number / self.max_spikes)
        slow = (self.max_interval_steps - interval).astype(float_dtype()) / max(span, 1)
        low = jnp.maximum(low, jnp.where(paced, slow, 0.0))
        high = jnp.minimum(high, jnp.where(paced, slow + 1.0 / max(span, 1), 1.0))
        return jnp.where(count > 0, jnp.clip((low + high) / 2.0, 0.0, 1.0), 0.0)


@dataclasses.dataclass(frozen=True)
class WeightedBurst(AbstractEncoder):
    """Graded bursts: v += x; a spike of weight g theta where v >= g theta, which v pays.

    g is 1 at first, grows by the factor beta at each spike, and is 1 again after a step without one. Values are sent in
    few spikes, the sum of whose weights is T x minus what is left in v.

    Args:
        n_steps: Steps T, >= 1.
        theta: Weight of the first spike of a burst, > 0.
        beta: Growth of the weight within a burst, > 0.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside 0 to 1.
    References:
        Park, Kim, Choe and Yoon (2019), DAC (burst coding).
    Example:
        >>> import jaxsyn as js
        >>> js.encode.WeightedBurst(n_steps=4, theta=0.125).encode([0.75]).ravel().tolist()
        [0.125, 0.25, 0.5, 1.0]
    """

    n_steps: int
    theta: Any = number(0.125, above=0.0)
    beta: Any = number(2.0, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("WeightedBurst", "n_steps", self.n_steps)

    def encode(self, x: Any) -> Array:
        """Weights of the spikes, 0 for none, (T, ..., n), of values (..., n) in 0 to 1."""
        array = checked("WeightedBurst", x)
        theta, beta = like(self.theta, array), like(self.beta, array)

        def step(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
            v, g = carry
            v, weight = v + array, g * theta
            sent = jnp.where(v >= weight, weight, 0.0)
            return (v - sent, jnp.where(sent > 0, beta * g, 1.0)), sent

        start = (jnp.zeros_like(array), jnp.ones_like(array))
        sent: Array = jax.lax.scan(step, start, length=self.n_steps)[1]
        return sent

    def decode(self, spikes: Any) -> Array:
        """Mean weight sent in a step, (..., n): below the value by what v kept, over T."""
        return jnp.mean(steps_of("WeightedBurst", spikes, self.n_steps), axis=0)
