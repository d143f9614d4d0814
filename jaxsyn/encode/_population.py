"""Codes in which each value drives several neurons, each with its own preferred value."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete
from ._base import AbstractEncoder, accumulate, checked, first_step, like, number, one_spike, steps_of, whole


def _check_range(owner: str, low: Any, high: Any) -> None:
    if is_concrete(low) and is_concrete(high) and not np.all(np.asarray(low) < np.asarray(high)):
        raise ValueError(f"{owner}.high: got {np.asarray(high)}; allowed: above low = {np.asarray(low)}")


def _array(parameter: Any) -> Array:
    return jnp.asarray(parameter, float_dtype())


def _grid(low: Array, step: Array, first: float, m: int) -> Array:
    """low + (first + k) step for k < m, shape (..., m)."""
    shape = (*step.shape, m)
    k = jnp.arange(m, dtype=step.dtype) + first
    return jnp.broadcast_to(low[..., None], shape) + jnp.broadcast_to(k, shape) * jnp.broadcast_to(
        step[..., None], shape
    )


def _fields(owner: str, x: Any, low: Any, high: Any) -> Array:
    """Values to encode, (..., n); at least one axis, which the fields multiply."""
    array = checked(owner, x, low, high)
    if not array.ndim:
        raise ValueError(f"{owner}: x is one number; allowed: (..., n), such as x[None]; each value gets its neurons")
    return array


def _activation(x: Array, centers: Array, sigma: Array) -> Array:
    """exp(-(x - c)^2 / (2 sigma^2)), (..., n M): the M neurons of a value side by side."""
    shape = (*x.shape, centers.shape[-1])
    z = (x[..., None] - jnp.broadcast_to(centers, shape)) / jnp.broadcast_to(sigma[..., None], shape)
    return jnp.exp(-0.5 * z * z).reshape(*x.shape[:-1], -1)


def _read(activation: Array, centers: Array, sigma: Array) -> Array:
    """The value from the two most active fields: ln(a/b) is linear in it. One active field: its center. None: NaN."""
    m = centers.shape[-1]
    a = activation.reshape(*activation.shape[:-1], -1, m)
    at = jnp.broadcast_to(centers, a.shape)
    first = jnp.argmax(a, axis=-1, keepdims=True)
    rest = jnp.where(jnp.arange(m).reshape((1,) * (a.ndim - 1) + (m,)) == first, -1.0, a)
    second = jnp.argmax(rest, axis=-1, keepdims=True)
    p, c = (jnp.take_along_axis(v, first, -1)[..., 0] for v in (a, at))
    q, d = (jnp.take_along_axis(v, second, -1)[..., 0] for v in (a, at))
    both = q > 0
    ratio = jnp.log(jnp.where(both, p, 1.0) / jnp.where(both, q, 1.0))
    x = (c + d) / 2.0 + like(sigma, c) ** 2 * ratio / jnp.where(c == d, 1.0, c - d)
    return jnp.where(both, x, jnp.where(p > 0, c, jnp.nan))


@dataclasses.dataclass(frozen=True)
class PopulationLatency(AbstractEncoder):
    """Receptive fields that fire the earlier the closer the value: t = (T - 1)(1 - a), rounded half to even.

    a = exp(-(x - c)^2 / (2 sigma^2)) with centers c_i = low + (2 i - 3)/2 (high - low)/(M - 2), i = 1..M, and
    sigma = (high - low)/(gamma (M - 2)). Neuron i of value k is column k M + i - 1.

    Args:
        n_steps: Steps T, >= 2.
        n_fields: Neurons M for each value, >= 3.
        low: Smallest value, one number or one for each of the n.
        high: Largest value, above low.
        gamma: Sharpness of the fields, > 0, one number or one for each of the n.
        a_min: Activation below which a neuron is silent, in 0 to 1.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside low to high.
    References:
        Bohte, La Poutre and Kok (2002), Neurocomputing 48:17 (encoding by receptive fields).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.PopulationLatency(n_steps=50, n_fields=6)
        >>> spikes = code.encode([0.3, 0.8])
        >>> spikes.shape, [round(float(x), 1) for x in code.decode(spikes)]
        ((50, 12), [0.3, 0.8])
    """

    n_steps: int
    n_fields: int
    low: Any = number(0.0)
    high: Any = number(1.0)
    gamma: Any = number(1.5, above=0.0)
    a_min: Any = number(0.1, low=0.0, high=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("PopulationLatency", "n_steps", self.n_steps, low=2)
        whole("PopulationLatency", "n_fields", self.n_fields, low=3)
        _check_range("PopulationLatency", self.low, self.high)

    @property
    def _spacing(self) -> Array:
        return (_array(self.high) - _array(self.low)) / (self.n_fields - 2)

    @property
    def centers(self) -> Array:
        """Preferred values, (M,), or (n, M) where the range differs."""
        return _grid(_array(self.low), self._spacing, -0.5, self.n_fields)

    @property
    def sigma(self) -> Array:
        """Width of the fields, one number, or one for each of the n values."""
        return self._spacing / _array(self.gamma)

    def times_steps(self, x: Any) -> Array:
        """When each neuron would fire, in steps before rounding, (..., n M); NaN for silent ones."""
        array = _fields("PopulationLatency", x, self.low, self.high)
        a = _activation(array, self.centers, self.sigma)
        return jnp.where(a >= jnp.full_like(a, self.a_min), (self.n_steps - 1) * (1.0 - a), jnp.nan)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n M) of values (..., n)."""
        times = self.times_steps(x)
        return one_spike(times, jnp.isfinite(times), self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) from the two earliest neurons of each; NaN where all are silent."""
        times, fired = first_step(steps_of("PopulationLatency", spikes, self.n_steps))
        return _read(jnp.where(fired, 1.0 - times / (self.n_steps - 1), 0.0), self.centers, self.sigma)


@dataclasses.dataclass(frozen=True)
class PopulationRate(AbstractEncoder):
    """Receptive fields that fire the more the closer the value: u += a; a spike and u -= threshold at the threshold.

    a = exp(-(x - c)^2 / (2 sigma^2)) with M centers c from low to high, evenly. Neuron i of value k is column k M + i.

    Args:
        n_steps: Steps T, >= 1.
        n_fields: Neurons M for each value, >= 2.
        low: Smallest value, one number or one for each of the n.
        high: Largest value, above low.
        sigma: Width of the fields, > 0, one number or one for each of the n.
        threshold: Threshold of the integrators, > 0; below 1 the best neuron fires in each step.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside low to high.
    References:
        Tang, Kumar, Yoo and Michmizos (2020), CoRL (deterministic population encoder).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.PopulationRate(n_steps=50, n_fields=5, low=-1.0, sigma=0.4)
        >>> spikes = code.encode([0.3, -0.7])
        >>> spikes.shape, [round(float(x), 1) for x in code.decode(spikes)]
        ((50, 10), [0.3, -0.7])
    """

    n_steps: int
    n_fields: int
    low: Any = number(0.0)
    high: Any = number(1.0)
    sigma: Any = number(0.15, above=0.0)
    threshold: Any = number(0.999, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("PopulationRate", "n_steps", self.n_steps)
        whole("PopulationRate", "n_fields", self.n_fields, low=2)
        _check_range("PopulationRate", self.low, self.high)

    @property
    def centers(self) -> Array:
        """Preferred values, (M,), or (n, M) where the range differs."""
        low = _array(self.low)
        return _grid(low, (_array(self.high) - low) / (self.n_fields - 1), 0.0, self.n_fields)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n M) of values (..., n)."""
        array = _fields("PopulationRate", x, self.low, self.high)
        a = _activation(array, self.centers, _array(self.sigma))
        return accumulate(a, jnp.full_like(a, self.threshold), jnp.zeros_like(a), self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) from the counts of the two most active neurons of each; NaN where all are silent."""
        count = jnp.sum(steps_of("PopulationRate", spikes, self.n_steps), axis=0)
        return _read(jnp.where(count > 0, count + 0.5, 0.0), self.centers, _array(self.sigma))
