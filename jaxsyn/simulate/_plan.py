"""Recording inside the loop: what is kept each step, what is sampled, what is counted.

A run is a scan over blocks of `stride` steps, the greatest common divisor of all sampling periods. Inside a block only
spikes and counts are kept; at its end state variables are sampled. Recording never changes what is computed.
"""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels, record
from .._core import Array, float_dtype, is_concrete
from ..network import AbstractLink, Emission, Network, NetworkState, SparseLink, number, unmarked

Kept = dict[str, Any]


class Sampler(eqx.Module):
    """A state variable (or the weights of a projection) to sample: where it is and which entries.

    `columns` are those of `index`, int32 (k,); `share` is what each neuron adds to a mean over several devices.
    Weights are taken with their padding, whose length another seed does not change; `trim` drops it.
    """

    name: str = eqx.field(static=True)
    kind: str = eqx.field(static=True)
    period: int = eqx.field(static=True)
    place: tuple[int, int, int] = eqx.field(static=True)
    path: tuple[str, ...] = eqx.field(static=True)
    index: tuple[int, ...] | None = eqx.field(static=True)
    columns: Any = None
    links: tuple[int, ...] = eqx.field(static=True, default=())
    share: Array | None = None

    def sample(self, net: Network, state: NetworkState) -> Array:
        """Present values, shape (k,), (receptors, k) for weights, or () for a mean."""
        if self.kind == "weights":
            parts = [_padded_weights(net.links[i]) for i in self.links]
            values = parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1)
            return values if self.columns is None else values[:, jnp.asarray(self.columns, jnp.int32)]
        g, first, size = self.place
        part: Any = state.groups[g].membrane
        for step in self.path:
            part = part[step] if isinstance(part, dict) else getattr(part, step)
        values = part[first : first + size]
        if self.kind == "mean":
            return jnp.mean(values) if self.share is None else jnp.sum(values * self.share.astype(values.dtype))
        return values if self.columns is None else values[jnp.asarray(self.columns, jnp.int32)]

    def trim(self, net: Network, samples: Any) -> Any:
        """Samples without padding, (t, receptors, synapses) for weights."""
        if self.kind != "weights" or self.columns is not None:
            return samples
        return samples[..., _synapse_columns(net, self.links)]


def _padded_weights(link: AbstractLink) -> Array:
    assert isinstance(link, SparseLink)
    return jnp.broadcast_to(link.weights(), (len(link.receptors), link.graph.n_padded))


def _synapse_columns(net: Network, links: Sequence[int]) -> np.ndarray[Any, Any]:
    """Where the synapses of some links stand among their weights with padding."""
    graphs = [link.graph for link in (net.links[i] for i in links) if isinstance(link, SparseLink)]
    starts = np.cumsum([0, *(graph.n_padded for graph in graphs)])
    return np.concatenate([start + np.arange(g.n_synapses) for start, g in zip(starts, graphs, strict=False)])


class Plan(eqx.Module):
    """Everything to keep, resolved against a network. Static: it selects the compiled program.

    Attributes:
        spikes: Populations whose spikes are kept, None if none are.
        packed: Whether spikes are packed bits by group (driver) or dense by population (pure run).
        samplers: State variables, means and weights.
        counts: Populations whose spikes are counted by neuron.
        windows: Populations and lengths of rate windows, in steps.
        stride: Steps of a block.
        room: Room for sub-step times in a step, by group.
    """

    spikes: tuple[str, ...] | None = eqx.field(static=True)
    packed: bool = eqx.field(static=True)
    samplers: tuple[Sampler, ...]
    counts: tuple[str, ...] = eqx.field(static=True)
    windows: tuple[tuple[str, int], ...] = eqx.field(static=True)
    stride: int = eqx.field(static=True)
    room: tuple[int, ...] = eqx.field(static=True)

    def recorded_groups(self, net: Network) -> list[int]:
        """Groups that hold a population whose spikes are kept."""
        return sorted({net.place(p)[0] for p in self.spikes or ()})

    def each_step(self, net: Network, emissions: Sequence[Emission]) -> Kept:
        """Spikes of one step."""
        if self.spikes is None:
            return {}
        if not self.packed:
            return {p: _dense(net, p, emissions) for p in self.spikes}
        out: Kept = {}
        for g in self.recorded_groups(net):
            emission = emissions[g]
            kept = {"words": kernels.pack(emission.spikes, native=net.native)}
            if emission.fraction is not None and net.groups[g].size:
                ring = (jnp.zeros((1, self.room[g]), jnp.int32), jnp.zeros(1, jnp.int32), jnp.int32(0))
                ids, _, _ = kernels.emit(emission.spikes, *ring, jnp.int32(0), native=net.native)
                kept["fraction"] = emission.fraction[ids[0]]
            out[str(g)] = kept
        return out

    def counted_groups(self, net: Network) -> list[int]:
        """Groups that hold a population whose spikes are counted by neuron."""
        return sorted({net.place(p)[0] for p in self.counts})

    def zero_counts(self, net: Network) -> Kept:
        """Counters at the start of a run: integers, or numbers where they carry a gradient."""
        counts = {f"count {g}": jnp.zeros(net.groups[g].size, self._dtype(net, g)) for g in self.counted_groups(net)}
        return counts | {f"total {p}": jnp.zeros((), self._dtype(net, net.place(p)[0])) for p, _ in self.windows}

    def count(self, net: Network, counts: Kept, state: NetworkState, emissions: Sequence[Emission]) -> Kept:
        """Counters after a step."""
        out = dict(counts)
        for g in self.counted_groups(net):
            before, spikes, group = counts[f"count {g}"], self._spikes(net, g, emissions), state.groups[g]
            alone = group.peak is not None and group.peak.ndim == 0  # else the lists hold what all devices sent, later
            if spikes.dtype == jnp.bool_ and alone and group.ids is not None and group.counts is not None:
                ring = (group.ids, group.counts, state.tick)
                out[f"count {g}"] = kernels.tally(before, spikes, *ring, native=net.native)
            else:
                native = net.native and spikes.dtype == jnp.bool_  # else the gradient goes along
                out[f"count {g}"], _ = kernels.elementwise(
                    *(_plus, net.groups[g].size, before, spikes), native=native, threads=net.threads
                )
        for p, _ in self.windows:
            g, first, size = net.place(p)
            spikes, total = self._spikes(net, g, emissions)[first : first + size], counts[f"total {p}"]
            out[f"total {p}"] = total + jnp.sum(spikes, dtype=total.dtype)
        return out

    def each_chunk(self, net: Network, emissions: Sequence[Array]) -> Kept:
        """Spikes of a chunk of steps, (steps, n) by population, given what each group emitted."""
        out: Kept = {}
        for p in self.spikes or ():
            g, first, size = net.place(p)
            group, values = net.groups[g], emissions[g]
            values = number(values, group.size) if group.carries_values else values
            values = unmarked(values) if group.marks else values
            out[p] = values[:, first : first + size]
        return out

    def count_chunk(self, net: Network, counts: Kept, emissions: Sequence[Array]) -> tuple[Kept, Kept]:
        """Counters of neurons after a chunk, and spikes of each population in each of its steps."""
        out, totals = dict(counts), {}
        for g in self.counted_groups(net):
            before = counts[f"count {g}"]
            rows = self._countable(net, g, emissions).astype(before.dtype)
            # XLA's own sum of rows is 20 times slower.
            out[f"count {g}"] = jax.lax.scan(lambda sums, row: (sums + row, None), before, rows, unroll=16)[0]
        for p, _ in self.windows:
            g, first, size = net.place(p)
            spikes = self._countable(net, g, emissions)[:, first : first + size]
            totals[f"total {p}"] = jnp.sum(spikes, axis=1, dtype=self._dtype(net, g))
        return out, totals

    def _countable(self, net: Network, g: int, emissions: Sequence[Array]) -> Array:
        graded = jnp.issubdtype(self._dtype(net, g), jnp.floating)
        return emissions[g] if graded else number(emissions[g], net.groups[g].size) > 0

    def counted(self, net: Network, counts: Kept, population: str) -> Any:
        """Spikes of each neuron of a population, (..., n)."""
        g, first, size = net.place(population)
        return counts[f"count {g}"][..., first : first + size]

    def _dtype(self, net: Network, g: int) -> Any:
        """The driver counts in integers; the pure run in numbers where spikes carry a gradient (exact up to 2^24)."""
        group = net.groups[g]
        graded = group.surrogate is not None and not group.neuron.graded
        return float_dtype() if graded and not self.packed else np.dtype(np.int32)

    def _spikes(self, net: Network, g: int, emissions: Sequence[Emission]) -> Array:
        graded = jnp.issubdtype(self._dtype(net, g), jnp.floating)
        values = emissions[g].values if graded else emissions[g].spikes
        assert values is not None
        return values

    def sample(self, net: Network, state: NetworkState) -> Kept:
        """State variables at the end of a block."""
        return {s.name: s.sample(net, state) for s in self.samplers}


def _plus(count: Array, spikes: Array) -> tuple[Array, tuple[()]]:
    return count + spikes.astype(count.dtype), ()


def _dense(net: Network, population: str, emissions: Sequence[Emission]) -> Array:
    g, first, size = net.place(population)
    values = emissions[g].values
    if values is None:
        return emissions[g].spikes[first : first + size]
    return (unmarked(values) if net.groups[g].marks else values)[first : first + size]


def to_steps(what: str, time_ms: float, dt_ms: float) -> int:
    """A time as a whole number of steps.

    Raises:
        ValueError: It is not a multiple of the step.
    """
    if isinstance(time_ms, bool) or not isinstance(time_ms, int | float | np.number) or not np.isfinite(time_ms):
        raise ValueError(f"{what}: got {time_ms!r}; allowed: a positive multiple of dt_ms = {dt_ms}, in ms")
    steps = round(time_ms / dt_ms)
    if steps < 1 or abs(steps - time_ms / dt_ms) > 1e-4:
        raise ValueError(f"{what}: got {time_ms} ms; allowed: a positive multiple of dt_ms = {dt_ms}")
    return steps


def make_plan(
    net: Network,
    records: Sequence[record.AbstractRecord],
    *,
    packed: bool,
    capacity: int | None,
    every: int | None = None,
) -> Plan:
    """Resolve records against a network; blocks divide `every`, the steps between two stops of the driver.

    Raises:
        ValueError: Unknown population, variable or projection; index out of range; period off the grid; duplicates.
    """
    if isinstance(records, record.AbstractRecord):
        records = [records]
    for r in records:
        if not isinstance(r, record.AbstractRecord):
            raise ValueError(f"record: got {r!r}; allowed: objects of js.record, such as js.record.Spikes()")
    names = [r.name for r in records]
    if len(set(names)) < len(names):
        raise ValueError(
            f"record: {sorted({n for n in names if names.count(n) > 1})[0]!r} is asked for twice; keep one"
        )
    spikes: tuple[str, ...] | None = None
    samplers: list[Sampler] = []
    counts: list[str] = []
    windows: list[tuple[str, int]] = []
    for r in records:
        match r:
            case record.Spikes():
                spikes = tuple(net.populations()) if r.populations is None else r.populations
                for population in spikes:
                    net.place(population)
            case record.State() | record.Mean():
                samplers.append(_state_sampler(net, r))
            case record.Weights():
                samplers.append(_weight_sampler(net, r))
            case record.SpikeCount():
                net.place(r.population)
                counts.append(r.population)
            case record.Rate():
                net.place(r.population)
                windows.append((r.population, to_steps(f"record {r.name!r}: every_ms", r.every_ms, net.dt_ms)))
            case _:
                raise ValueError(
                    f"record: {type(r).__name__} is not known to the driver; allowed: objects of js.record"
                )
    periods = [s.period for s in samplers] + [w for _, w in windows]
    room = tuple(max(1, g.size if capacity is None else min(g.size, capacity)) for g in net.groups)
    stride = math.gcd(*periods, every or 0) if periods else 0
    return Plan(spikes, packed, tuple(samplers), tuple(counts), tuple(windows), stride, room)


def _state_sampler(net: Network, r: record.State | record.Mean) -> Sampler:
    population, *path = r.variable.split(".")
    g, first, size = net.place(population)
    membrane = net.groups[g].start
    where = ("neuron", path[0]) if len(path) == 1 else ("receptors", path[0], path[1])
    known = list(vars(membrane.neuron)) + [f"{n}.{f}" for n, s in membrane.receptors.items() for f in vars(s)]
    if ".".join(path) not in known:
        raise ValueError(f"record: unknown variable {r.variable!r}; {population!r} has {', '.join(known)}")
    index = r.index if isinstance(r, record.State) else None
    if index is not None and index and max(index) >= size:
        raise ValueError(f"record {r.name!r}: index {max(index)} is out of range; {population!r} has {size} neurons")
    period = 1 if r.every_ms is None else to_steps(f"record {r.name!r}: every_ms", r.every_ms, net.dt_ms)
    kind = "state" if isinstance(r, record.State) else "mean"
    return Sampler(r.name, kind, period, (g, first, size), where, index, _columns(index))


def _weight_sampler(net: Network, r: record.Weights) -> Sampler:
    found = [(i, k) for i, k in enumerate(net.links) if isinstance(k, SparseLink) and k.name == r.projection]
    if not found:
        sparse = sorted({k.name for k in net.links if isinstance(k, SparseLink)})
        raise ValueError(f"record {r.name!r}: unknown sparse projection; the network has {sparse or 'none'}")
    if not all(is_concrete(k.graph.row_ptr) for _, k in found):
        raise ValueError(f"record {r.name!r}: the graph is traced, so its synapses cannot be counted; close over it")
    links = tuple(i for i, _ in found)  # one for each group of targets
    stored = _synapse_columns(net, links)
    if r.index and max(r.index) >= len(stored):
        raise ValueError(f"record {r.name!r}: index {max(r.index)} is out of range; it has {len(stored)} synapses")
    columns = None if r.index is None else _columns(stored[list(r.index)])
    padded = sum(k.graph.n_padded for _, k in found)
    period = 1 if r.every_ms is None else to_steps(f"record {r.name!r}: every_ms", r.every_ms, net.dt_ms)
    return Sampler(r.name, "weights", period, (links[0], 0, padded), (), r.index, columns, links)


def _columns(index: Any) -> Any:
    return None if index is None else np.asarray(index, np.int32)


def stack_blocks(kept: Any) -> Any:
    """Blocks (b, s, ...) as one time axis (b s, ...)."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), kept)
