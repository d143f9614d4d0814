"""Steps that hit given times, and values of a recorded trace at given times."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

import jaxsyn as js

_FINEST_MS = 5e-4


def common_step(times_ms: Iterable[float], largest_ms: float) -> float:
    """The largest step, ms, of at most `largest_ms` that all times are multiples of.

    Raises:
        ValueError: A time is no simple fraction, or the step would be finer than 0.5 us.
    """
    shared = Fraction(0)
    for t in {float(t) for t in times_ms}:
        fraction = Fraction(t).limit_denominator(2000)
        if abs(float(fraction) - t) > 1e-9 * max(1.0, abs(t)):
            raise ValueError(f"{t} ms lies on no grid of 1/2000 ms or coarser")
        shared = _gcd(shared, fraction)
    limit = Fraction(largest_ms).limit_denominator(10**6)
    step = limit if shared == 0 else shared / math.ceil(shared / limit)
    if step < _FINEST_MS:
        raise ValueError(f"the times share only the step {float(step)} ms")
    return float(step)


def _gcd(a: Fraction, b: Fraction) -> Fraction:
    return Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator)


def columns(cases: Sequence[Mapping[str, Any]], *keys: str) -> tuple[np.ndarray[Any, Any], ...]:
    """The values of each key over all cases: one array for each neuron of a batch."""
    return tuple(np.array([float(c[k]) for c in cases]) for k in keys)


def steps_up(time_ms: float, dt_ms: float) -> float:
    """The next whole number of steps, in ms (at least one)."""
    return max(1, math.ceil(time_ms / dt_ms - 1e-6)) * dt_ms


def at(trace: js.Trace, column: int, start: float, times_ms: Any) -> np.ndarray[Any, Any]:
    """Values of one neuron at given times, from a trace of every step and its value at t = 0.

    Between two steps the cubic through the four nearest samples is taken.
    """
    t, y = trace.times_ms, trace.values[:, column]
    dt_ms = t[0]
    t, y = np.concatenate([[0.0], t]), np.concatenate([[start], y])
    wanted = np.asarray(times_ms, float)
    near = np.rint(wanted / dt_ms).astype(int)
    if np.any(near >= len(y)):
        raise ValueError(f"sample at {wanted.max()} ms lies after the run")
    on_grid = np.abs(wanted / dt_ms - near) < 1e-4
    out: np.ndarray[Any, Any] = y[near]
    for k in np.flatnonzero(~on_grid):
        out[k] = cubic(t, y, int(np.clip(wanted[k] / dt_ms - 1, 0, len(y) - 4)), wanted[k])
    return out


def cubic(t: np.ndarray[Any, Any], y: np.ndarray[Any, Any], first: int, where: float) -> float:
    """Value at `where` of the cubic through four successive samples."""
    nodes, values = t[first : first + 4], y[first : first + 4]
    total = 0.0
    for i in range(len(nodes)):
        others = np.delete(nodes, i)
        total += values[i] * np.prod((where - others) / (nodes[i] - others))
    return float(total)
