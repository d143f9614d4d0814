"""Delays that are trained: any value between bounds, interpolated between the steps of the grid."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import float_dtype
from . import _checks as check
from ._delay import delay_to_steps
from ._distributions import Uniform, Value, sample_values
from ._edges import Int32s


class Delays(eqx.Module):
    """Trained delays, one for each synapse. What `TrainableDelay` becomes.

    With d = ms / dt_ms, held within the bounds, a synapse delivers (1 - f) x(t - k) + f x(t - k - 1), where k is the
    whole part of d and f the rest: the emissions x of its source, interpolated between two steps. The derivative in d
    is x(t - k - 1) - x(t - k); at a whole d it is that towards longer delays (at the upper bound towards shorter ones).

    Args:
        ms: Delays, ms, any shape.
        low: Lower bound, whole steps.
        high: Upper bound, whole steps, > low.
        dt_ms: Step of the network, ms.
    Example:
        >>> whole, fraction = Delays(jnp.asarray([1.5, 9.0]), low=0, high=4, dt_ms=1.0).split()
        >>> whole.tolist(), fraction.tolist()
        ([1, 3], [0.5, 1.0])
    """

    ms: jax.Array
    low: int = eqx.field(static=True)
    high: int = eqx.field(static=True)
    dt_ms: float = eqx.field(static=True)

    @property
    def window(self) -> int:
        """Steps from the shortest delay that is allowed to the longest, both included."""
        return self.high - self.low + 1

    def steps(self) -> jax.Array:
        """Delays in steps within the bounds; the gradient passes up to the bounds and ends beyond."""
        steps = self.ms / self.dt_ms
        return jnp.where(steps < self.low, self.low, jnp.where(steps > self.high, self.high, steps))

    def split(self) -> tuple[jax.Array, jax.Array]:
        """Whole steps k (int32), k + 1 within the bounds, and the rest f in [0, 1]: the delay is k + f steps."""
        steps = self.steps()
        whole = jnp.clip(jnp.floor(jax.lax.stop_gradient(steps)), self.low, self.high - 1)
        return whole.astype(jnp.int32), steps - whole

    def taps(self) -> jax.Array:
        """Share of each whole delay from `low` to `high` in each delay, shape (window, ...)."""
        whole, fraction = self.split()
        row = (whole - self.low)[None]
        at = jnp.arange(self.window, dtype=jnp.int32).reshape((-1,) + (1,) * whole.ndim)
        return jnp.where(at == row, 1.0 - fraction, 0.0) + jnp.where(at == row + 1, fraction, 0.0)

    def bounded(self) -> "Delays":
        """The same with every number within the bounds."""
        low, high = self.low * self.dt_ms, self.high * self.dt_ms
        return Delays(jnp.clip(self.ms, low, high), self.low, self.high, self.dt_ms)

    def rounded(self) -> Int32s:
        """The nearest whole steps, on the host."""
        return np.asarray(np.rint(np.asarray(self.steps(), np.float64)), np.int32)


@dataclasses.dataclass(frozen=True)
class TrainableDelay:
    """A delay of its own for each synapse, any value between bounds, that gradients reach.

    Emissions are interpolated linearly between the two neighboring steps, see `Delays`. Train it by name
    (`js.train.fit(..., parameters=["in_hidden.delay_ms"])`), then `js.freeze(net)` rounds all delays to whole steps.
    For `Projection(delay_ms=...)` with `js.connect.Dense()`, whose cost grows with the number of steps between the
    bounds, or a sparse rule, which costs all of its synapses in each step.

    Args:
        max_ms: Upper bound, ms, a multiple of dt_ms.
        min_ms: Lower bound, ms, a multiple of dt_ms, < max_ms. In a loop of discrete neurons it is at least dt_ms.
        initial_ms: Delays to begin with, ms, within the bounds: a number, an array (n_pre, n_post) for `Dense` or
            (synapses,) for a rule, or a distribution; None draws uniformly between the bounds.
    Raises:
        ValueError: Bounds that are not finite or not in order; in a network: bounds off the grid, or initial delays
            beyond them.
    References:
        Hammouamri, Khalfaoui-Hassani and Masquelier (2024), ICLR (delays as positions in a kernel, rounded in the end);
        Khalfaoui-Hassani, Pellegrini and Masquelier (2023), ICLR (linear interpolation of positions).
    Example:
        >>> import jaxsyn as js
        >>> delays = js.connect.TrainableDelay(max_ms=20.0)
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 3), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)},
        ...     {"w": js.Projection("in", "out", js.connect.Dense(), delay_ms=delays)}, dt_ms=1.0)
        >>> net.links[0].transform.delays.ms.shape
        (3, 2)
    """

    max_ms: float
    min_ms: float = 0.0
    initial_ms: Value | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "min_ms", check.number("TrainableDelay.min_ms", self.min_ms, low=0.0))
        object.__setattr__(self, "max_ms", check.number("TrainableDelay.max_ms", self.max_ms))
        if not self.max_ms > self.min_ms:
            raise check.refuse("TrainableDelay.max_ms", f"{self.max_ms:g}", f"> min_ms={self.min_ms:g}", "Raise it.")

    def bounds(self, dt_ms: float) -> tuple[int, int]:
        """Lower and upper bound in steps.

        Raises:
            ValueError: They are not whole steps.
        """
        low, high = (int(delay_to_steps(ms, dt_ms, sampled=False)) for ms in (self.min_ms, self.max_ms))
        return low, high

    def bind(self, shape: tuple[int, ...], dt_ms: float, generator: np.random.Generator | None) -> Delays:
        """Delays to begin with (the lower bound without a generator).

        Args:
            shape: One for each synapse.
            dt_ms: Step, ms.
            generator: Where a distribution is drawn from.
        Returns:
            The delays.
        Raises:
            ValueError: Bounds off the grid; initial delays of a wrong shape or beyond the bounds.
        """
        low, high = self.bounds(dt_ms)
        if generator is None:
            return Delays(jnp.full(shape, self.min_ms, float_dtype()), low, high, dt_ms)
        value = Uniform(self.min_ms, self.max_ms) if self.initial_ms is None else self.initial_ms
        given = np.broadcast_to(sample_values(value, shape, generator, name="delay_ms.initial_ms"), shape)
        ends = (float(given.min()), float(given.max())) if given.size else (self.min_ms, self.max_ms)
        if not (math.isfinite(ends[0]) and self.min_ms <= ends[0] and ends[1] <= self.max_ms):
            raise check.refuse(
                "delay_ms.initial_ms",
                f"{ends[0]:g} to {ends[1]:g}",
                f"{self.min_ms:g} to {self.max_ms:g}, the bounds",
                "Bound the distribution (TruncatedNormal, Uniform), or move min_ms or max_ms.",
            )
        return Delays(jnp.asarray(given, float_dtype()), low, high, dt_ms)
