"""Lanes: runs of one network that differ in numbers only, stepped side by side by one program that shares the graph."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import record as records
from .._core import Array
from ..network import Network, NetworkState, addresses, replaced, uniform, with_leaves
from ._assemble import assemble
from ._finite import not_finite
from ._machine import Chunk, OneDevice, are_finite, needed_room, wider
from ._plan import Plan, make_plan, to_steps
from ._progress import compile_seconds
from ._room import capacity_of, check_floats, resize
from ._run import advance, check_inputs
from ._simulate import LANE_STEPS, begin, check_span, chunk_steps, to_host
from ._solution import Solution
from ._store import MemoryStore

Values = Mapping[str, Any]  # arrays
Report = Callable[[float], None]


def _axes(state: NetworkState) -> NetworkState:
    """Where the lanes are in a state: first everywhere; the step is that of all."""
    return eqx.tree_at(lambda s: s.tick, jax.tree.map(lambda _: 0, state), None)


@eqx.filter_jit
def _run_lanes(
    net: Network,
    leaves: dict[int, Array],
    state: NetworkState,
    inputs: dict[str, Array],
    plan: Plan,
    lengths: tuple[int, int],
    mesh: jax.sharding.Mesh | None,
) -> Chunk:
    """One compiled chunk of all lanes, each device a share of them."""
    arrays, rest = eqx.partition(net, eqx.is_array)
    axes: Any = _axes(state)

    def one(leaves: dict[int, Array], state: NetworkState, arrays: Any, inputs: dict[str, Array]) -> Any:
        lane = with_leaves(eqx.combine(arrays, rest), leaves)
        final, kept, samples, counts = advance(lane, state, inputs, plan, lengths)
        return final, kept, samples, counts, are_finite(final)

    all_lanes = jax.vmap(one, in_axes=(0, axes, None, None), out_axes=(axes, 1, 1, 1, 0))
    if mesh is None:
        return Chunk(*all_lanes(leaves, state, arrays, inputs))
    spec: Any = jax.sharding.PartitionSpec
    first, second, shared = spec("lanes"), spec(None, "lanes"), spec()
    of_state = jax.tree.map(lambda _: first, state)
    of_state = eqx.tree_at(lambda s: s.tick, of_state, shared)
    sharded: Any = jax.shard_map(
        all_lanes,
        mesh=mesh,
        in_specs=(first, of_state, shared, shared),
        out_specs=(of_state, second, second, second, first),
        check_vma=False,
    )
    return Chunk(*sharded(leaves, state, arrays, inputs))


@dataclasses.dataclass
class _Ends:
    """What becomes of the lanes of a batch.

    Attributes:
        stores: Records of each lane.
        failed: Why a lane is no longer looked at, and its last good state on the host.
    """

    stores: list[MemoryStore]
    failed: dict[int, tuple[str, NetworkState]]

    def live(self) -> list[int]:
        return [i for i in range(len(self.stores)) if i not in self.failed]


def _of_lane(state: NetworkState, lane: int) -> NetworkState:
    """The state of one lane, from those of all on the host."""
    one: NetworkState = jax.tree.map(lambda x: x[lane], eqx.tree_at(lambda s: s.tick, state, None))
    return eqx.tree_at(lambda s: s.tick, one, state.tick, is_leaf=lambda x: x is None)


class Lanes:
    """Runs of one network that differ in numbers only, stepped side by side.

    Each lane gives what `simulate` gives for `js.network.with_parameters(net, values)`; the lanes share the graph, and
    what they have in common is computed once. A lane whose state is not finite ends there; the others go on.

    Args:
        net: The network.
        duration_ms: Model time of each run, ms, a multiple of dt_ms.
        record: What to keep, objects of `js.record`.
        state: Where all lanes begin; default: t = 0.
        inputs: Arrays (steps, n) as in `simulate`, the same for all lanes.
        chunk_ms: Length of a chunk; never changes a result.
        capacity: Room for spikes of a group in one step to start with; it grows by itself and stays so.
        devices: Devices that share the lanes; default: all there are.
    Raises:
        ValueError: As `simulate`.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> from jaxsyn.simulate import Lanes
        >>> drive = js.stimuli.Constant("E", I_pA=0.0)
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, stimuli={"dc": drive}, dt_ms=0.1)
        >>> lanes = Lanes(net, 100.0, js.record.Spikes(), devices=None)
        >>> [len(sol.spikes["E"]) for sol in lanes.run({"stimuli.dc.I_pA": jnp.array([100.0, 300.0])})]
        [0, 24]
    """

    def __init__(
        self,
        net: Network,
        duration_ms: float,
        record: records.AbstractRecord | Sequence[records.AbstractRecord] = (),
        *,
        state: NetworkState | None = None,
        inputs: Mapping[str, Any] | None = None,
        chunk_ms: float | None = None,
        capacity: int | None = None,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        self.net, self.known = net, addresses(net)
        self.n_steps = to_steps("simulate.duration_ms", duration_ms, net.dt_ms)
        check_floats(net)
        self._inputs = check_inputs(net, inputs, self.n_steps)
        self._start = state
        template, self._capacity = begin(net, state, capacity)
        self._first = int(template.tick)
        check_span(net, self._first, self._first + self.n_steps, False)
        asked = [record] if isinstance(record, records.AbstractRecord) else list(record)
        self._plan = make_plan(net, asked, packed=True, capacity=self._capacity)
        self._chunk_ms = chunk_ms
        if chunk_ms is not None:
            to_steps("simulate.chunk_ms", chunk_ms, net.dt_ms)
        found = list(jax.devices() if devices is None else devices)
        self.n_devices = len(found)
        self._mesh = jax.sharding.Mesh(np.asarray(found), ("lanes",)) if len(found) > 1 else None
        self._device = found[0]
        self.span_ms = self._first * net.dt_ms, (self._first + self.n_steps) * net.dt_ms
        self.wall_s = self.compile_s = 0.0

    def bytes_per_lane(self, values: Values) -> int:
        """Memory that a lane takes, on the device and of its records on the host, spikes at 20 Hz a neuron.

        Args:
            values: Values of one lane by path.
        """
        changed = jax.eval_shape(lambda v: self._leaves(v), dict(values))
        state = jax.eval_shape(lambda: self.net.init_state(self._capacity))
        device = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves((changed, state)))
        plan, steps = self._plan, self.n_steps
        spikes = sum(self.net.groups[g].size for g in plan.recorded_groups(self.net))
        host = 12 * 0.02 * spikes * steps * self.net.dt_ms
        for s in plan.samplers:
            width = 1 if s.kind == "mean" else len(s.index) if s.index is not None else s.place[2]
            host += 2 * 8 * width * (steps // s.period)
        each_step = sum(self.net.groups[g].size // 32 + 1 + plan.room[g] for g in plan.recorded_groups(self.net))
        return int(4 * device + host + 4 * each_step * min(steps, LANE_STEPS)) + 1024

    def kinds(self, values: Values) -> np.ndarray[Any, Any]:
        """Numbers of the programs that lanes need, (lanes,), usually all 0: see `js.network.uniform`.

        Args:
            values: Checked values by path, with a leading axis of lanes.
        """
        masks = uniform(self.net, self.known, values, lead=1).values()
        lanes = len(next(iter(values.values()), ()))
        return sum((np.asarray(mask, np.int64) << k for k, mask in enumerate(masks)), np.zeros(lanes, np.int64))

    def _leaves(self, values: Values, single: Sequence[int] = ()) -> dict[int, Array]:
        return replaced(self.net, self.known, values, single)

    def _begin(self, leaves: dict[int, Array], count: int) -> NetworkState:
        """States at the start, computed operation by operation as those of a single run are."""
        if self._start is not None:
            one = resize(self.net, self._start, self._capacity)
            many = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *x.shape)), one)
            return eqx.tree_at(lambda s: s.tick, many, one.tick)
        axes = _axes(jax.eval_shape(lambda: self.net.init_state(self._capacity)))
        make: Any = jax.vmap(lambda new: with_leaves(self.net, new).init_state(self._capacity), out_axes=axes)
        state: NetworkState = make(leaves)
        return state

    def run(self, values: Values, count: int | None = None, report: Report = lambda done_ms: None) -> list[Solution]:
        """Run a batch of lanes.

        Args:
            values: Checked values by path, with a leading axis of lanes, a multiple of the number of devices.
            count: Lanes to look at, from the first on; the others are padding. Default: all.
            report: Called with the model time done, ms.
        Returns:
            A solution for each lane; `result` says why one ended early.
        Raises:
            ValueError: No values, or another number of lanes than devices can share.
        """
        size = len(next(iter(values.values()), ()))
        if not size or size % self.n_devices:
            raise ValueError(f"lanes: got {size}; allowed: a multiple of {self.n_devices}, the number of devices")
        n, kinds = size if count is None else count, self.kinds(values)
        out: list[Solution | None] = [None] * n
        for kind in np.unique(kinds[:n]):
            which = np.flatnonzero(kinds[:n] == kind)
            padded = which[np.minimum(np.arange(size), len(which) - 1)]  # all batches of a kind take one program
            own = dict(values) if len(which) == size else {path: v[padded] for path, v in values.items()}
            for i, solution in zip(which, self._run(own, len(which), report), strict=True):
                out[i] = solution
        return [solution for solution in out if solution is not None]

    def _run(self, values: dict[str, Array], n: int, report: Report) -> list[Solution]:
        """Run lanes of one kind; look at the first n of them."""
        first = {path: np.asarray(v[:1]) for path, v in values.items()}
        single = [leaf for leaf, same in uniform(self.net, self.known, first, lead=1).items() if same[0]]
        leaves = jax.vmap(lambda v: self._leaves(v, single))(values)
        size = len(next(iter(values.values())))
        state, net = self._begin(leaves, size), self.net
        if self._mesh is not None:
            spec: Any = jax.sharding.PartitionSpec
            leaves = jax.device_put(leaves, jax.sharding.NamedSharding(self._mesh, spec("lanes")))
        ends = _Ends([MemoryStore() for _ in range(n)], {})
        length = chunk_steps(net, self._plan, self.n_steps, self._chunk_ms, lanes=size)
        before, done = (self.wall_s, self.compile_s), 0
        while done < self.n_steps and ends.live():
            steps, tick = min(length, self.n_steps - done), self._first + done
            inputs = {k: v[done : done + steps] for k, v in self._inputs.items()}
            chunk, state = self._chunk(leaves, state, inputs, (tick, steps), ends.live())
            self._look(ends, chunk, state, tick)
            state = chunk.state
            done += steps
            report(done * net.dt_ms)
        seconds = ((self.wall_s - before[0]) / n, self.compile_s - before[1])
        final = jax.device_get(state)
        out = []
        for i, store in enumerate(ends.stores):
            result, last = ends.failed[i] if i in ends.failed else ("done", _of_lane(final, i))
            out.append(assemble(net, self._plan, store, last, self._first, result, seconds))
        return out

    def _chunk(
        self,
        leaves: dict[int, Array],
        state: NetworkState,
        inputs: dict[str, Array],
        span: tuple[int, int],
        live: list[int],
    ) -> tuple[Chunk, NetworkState]:
        """One chunk, repeated with more room until no lane lacked any; and the state that it began with."""
        (tick, steps), stride = span, self._plan.stride
        lengths = (steps, min((-tick) % stride, steps) if stride else 0)
        while True:
            began, compiled = time.perf_counter(), compile_seconds()
            chunk: Chunk = _run_lanes(self.net, leaves, state, inputs, self._plan, lengths, self._mesh)
            chunk.state.tick.block_until_ready()
            compiled = compile_seconds() - compiled
            self.compile_s += compiled
            self.wall_s += max(time.perf_counter() - began - compiled, 0.0)
            records = jax.device_get((chunk.kept, chunk.samples, chunk.counts, chunk.finite))
            chunk = Chunk(chunk.state, *records)
            need = needed_room(self._plan, chunk, live)
            if not need:
                return chunk, state
            capacity, self._plan = wider(self.net, self._plan, need)
            self._capacity = max(capacity, capacity_of(state))
            axes: Any = _axes(state)
            grow: Any = jax.vmap(lambda s: resize(self.net, s, self._capacity), in_axes=(axes,), out_axes=axes)
            state = grow(state)

    def _look(self, ends: _Ends, chunk: Chunk, before: NetworkState, tick: int) -> None:
        """Keep the records of the lanes that are finite, and say of the others what is not."""
        records = (chunk.kept, chunk.samples, chunk.counts)
        finite = np.stack(chunk.finite) if chunk.finite else np.ones((0, len(ends.stores)), bool)
        bad = [i for i in ends.live() if not finite[:, i].all()]
        if bad:
            states, befores = jax.device_get((chunk.state, before))
        for i in bad:
            group = int(np.argmin(finite[:, i]))
            found = not_finite(self.net, _of_lane(states, i), group)
            where, what = found if found is not None else (self.net.groups[group].name, "state")
            last = int(chunk.state.tick)
            message = (
                f"population {where!r}: {what} is not finite by step {last} (t = {last * self.net.dt_ms:g} ms); check "
                "the parameters and the input there, or choose a smaller dt_ms"
            )
            ends.failed[i] = message, _of_lane(befores, i)
        for i in ends.live():
            kept, samples, counts = jax.tree.map(lambda x, i=i: x[:, i], records)
            lane = Chunk(chunk.state, kept, samples, counts, chunk.finite)
            harvest = OneDevice(self.net).harvest(self._plan, lane)
            n_steps = int(chunk.state.tick) - tick
            ends.stores[i].append(tick, to_host(self.net, harvest, self._plan, tick, n_steps))
