"""`sweep`: lanes batch by batch, each kept as soon as it is finished."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import jax
import numpy as np

from .. import record as records
from ..network import Network, NetworkState, roomy
from ..simulate import Lanes, Solution, progress_bar
from ._axes import SEED, Axis, count, label, make_axes, shape_of, values_of
from ._batch import DONE, pack
from ._manifest import describe_sweep, open_folder, read_manifest, versions
from ._memory import lanes_that_fit
from ._result import Runs, Sweep
from ._store import AbstractBatches, FolderBatches, MemoryBatches

Record = records.AbstractRecord | Sequence[records.AbstractRecord]


class Options(TypedDict, total=False):
    """Keyword options of `sweep`.

    Attributes:
        zipped: Parameters vary together, the k-th values of all in the k-th set; default: every combination.
        keep: Keep what was recorded; False keeps only what `summary` gives. Default: True.
        batch_size: Lanes side by side; default: as many as fit into a quarter of the free memory and 4 GiB, at most
            1024.
        folder: Where each finished batch is written; the same call goes on from there after an interruption.
        state: Where each run begins, e.g. after a common transient; default: t = 0.
        inputs: Arrays (steps, n) as in `simulate`, the same for each run.
        chunk_ms: Length of a chunk; never changes a result.
        capacity: Room for spikes of a group in one step to start with; it grows by itself.
        devices: Devices that share the lanes; default: all there are.
        progress: Show a progress bar.
    """

    zipped: bool
    keep: bool
    batch_size: int | None
    folder: str | os.PathLike[str] | None
    state: NetworkState | None
    inputs: Mapping[str, Any] | None
    chunk_ms: float | None
    capacity: int | None
    devices: Sequence[jax.Device] | None
    progress: bool


def sweep(
    net: Network,
    parameters: Mapping[str, Any],
    duration_ms: float,
    *,
    seeds: Any = None,
    record: Record = (),
    summary: Callable[[Solution], Any] | None = None,
    **options: Unpack[Options],
) -> Sweep:
    """Run a network with many parameters and seeds, side by side in one program that shares the graph.

    Each lane gives, bit for bit, what `js.simulate` gives for `js.network.with_parameters(net, values)`. A lane whose
    state is not finite ends there, is named in a warning and in `failures`, and leaves the others alone.

    Args:
        net: The network; its graph, drawn weights, delays and initial values are those of all lanes.
        parameters: Lists of values by path, such as {"projections.E_E.gain": [0.5, 1.0]}; all combinations are run. A
            value is a number or one for each neuron. `js.network.addresses(net)` lists the paths.
        duration_ms: Model time of each run, ms, a multiple of dt_ms.
        seeds: Seeds of everything random that happens during a run, one more axis. The graph does not depend on them.
        record: What each run records, objects of `js.record`.
        summary: Called on the host with the `Solution` of each finished run; gives numbers or arrays of one shape, in
            dicts, lists or tuples. With `keep=False` nothing else is kept.
        options: See `Options`: zipped, keep, batch_size, folder, state, inputs, chunk_ms, capacity, devices, progress.
    Returns:
        Results labelled by axes.
    Raises:
        ValueError: Unknown path, empty axis, value of a wrong shape or out of range, zipped lengths that differ; a
            folder that holds another sweep.
    Example:
        >>> import jaxsyn as js
        >>> cells = js.Population(js.neurons.LIF(), 20, {"in": js.receptors.AMPA()})
        >>> drive = js.stimuli.Poisson("E", rate_Hz=0.0, weight_nS={"in": 1.0})
        >>> net = js.Network({"E": cells}, stimuli={"drive": drive}, dt_ms=0.1)
        >>> rate = lambda sol: sol.spikes["E"].rate_Hz()
        >>> values = {"stimuli.drive.rate_Hz": [0.0, 2000.0, 4000.0]}
        >>> swept = sweep(net, values, 100.0, seeds=range(2), record=js.record.Spikes(), summary=rate)
        >>> swept.shape, bool((swept.summary[2] > swept.summary[0]).all())
        ((3, 2), True)
    """
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise ValueError(f"sweep: unknown option {unknown[0]!r}; allowed: {', '.join(Options.__annotations__)}")
    if not isinstance(net, Network):
        raise ValueError(f"sweep: got {type(net).__name__}; allowed: js.Network; devices share lanes, not the network")
    zipped, keep = bool(options.get("zipped")), options.get("keep", True)
    if not keep and summary is None:
        raise ValueError("sweep: keep=False without a summary leaves nothing; give summary=..., or keep the records")
    axes = make_axes(net, parameters, seeds, zipped)
    whole = roomy(net, {path: v for axis in axes for path, v in axis.values.items() if path != SEED})
    started = options.get("state")
    first = next((p for axis in axes for p in axis.values if ".initial." in p), None)
    if first is not None and started is not None:
        raise ValueError(f"sweep: {first!r} has no effect on runs that begin from a state; drop one of the two")
    asked = [record] if isinstance(record, records.AbstractRecord) else list(record)
    lanes = Lanes(
        whole,
        duration_ms,
        asked,
        state=started,
        inputs=options.get("inputs"),
        chunk_ms=options.get("chunk_ms"),
        capacity=options.get("capacity"),
        devices=options.get("devices"),
    )
    size = _batch_size(options, lanes, axes)
    settings: dict[str, Any] = {"duration_ms": float(duration_ms), "keep": keep, "batch_size": size}
    settings |= {"state": started, "inputs": options.get("inputs")}
    folder = options.get("folder")
    n_batches = -(-count(axes) // size)
    batches: AbstractBatches = MemoryBatches()
    if folder is not None:
        key, begun = open_folder(Path(folder), describe_sweep(whole, axes, asked, summary, settings))
        each = [min(size, count(axes) - b * size) for b in range(n_batches)]
        batches = FolderBatches(Path(folder), key, each)
        if len(batches.done()) < n_batches and begun != versions():
            raise ValueError(f"sweep {folder}: begun with {begun}, here is {versions()}; go on with those versions")
    runner = _Runner(lanes, axes, batches, (size, keep), summary)
    with progress_bar(bool(options.get("progress")), count(axes) * duration_ms) as report:
        runner.run(n_batches, duration_ms, report)
    return _finish(runner, whole, n_batches)


def _batch_size(options: Options, lanes: Lanes, axes: Sequence[Axis]) -> int:
    """Lanes of a batch: as asked for, as in the folder, or as many as fit."""
    asked = options.get("batch_size")
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int | np.integer) or asked < 1:
            raise ValueError(f"sweep.batch_size: got {asked!r}; allowed: a whole number >= 1, or None")
        return min(int(asked), count(axes))
    folder = options.get("folder")
    found = read_manifest(Path(folder)) if folder is not None else None
    if found is not None:
        return max(1, int(found["sweep"]["batch_size"]))
    one = {path: values[0] for path, values in values_of(lanes.net, axes, np.zeros(1, np.int64)).items()}
    return lanes_that_fit(lanes.bytes_per_lane(one), count(axes))


class _Runner:
    """Computes the batches that are missing."""

    def __init__(
        self,
        lanes: Lanes,
        axes: tuple[Axis, ...],
        batches: AbstractBatches,
        settings: tuple[int, bool],
        summary: Callable[[Solution], Any] | None,
    ) -> None:
        self.lanes, self.axes, self.batches, self.summary = lanes, axes, batches, summary
        self.size, self.keep = settings
        self.order = np.argsort(self._kinds(), kind="stable")  # lanes that take one program stand together

    def _kinds(self) -> np.ndarray[Any, Any]:
        total, net = count(self.axes), self.lanes.net
        blocks = [np.arange(first, min(first + 4096, total)) for first in range(0, total, 4096)]
        return np.concatenate([self.lanes.kinds(values_of(net, self.axes, block)) for block in blocks])

    def run(self, n_batches: int, duration_ms: float, report: Callable[[float], None]) -> None:
        """Run what is missing; each batch is kept as soon as it is finished."""
        done, total = self.batches.done(), count(self.axes)
        for number in range(n_batches):
            first = number * self.size
            n = min(self.size, total - first)
            if number not in done:
                width = -(-self.size // self.lanes.n_devices) * self.lanes.n_devices
                which = self.order[np.minimum(first + np.arange(width), total - 1)]  # padded: one program for all
                values = values_of(self.lanes.net, self.axes, which)

                def show(ms: float, start_ms: float = first * duration_ms, n: int = n) -> None:
                    report(start_ms + n * ms)

                solutions = self.lanes.run(values, n, show)
                self.batches.put(number, pack(solutions, self._summaries(solutions, first), self.keep))
            report((first + n) * duration_ms)

    def _summaries(self, solutions: Sequence[Solution], first: int) -> list[Any]:
        """What the summary function gives for the runs that were finished."""
        out: list[Any] = []
        for i, solution in enumerate(solutions):
            if self.summary is None or solution.result != DONE:
                continue
            try:
                out.append(self.summary(solution))
            except Exception as error:
                error.add_note(f"in the summary of the lane {label(self.axes, int(self.order[first + i]))}")
                raise
        return out


def _finish(runner: _Runner, net: Network, n_batches: int) -> Sweep:
    """The results; a warning names the lanes that ended early."""
    results = np.concatenate([runner.batches.read(b, "results") for b in range(n_batches)])
    sizes = {p: net.size(p) for p in net.populations()}
    runs = Runs(
        runner.axes, runner.batches, runner.size, sizes, runner.lanes.span_ms, np.argsort(runner.order), results
    )
    lanes = np.arange(len(results)).reshape(shape_of(runner.axes))
    swept = Sweep(runs, runner.axes, lanes, (runner.lanes.wall_s, runner.lanes.compile_s))
    failures = swept.failures
    if failures:
        first = next(iter(failures.items()))
        said = f"sweep: {len(failures)} of {len(results)} lanes ended early, the first {first[0]}: {first[1]}"
        warnings.warn(f"{said}; see Sweep.failures", RuntimeWarning, stacklevel=3)
    return swept
