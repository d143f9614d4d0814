"""What runs a chunk of steps, and what it leaves on the host: the part of the driver that knows the device."""

import abc
import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array
from ..network import Network, NetworkState
from ._plan import Kept, Plan
from ._room import capacity_of, resize
from ._run import advance

Host = np.ndarray[Any, Any]


class Chunk(NamedTuple):
    """Outcome of one chunk on the device."""

    state: NetworkState
    kept: Kept
    samples: Kept
    counts: Kept
    finite: tuple[Array, ...]


class Harvest(NamedTuple):
    """Records of one chunk on the host, in the form of the whole network.

    Attributes:
        events: Step, neuron and place in the step (None on the grid) of each spike, by group, in the order of time.
        samples: Samples by name.
        counts: Counters by name.
    """

    events: dict[int, tuple[Host, Host, Host | None]]
    samples: dict[str, Host]
    counts: dict[str, Host]


class AbstractMachine(abc.ABC):
    """Runs chunks of a network. States that it takes and gives are its own; `whole` gives those of the network."""

    @property
    def writes(self) -> bool:
        """Whether this process writes the checkpoints: the first of those that run a network together."""
        return True

    @abc.abstractmethod
    def load(self, state: NetworkState) -> NetworkState:
        """The state of the whole network as the state of the machine."""

    @abc.abstractmethod
    def whole(self, state: NetworkState) -> NetworkState:
        """The state of the machine as the state of the whole network."""

    @abc.abstractmethod
    def tick(self, state: NetworkState) -> int:
        """Steps done."""

    @abc.abstractmethod
    def run(self, state: NetworkState, inputs: dict[str, Array], plan: Plan, lengths: tuple[int, int]) -> Chunk:
        """Run a chunk; compiled once for each structure, plan and length. Its end is awaited."""

    @abc.abstractmethod
    def is_finite(self, chunk: Chunk) -> list[bool]:
        """Whether the state of each group is finite after a chunk."""

    @abc.abstractmethod
    def make_room(self, state: NetworkState, plan: Plan, chunk: Chunk) -> tuple[NetworkState, Plan] | None:
        """State and plan to repeat a chunk with that lost spikes for want of room; None if it lost none."""

    @abc.abstractmethod
    def harvest(self, plan: Plan, chunk: Chunk) -> Harvest:
        """Records of a chunk."""


def are_finite(state: NetworkState) -> tuple[Array, ...]:
    """Whether the state of each group is finite."""

    def all_finite(tree: Any) -> Array:
        checks = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
        return jnp.all(jnp.stack(checks)) if checks else jnp.asarray(True)

    return tuple(all_finite(g.membrane) for g in state.groups)


@eqx.filter_jit
def run_chunk(
    net: Network, state: NetworkState, inputs: dict[str, Array], plan: Plan, lengths: tuple[int, int]
) -> Chunk:
    """One compiled chunk on one device."""
    final, kept, samples, counts = advance(net, state, inputs, plan, lengths)
    return Chunk(final, kept, samples, counts, are_finite(final))


def more_room(need: int) -> int:
    """Room to repeat with where `need` is needed: half as much again, a power of two, so that programs are reused."""
    return 1 << (need + need // 2 - 1).bit_length()


def most_spikes(words: Host) -> int:
    """The most spikes in one row of packed spikes (..., words)."""
    return int(np.bitwise_count(words).sum(axis=-1).max(initial=0)) if words.size else 0


def located(steps: Host, fraction: Host) -> Host:
    """Where in its step each spike lies, from the places (steps, room) of the spikes of each step in their order."""
    counts = np.bincount(steps, minlength=fraction.shape[0])
    place = np.arange(len(steps)) - np.repeat(np.cumsum(counts) - counts, counts)
    out: Host = fraction[steps, place]
    return out


def needed_room(plan: Plan, chunk: Chunk, lanes: Any = ...) -> int:
    """The room that would have been needed (by some of the lanes, where there are any), or 0 if there was enough."""
    need = 0
    for g, s in enumerate(chunk.state.groups):
        if s.ids is not None and s.peak is not None:
            peak = int(np.max(np.asarray(s.peak)[lanes], initial=0))
            need = max(need, peak if peak > s.ids.shape[-1] else 0)
        kept = chunk.kept.get(str(g)) if plan.spikes is not None else None
        if kept is not None and "fraction" in kept:
            each_step = np.bitwise_count(np.asarray(kept["words"])).sum(axis=-1)
            most = int(np.max(each_step.max(axis=0, initial=0)[lanes], initial=0))
            need = max(need, most if most > plan.room[g] else 0)
    return need


def wider(net: Network, plan: Plan, need: int) -> tuple[int, Plan]:
    """Room to repeat with, and the plan with it."""
    capacity = more_room(need)
    room = tuple(max(old, min(g.size, capacity)) for old, g in zip(plan.room, net.groups, strict=True))
    return capacity, dataclasses.replace(plan, room=room)


class OneDevice(AbstractMachine):
    """The default device."""

    def __init__(self, net: Network) -> None:
        self._net = net

    def load(self, state: NetworkState) -> NetworkState:
        return state

    def whole(self, state: NetworkState) -> NetworkState:
        return state

    def tick(self, state: NetworkState) -> int:
        return int(state.tick)

    def run(self, state: NetworkState, inputs: dict[str, Array], plan: Plan, lengths: tuple[int, int]) -> Chunk:
        chunk: Chunk = run_chunk(self._net, state, inputs, plan, lengths)
        chunk.state.tick.block_until_ready()
        return chunk

    def is_finite(self, chunk: Chunk) -> list[bool]:
        return [bool(ok) for ok in chunk.finite]

    def make_room(self, state: NetworkState, plan: Plan, chunk: Chunk) -> tuple[NetworkState, Plan] | None:
        need = needed_room(plan, chunk)
        if not need:
            return None
        capacity, plan = wider(self._net, plan, need)
        return resize(self._net, state, max(capacity, capacity_of(state))), plan

    def harvest(self, plan: Plan, chunk: Chunk) -> Harvest:
        events: dict[int, tuple[Host, Host, Host | None]] = {}
        for g in plan.recorded_groups(self._net):
            kept = chunk.kept[str(g)]
            steps, ids = kernels.unpack_events(np.asarray(kept["words"]), self._net.groups[g].size)
            fraction = located(steps, np.asarray(kept["fraction"])) if "fraction" in kept else None
            events[g] = (steps, ids, fraction)
        samples, counts = ({k: np.asarray(v) for k, v in kept.items()} for kept in (chunk.samples, chunk.counts))
        return Harvest(events, samples, counts)
