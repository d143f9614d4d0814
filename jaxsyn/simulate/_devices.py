"""Several devices: each steps its share of the network, and they exchange emissions once for each shortest delay."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .. import record as records
from .._core import Array
from ..network import AXIS, SPEC, Deal, Exchange, Mode, NetworkState, ShardedNetwork, gather, scatter, to_host
from ._machine import AbstractMachine, Chunk, Harvest, Host, are_finite, located, more_room, most_spikes
from ._plan import Plan, Sampler, make_plan, stack_blocks
from ._run import advance

_LEAST_ROOM = 64  # spikes of a device in a window; else one neuron in 256 each step: 40 Hz at 0.1 ms


def windows(exchange: Exchange, steps: int) -> tuple[Mode, Callable[..., Any]]:
    """How to walk through steps with an exchange after each window of them, or within each step for 0.

    Args:
        exchange: The exchange.
        steps: Steps of a window.
    Returns:
        The mode of each step, and the walk, which takes the place of `jax.lax.scan` over steps.
    """
    caught: list[Any] = []

    def within(groups: Any, links: Any, sent: Any, tick: Array) -> Any:
        return exchange(groups, links, jax.tree.map(lambda x: x[None], sent), tick - 1)

    def later(groups: Any, links: Any, sent: Any, tick: Array) -> Any:
        caught.append(sent)
        return groups, links

    def window(one: Callable[..., Any], carry: Any, xs: Any, length: int) -> Any:
        def caught_one(carry: Any, x: Any) -> Any:
            carry, kept = one(carry, x)
            return carry, (kept, caught.pop())

        (state, counts), (kept, sent) = jax.lax.scan(caught_one, carry, xs, length=length)
        groups, links = exchange(state.groups, state.links, sent, state.tick - jnp.int32(length))
        return (NetworkState(state.tick, groups, links, state.stimuli), counts), kept

    def walk(one: Callable[..., Any], carry: Any, xs: Any, length: int) -> Any:
        whole, rest = divmod(length, steps)
        pieces = []
        if whole:
            middle = jax.tree.map(lambda x: x[: whole * steps].reshape(whole, steps, *x.shape[1:]), xs)
            carry, kept = jax.lax.scan(lambda c, x: window(one, c, x, steps), carry, middle, length=whole)
            pieces.append(stack_blocks(kept))
        if rest:
            carry, kept = window(one, carry, jax.tree.map(lambda x: x[whole * steps :], xs), rest)
            pieces.append(kept)
        return carry, pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *xs: jnp.concatenate(xs), *pieces)

    if steps == 0:
        return Mode(exchange=within), jax.lax.scan
    return Mode(exchange=later), walk


class _Setting(eqx.Module):
    """What selects the program of a chunk, apart from shapes."""

    mesh: Any = eqx.field(static=True)
    deals: Any = eqx.field(static=True)
    rooms: tuple[int, ...] = eqx.field(static=True)
    window_steps: int = eqx.field(static=True)
    lengths: tuple[int, int] = eqx.field(static=True)


@eqx.filter_jit
def run_shards(setting: _Setting, net: Any, state: NetworkState, inputs: dict[str, Array], plan: Plan) -> Chunk:
    """One compiled chunk; every array has a leading axis, one entry on each device."""
    arrays, rest = eqx.partition((net, state, inputs, plan), eqx.is_array)

    def share(arrays: Any) -> Any:
        own = jax.tree.map(lambda x: x.reshape(x.shape[1:]), arrays)
        net, state, inputs, plan = eqx.combine(own, rest)
        exchange = Exchange(setting.deals, setting.rooms, AXIS, net.native)
        mode, walk = windows(exchange, setting.window_steps)
        final, kept, samples, counts = advance(net, state, inputs, plan, setting.lengths, mode, walk)
        chunk = Chunk(final, kept, samples, counts, are_finite(final))
        return jax.tree.map(lambda x: x[None], chunk)

    chunk: Chunk = jax.shard_map(share, mesh=setting.mesh, in_specs=SPEC, out_specs=SPEC, check_vma=False)(arrays)
    return chunk


class Devices(AbstractMachine):
    """Several devices, perhaps of several processes: all of them call the same methods in the same order."""

    def __init__(self, sharded: ShardedNetwork, plan: Plan) -> None:
        self._sharded = sharded
        self._samplers = tuple(self._sampler(s) for s in plan.samplers)
        sizes = [max(sharded.window_steps, 1) * deal.size for deal in sharded.deals]
        self._rooms = tuple(max(1, min(n, max(_LEAST_ROOM, 1 << (n // 256).bit_length()))) for n in sizes)

    def _sampler(self, s: Sampler) -> Sampler:
        """A sampler for the slices of its population: what others have is sampled too, and left out later."""
        if s.kind == "weights":
            raise ValueError(f"record {s.name!r}: weights are not recorded on several devices; read net.synapses(...)")
        g, first, size = s.place
        which = next(i for i, m in enumerate(self._sharded.whole.groups[g].members) if m[1:] == (first, size))
        place = (g, *self._sharded.deals[g].slices[which])
        columns = share = None
        if s.columns is not None:
            own = np.asarray(s.columns, np.int32)
            columns = self._sharded.put(lambda d: np.where(own // place[2] == d, own % place[2], 0).astype(np.int32))
        if s.kind == "mean":
            real = np.arange(place[2] * self._sharded.n_devices).reshape(self._sharded.n_devices, -1) < size
            share = self._sharded.put(lambda d: (real[d] / max(size, 1)).astype(np.float32))
        return dataclasses.replace(s, place=place, columns=columns, share=share)

    @property
    def writes(self) -> bool:
        return jax.process_index() == 0

    def load(self, state: NetworkState) -> NetworkState:
        return scatter(self._sharded, state)

    def whole(self, state: NetworkState) -> NetworkState:
        return gather(self._sharded, state)

    def tick(self, state: NetworkState) -> int:
        return int(_first(state.tick))

    def _inputs(self, inputs: dict[str, Array]) -> dict[str, Array]:
        out, n = {}, self._sharded.n_devices
        for key, value in inputs.items():
            deal, whole = Deal((value.shape[1],), n), np.asarray(value)
            out[key] = self._sharded.put(functools.partial(_columns_of, whole, deal))
        return out

    def run(self, state: NetworkState, inputs: dict[str, Array], plan: Plan, lengths: tuple[int, int]) -> Chunk:
        s = self._sharded
        setting = _Setting(s.mesh, s.deals, self._rooms, s.window_steps, lengths)
        own = dataclasses.replace(plan, samplers=self._samplers if plan.samplers else (), room=self._room(plan))
        chunk: Chunk = run_shards(setting, s.parts, state, self._inputs(inputs), own)
        chunk.state.tick.block_until_ready()
        return chunk

    def _room(self, plan: Plan) -> tuple[int, ...]:
        return tuple(max(1, min(room, deal.size)) for room, deal in zip(plan.room, self._sharded.deals, strict=True))

    def is_finite(self, chunk: Chunk) -> list[bool]:
        return [bool(ok.all()) for ok in to_host(chunk.finite)]

    def make_room(self, state: NetworkState, plan: Plan, chunk: Chunk) -> tuple[NetworkState, Plan] | None:
        rooms, groups, room, lost = list(self._rooms), list(state.groups), list(plan.room), False
        for g, (s, deal) in enumerate(zip(chunk.state.groups, self._sharded.deals, strict=True)):
            if s.ids is not None and s.peak is not None:
                in_step, in_window = (int(x) for x in _first(s.peak))
                if in_window > rooms[g]:
                    lost, rooms[g] = True, min(more_room(in_window), deal.size * max(self._sharded.window_steps, 1))
                if in_step > s.ids.shape[-1]:
                    lost, groups[g] = True, _wider(groups[g], min(more_room(in_step), sum(deal.sizes)))
            kept = chunk.kept.get(str(g)) if plan.spikes is not None else None
            if kept is not None and "fraction" in kept:
                most = most_spikes(to_host(kept["words"]))
                if most > self._room(plan)[g]:
                    lost, room[g] = True, more_room(most)
        if not lost:
            return None
        self._rooms = tuple(rooms)
        state = NetworkState(state.tick, tuple(groups), state.links, state.stimuli)
        return state, dataclasses.replace(plan, room=tuple(room))

    def harvest(self, plan: Plan, chunk: Chunk) -> Harvest:
        net, deals = self._sharded.whole, self._sharded.deals
        kept, sampled, counted = to_host((chunk.kept, chunk.samples, chunk.counts))
        events = {g: _merge(kept[str(g)], g, self._sharded) for g in plan.recorded_groups(net)}
        samples = {s.name: self._whole_samples(s, sampled[s.name]) for s in plan.samplers}
        counts = {}
        for name, value in counted.items():
            kind, _, of = name.partition(" ")
            counts[name] = deals[int(of)].collect(value, axis=1) if kind == "count" else value.sum(axis=0)
        return Harvest(events, samples, counts)

    def _whole_samples(self, s: Sampler, shares: Host) -> Host:
        """Samples of the whole network from those of the devices, (devices, samples, ...)."""
        if s.kind == "mean":
            mean: Host = shares.sum(axis=0)
            return mean
        deal = Deal((s.place[2],), self._sharded.n_devices)
        if s.columns is None:
            return deal.collect(shares, axis=1)
        owner = np.asarray(s.columns) // max(deal.size, 1)
        return np.moveaxis(shares[owner, :, np.arange(len(owner))], 0, 1)


def _columns_of(whole: Host, deal: Deal, device: int) -> Host:
    columns: Host = whole[:, deal.index(device)]
    return columns


def program_text(sharded: ShardedNetwork, n_steps: int) -> str:
    """The optimized program of a chunk that records spikes, as text: for those who count its collective operations."""
    plan = make_plan(sharded.whole, [records.Spikes()], packed=True, capacity=None)
    machine = Devices(sharded, plan)
    setting = _Setting(sharded.mesh, sharded.deals, machine._rooms, sharded.window_steps, (n_steps, 0))
    compiling: Any = run_shards
    lowered = compiling.lower(setting, sharded.parts, machine.load(sharded.whole.init_state()), {}, plan)
    return str(lowered.compile().compiled.as_text())


def _first(array: Array) -> Host:
    """The entry of the first device of this process, for what is the same on all."""
    return np.asarray(array.addressable_shards[0].data)[0]


def _wider(group: Any, capacity: int) -> Any:
    """The state of a group with a wider list of spikes for each step."""
    room = ((0, 0), (0, 0), (0, capacity - group.ids.shape[-1]))
    return eqx.tree_at(lambda s: s.ids, group, jnp.pad(group.ids, room))


def _merge(kept: dict[str, Host], g: int, sharded: ShardedNetwork) -> tuple[Host, Host, Host | None]:
    """Spikes of a group from the packed spikes of all devices, by step, then by neuron."""
    deal = sharded.deals[g]
    parts = [kernels.unpack_events(words, deal.size) for words in kept["words"]]
    steps = np.concatenate([steps for steps, _ in parts])
    neurons = np.concatenate([deal.index(d)[own] for d, (_, own) in enumerate(parts)])
    order = np.lexsort((neurons, steps))
    fraction = None
    if "fraction" in kept:
        fraction = np.concatenate([located(part[0], own) for part, own in zip(parts, kept["fraction"], strict=True)])
        fraction = fraction[order]
    return steps[order], neurons[order], fraction
