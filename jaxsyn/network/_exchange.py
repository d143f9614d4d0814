"""What devices tell each other: the emissions of a window of steps, in one collective operation.

Spikes travel as a list of the neurons that spiked, step by step, with the number of spikes of each population and step
in front; emissions that are numbers travel as they are. Each device merges what it gets into its own history, in the
order of identifiers: the order in which one device alone would have written it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array
from ._deal import Deal
from ._group import GroupState, Sent
from ._link import LinkState


class Exchange(NamedTuple):
    """The exchange between the devices of an axis.

    Args:
        deals: Which neurons of each group the devices have.
        rooms: Room for the spikes of a device in a window, by group.
        axis: Name of the axis of devices.
        native: Use the native kernels.
    Example:
        >>> from jaxsyn.network import Deal
        >>> Exchange((Deal((3,), 2),), (4,), "shards", native=False).rooms
        (4,)
    """

    deals: tuple[Deal, ...]
    rooms: tuple[int, ...]
    axis: str
    native: bool

    def __call__(
        self, groups: Sequence[GroupState], links: Sequence[LinkState], sent: Sent, after: Array
    ) -> tuple[tuple[GroupState, ...], tuple[LinkState, ...]]:
        """Enter what all devices sent into the histories.

        Args:
            groups: State of the groups.
            links: State of the links.
            sent: What this device sent in each step of a window, arrays (steps, ...).
            after: Tick before the first of these steps.
        Returns:
            The groups and the links.
        """
        message: list[Array] = []
        for g, (state, emission) in enumerate(zip(groups, sent.emissions, strict=True)):
            if state.ids is not None:
                message += _list_spikes(emission.spikes, self.deals[g], self.rooms[g], self.native)
            if state.values is not None:
                numbers = emission.spikes.astype(state.values.dtype) if emission.values is None else emission.values
                message.append(_words(numbers))
        message += [_words(amplitude) for _, amplitude in sorted(sent.amplitudes.items())]
        if not message:
            return tuple(groups), tuple(links)
        letters = _Letters(jax.lax.all_gather(jnp.concatenate(message), self.axis))
        new_groups = []
        for g, (state, emission) in enumerate(zip(groups, sent.emissions, strict=True)):
            ids, counts, values, peak = state.ids, state.counts, state.values, state.peak
            steps = emission.spikes.shape[0]
            if ids is not None and counts is not None and peak is not None:
                listed = _Lists(letters, self.deals[g], self.rooms[g], steps)
                ids, counts = listed.enter(ids, counts, after)
                peak = jnp.maximum(peak, jnp.stack([jnp.max(listed.of_step), jnp.max(listed.of_device)]))
            if values is not None:
                values = _enter(values, letters.numbers(steps, self.deals[g], values.dtype), after)
            new_groups.append(GroupState(state.membrane, state.clamp, ids, counts, values, peak))
        new_links = list(links)
        for i, amplitude in sorted(sent.amplitudes.items()):
            ring, (steps, size) = links[i].values, amplitude.shape
            assert ring is not None
            numbers = letters.numbers(steps, Deal((size * letters.n,), letters.n), ring.dtype)
            new_links[i] = LinkState(links[i].release, _enter(ring, numbers, after), links[i].statistics)
        return tuple(new_groups), tuple(new_links)


def _words(numbers: Array) -> Array:
    return jax.lax.bitcast_convert_type(numbers, jnp.int32).ravel()


def _list_spikes(spikes: Array, deal: Deal, room: int, native: bool) -> list[Array]:
    """Spikes (steps, size) as the number of each step and population, and the places of all in the flat array."""
    counts = [jnp.sum(spikes[:, first : first + size], axis=1, dtype=jnp.int32) for first, size in deal.slices]
    ring = (jnp.zeros((1, room), jnp.int32), jnp.zeros(1, jnp.int32), jnp.int32(0))
    places, _, _ = kernels.emit(spikes.ravel(), *ring, jnp.int32(0), native=native)
    return [jnp.stack(counts, axis=1).ravel(), places[0]]


def _enter(ring: Array, numbers: Array, after: Array) -> Array:
    """A history with the numbers of some steps, (steps, n), in their slots."""
    slots = (after + 1 + jnp.arange(numbers.shape[0], dtype=jnp.int32)) % ring.shape[0]
    return ring.at[slots].set(numbers)


class _Letters:
    """The messages of all devices, (devices, words), read from front to back."""

    def __init__(self, words: Array) -> None:
        self._words, self._at, self.n = words, 0, words.shape[0]

    def read(self, size: int) -> Array:
        """The next words of each device."""
        self._at += size
        return self._words[:, self._at - size : self._at]

    def numbers(self, steps: int, deal: Deal, dtype: Any) -> Array:
        """The next emissions as numbers, (steps, identifiers)."""
        width = np.dtype(dtype).itemsize // 4
        words = self.read(steps * deal.size * width).reshape(self.n, steps, deal.size, *([width] if width > 1 else []))
        shares = jax.lax.bitcast_convert_type(words, dtype)
        parts = [jnp.moveaxis(shares[:, :, first : first + size], 0, 1) for first, size in deal.slices]
        return jnp.concatenate([part.reshape(steps, self.n * part.shape[2]) for part in parts], axis=1)


class _Lists:
    """The lists of spikes of all devices.

    Attributes:
        of_step: Number of spikes of each step, (steps,).
        of_device: Number of spikes of each device, (n,).
    """

    def __init__(self, letters: _Letters, deal: Deal, room: int, steps: int) -> None:
        self._deal, kinds = deal, len(deal.slices)
        self._counts = letters.read(steps * kinds).reshape(letters.n, steps, kinds)
        self._places = letters.read(room)
        self.of_step, self.of_device = jnp.sum(self._counts, axis=(0, 2)), jnp.sum(self._counts, axis=(1, 2))

    def enter(self, ids: Array, counts: Array, after: Array) -> tuple[Array, Array]:
        """The history with these spikes: within a step by population, then device, then place on the device."""
        deal, (n, steps, kinds) = self._deal, self._counts.shape
        flat = self._counts.reshape(n, steps * kinds)
        start = jnp.cumsum(flat, axis=1) - flat  # of each step and population in the list of a device
        runs = jnp.moveaxis(self._counts, 0, 2).reshape(steps, kinds * n)
        before = (jnp.cumsum(runs, axis=1) - runs).ravel()  # of each population and device in the list of a step
        device = jax.lax.broadcasted_iota(jnp.int32, self._places.shape, 0)
        rank = jax.lax.broadcasted_iota(jnp.int32, self._places.shape, 1)
        step, place = self._places // deal.size, self._places % deal.size
        kind = jnp.zeros_like(place)
        for first, _ in deal.slices[1:]:
            kind = kind + (place >= first).astype(jnp.int32)
        firsts = jnp.asarray([first for first, _ in deal.slices], jnp.int32)
        sizes = jnp.asarray([size for _, size in deal.slices], jnp.int32)
        identifier = (n - 1) * firsts[kind] + device * sizes[kind] + place
        rank = rank - start[device, step * kinds + kind]
        row = before[(step * kinds + kind) * n + device] + rank
        listed = jax.lax.broadcasted_iota(jnp.int32, self._places.shape, 1) < self.of_device[:, None]
        slots, capacity = ids.shape
        row = jnp.where(listed & (row < capacity), row, jnp.int32(capacity))
        slot = (after + 1 + step) % slots
        ids = ids.at[slot.ravel(), row.ravel()].set(identifier.ravel(), mode="drop")
        written = (after + 1 + jnp.arange(steps, dtype=jnp.int32)) % slots
        return ids, counts.at[written].set(self.of_step)
