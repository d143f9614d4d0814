"""Delays on the time grid."""

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._distributions import AbstractDistribution, Value, fixed_values
from ._edges import Int32s

Steps = npt.NDArray[Any]  # whole numbers

_TOLERANCE = 1e-6  # of a step
_CHUNK = 1 << 16


def delay_to_steps(delay_ms: npt.ArrayLike, dt_ms: float, *, sampled: bool) -> Int32s:
    """Delays as whole steps of dt.

    A delay that the user wrote down must lie on the grid: rounding it would silently simulate another network. A delay
    drawn from a distribution is rounded to the nearest step, and up to one step where that is 0.

    Args:
        delay_ms: Delays, ms, any shape.
        dt_ms: Step, ms.
        sampled: Whether the delays were drawn.
    Returns:
        Delays in steps, int32, the shape of `delay_ms`.
    Raises:
        ValueError: negative, not finite, too long for int32, or (not sampled) off the grid by over 1e-6 of a step.
    Example:
        >>> int(delay_to_steps(1.5, 0.1, sampled=False))
        15
    """
    delay = np.asarray(delay_ms, np.float64)
    dt_ms = check.number("dt_ms", dt_ms, low=0.0)
    if dt_ms == 0.0:
        raise check.refuse("dt_ms", 0.0, "> 0", "Choose the time step, such as 0.1.")
    if not delay.size:
        return np.zeros(delay.shape, np.int32)
    check.finite("delay_ms", delay, delay.shape)
    steps = delay / dt_ms
    low, high = float(delay.min()), float(steps.max())
    if low < 0.0:
        remedy = "Bound the distribution, as in TruncatedNormal(..., low=0)." if sampled else "Choose a delay >= 0."
        raise check.refuse("delay_ms", f"{low:g}", ">= 0", remedy)
    if high > 2**31 - 1:
        raise check.refuse("delay_ms", f"{delay.max():g}", f"at most {(2**31 - 1) * dt_ms:g} at dt_ms={dt_ms:g}", "")
    nearest = np.rint(steps)
    off = np.abs(steps - nearest) > _TOLERANCE
    if sampled:
        nearest = np.maximum(nearest, 1.0)
    elif off.any():
        place = tuple(int(i) for i in np.argwhere(off)[0])
        below = np.floor(steps[place])
        where = f" at place {place}" if place else ""
        raise check.refuse(
            "delay_ms",
            f"{delay[place]:g}{where}, which is {steps[place]:.6g} steps of dt_ms={dt_ms:g}",
            f"whole steps, such as {below * dt_ms:g} or {(below + 1) * dt_ms:g}",
            "Choose one of these, or a smaller dt_ms.",
        )
    return np.asarray(nearest, np.int32)


def sample_delays(
    value: Value, n_edges: int, dt_ms: float, generator: np.random.Generator, *, name: str = "delay_ms"
) -> Steps:
    """Resolve a number, an array or a distribution of delays in ms to steps.

    Args:
        value: Delay, ms: a number, an array of shape (edges,), or a distribution (drawn and rounded, at least 1 step).
        n_edges: Number of edges.
        dt_ms: Step, ms.
        generator: Where a distribution draws from.
        name: What to call the delay in an error.
    Returns:
        Delays in steps, shape () for a number, else (edges,): drawn ones in the smallest unsigned type that holds them.
    Raises:
        ValueError: as `delay_to_steps`.
    Example:
        >>> from jaxsyn.connect import Uniform
        >>> sample_delays(Uniform(0.5, 2.0), 100, 0.1, np.random.default_rng(0)).shape
        (100,)
    """
    if not isinstance(value, AbstractDistribution):
        return delay_to_steps(fixed_values(value, (n_edges,), name), dt_ms, sampled=False)
    steps: Steps = np.empty(n_edges, np.uint8)
    for start in range(0, n_edges, _CHUNK):
        part = delay_to_steps(value.sample(generator, min(_CHUNK, n_edges - start)), dt_ms, sampled=True)
        longest = int(part.max())
        if longest > np.iinfo(steps.dtype).max:
            steps = steps.astype(np.min_scalar_type(longest))
        steps[start : start + part.size] = part
    return steps


def delay_span(value: Value, n_edges: int, dt_ms: float) -> tuple[int, int] | None:
    """Steps between which (almost) every seed draws all of its delays; None for delays that are not drawn.

    A graph with rows for all of them has the same shapes whatever the seed. One seed in 500 draws a longer or a
    shorter one.

    Args:
        value: Delay, ms, as for `sample_delays`.
        n_edges: Number of edges, or a bound of it that does not depend on the seed.
        dt_ms: Step, ms.
    Returns:
        The shortest and the longest, both at least 1, or None.
    Example:
        >>> from jaxsyn.connect import Uniform
        >>> delay_span(Uniform(0.5, 2.0), 100, 0.1)
        (5, 20)
    """
    if not isinstance(value, AbstractDistribution):
        return None
    tail = 1e-3 / max(n_edges, 1)
    ends = np.sort(value.transform(np.array([tail, 1.0 - tail])))
    low, high = (int(step) for step in delay_to_steps(np.clip(ends, 0.0, (2**31 - 2) * dt_ms), dt_ms, sampled=True))
    return low, high
