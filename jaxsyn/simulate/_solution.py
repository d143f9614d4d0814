"""What a simulation gives back."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..network import NetworkState
from ._store import AbstractStore

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclasses.dataclass(frozen=True)
class SpikeTrains:
    """Spikes of one population, in the order of time.

    Attributes:
        times_ms: Times, ms, shape (k,).
        neurons: Neuron of each spike, shape (k,).
        n: Number of neurons.
        t_start_ms, t_stop_ms: Span of the recording, ms.
    Example:
        >>> import numpy as np
        >>> SpikeTrains(np.array([1.0, 2.5]), np.array([0, 1]), 2, 0.0, 10.0).rate_Hz()
        100.0
    """

    times_ms: Floats
    neurons: Ints
    n: int
    t_start_ms: float
    t_stop_ms: float

    def __len__(self) -> int:
        return len(self.times_ms)

    def train(self, neuron: int) -> Floats:
        """Spike times of one neuron, ms."""
        if not 0 <= neuron < self.n:
            raise ValueError(f"neuron: got {neuron}; allowed: 0 to {self.n - 1}")
        return self.times_ms[self.neurons == neuron]

    def trains(self) -> list[Floats]:
        """Spike times of every neuron, ms."""
        if not self.n:
            return []
        order = np.argsort(self.neurons, kind="stable")
        return np.split(self.times_ms[order], np.cumsum(self.counts())[:-1])

    def counts(self) -> Ints:
        """Number of spikes of each neuron, shape (n,)."""
        return np.bincount(self.neurons, minlength=self.n).astype(np.int64)

    def rate_Hz(self) -> float:
        """Mean rate of a neuron, Hz."""
        span_s = (self.t_stop_ms - self.t_start_ms) * 1e-3
        return len(self) / (self.n * span_s) if self.n and span_s > 0 else 0.0

    def between(self, t_start_ms: float, t_stop_ms: float) -> "SpikeTrains":
        """The spikes with t_start < t <= t_stop."""
        keep = (self.times_ms > t_start_ms) & (self.times_ms <= t_stop_ms)
        return SpikeTrains(self.times_ms[keep], self.neurons[keep], self.n, t_start_ms, t_stop_ms)


@dataclasses.dataclass(frozen=True)
class Trace:
    """Samples of a quantity.

    Attributes:
        times_ms: Times of the samples, ms, shape (t,).
        values: Samples, shape (t, k), or (t,) for means and rates.
        index: Neuron (or synapse) of each column, or None.
        unit: Unit, "" for pure numbers.
    Example:
        >>> import numpy as np
        >>> Trace(np.arange(3.0), np.zeros((3, 2)), (0, 1), "mV").values.shape
        (3, 2)
    """

    times_ms: Floats
    values: np.ndarray[Any, Any]
    index: tuple[int, ...] | None
    unit: str


class LazySpikes(Mapping[str, SpikeTrains]):
    """Spike trains by population, unpacked when asked for."""

    def __init__(
        self, store: AbstractStore, layout: Mapping[str, tuple[int, int, int]], span_ms: tuple[float, float, float]
    ):
        self._store, self._layout, self._span = store, dict(layout), span_ms
        self._done: dict[str, SpikeTrains] = {}

    def __getitem__(self, population: str) -> SpikeTrains:
        if population not in self._layout:
            raise KeyError(f"no spikes of {population!r} were recorded; recorded: {sorted(self._layout)}")
        if population not in self._done:
            self._done[population] = self._unpack(population)
        return self._done[population]

    def __iter__(self) -> Any:
        return iter(self._layout)

    def __len__(self) -> int:
        return len(self._layout)

    def _unpack(self, population: str) -> SpikeTrains:
        group, first, size = self._layout[population]
        dt_ms, t_start_ms, t_stop_ms = self._span
        ticks = self._store.read(f"spikes/{group}/tick")
        ids = self._store.read(f"spikes/{group}/id")
        fractions = self._store.read(f"spikes/{group}/fraction")
        tick = np.concatenate(ticks) if ticks else np.zeros(0, np.int64)
        neuron = np.concatenate(ids) if ids else np.zeros(0, np.int32)
        when = tick.astype(np.float64)
        when += np.concatenate(fractions).astype(np.float64) if fractions else 1.0
        keep = (neuron >= first) & (neuron < first + size) & (tick >= round(t_start_ms / dt_ms))
        times, neurons = when[keep] * dt_ms, neuron[keep].astype(np.int64) - first
        if fractions:
            order = np.argsort(times, kind="stable")
            times, neurons = times[order], neurons[order]
        return SpikeTrains(times, neurons, size, t_start_ms, t_stop_ms)


@dataclasses.dataclass(frozen=True)
class Solution:
    """Outcome of `js.simulate`.

    Attributes:
        spikes: `SpikeTrains` by population.
        states: `Trace` by variable, as asked for with `record.State` and `record.Weights`.
        reductions: `Trace` (means, rates) or counts (n,) by record name ("mean E.V_mV", "rate E", "count E").
        final_state: State at the end; pass it to the next `simulate` to go on.
        result: "done", or what stopped the run early.
        t_start_ms, t_stop_ms: Span of the run, ms.
        wall_s: Time spent computing, s, without compilation.
        compile_s: Time spent compiling, s; 0 where the program was there already.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> js.simulate(net, 10.0, record=js.record.Spikes()).result
        'done'
    """

    spikes: Mapping[str, SpikeTrains]
    states: dict[str, Trace]
    reductions: dict[str, Any]
    final_state: NetworkState
    result: str
    t_start_ms: float
    t_stop_ms: float
    wall_s: float
    compile_s: float

    @property
    def times_real_time(self) -> float:
        """Model time over computing time: 2 means twice as fast as real time."""
        return (self.t_stop_ms - self.t_start_ms) * 1e-3 / self.wall_s if self.wall_s > 0 else float("inf")

    def __repr__(self) -> str:
        rows = [
            f"Solution: {self.t_start_ms:g} to {self.t_stop_ms:g} ms, {self.result}; {self.wall_s:.3g} s "
            f"({self.times_real_time:.3g} x real time), compiled in {self.compile_s:.3g} s"
        ]
        for name in list(self.spikes)[:12]:
            trains = self.spikes[name]
            rows.append(f"  spikes {name}: {len(trains)} of {trains.n} neurons, {trains.rate_Hz():.2f} Hz")
        for name, trace in list(self.states.items())[:12]:
            rows.append(f"  {name}: {trace.values.shape}" + (f" {trace.unit}" if trace.unit else ""))
        for name, value in list(self.reductions.items())[:12]:
            shape = value.values.shape if isinstance(value, Trace) else value.shape
            rows.append(f"  {name}: {shape}")
        return "\n".join(rows)
