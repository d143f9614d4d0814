"""Spike trains as one sorted table, and the checks that every measure shares."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Number: TypeAlias = float | int | np.floating[Any] | np.integer[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


@runtime_checkable
class SupportsArray(Protocol):
    """What NumPy can turn into an array: its own arrays, those of JAX."""

    def __array__(self) -> npt.NDArray[Any]: ...


# Numbers of any shape.
Numbers: TypeAlias = Number | Sequence[Any] | SupportsArray

# Times that come from a step counter may miss an edge by a rounding error; this fraction of a bin is taken as on it.
EDGE = 1e-9


@runtime_checkable
class HasSpikes(Protocol):
    """What carries spikes of n neurons: `SpikeTable`, the spike trains of a solution.

    Both arrays have shape (spikes,). A carrier may also have `t_start_ms` and `t_stop_ms`; measures that need the
    recorded window then take it from there.

    Example:
        >>> isinstance(spike_table([[1.0, 2.0]]), HasSpikes)
        True
    """

    @property
    def times_ms(self) -> Any: ...
    @property
    def neurons(self) -> Any: ...
    @property
    def n(self) -> int: ...


# One array of times for each neuron, or (times_ms, neurons, n), or an object that has these three.
SpikesLike: TypeAlias = Sequence[Any] | HasSpikes


@dataclasses.dataclass(frozen=True, eq=False)
class SpikeTable:
    """Checked spikes of n neurons, sorted by neuron and then by time.

    Every measure of this room builds one from what it is given; build it once with `spike_table` where several
    measures follow.

    Attributes:
        times_ms: Times, ms. Shape (spikes,), rising within each neuron.
        neurons: Neuron of each spike, 0..n-1. Shape (spikes,), rising.
        n: Number of neurons, silent ones too.
        t_start_ms: Start of the recorded window, ms; minus infinity where it is not known.
        t_stop_ms: End of the recorded window, ms; infinity where it is not known.
    Example:
        >>> table = spike_table([[3.0, 7.0], []], t_stop_ms=10.0)
        >>> table.count(), table.duration_ms
        (array([2, 0]), 10.0)
    """

    times_ms: Floats
    neurons: Integers
    n: int
    t_start_ms: float
    t_stop_ms: float

    @property
    def duration_ms(self) -> float:
        """Length of the recorded window, ms."""
        return self.t_stop_ms - self.t_start_ms

    def count(self) -> Integers:
        """Number of spikes of each neuron, shape (n,)."""
        return np.bincount(self.neurons, minlength=self.n).astype(np.int64)

    def trains(self) -> list[Floats]:
        """One array of times for each neuron, ms."""
        if self.n == 0:
            return []
        return np.split(self.times_ms, np.cumsum(self.count())[:-1])


def _columns(spikes: SpikesLike) -> tuple[Floats, Integers, int]:
    """(times, neurons, n) of any accepted form, in the order given."""
    if isinstance(spikes, HasSpikes):
        times, neurons, n = spikes.times_ms, spikes.neurons, spikes.n
    elif isinstance(spikes, tuple) and len(spikes) == 3 and isinstance(spikes[2], int | np.integer):
        times, neurons, n = spikes
    else:
        trains = [np.asarray(t, dtype=np.float64) for t in spikes]
        for i, train in enumerate(trains):
            if train.ndim != 1:
                raise ValueError(
                    f"spikes[{i}]: got shape {train.shape}; allowed: one flat array of times in ms for each neuron. "
                    "Wrap the times of a single train in a list: [times_ms]"
                )
        times = np.concatenate(trains) if trains else np.empty(0)
        neurons, n = np.repeat(np.arange(len(trains)), [len(t) for t in trains]), len(trains)
    times, neurons = np.asarray(times, dtype=np.float64), np.asarray(neurons)
    if times.ndim != 1 or times.shape != neurons.shape:
        raise ValueError(
            f"spikes: times_ms has shape {times.shape} and neurons {neurons.shape}; allowed: two flat arrays of equal "
            "length, the time in ms and the neuron of each spike"
        )
    if n < 0:
        raise ValueError(f"spikes: n: got {n}; allowed: 0 or more. Give the number of neurons, silent ones too")
    if neurons.size and neurons.dtype.kind not in "iu":
        raise ValueError(f"spikes: neurons: got dtype {neurons.dtype}; allowed: integers. Convert with .astype(int)")
    return times, neurons.astype(np.int64), int(n)


def window_of(spikes: SpikesLike, t_start_ms: Number | None, t_stop_ms: Number | None) -> tuple[float, float]:
    """The window named in the call, else the one that the spikes carry, else (0, unknown)."""
    carried = isinstance(spikes, HasSpikes)
    start = float(getattr(spikes, "t_start_ms", 0.0) if carried and t_start_ms is None else t_start_ms or 0.0)
    stop = float(getattr(spikes, "t_stop_ms", math.inf) if t_stop_ms is None else t_stop_ms)
    if math.isnan(start) or math.isnan(stop) or stop <= start:
        raise ValueError(
            f"t_stop_ms: got {stop:g} with t_start_ms {start:g}; allowed: t_stop_ms > t_start_ms. "
            "Give the recorded window, in ms"
        )
    return start, stop


def _sorted(times: Floats, neurons: Integers, n: int) -> tuple[Floats, Integers]:
    """Check values and order; sort by neuron, keeping the order in time."""
    bad = ~np.isfinite(times)
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"spikes: time {k} of neuron {neurons[k]} is {times[k]}; allowed: finite times in ms. "
            "Drop the padding first: times[np.isfinite(times)]"
        )
    bad = (neurons < 0) | (neurons >= n)
    if bad.any():
        raise ValueError(
            f"spikes: neuron {neurons[int(np.argmax(bad))]}; allowed: 0..{n - 1}, as n is {n}. "
            "Number the neurons within their population"
        )
    if not (np.diff(neurons) >= 0).all():
        order = np.argsort(neurons, kind="stable")
        times, neurons = times[order], neurons[order]
    bad = (np.diff(times) < 0) & (np.diff(neurons) == 0)
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"spikes: neuron {neurons[k]} has {times[k + 1]} ms after {times[k]} ms; allowed: times that rise. "
            "Sort each train, np.sort(times)"
        )
    return times, neurons


def spike_table(spikes: SpikesLike, *, t_start_ms: Number | None = None, t_stop_ms: Number | None = None) -> SpikeTable:
    """Check spikes and sort them by neuron: the form in which every measure works.

    The window is closed: a spike of the last step is stamped with the end of the run. Bins are half open, so that
    such a spike counts in rates and lies in no bin.

    Args:
        spikes: One flat array of times (ms) for each neuron; or `(times_ms, neurons, n)`; or an object with these
            three attributes, such as the spike trains of a solution.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`, else unknown.
    Returns:
        The table.
    Raises:
        ValueError: a time is not finite, out of order or outside the window; a neuron is not in 0..n-1.
    Example:
        >>> spike_table(([1.0, 2.0, 3.0], [1, 0, 1], 2)).trains()
        [array([2.]), array([1., 3.])]
    """
    if isinstance(spikes, SpikeTable) and t_start_ms is None and t_stop_ms is None:
        return spikes
    start, stop = window_of(spikes, t_start_ms, t_stop_ms)
    times, neurons, n = _columns(spikes)
    times, neurons = _sorted(times, neurons, n)
    slack = EDGE * max(1.0, abs(start), abs(stop)) if math.isfinite(stop) else 0.0
    bad = (times < start - slack) | (times > stop + slack)
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"spikes: neuron {neurons[k]} has a spike at {times[k]} ms; allowed: the window "
            f"[{start:g}, {stop:g}] ms. Give the window that was recorded, or cut the spikes to this one with "
            "analysis.cut"
        )
    return SpikeTable(times, neurons, n, start, stop)


def cut(spikes: SpikesLike, t_start_ms: Number, t_stop_ms: Number) -> SpikeTable:
    """Keep the spikes with t_start_ms <= t < t_stop_ms: drop a transient, or look at one epoch.

    Args:
        spikes: Spikes in any form of `spike_table`.
        t_start_ms: First time kept, ms.
        t_stop_ms: First time no longer kept, ms.
    Returns:
        The table of this window, times unchanged.
    Raises:
        ValueError: the window is empty or reaches beyond the recorded one.
    Example:
        >>> cut([[1.0, 5.0, 9.0]], 4.0, 9.0).times_ms
        array([5.])
    """
    table = unbounded(spikes)
    start, stop = window_of(table, t_start_ms, t_stop_ms)
    if start < table.t_start_ms or stop > table.t_stop_ms:
        raise ValueError(
            f"window [{start:g}, {stop:g}] ms; allowed: inside the recorded [{table.t_start_ms:g}, "
            f"{table.t_stop_ms:g}] ms. Record for longer or cut to less"
        )
    slack = EDGE * max(1.0, abs(stop))
    keep = (table.times_ms >= start - slack) & (table.times_ms < stop - slack)
    return SpikeTable(table.times_ms[keep], table.neurons[keep], table.n, start, stop)


def unbounded(spikes: SpikesLike) -> SpikeTable:
    """The table for measures that need no window; negative times are legal where no window is known."""
    if isinstance(spikes, HasSpikes):
        return spike_table(spikes)
    return spike_table(spikes, t_start_ms=-math.inf)


def bounded(spikes: SpikesLike, t_start_ms: Number | None, t_stop_ms: Number | None) -> SpikeTable:
    """The table for measures that need to know how long was recorded."""
    table = spike_table(spikes, t_start_ms=t_start_ms, t_stop_ms=t_stop_ms)
    if not math.isfinite(table.duration_ms):
        raise ValueError(
            f"t_stop_ms: got none and the spikes carry no window (t_start_ms {table.t_start_ms:g}); allowed: the end "
            "of the recording in ms. Pass t_stop_ms=..., silence after the last spike counts too"
        )
    return table


def positive(name: str, value: Number, meaning: str) -> float:
    """A finite number above 0, or a `ValueError` that says what the argument means."""
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name}: got {value}; allowed: finite and > 0. Give {meaning}")
    return number


def at_least(name: str, value: int, low: int, meaning: str) -> int:
    """An integer of at least `low`, or a `ValueError` that says what the argument means."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ValueError(f"{name}: got {value!r}; allowed: an integer >= {low}. Give {meaning}")
    return int(value)


def ratio(over: Numbers, under: Numbers) -> Any:
    """over / under, NaN where `under` is 0 or either is undefined; scalars stay scalars."""
    a, b = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    a, b = np.broadcast_arrays(a, b)
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0)[()]
