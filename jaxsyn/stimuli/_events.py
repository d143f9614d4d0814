"""Listed spikes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, Weights, float_dtype
from ._base import AbstractStimulus, Draw, as_targets, event_weights

_NEVER = 2**31 - 1


class SpikeEvents(AbstractStimulus):
    """Listed spikes on a grid, sorted by tick: what `SpikeTimes` becomes inside a network.

    Args:
        ticks: Step at whose end each event arrives, int32 (k,), rising; padded with the largest integer.
        neurons: Target neuron of each event, int32 (k,).
        amplitudes: Factor of the weight for each event, (k,).
        weights: Weight of an event by receptor.
        target: Population names.
        size: Number of target neurons.
        window: Largest number of events in one step.
        last_tick: Tick of the last event, 0 without events.
    Example:
        >>> import jaxsyn as js
        >>> times = js.stimuli.SpikeTimes("E", times_ms=[0.2, 0.1], neurons=0, weight=1.0)
        >>> times.bind(3, dt_ms=0.1).ticks[:2].tolist()
        [1, 2]
    """

    ticks: Array
    neurons: Array
    amplitudes: Array
    weights: Weights
    last_tick: Array
    target: tuple[str, ...] = eqx.field(static=True)
    size: int = eqx.field(static=True)
    window: int = eqx.field(static=True)

    def take(self, index: np.ndarray[Any, Any]) -> "SpikeEvents":
        place = np.full(self.size, -1, np.int32)
        place[index[::-1]] = np.arange(len(index), dtype=np.int32)[::-1]  # the first of a neuron that is taken twice
        neurons = place[np.asarray(self.neurons)]
        kept = np.flatnonzero((neurons >= 0) & (np.asarray(self.ticks) < _NEVER))
        pad = len(neurons) - len(kept)
        events = dataclasses.replace(
            self,
            ticks=jnp.asarray(np.pad(np.asarray(self.ticks)[kept], (0, pad), constant_values=_NEVER)),
            neurons=jnp.asarray(np.pad(neurons[kept], (0, pad))),
            amplitudes=jnp.asarray(np.pad(np.asarray(self.amplitudes)[kept], (0, pad))),
            size=len(index),
        )
        return events

    def prepare(self, index: Array, dt_ms: float) -> Array:
        return jnp.arange(self.window, dtype=jnp.int32)

    def sample(self, prepared: Array, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        first = jnp.searchsorted(self.ticks, tick + 1).astype(jnp.int32)
        at = jnp.minimum(first + prepared, self.ticks.shape[0] - 1)
        due = self.ticks[at] == tick + 1
        values = jnp.where(due, self.amplitudes[at], 0.0)
        return jnp.zeros(self.size, self.amplitudes.dtype).at[self.neurons[at]].add(values), state


def _bucket(k: int) -> int:
    return max(8, 1 << (k - 1).bit_length()) if k else 8


class SpikeTimes(AbstractStimulus):
    """Listed spikes: neuron `neurons[k]` of the target receives an event at `times_ms[k]`.

    Args:
        target: Population name or names.
        times_ms: Arrival times, ms, > 0, any order, shape (k,).
        neurons: Target neuron of each, shape (k,) or one number for all.
        amplitudes: Factor of the weight for each event, shape (k,), or one number.
        off_grid: "error" refuses times that are not multiples of dt_ms; "round" takes the nearest step.
        weights: One of weight_nS, weight_pA, weight_mV, weight, as for `Poisson`.
    Raises:
        ValueError: Times not positive or not finite, lengths differ, index out of range, time off the grid.
    References:
        The `spike_generator` of NEST (same rule: an event at t acts at the end of the step that ends at t).
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.SpikeTimes("E", times_ms=[1.0, 2.0], neurons=0, weight_pA=50.0).times_ms.shape
        (2,)
    """

    times_ms: np.ndarray[Any, Any]
    neurons: np.ndarray[Any, Any]
    amplitudes: np.ndarray[Any, Any]
    weights: Weights
    target: tuple[str, ...] = eqx.field(static=True)
    off_grid: str = eqx.field(static=True)

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        times_ms: Any,
        neurons: Any,
        amplitudes: Any = 1.0,
        off_grid: str = "error",
        **weights: Any,
    ) -> None:
        self.target = as_targets(target)
        self.weights = event_weights("SpikeTimes", weights)
        self.times_ms = np.asarray(times_ms, np.float64).reshape(-1)
        if off_grid not in ("error", "round"):
            raise ValueError(f"SpikeTimes.off_grid: got {off_grid!r}; allowed: 'error' or 'round'")
        self.off_grid = off_grid
        indices, factors = np.asarray(neurons), np.asarray(amplitudes, np.float64)
        if indices.dtype.kind not in "iu" and indices.size:
            raise ValueError(f"SpikeTimes.neurons: got {indices.dtype} values; allowed: whole numbers")
        for name, value in (("neurons", indices), ("amplitudes", factors)):
            if value.ndim and value.shape != self.times_ms.shape:
                raise ValueError(
                    f"SpikeTimes.{name}: got shape {value.shape}; allowed: one number, or "
                    f"{self.times_ms.shape} as times_ms"
                )
        bad = ~(np.isfinite(self.times_ms) & (self.times_ms > 0))
        if bad.any():
            k = int(np.argmax(bad))
            raise ValueError(
                f"SpikeTimes.times_ms[{k}]: got {self.times_ms[k]}; allowed: finite and > 0 (start of the run)"
            )
        if not np.isfinite(factors).all():
            raise ValueError("SpikeTimes.amplitudes: got values that are not finite; remove them")
        self.neurons = np.broadcast_to(indices.astype(np.int32), self.times_ms.shape)
        self.amplitudes = np.broadcast_to(factors, self.times_ms.shape)

    def bind(self, n: int, dt_ms: float) -> SpikeEvents:
        if self.neurons.size and (self.neurons.min() < 0 or self.neurons.max() >= n):
            raise ValueError(
                f"SpikeTimes.neurons: got indices {self.neurons.min()} to {self.neurons.max()}; allowed: 0 to {n - 1}, "
                f"the neurons of {' + '.join(self.target)}"
            )
        exact = self.times_ms / dt_ms
        ticks = np.rint(exact)
        off = np.abs(exact - ticks) > 1e-4
        if self.off_grid == "error" and off.any():
            k = int(np.argmax(off))
            raise ValueError(
                f"SpikeTimes.times_ms[{k}]: {self.times_ms[k]} ms is not a multiple of dt_ms = {dt_ms}; "
                "choose a finer step or pass off_grid='round'"
            )
        ticks = np.maximum(ticks, 1)
        if ticks.size and ticks.max() >= 2**31 - 1:
            raise ValueError(
                f"SpikeTimes.times_ms: got {self.times_ms.max()} ms; allowed: below 2^31 steps of {dt_ms} ms"
            )
        order = np.argsort(ticks, kind="stable")
        sorted_ticks = ticks[order].astype(np.int32)
        k = len(sorted_ticks)
        pad = _bucket(k) - k
        window = int(np.unique(sorted_ticks, return_counts=True)[1].max()) if k else 1
        return SpikeEvents(
            ticks=jnp.asarray(np.pad(sorted_ticks, (0, pad), constant_values=_NEVER)),
            neurons=jnp.asarray(np.pad(self.neurons[order], (0, pad))),
            amplitudes=jnp.asarray(np.pad(self.amplitudes[order], (0, pad)), float_dtype()),
            weights=self.weights,
            last_tick=jnp.asarray(sorted_ticks[-1] if k else 0, jnp.int32),
            target=self.target,
            size=n,
            window=1 << (window - 1).bit_length(),
        )

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[jax.Array, Any]:
        raise ValueError("SpikeTimes has to be bound to a network (bind) before it can be sampled")
