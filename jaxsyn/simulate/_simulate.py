"""`simulate`: the host driver. It runs chunks, and looks at the network between them."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict, Unpack

import jax
import numpy as np

from .. import record as records
from .._core import Array, SimulationError
from ..network import Network, NetworkState, ShardedNetwork
from ..stimuli import SpikeEvents
from ._assemble import assemble
from ._devices import Devices
from ._finite import not_finite
from ._machine import AbstractMachine, Chunk, Harvest, OneDevice
from ._plan import Plan, make_plan, to_steps
from ._progress import compile_seconds, progress_bar
from ._room import capacity_of, check_floats, check_state, resize
from ._run import check_inputs
from ._solution import Solution
from ._store import AbstractStore, FileStore, MemoryStore

_CHUNK_BYTES = 32 * 2**20
_CHUNK_STEPS = 10_000
LANE_STEPS = 256


class Checkpointing(Protocol):
    """What `simulate(checkpoint=...)` takes: a period, and a way to save (`js.checkpoint.Checkpoints`)."""

    every_ms: float | None

    def save(self, net: Network, state: NetworkState) -> None:
        """Write the state; called between chunks."""


class Options(TypedDict, total=False):
    """Keyword options of `simulate`.

    Attributes:
        stream: Folder; records of each finished chunk go there and memory stays bounded.
        chunk_ms: Length of a chunk; default: by the memory of its records. Never changes a result.
        progress: Show a progress bar.
        throw: Raise `SimulationError` when the state is not finite; else return what there is up to then.
        continued: Allow listed spikes after the end of this run, because another run goes on from its final state.
        capacity: Room for spikes of a group in one step to start with; it grows by itself.
    """

    stream: str | os.PathLike[str] | None
    chunk_ms: float | None
    progress: bool
    throw: bool
    continued: bool
    capacity: int | None


def chunk_steps(
    net: Network, plan: Plan, n_steps: int, chunk_ms: float | None, every: int | None = None, lanes: int = 1
) -> int:
    """Steps of a chunk: whole blocks of samples, or parts of a long one; equal parts of the checkpoint period."""
    unit = max(plan.stride, 1)
    if chunk_ms is not None:
        wanted = to_steps("simulate.chunk_ms", chunk_ms, net.dt_ms)
    else:
        each = 4 * sum(net.groups[g].size // 32 + 1 + plan.room[g] for g in plan.recorded_groups(net))
        sampled = 4 * sum(len(s.index) if s.index is not None else s.place[2] for s in plan.samplers)
        each_step = max(lanes * (each + sampled // max(plan.stride, 1)), 1)
        least = LANE_STEPS if lanes > 1 else 1  # between chunks the host looks at each lane
        wanted = min(_CHUNK_STEPS, max(least, _CHUNK_BYTES // each_step))
    limit = min(wanted, every or n_steps, n_steps)
    if unit > limit:
        return next((part for part in range(limit, limit // 2, -1) if unit % part == 0), limit)
    whole = every or n_steps
    for pieces in range(-(-whole // limit), -(-whole // limit) + 64):
        if whole % pieces == 0 and (whole // pieces) % unit == 0:
            return whole // pieces
    return limit // unit * unit


def to_host(net: Network, harvest: Harvest, plan: Plan, tick: int, n_steps: int) -> dict[str, np.ndarray[Any, Any]]:
    """Records of a chunk as flat named arrays."""
    out: dict[str, np.ndarray[Any, Any]] = {}
    for g, (steps, ids, fraction) in harvest.events.items():
        out[f"spikes/{g}/tick"] = steps.astype(np.int64) + tick
        out[f"spikes/{g}/id"] = ids.astype(np.int32)
        if fraction is not None:
            out[f"spikes/{g}/fraction"] = fraction
    out["span"] = np.asarray([tick, tick + n_steps])
    head = min((-tick) % plan.stride, n_steps) if plan.stride else 0
    for s in plan.samplers:
        values = s.trim(net, harvest.samples[s.name])
        ends = tick + head + plan.stride * (np.arange(len(values)) + (head == 0))
        keep = ends % s.period == 0
        out[f"sample/{s.name}"], out[f"time/{s.name}"] = values[keep], ends[keep]
    for p, _ in plan.windows:
        totals = harvest.counts[f"total {p}"]
        starts = tick + head + plan.stride * np.arange(len(totals) - 2)
        out[f"window/{p}"] = np.diff(totals)
        out[f"edge/{p}"] = np.concatenate([starts, [tick + n_steps]])
    for p in plan.counts:
        out[f"count/{p}"] = plan.counted(net, harvest.counts, p)[-1][None]
    return out


class _Driver:
    """The loop over chunks: repeats one that overflowed, stops at one that is not finite."""

    def __init__(self, net: Network, machine: AbstractMachine, state: NetworkState, plan: Plan) -> None:
        self.net, self.machine, self.plan, self.state = net, machine, plan, machine.load(state)
        self.wall_s = self.compile_s = 0.0

    def whole(self) -> NetworkState:
        """The present state of the whole network."""
        return self.machine.whole(self.state)

    def chunk(self, inputs: dict[str, Array], n_steps: int) -> Chunk:
        """Run one chunk from the present state, again with more room if it lost spikes."""
        tick = self.machine.tick(self.state)
        lengths = (n_steps, min((-tick) % self.plan.stride, n_steps) if self.plan.stride else 0)
        while True:
            began, compiled = time.perf_counter(), compile_seconds()
            chunk = self.machine.run(self.state, inputs, self.plan, lengths)
            compiled = compile_seconds() - compiled
            self.compile_s += compiled
            self.wall_s += max(time.perf_counter() - began - compiled, 0.0)
            wider = self.machine.make_room(self.state, self.plan, chunk)
            if wider is None:
                return chunk
            self.state, self.plan = wider

    def locate(self, group: str, inputs: dict[str, Array], n_steps: int) -> str:
        """Step through the bad chunk and name the first step and variable that is not finite."""
        names = {g.name: i for i, g in enumerate(self.net.groups)}
        empty = make_plan(self.net, (), packed=True, capacity=None)
        state = self.state
        for k in range(n_steps):
            chunk = self.machine.run(state, {x: v[k : k + 1] for x, v in inputs.items()}, empty, (1, 0))
            state = chunk.state
            if not all(self.machine.is_finite(chunk)):
                break
        state = self.machine.whole(state)
        found = not_finite(self.net, state, names[group])
        if found is not None:
            return (
                f"population {found[0]!r}: {found[1]} is not finite at step {int(state.tick)} "
                f"(t = {int(state.tick) * self.net.dt_ms:g} ms); check the input there, or choose a smaller dt_ms"
            )
        return f"population {group!r}: state is not finite by step {int(state.tick)}"


def simulate(
    net: Network | ShardedNetwork,
    duration_ms: float,
    *,
    record: records.AbstractRecord | Sequence[records.AbstractRecord] = (),
    state: NetworkState | None = None,
    inputs: Mapping[str, Any] | None = None,
    checkpoint: Checkpointing | None = None,
    **options: Unpack[Options],
) -> Solution:
    """Simulate a network on the host: chunk by chunk, with records, checkpoints and checks between the chunks.

    The result does not depend on the length of the chunks, nor on what is recorded. A second call with a network of the
    same structure compiles nothing.

    Args:
        net: The network, or what `js.shard` made of one: then the run goes on several devices, with the same result.
        duration_ms: Model time, ms, a multiple of dt_ms.
        record: What to keep, objects of `js.record`. Samples lie at multiples of their period.
        state: Where to begin, e.g. `solution.final_state`; default: t = 0.
        inputs: Arrays (steps, n) by population or receptor, as in `js.run`.
        checkpoint: `js.checkpoint.Checkpoints(folder, every_ms=...)`.
        options: See `Options`: stream, chunk_ms, progress, throw, continued, capacity.
    Returns:
        The solution.
    Raises:
        ValueError: Duration off the grid, unknown records or inputs, listed spikes after the end of the run.
        SimulationError: The state is not finite (names population and step; `.state` is the last good one).
    References:
        The step: docs/semantics.md.
    Example:
        >>> import jaxsyn as js
        >>> cells = js.Population(js.neurons.LIF(), 2)
        >>> net = js.Network({"E": cells}, stimuli={"dc": js.stimuli.Constant("E", I_pA=300.0)}, dt_ms=0.1)
        >>> len(js.simulate(net, 100.0, record=js.record.Spikes()).spikes["E"])
        24
    """
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise ValueError(f"simulate: unknown option {unknown[0]!r}; allowed: {', '.join(Options.__annotations__)}")
    sharded, net = (net, net.whole) if isinstance(net, ShardedNetwork) else (None, net)
    n_steps = to_steps("simulate.duration_ms", duration_ms, net.dt_ms)
    asked = [record] if isinstance(record, records.AbstractRecord) else list(record)
    xs = check_inputs(net, inputs, n_steps)
    check_floats(net)
    state, capacity = begin(net, state, options.get("capacity"))
    first = int(state.tick)
    check_span(net, first, first + n_steps, bool(options.get("continued")))
    every = None
    if checkpoint is not None and checkpoint.every_ms is not None:
        every = min(to_steps("checkpoint.every_ms", checkpoint.every_ms, net.dt_ms), n_steps)
    plan = make_plan(net, asked, packed=True, capacity=capacity, every=every)
    stream = options.get("stream")
    if stream is not None and sharded is not None and jax.process_count() > 1:
        raise ValueError(
            "simulate.stream: several processes would write the same files; allowed: one process. Drop stream, and run "
            "piece by piece with state=solution.final_state where the records are too long for memory"
        )
    store: AbstractStore = MemoryStore() if stream is None else FileStore(stream, first)
    machine = OneDevice(net) if sharded is None else Devices(sharded, plan)
    driver = _Driver(net, machine, state, plan)
    length = chunk_steps(net, plan, n_steps, options.get("chunk_ms"), every)
    result = "done"
    with progress_bar(bool(options.get("progress")), n_steps * net.dt_ms) as report:
        done = 0
        while done < n_steps:
            now = min(length, n_steps - done, every - done % every if every else length)
            chunk = driver.chunk({k: v[done : done + now] for k, v in xs.items()}, now)
            bad = [g.name for g, ok in zip(net.groups, machine.is_finite(chunk), strict=True) if not ok]
            if bad:
                result = driver.locate(bad[0], {k: v[done : done + now] for k, v in xs.items()}, now)
                if options.get("throw", True):
                    raise SimulationError(result, driver.whole())
                break
            harvest = machine.harvest(driver.plan, chunk)
            store.append(first + done, to_host(net, harvest, driver.plan, first + done, now))
            driver.state = chunk.state
            done += now
            if checkpoint is not None and (done == n_steps or (every and done % every == 0)):
                whole = driver.whole()  # asks all processes
                if machine.writes:
                    checkpoint.save(net, whole)
            report(done * net.dt_ms)
    return assemble(net, driver.plan, store, driver.whole(), first, result, (driver.wall_s, driver.compile_s))


def begin(net: Network, state: NetworkState | None, capacity: int | None) -> tuple[NetworkState, int]:
    """State to start from, and its room: a sixteenth of the largest group, at least 64; it grows as needed."""
    capacity = initial_capacity(net, capacity)
    if state is None:
        return net.init_state(capacity), capacity
    capacity = max(capacity, capacity_of(check_state(net, state)))
    return resize(net, state, capacity), capacity


def initial_capacity(net: Network, capacity: int | None) -> int:
    """Room for spikes to start with."""
    if capacity is None:
        largest = max((g.size for g in net.groups), default=1)
        return max(64, 1 << max(largest // 16 - 1, 0).bit_length())
    if isinstance(capacity, bool) or not isinstance(capacity, int | np.integer) or capacity < 1:
        raise ValueError(f"simulate: got capacity {capacity!r}; allowed: a whole number >= 1, or None")
    return int(capacity)


def check_span(net: Network, first: int, last: int, continued: bool) -> None:
    if last >= 2**31:
        raise ValueError(
            f"simulate.duration_ms: the run would end at {last * net.dt_ms:g} ms; allowed: below 2^31 steps, "
            f"{2**31 * net.dt_ms:g} ms; choose a larger dt_ms"
        )
    for name, bound in net.stimuli.items():
        if continued or not isinstance(bound.stimulus, SpikeEvents):
            continue
        end = int(bound.stimulus.last_tick)
        if end > last:
            raise ValueError(
                f"stimulus {name!r}: has spikes up to {end * net.dt_ms:g} ms, but the run ends at "
                f"{last * net.dt_ms:g} ms; run longer, drop them, or pass continued=True if another run goes on from "
                "here"
            )
