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

from .. import kernels, record
from .._core import Array
from ..network import Emission, Network, NetworkState, SparseLink

Kept = dict[str, Any]


class Sampler(eqx.Module):
    """A state variable (or the weights of a projection) to sample: where it is and which entries."""

    name: str = eqx.field(static=True)
    kind: str = eqx.field(static=True)
    period: int = eqx.field(static=True)
    place: tuple[int, int, int] = eqx.field(static=True)
    path: tuple[str, ...] = eqx.field(static=True)
    index: tuple[int, ...] | None = eqx.field(static=True)

    def sample(self, net: Network, state: NetworkState) -> Array:
        """Present values, shape (k,), or () for a mean."""
        g, first, size = self.place
        if self.kind == "weights":
            weight = net.links[g].weight  # type: ignore[attr-defined]
            values = weight[:, :first] if weight.shape[1] > 1 else jnp.broadcast_to(weight, (weight.shape[0], first))
            return values if self.index is None else values[:, jnp.asarray(self.index, jnp.int32)]
        part: Any = state.groups[g].membrane
        for step in self.path:
            part = part[step] if isinstance(part, dict) else getattr(part, step)
        values = part[first : first + size]
        if self.kind == "mean":
            return jnp.mean(values)
        return values if self.index is None else values[jnp.asarray(self.index, jnp.int32)]


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
            if emission.fraction is not None:
                ring = jnp.zeros((1, self.room[g]), jnp.int32)
                ids, _ = kernels.emit(emission.spikes, ring, jnp.zeros(1, jnp.int32), jnp.int32(0), native=net.native)
                kept["fraction"] = emission.fraction[ids[0]].astype(jnp.float32)
            out[str(g)] = kept
        return out

    def zero_counts(self, net: Network) -> Kept:
        """Counters at the start of a run."""
        counts = {f"count {p}": jnp.zeros(net.place(p)[2], jnp.int32) for p in self.counts}
        return counts | {f"total {p}": jnp.zeros((), jnp.int32) for p, _ in self.windows}

    def count(self, net: Network, counts: Kept, emissions: Sequence[Emission]) -> Kept:
        """Counters after a step."""
        out = dict(counts)
        for p in self.counts:
            out[f"count {p}"] = counts[f"count {p}"] + _mask(net, p, emissions).astype(jnp.int32)
        for p, _ in self.windows:
            out[f"total {p}"] = counts[f"total {p}"] + jnp.sum(_mask(net, p, emissions), dtype=jnp.int32)
        return out

    def sample(self, net: Network, state: NetworkState) -> Kept:
        """State variables at the end of a block."""
        return {s.name: s.sample(net, state) for s in self.samplers}


def _mask(net: Network, population: str, emissions: Sequence[Emission]) -> Array:
    g, first, size = net.place(population)
    return emissions[g].spikes[first : first + size]


def _dense(net: Network, population: str, emissions: Sequence[Emission]) -> Array:
    g, first, size = net.place(population)
    values = emissions[g].values
    return (emissions[g].spikes if values is None else values)[first : first + size]


def to_steps(what: str, time_ms: float, dt_ms: float) -> int:
    """A time as a whole number of steps.

    Raises:
        ValueError: It is not a multiple of the step.
    """
    steps = round(time_ms / dt_ms)
    if steps < 1 or abs(steps - time_ms / dt_ms) > 1e-4:
        raise ValueError(f"{what}: got {time_ms} ms; allowed: a positive multiple of dt_ms = {dt_ms}")
    return steps


def make_plan(net: Network, records: Sequence[record.AbstractRecord], *, packed: bool, capacity: int | None) -> Plan:
    """Resolve records against a network.

    Raises:
        ValueError: Unknown population, variable or projection; index out of range; period off the grid; duplicates.
    """
    if isinstance(records, record.AbstractRecord):
        records = [records]
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
                raise ValueError(f"record: got {r!r}; allowed: objects of js.record")
    periods = [s.period for s in samplers] + [w for _, w in windows]
    room = tuple(max(1, g.size if capacity is None else min(g.size, capacity)) for g in net.groups)
    return Plan(
        spikes, packed, tuple(samplers), tuple(counts), tuple(windows), math.gcd(*periods) if periods else 0, room
    )


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
    return Sampler(r.name, "state" if isinstance(r, record.State) else "mean", period, (g, first, size), where, index)


def _weight_sampler(net: Network, r: record.Weights) -> Sampler:
    for i, link in enumerate(net.links):
        if isinstance(link, SparseLink) and link.name == r.projection:
            n = link.graph.n_synapses
            if r.index and max(r.index) >= n:
                raise ValueError(f"record {r.name!r}: index {max(r.index)} is out of range; it has {n} synapses")
            period = 1 if r.every_ms is None else to_steps(f"record {r.name!r}: every_ms", r.every_ms, net.dt_ms)
            return Sampler(r.name, "weights", period, (i, n, 0), (), r.index)
    raise ValueError(f"record {r.name!r}: the network has no sparse projection of that name")


def stack_blocks(kept: Any) -> Any:
    """Blocks (b, s, ...) as one time axis (b s, ...)."""
    return jax.tree.map(lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), kept)
