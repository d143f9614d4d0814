"""What arrives over a link in all steps of a chunk, from what its source emitted before and in them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array, float_dtype
from ..connect import BoundDense
from ._link import AbstractLink, SparseLink, TransformLink, number
from ._network import Network, NetworkState


class Emitted(NamedTuple):
    """What a group emitted in the steps of a chunk.

    Attributes:
        values: Numbers, bool or bits as `kernels.pack` gives them, (steps, n).
        marks: The same as bool, where values are numbers that are all 0 or 1, else None.
    """

    values: Array
    marks: Array | None = None

    def read_by(self, link: AbstractLink) -> "Emitted":
        """What a link reads: of marks the values are wanted for their derivatives alone."""
        marks = isinstance(link, TransformLink) and link.by_events and isinstance(link.transform, BoundDense)
        return self if marks else Emitted(self.values)

    def fixed(self) -> "Emitted":
        """The same where it has no derivative."""
        return Emitted(self.values if self.marks is None else self.marks)


def arrivals_of(
    net: Network, link: AbstractLink, state: NetworkState, index: int, emitted: Emitted, *, spikes_only: bool = False
) -> Array:
    """Arrivals over link number `index` in all steps, (steps, receptors, n), from what its source emitted in them."""
    emitted = emitted.read_by(link)
    n_steps, n = emitted.values.shape[0], net.groups[link.source].size
    history, slots = with_past(net, link, state, emitted.values, as_bits=spikes_only)
    if isinstance(link, SparseLink):
        ticks, history = ticks_of(slots, n_steps), number(history, n)
        how = {"marked": net.groups[link.source].marks, "native": net.native}
        zero = [jnp.zeros(link.graph.n_post, float_dtype())] * len(link.receptors)
        return jax.vmap(lambda tick: jnp.stack(link.deliver_values(zero, history, tick, link.first, **how)))(ticks)
    assert isinstance(link, TransformLink)
    before, size = state.links[index], net.groups[link.target].size

    def deliver(row: Array, moving: Array | None = None) -> Array:
        return link.deliver(before, row, size, training=False, axis_name=None, native=net.native, moving=moving)[0]

    def own(rows: Array) -> Array:
        return rows if link.n_sources == n else rows[:, link.first : link.first + link.n_sources]

    def due(rows: Array) -> Array:
        if slots > 1:
            rows = jax.lax.dynamic_slice_in_dim(rows, slots - 1 - link.delay_steps, n_steps)
        return own(rows)

    if link.delays is not None:
        first = slots - 1 - np.arange(link.delays.low, link.delays.high + 1)
        ages = [jax.lax.slice_in_dim(history, start, start + n_steps) for start in first.tolist()]
        return jax.vmap(deliver)(jnp.stack([own(age) for age in ages], axis=1).reshape(n_steps, -1))
    if emitted.marks is None:
        return jax.vmap(deliver)(due(history))
    marks = with_past(net, link, state, emitted.marks, as_bits=False)[0]
    return jax.vmap(deliver)(due(marks), due(history))


def with_past(
    net: Network, link: AbstractLink, state: NetworkState, emitted: Array, *, as_bits: bool
) -> tuple[Array, int]:
    """What a link may read in a chunk: emissions of the last steps before it and in it; how many steps it looks at."""
    ring = state.groups[link.source].values
    if ring is None or link.slots == 1:
        return emitted, 1
    past = unrolled(ring, state.tick)
    if emitted.dtype == jnp.bool_ and isinstance(link, TransformLink) and link.delays is None:
        return jnp.concatenate([past > 0, emitted]), ring.shape[0]
    if as_bits and emitted.dtype == jnp.uint32 and isinstance(link, TransformLink):
        return jnp.concatenate([kernels.pack(past > 0, native=net.native), emitted]), ring.shape[0]
    return jnp.concatenate([past, number(emitted, net.groups[link.source].size)]), ring.shape[0]


def ticks_of(slots: int, n_steps: int) -> Array:
    """Where the steps of a chunk stand in a history of so many slots."""
    return jnp.arange(slots - 1, slots - 1 + n_steps, dtype=jnp.int32)


def unrolled(ring: Array, tick: Array) -> Array:
    """The emissions of a ring in the order of time, without the oldest, (slots - 1, n)."""
    slots = ring.shape[0]
    return ring[(tick - jnp.arange(slots - 2, -1, -1, dtype=jnp.int32)) % slots]
