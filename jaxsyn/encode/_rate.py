"""Codes in which a value is a current, or how often there is a spike."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array, float_dtype, is_concrete
from ._base import AbstractEncoder, accumulate, checked, like, number, numbers, steps_of, whole

_BERNOULLI, _POISSON = kernels.stream_id("encode.Bernoulli"), kernels.stream_id("encode.Poisson")


@dataclasses.dataclass(frozen=True)
class Direct(AbstractEncoder):
    """Direct current: the value itself in each step, s_t = x. The first layer of the network makes the spikes.

    Args:
        n_steps: Steps T, >= 1.
    Raises:
        ValueError: n_steps no whole number >= 1; at encode: values that are not finite.
    References:
        Rueckauer et al. (2017), Front. Neurosci. 11:682 (analog input).
    Example:
        >>> import jaxsyn as js
        >>> js.encode.Direct(n_steps=3).encode([0.5, -1.0]).tolist()
        [[0.5, -1.0], [0.5, -1.0], [0.5, -1.0]]
    """

    n_steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Direct", "n_steps", self.n_steps)

    def encode(self, x: Any) -> Array:
        """The values (..., n) in each step, (T, ..., n); carries the gradient."""
        array = numbers("Direct", "x", x)
        return jnp.broadcast_to(array[None], (self.n_steps, *array.shape))

    def decode(self, spikes: Any) -> Array:
        """Mean over time, (..., n): the values."""
        return jnp.mean(steps_of("Direct", spikes, self.n_steps), axis=0)


@dataclasses.dataclass(frozen=True)
class Rate(AbstractEncoder):
    """Regular spikes at a rate: v += x; a spike and v -= 1 where v >= 1. The count is floor(T x + v_init).

    Args:
        n_steps: Steps T, >= 1.
        v_init: Where v starts; 0.5 rounds the count to the nearest, 0 down.
    Raises:
        ValueError: n_steps no whole number >= 1, v_init not finite; at encode: values outside 0 to 1.
    References:
        Rueckauer et al. (2017), Front. Neurosci. 11:682, eqs. 1-2 (reset by subtraction).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.Rate(n_steps=4)
        >>> code.encode([0.0, 0.5, 1.0]).sum(0).tolist(), code.decode(code.encode([0.5])).tolist()
        ([0.0, 2.0, 4.0], [0.5])
    """

    n_steps: int
    v_init: Any = number(0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Rate", "n_steps", self.n_steps)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        array = checked("Rate", x)
        return accumulate(array, jnp.ones_like(array), like(self.v_init, array), self.n_steps)

    def decode(self, spikes: Any) -> Array:
        """Values (..., n) in the middle of those with this count, within 1/(2 T) of what was encoded."""
        count = jnp.sum(steps_of("Rate", spikes, self.n_steps), axis=0)
        return jnp.clip((count - like(self.v_init, count) + 0.5) / self.n_steps, 0.0, 1.0)


def _check_seed(code: Any) -> None:
    """A whole number, or one that is traced."""
    seed = code.seed
    if not is_concrete(seed):
        return
    if isinstance(seed, bool) or np.asarray(seed).dtype.kind not in "iu" or np.ndim(seed) or not 0 <= seed < 2**32:
        raise ValueError(f"{type(code).__name__}.seed: got {seed!r}; allowed: a whole number from 0 to 2^32 - 1")
    object.__setattr__(code, "seed", int(seed))


def _index(x: Array) -> Array:
    """A number for each value of an array, to draw by."""
    return jnp.arange(x.size, dtype=jnp.uint32).reshape(x.shape)


@dataclasses.dataclass(frozen=True)
class Bernoulli(AbstractEncoder):
    """Random spikes: in each step one with probability x, independent of all others.

    A draw depends on the seed, the step and the place of the value in its array alone. So the samples of a batch that
    is one array differ; under `jax.vmap` give each sample a seed.

    Args:
        n_steps: Steps T, >= 1.
        seed: Seed, 0 to 2^32 - 1; may be traced.
    Raises:
        ValueError: n_steps no whole number >= 1, seed out of range; at encode: values outside 0 to 1.
    References:
        Dayan and Abbott (2001), Theoretical Neuroscience, section 1.4 (one draw for each step).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.Bernoulli(n_steps=10000, seed=1)
        >>> [round(float(x), 1) for x in code.decode(code.encode([0.0, 0.3, 1.0]))]
        [0.0, 0.3, 1.0]
    """

    n_steps: int
    seed: Any = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Bernoulli", "n_steps", self.n_steps)
        _check_seed(self)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of probabilities (..., n)."""
        array = checked("Bernoulli", x)

        def at(step: Array) -> Array:
            return kernels.bernoulli(self.seed, _BERNOULLI, _index(array), step, array)

        return jax.vmap(at)(jnp.arange(self.n_steps, dtype=jnp.uint32)).astype(float_dtype())

    def decode(self, spikes: Any) -> Array:
        """Share of steps with a spike, (..., n); standard error sqrt(x (1 - x) / T)."""
        return jnp.mean(steps_of("Bernoulli", spikes, self.n_steps), axis=0)


@dataclasses.dataclass(frozen=True)
class Poisson(AbstractEncoder):
    """Poisson trains: the number of spikes in a step is Poisson with mean x max_rate dt; two in one step count as two.

    Draws depend on seed, step and place as in `Bernoulli`. For long runs of a network `js.stimuli.Poisson` draws step
    by step instead of making an array.

    Args:
        n_steps: Steps T, >= 1.
        max_rate_Hz: Rate of the value 1, Hz, > 0.
        dt_ms: Length of a step, ms, > 0.
        seed: Seed, 0 to 2^32 - 1; may be traced.
    Raises:
        ValueError: A parameter is out of range; at encode: values outside 0 to 1.
    References:
        Dayan and Abbott (2001), Theoretical Neuroscience, section 1.4.
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.Poisson(n_steps=10000, max_rate_Hz=100.0, dt_ms=1.0)
        >>> [round(float(x), 1) for x in code.decode(code.encode([0.0, 0.3, 1.0]))]
        [0.0, 0.3, 1.0]
    """

    n_steps: int
    max_rate_Hz: float
    dt_ms: float
    seed: Any = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Poisson", "n_steps", self.n_steps)
        _check_seed(self)
        for name, value in (("max_rate_Hz", self.max_rate_Hz), ("dt_ms", self.dt_ms)):
            if isinstance(value, bool) or not isinstance(value, float | int | np.number) or not 0 < value < np.inf:
                raise ValueError(f"Poisson.{name}: got {value!r}; allowed: a finite number > 0")

    @property
    def _largest(self) -> float:
        """Mean number of spikes in a step for the value 1."""
        return self.max_rate_Hz * self.dt_ms * 1e-3

    def encode(self, x: Any) -> Array:
        """Numbers of spikes (T, ..., n) of values (..., n) in 0 to 1."""
        array = checked("Poisson", x)
        survival = kernels.poisson_survival(jnp.ravel(array) * self._largest, kernels.poisson_terms(self._largest))

        def at(step: Array) -> Array:
            return kernels.poisson(self.seed, _POISSON, jnp.ravel(_index(array)), step, list(survival))

        counts = jax.vmap(at)(jnp.arange(self.n_steps, dtype=jnp.uint32))
        return counts.reshape(self.n_steps, *array.shape).astype(float_dtype())

    def decode(self, spikes: Any) -> Array:
        """Mean rate over `max_rate_Hz`, (..., n); standard error sqrt(x / (T max_rate dt))."""
        return jnp.mean(steps_of("Poisson", spikes, self.n_steps), axis=0) / self._largest
