"""Emission: which neurons spiked, as indices in a ring of steps."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array, ArrayLike
from ._check import check_ring
from ._library import require_native
from ._primitive import Operand, define_kernel

_OPERANDS = (Operand.LANES, *(Operand.IN_PLACE,) * 3, Operand.LANES)  # spikes; ids, counts, peak; tick
_BLOCK = 64


def _prepare(spikes: Any, ids: Any, counts: Any, tick: Any) -> tuple[Any, Any, Any]:
    """Spikes (lanes, n), first flat position of each lane's slot in ids (lanes,), and in counts (lanes,)."""
    batch, (n_slots, capacity) = ids.shape[:-2], ids.shape[-2:]
    lanes = math.prod(batch)
    spikes = jnp.broadcast_to(spikes, (*batch, spikes.shape[-1])).reshape(lanes, spikes.shape[-1])
    slot = jnp.mod(jnp.broadcast_to(tick, batch).ravel(), jnp.int32(n_slots))
    slots = jnp.arange(lanes, dtype=jnp.int32) * n_slots + slot
    return spikes, slots * capacity, slots


def _emit_serial(spikes: Any, ids: Any, counts: Any, peak: Any, tick: Any, *after: Any) -> list[Array]:
    """Block by block: a loop over the blocks of neurons that hold a spike, ranks within the block by a small sum."""
    capacity = ids.shape[-1]
    if after:
        barrier: Any = jax.lax.optimization_barrier
        ids, *_ = barrier((ids, *after))
    spikes, start, slots = _prepare(spikes, ids, counts, tick)
    lanes, n = spikes.shape
    if 0 in (lanes, n):
        return [ids, counts.ravel().at[slots].set(jnp.int32(0)).reshape(counts.shape), peak]
    per_lane = -(-n // _BLOCK)
    blocks = jnp.pad(spikes, ((0, 0), (0, per_lane * _BLOCK - n))).reshape(lanes * per_lane, _BLOCK)
    active = jnp.any(blocks, axis=-1)
    positions = jnp.arange(lanes * per_lane, dtype=jnp.int32)
    offsets = jnp.arange(_BLOCK, dtype=jnp.int32)
    before = offsets[:, None] < offsets[None, :]

    def next_active(block: Any) -> Any:
        candidates = active & (positions >= block)
        found = jnp.argmax(candidates).astype(jnp.int32)
        return jnp.where(candidates[found], found, jnp.int32(lanes * per_lane))

    def one_block(state: Any) -> Any:
        block, found, flat = state
        lane = block // per_lane
        bits = blocks[block]
        rank = found[lane] + jnp.sum(before & bits[:, None], axis=0, dtype=jnp.int32)
        fits = bits & (rank < capacity)
        place = jnp.where(fits, start[lane] + rank, jnp.int32(flat.shape[0]))
        flat = flat.at[place].set((block % per_lane) * _BLOCK + offsets, mode="drop")
        found = found.at[lane].add(jnp.sum(bits, dtype=jnp.int32))
        return next_active(block + 1), found, flat

    state = (next_active(jnp.int32(0)), jnp.zeros(lanes, jnp.int32), ids.ravel())
    _, found, flat = jax.lax.while_loop(lambda state: state[0] < lanes * per_lane, one_block, state)
    return _ring(ids, counts, peak, flat, found, slots)


def _emit_parallel(spikes: Any, ids: Any, counts: Any, peak: Any, tick: Any, *after: Any) -> list[Array]:
    """All neurons at once: ranks by a prefix sum, then one scatter."""
    spikes, start, slots = _prepare(spikes, ids, counts, tick)
    rank = jnp.cumsum(spikes, axis=-1, dtype=jnp.int32) - 1
    fits = spikes & (rank < ids.shape[-1])
    place = jnp.where(fits, start[:, None] + rank, jnp.int32(ids.size))
    neurons = jax.lax.broadcasted_iota(jnp.int32, spikes.shape, 1)
    flat = ids.ravel().at[place.ravel()].set(neurons.ravel(), mode="drop")
    found = jnp.sum(spikes, axis=-1, dtype=jnp.int32)
    return _ring(ids, counts, peak, flat, found, slots)


def _ring(ids: Any, counts: Any, peak: Any, flat: Any, found: Any, slots: Any) -> list[Array]:
    """The results: ids from their flat form, the counts with what was found in the slots of the step, the peak."""
    counts = counts.ravel().at[slots].set(found).reshape(counts.shape)
    return [flat.reshape(ids.shape), counts, jnp.maximum(peak, found.reshape(peak.shape))]


def _infer(spikes: Any, ids: Any, counts: Any, peak: Any, *others: Any) -> list[jax.core.ShapedArray]:
    return [jax.core.ShapedArray(array.shape, array.dtype) for array in (ids, counts, peak)]


_emit_p = define_kernel("emit", _OPERANDS, _infer, _emit_serial, parallel=_emit_parallel)


def emit(
    spikes: ArrayLike,
    ids: ArrayLike,
    counts: ArrayLike,
    peak: ArrayLike,
    tick: ArrayLike,
    *,
    native: bool,
    after: Sequence[ArrayLike] = (),
) -> tuple[Array, Array, Array]:
    """Write the indices of the neurons that spiked into the ring slot of this step.

    Slot tick mod D of `ids` gets the ascending indices of True, the first `capacity` of them; `counts[slot]` gets their
    true number, and `peak` the largest number so far, so that an overflow is seen. Entries behind the count keep what
    they held. In place natively: every read of the ring in the same step must come first, by a data dependence, or the
    compiler copies the ring; name in `after` what those reads produced.

    Args:
        spikes: Bool (n,).
        ids: Ring of emitted indices, int32 (D, capacity).
        counts: True number of emissions of each slot, int32 (D,).
        peak: Largest number of emissions in one step so far, int32 scalar.
        tick: The present step, int32 scalar.
        native: Use the native CPU kernel where the computation runs on a CPU.
        after: Arrays that must exist before the ring is written, such as the accumulators of `deliver`.
    Returns:
        The ring and the counts with the slot of this step replaced, and the peak.
    Raises:
        ValueError: shapes or dtypes disagree; native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> ring = (jnp.zeros((2, 3), jnp.int32), jnp.zeros(2, jnp.int32), jnp.int32(1))
        >>> ids, counts, peak = kernels.emit(jnp.array([False, True, True]), *ring, jnp.int32(5), native=False)
        >>> ids.tolist(), counts.tolist(), int(peak)
        ([[0, 0, 0], [1, 2, 0]], [0, 2], 2)
    """
    spikes, ids, counts = jnp.asarray(spikes), jnp.asarray(ids), jnp.asarray(counts)
    peak = jnp.asarray(peak, dtype=jnp.int32) if isinstance(peak, int) else jnp.asarray(peak)
    tick = jnp.asarray(tick, dtype=jnp.int32) if isinstance(tick, int) else jnp.asarray(tick)
    check_ring(ids, counts, tick)
    if spikes.ndim != 1 or spikes.dtype != jnp.bool_:
        raise ValueError(f"spikes: got {spikes.dtype}{list(spikes.shape)}, must be bool with one axis; pass spikes > 0")
    if peak.shape != () or peak.dtype != jnp.int32:
        raise ValueError(f"peak: got {peak.dtype}{list(peak.shape)}, must be an int32 scalar")
    awaited = [jax.lax.stop_gradient(jnp.asarray(array)) for array in after]
    new: tuple[Array, Array, Array] = tuple(
        _emit_p.bind(spikes, ids, counts, peak, tick, *awaited, native=require_native(native))
    )
    return new


def _tally_everywhere(total: Any, spikes: Any, ids: Any, counts: Any, tick: Any) -> list[Array]:
    return [total + spikes.astype(total.dtype)]


def _infer_tally(total: Any, *others: Any) -> list[jax.core.ShapedArray]:
    return [jax.core.ShapedArray(total.shape, total.dtype)]


_tally_p = define_kernel("tally", (Operand.IN_PLACE, *(Operand.LANES,) * 4), _infer_tally, _tally_everywhere)


def tally(
    total: ArrayLike, spikes: ArrayLike, ids: ArrayLike, counts: ArrayLike, tick: ArrayLike, *, native: bool
) -> Array:
    """Count the spikes of each neuron: one more for those that spiked in this step.

    Natively in place, at a cost that goes with the spikes, as their indices stand in the ring; where there were more
    than it holds, by the spikes themselves.

    Args:
        total: Number of spikes so far, int32 (n,).
        spikes: Spikes of this step, bool (n,).
        ids: Ring in which `emit` wrote them, int32 (D, capacity).
        counts: Number of emissions of each slot, int32 (D,).
        tick: The present step, int32 scalar.
        native: Use the native CPU kernel where the computation runs on a CPU.
    Returns:
        int32 (n,).
    Raises:
        ValueError: shapes or dtypes disagree; native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> spikes, tick = jnp.array([False, True]), jnp.int32(0)
        >>> ring = (jnp.zeros((1, 2), jnp.int32), jnp.zeros(1, jnp.int32), jnp.int32(0))
        >>> ids, counts, _ = kernels.emit(spikes, *ring, tick, native=False)
        >>> kernels.tally(jnp.array([3, 4], jnp.int32), spikes, ids, counts, tick, native=False).tolist()
        [3, 5]
    """
    total, spikes, ids, counts = (jnp.asarray(array) for array in (total, spikes, ids, counts))
    tick = jnp.asarray(tick, dtype=jnp.int32) if isinstance(tick, int) else jnp.asarray(tick)
    check_ring(ids, counts, tick)
    kinds = (total.dtype, spikes.dtype) == (jnp.int32, jnp.bool_)
    if not kinds or total.ndim != 1 or total.shape != spikes.shape:
        raise ValueError(
            f"total, spikes: got {total.dtype}{list(total.shape)} and {spikes.dtype}{list(spikes.shape)}, must be "
            "int32 and bool, (n,) each"
        )
    (out,) = _tally_p.bind(total, spikes, ids, counts, tick, native=require_native(native))
    new: Array = out
    return new
