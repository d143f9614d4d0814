"""What a sweep gives back: one array for each recorded quantity, labelled by the axes; and each lane by itself."""

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..simulate import SpikeTrains, Trace
from ._axes import Axis, label, shape_of
from ._batch import DONE, unflatten
from ._store import AbstractBatches

Lanes = np.ndarray[Any, np.dtype[np.int64]]


@dataclasses.dataclass(frozen=True)
class Lane:
    """One run of a sweep.

    Attributes:
        parameters: What was varied, by path; "seed" among it.
        spikes: `SpikeTrains` by population, as in `Solution`.
        states, reductions: As in `Solution`.
        summary: What the summary function gave, or None.
        result: "done", or why the lane ended early; then there is nothing else.
    Example:
        >>> Lane({"seed": 0}, {}, {}, {}, None, "done").parameters
        {'seed': 0}
    """

    parameters: dict[str, Any]
    spikes: dict[str, SpikeTrains]
    states: dict[str, Trace]
    reductions: dict[str, Any]
    summary: Any
    result: str


@dataclasses.dataclass(frozen=True)
class Runs:
    """All lanes of a sweep as they were computed, batch by batch.

    Attributes:
        axes: All axes.
        batches: Finished batches.
        batch_size: Lanes of a batch.
        sizes: Neurons by population.
        span_ms: Start and end of each run, ms.
        places: Place of each lane in the order in which they were computed.
        results: Result of each lane, in that order.
    """

    axes: tuple[Axis, ...]
    batches: AbstractBatches
    batch_size: int
    sizes: Mapping[str, int]
    span_ms: tuple[float, float]
    places: Lanes
    results: np.ndarray[Any, Any]

    def result(self, lanes: Any) -> np.ndarray[Any, Any]:
        """Results of some lanes."""
        found: np.ndarray[Any, Any] = self.results[self.places[lanes]]
        return found

    def names(self) -> list[str]:
        """Names of the arrays of the batches."""
        found: dict[str, None] = {}
        for number in sorted(self.batches.done()):
            found |= dict.fromkeys(self.batches.names(number))
            if len(found) > 1:  # a batch without a lane that was finished has its results only
                break
        return list(found)

    def ranks(self, number: int) -> Lanes:
        """Place of each lane of a batch among those that were finished."""
        first = number * self.batch_size
        return np.cumsum(self.results[first : first + self.batch_size] == DONE) - 1

    def gather(self, name: str, lanes: Lanes) -> np.ndarray[Any, Any]:
        """An array of some lanes, with their shape in front; NaN for lanes that were not finished."""
        flat = self.places[lanes.ravel()]
        ok = self.results[flat] == DONE
        out: np.ndarray[Any, Any] | None = None
        for number in np.unique(flat[ok] // self.batch_size):
            rows = np.flatnonzero(ok & (flat // self.batch_size == number))
            values = self.batches.read(int(number), name)
            values = values[self.ranks(int(number))[flat[rows] - number * self.batch_size]]
            if out is None:
                dtype = values.dtype if ok.all() else np.result_type(values.dtype, np.float32)
                out = np.full((len(flat), *values.shape[1:]), np.nan if not ok.all() else 0, dtype)
            if values.shape[1:] != out.shape[1:]:
                raise ValueError(f"sweep: {name} has shape {values.shape[1:]} in one lane, {out.shape[1:]} in another")
            out[rows] = values
        if out is None:
            raise ValueError(f"sweep: none of these lanes was finished; the first: {self.results[flat[0]]}")
        return out.reshape((*lanes.shape, *out.shape[1:]))[()]

    def any_of(self, name: str) -> np.ndarray[Any, Any]:
        """An array that all batches have alike."""
        number = next(n for n in sorted(self.batches.done()) if name in self.batches.names(n))
        return self.batches.read(number, name)

    def trace(self, kind: str, name: str, lanes: Lanes) -> Any:
        """A recorded quantity of some lanes: a `Trace`, or counts."""
        values, names = self.gather(f"{kind}/{name}/values", lanes), self.names()
        if f"{kind}/{name}/times_ms" not in names:
            return values
        index = f"{kind}/{name}/index"
        which = tuple(self.any_of(index).tolist()) if index in names else None
        unit = str(self.any_of(f"{kind}/{name}/unit"))
        return Trace(self.any_of(f"{kind}/{name}/times_ms"), values, which, unit)

    def recorded(self, kind: str) -> list[str]:
        """Names of the quantities of one kind."""
        names = [name.removeprefix(f"{kind}/") for name in self.names() if name.startswith(f"{kind}/")]
        return list(dict.fromkeys(name.rpartition("/")[0] for name in names))

    def summary(self, lanes: Lanes) -> Any:
        """What the summary function gave, with the shape of the lanes in front of each leaf."""
        if "summary" not in self.names():
            return None
        form = json.loads(str(self.any_of("summary")))
        return unflatten(form, lambda k: self.gather(f"summary/{k}", lanes))

    def spikes(self, population: str, lane: int) -> SpikeTrains:
        """Spikes of one lane that was finished."""
        number, place = divmod(int(self.places[lane]), self.batch_size)
        rank = int(self.ranks(number)[place])
        ends = np.concatenate([[0], self.batches.read(number, f"spikes/{population}/ends")])
        part = slice(int(ends[rank]), int(ends[rank + 1]))
        times = self.batches.read(number, f"spikes/{population}/times_ms")[part]
        neurons = self.batches.read(number, f"spikes/{population}/neurons")[part].astype(np.int64)
        return SpikeTrains(times, neurons, self.sizes[population], *self.span_ms)


class _Recorded(Mapping[str, Any]):
    """Quantities by name, gathered when they are asked for."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Any]) -> None:
        self._names, self._make = list(names), make

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"{name!r} was not kept; kept: {self._names}")
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Sweep:
    """Results of `js.sweep`. Every array has one leading dimension for each axis, in the order of `dims`.

    With a folder, arrays are read from its files when they are asked for.

    Args:
        runs: All lanes as they were computed.
        axes: The axes.
        lanes: Which lane stands where.
        seconds: Time spent computing and compiling, s.
    Attributes:
        axes: `Axis` objects that are left.
        wall_s: Time spent computing in this call, s, without compilation; 0 where everything was there already.
        compile_s: Time spent compiling, s.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> rest = {"populations.E.neuron.E_L_mV": [-60.0, -40.0]}
        >>> swept = js.sweep(net, rest, 20.0, record=js.record.SpikeCount("E"))
        >>> swept.dims, swept.shape, swept.reductions["count E"].shape
        (('populations.E.neuron.E_L_mV',), (2,), (2, 2))
        >>> swept.select({"populations.E.neuron.E_L_mV": -60.0}).reductions["count E"].tolist()
        [0, 0]
    """

    def __init__(self, runs: Runs, axes: Sequence[Axis], lanes: Lanes, seconds: tuple[float, float]) -> None:
        self._runs, self.axes, self._lanes = runs, tuple(axes), lanes
        self.wall_s, self.compile_s = seconds

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lanes along each dimension."""
        return shape_of(self.axes)

    @property
    def coordinates(self) -> dict[str, np.ndarray[Any, Any]]:
        """Values along the dimensions by path, (k,), or (k, n) with one value for each neuron."""
        return {path: values for axis in self.axes for path, values in axis.values.items()}

    @property
    def results(self) -> np.ndarray[Any, Any]:
        """Result of each lane: "done", or why it ended early."""
        return self._runs.result(self._lanes)

    @property
    def failures(self) -> dict[str, str]:
        """Why lanes ended early, by what they were: "projections.E_E.gain=2, seed=3"."""
        lanes = self._lanes.ravel()
        results = self._runs.result(lanes)
        bad = np.flatnonzero(results != DONE)
        return {label(self._runs.axes, int(lanes[k])): str(results[k]) for k in bad}

    @property
    def states(self) -> Mapping[str, Trace]:
        """`Trace` by variable; values (*shape, t, k). NaN for lanes that ended early."""
        return _Recorded(self._runs.recorded("states"), lambda n: self._runs.trace("states", n, self._lanes))

    @property
    def reductions(self) -> Mapping[str, Any]:
        """`Trace` (means, rates; values (*shape, t)) or counts (*shape, n). NaN for lanes that ended early."""
        return _Recorded(self._runs.recorded("reductions"), lambda n: self._runs.trace("reductions", n, self._lanes))

    @property
    def summary(self) -> Any:
        """What the summary function gave, each number an array (*shape, ...); None without one."""
        return self._runs.summary(self._lanes)

    def lane(self, *index: int) -> Lane:
        """One run, by its place along each dimension."""
        if len(index) != len(self.shape) or any(not -n <= i < n for i, n in zip(index, self.shape, strict=False)):
            raise ValueError(f"lane: got {index}; allowed: one place in each dimension of {self.shape}")
        one, runs = self._lanes[index], self._runs
        lane = int(one)
        parameters: dict[str, Any] = {}
        for axis, place in zip(runs.axes, np.unravel_index(lane, shape_of(runs.axes)), strict=True):
            parameters |= {path: v[place].item() if v.ndim == 1 else v[place] for path, v in axis.values.items()}
        result = str(runs.result(lane))
        if result != DONE:
            return Lane(parameters, {}, {}, {}, None, result)
        at = np.asarray(lane)
        return Lane(
            parameters=parameters,
            spikes={p: runs.spikes(p, lane) for p in runs.recorded("spikes")},
            states={n: runs.trace("states", n, at) for n in runs.recorded("states")},
            reductions={n: runs.trace("reductions", n, at) for n in runs.recorded("reductions")},
            summary=runs.summary(at),
            result=result,
        )

    def select(self, wanted: Mapping[str, Any]) -> "Sweep":
        """The lanes with some values: a single value drops its dimension, a list keeps it.

        Args:
            wanted: Values by path, as they were given; "set" takes places of zipped parameters. A path of zipped
                parameters keeps the sets that have the value.
        Raises:
            ValueError: No such dimension or value.
        """
        axes, lanes = list(self.axes), self._lanes
        for path, value in wanted.items():
            k = next((i for i, a in enumerate(axes) if path == a.name or path in a.values), None)
            if k is None:
                raise ValueError(f"select: unknown dimension {path!r}; allowed: {list(self.coordinates)}")
            axis = axes[k]
            known = axis.values[path] if path in axis.values else np.arange(len(axis))
            places, single = _places(path, known, value)
            lanes = np.take(lanes, places, axis=k)
            axes[k] = axis.take(places)
            if single and len(places) == 1:
                lanes = np.squeeze(lanes, axis=k)
                del axes[k]
        return Sweep(self._runs, axes, lanes, (self.wall_s, self.compile_s))

    def __repr__(self) -> str:
        rows = [f"Sweep: {math.prod(self.shape)} lanes, {len(self.failures)} ended early; {self.wall_s:.3g} s"]
        rows += [f"  {name}: {n} values" for name, n in zip(self.dims, self.shape, strict=True)]
        rows += [
            f"  recorded {name}" for kind in ("spikes", "states", "reductions") for name in self._runs.recorded(kind)
        ]
        return "\n".join(rows)


def _places(path: str, known: np.ndarray[Any, Any], value: Any) -> tuple[Lanes, bool]:
    """Places along an axis with a value, or with each of a list of values; and whether it was a single one."""
    single = np.ndim(value) == known.ndim - 1
    places: list[int] = []
    for one in [value] if single else list(value):
        same = known == np.asarray(one)
        found = np.flatnonzero(same.reshape(len(known), -1).all(axis=1))
        if not found.size:
            shown = known.tolist() if known.ndim == 1 and known.size <= 20 else f"the {len(known)} values of the axis"
            raise ValueError(f"select: {path!r}: got {one!r}; allowed: {shown}")
        places += found.tolist()
    return np.asarray(places, np.int64), single
