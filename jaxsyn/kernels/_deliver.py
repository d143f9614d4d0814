"""Late delivery: the spikes of d steps ago reach their targets now, for each delay d.

Emissions are kept as neuron indices in a short ring of steps; nothing is written into the future, so no buffer of
delays x neurons is carried from step to step. Rows of one delay are contiguous: a spike costs one short segment of
synapses for each delay, whatever else the graph holds.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._core import Array, ArrayLike
from ._check import check_floats, check_graph, check_ring, check_threads, check_weight
from ._derivatives import define_sum
from ._library import require_native
from ._primitive import Operand, define_kernel

_OPERANDS = (
    Operand.SHARED,  # row_ptr
    Operand.SHARED,  # post
    Operand.LANES,  # weight
    Operand.LANES,  # gain
    Operand.SHARED,  # delays
    Operand.LANES,  # ids
    Operand.LANES,  # counts
    Operand.LANES,  # tick
)
_NO_DERIVATIVE = (
    "deliver: spikes travel as integer indices here, so a derivative in weights would silently miss the paths through "
    "them. Give the emitting population a surrogate (its spikes then travel as floats, through push), or stop the "
    "gradient with jax.lax.stop_gradient"
)


BLOCK = 1 << 16  # targets that two bytes tell apart
COMPACT = tuple(jnp.dtype(name) for name in ("float16", "bfloat16", "int8", "int16"))


def target_blocks(index: Any, n_post: int) -> int:
    """Into how many blocks the targets of a graph fall: one where an index tells all of them apart.

    Args:
        index: Type of a target: int32, or uint16, which counts within blocks of 2^16 targets.
        n_post: Number of targets.
    Returns:
        Number of blocks, at least 1.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.target_blocks(jnp.uint16, 70_000), kernels.target_blocks(jnp.int32, 70_000)
        (2, 1)
    """
    return max(1, -(-n_post // BLOCK)) if index == jnp.uint16 else 1


class _Operands(NamedTuple):
    """What the primitive takes, in its order; all but the graph may have leading batch axes.

    Behind them come the accumulators, one for each receptor; here as one array (..., receptors, n_post).
    """

    row_ptr: Any
    post: Any
    weight: Any
    gain: Any
    delays: Any
    ids: Any
    counts: Any
    tick: Any
    acc: Any

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.acc.shape[:-2])

    @property
    def nothing_to_do(self) -> bool:
        return 0 in (self.acc.size, self.post.size, self.row_ptr.size - 1, self.ids.size, self.weight.size)

    @property
    def due(self) -> Any:
        """The delay of each row of sources: all delays for each block of targets."""
        return jnp.tile(self.delays, target_blocks(self.post.dtype, self.acc.shape[-1]))

    @property
    def gains(self) -> Any:
        """Gain for each lane and receptor, (lanes, receptors)."""
        own = self.gain.shape[: len(self.batch)]
        flat = self.gain.reshape(math.prod(own), -1)[self.lane_of(own)]
        return jnp.broadcast_to(flat, (flat.shape[0], self.acc.shape[-2]))

    def lane_of(self, own: tuple[int, ...]) -> NDArray[np.int32]:
        """For each lane, flattened, the lane of an operand whose shared batch axes have size 1."""
        lanes = np.arange(math.prod(own), dtype=np.int32).reshape(own)
        return np.broadcast_to(lanes, self.batch).ravel()

    @property
    def chunk(self) -> int:
        """Synapses of a row handled at once: about a mean row, 16 to 256, at most all there are."""
        nnz: int = self.post.size
        mean = max(1, nnz // (self.row_ptr.size - 1))
        return min(nnz, int(2 ** min(8, max(4, (mean - 1).bit_length()))))


def _gathered(operands: Any) -> _Operands:
    n = len(_OPERANDS)
    return _Operands._make((*operands[:n], jnp.stack(operands[n:], axis=-2)))


def _rows(acc: Array) -> list[Array]:
    return [acc[..., r, :] for r in range(acc.shape[-2])]


def _deliver_serial(*operands: Any, first: int, n_sources: int, threads: int = 1) -> list[Array]:
    """Event by event: a loop over (lane, delay), over the ids of the slot, over chunks of their rows."""
    o = _gathered(operands)
    if o.nothing_to_do:
        return _rows(o.acc)
    (receptors, n_post), (n_slots, capacity) = o.acc.shape[-2:], o.ids.shape[-2:]
    due, nnz, chunk, shared = o.due, o.post.size, o.chunk, o.weight.shape[-1] == 1
    n_due, n_delays = due.size, o.delays.size
    batches = (o.weight.shape[:-2], o.ids.shape[:-2], o.counts.shape[:-1], o.tick.shape)
    lane_of = jnp.asarray(np.stack([o.lane_of(own) for own in batches]))
    weight, counts = o.weight.reshape(-1, o.weight.shape[-1]), o.counts.reshape(-1, n_slots)
    ids, gains, tick = o.ids.ravel(), o.gains, o.tick.ravel()
    steps = jnp.arange(chunk, dtype=jnp.int32)
    receptor_rows = jax.lax.broadcasted_iota(jnp.int32, (receptors, chunk), 0)

    def one_slot(turn: Any, flat: Any) -> Any:
        lane, k = turn // n_due, turn % n_due
        of_weight, of_ids, of_counts, of_tick = lane_of[:, lane]
        slot = jnp.mod(tick[of_tick] - due[k], jnp.int32(n_slots))
        count = jnp.minimum(counts[of_counts, slot], jnp.int32(capacity))
        places = (lane * receptors + receptor_rows) * n_post + k // n_delays * BLOCK
        factor = gains[lane][:, None]

        def one_id(j: Any, flat: Any) -> Any:
            local = ids[(of_ids * n_slots + slot) * capacity + j] - first
            inside = (local >= 0) & (local < n_sources)
            row = k * n_sources + jnp.where(inside, local, jnp.int32(0))
            begin = o.row_ptr[row]
            end = jnp.where(inside, o.row_ptr[row + 1], begin)

            def one_chunk(state: Any) -> Any:
                position, flat = state
                start = jnp.minimum(position, jnp.int32(nnz - chunk))
                valid = (start + steps >= position) & (start + steps < end)
                targets = jax.lax.dynamic_slice(o.post, (start,), (chunk,)).astype(jnp.int32)
                corner = (of_weight * receptors, jnp.int32(0) if shared else start)
                values = jax.lax.dynamic_slice(weight, corner, (receptors, 1 if shared else chunk))
                values = jnp.where(valid[None], values.astype(flat.dtype) * factor, jnp.zeros((), flat.dtype))
                return position + chunk, flat.at[(places + targets[None]).ravel()].add(values.ravel())

            return jax.lax.while_loop(lambda state: state[0] < end, one_chunk, (begin, flat))[1]

        return jax.lax.fori_loop(jnp.int32(0), count, one_id, flat)

    turns = jnp.int32(math.prod(o.batch) * n_due)
    return _rows(jax.lax.fori_loop(jnp.int32(0), turns, one_slot, o.acc.ravel()).reshape(o.acc.shape))


def _deliver_parallel(*operands: Any, first: int, n_sources: int, threads: int = 1) -> list[Array]:
    """All entries of all due slots at once, one chunk of their rows after the other."""
    o = _gathered(operands)
    if o.nothing_to_do:
        return _rows(o.acc)
    lanes, (receptors, n_post), n_slots = math.prod(o.batch), o.acc.shape[-2:], o.ids.shape[-2]
    ids = o.ids.reshape(-1, *o.ids.shape[-2:])[o.lane_of(o.ids.shape[:-2])]
    counts = o.counts.reshape(-1, n_slots)[o.lane_of(o.counts.shape[:-1])]
    tick, gains = o.tick.ravel()[o.lane_of(o.tick.shape)], o.gains
    slots = jnp.mod(tick[:, None] - o.due[None], jnp.int32(n_slots))  # (lanes, blocks * delays)
    local = jnp.take_along_axis(ids, slots[..., None], axis=1) - first  # (lanes, blocks * delays, capacity)
    listed = jax.lax.broadcasted_iota(jnp.int32, local.shape, 2) < jnp.take_along_axis(counts, slots, axis=1)[..., None]
    inside = listed & (local >= 0) & (local < n_sources)
    rows = jax.lax.broadcasted_iota(jnp.int32, local.shape, 1) * n_sources + jnp.where(inside, local, jnp.int32(0))
    begin = o.row_ptr[rows].ravel()
    end = jnp.where(inside.ravel(), o.row_ptr[rows + 1].ravel(), begin)
    lane = jnp.repeat(jnp.arange(lanes, dtype=jnp.int32), begin.size // lanes)
    first_weight = jnp.asarray(o.lane_of(o.weight.shape[:-2]))[lane][:, None] * receptors
    weight, n_rows = o.weight.reshape(-1, o.weight.shape[-1]), o.delays.size * n_sources
    block = rows.ravel() // max(n_rows, 1) * BLOCK
    steps = jax.lax.broadcasted_iota(jnp.int32, (begin.size, o.chunk), 1)

    def one_chunk(state: Any) -> Any:
        position, flat = state
        synapses = position[:, None] + steps
        valid = synapses < end[:, None]
        synapses = jnp.where(valid, synapses, jnp.int32(0))
        for r in range(receptors):
            values = weight[first_weight + r, synapses if weight.shape[1] > 1 else jnp.zeros_like(synapses)]
            values = values.astype(flat.dtype) * gains[lane, r][:, None]
            places = ((lane * receptors + r) * n_post + block)[:, None] + o.post[synapses].astype(jnp.int32)
            places = jnp.where(valid, places, jnp.int32(flat.size))
            flat = flat.at[places.ravel()].add(values.ravel(), mode="drop")
        return position + o.chunk, flat

    _, flat = jax.lax.while_loop(lambda state: jnp.any(state[0] < end), one_chunk, (begin, o.acc.ravel()))
    return _rows(flat.reshape(o.acc.shape))


def _infer(*operands: Any, first: int, n_sources: int, threads: int = 1) -> list[jax.core.ShapedArray]:
    return [jax.core.ShapedArray(acc.shape, acc.dtype) for acc in operands[len(_OPERANDS) :]]


_deliver_p = define_kernel(
    *("deliver", _OPERANDS, _infer, _deliver_serial),
    parallel=_deliver_parallel,
    attributes=("first", "n_sources", "threads"),
    rest=Operand.IN_PLACE,
)
define_sum(_deliver_p, len(_OPERANDS), _NO_DERIVATIVE)


def deliver(
    acc: Sequence[ArrayLike], *operands: ArrayLike, first: int, n_sources: int, native: bool, threads: int = 1
) -> list[Array]:
    """Add to accumulators what arrives now: for each delay, the spikes emitted that many steps ago.

    For the k-th delay d and each id in slot (tick - d) mod D with first <= id < first + n_sources, the synapses s of
    row k * n_sources + id - first give acc[r][post[s]] += gain * weight[r, s]. Cost goes with the delivered synapses.
    Natively the accumulators are updated in place; lanes of `vmap` share the graph. Indices in `post` must lie in
    [0, n_post): they are not checked. Differentiable in the accumulators alone.

    Args:
        acc: One accumulator for each receptor, float (n_post,), at most 64.
        operands: Eight arrays, in this order.

            - `row_ptr`: offsets of the rows, int32 (blocks * delays * n_sources + 1,);
            - `post`: target of each synapse, int32 or uint16 (nnz,), ascending within each row (threads share a row by
              its targets); entries behind row_ptr[-1] are padding. As uint16 it counts within a block of 2^16 targets,
              and the rows of all delays and sources stand once for each block, one block after the other;
            - `weight`: (receptors, nnz), or (receptors, 1) if all synapses share one; dtype of acc, or float16,
              bfloat16, int8 or int16, which are converted as they are delivered;
            - `gain`: factor of all weights, scalar or (receptors,);
            - `delays`: the distinct delays in steps, int32 (delays,);
            - `ids`: ring of emitted indices, int32 (D, capacity); slot t mod D holds those stamped t, ascending;
            - `counts`: true number of emissions of each slot, int32 (D,); ids beyond the capacity are lost;
            - `tick`: the present step, int32 scalar.
        first: First index of the source population within the ids.
        n_sources: Number of source neurons.
        native: Use the native CPU kernel where the computation runs on a CPU.
        threads: Threads of the native kernel, >= 1; where there is enough to do they share the targets, or the lanes.
            Results do not depend on it to the last bit.
    Returns:
        The accumulators with the arrivals added.
    Raises:
        ValueError: shapes or dtypes disagree; differentiated in weight or gain; native kernels asked for but not
            available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> row_ptr, post = jnp.array([0, 2, 3], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
        >>> ids, counts = jnp.array([[0, 1], [0, 0]], jnp.int32), jnp.array([2, 0], jnp.int32)
        >>> delays, tick, weight = jnp.array([1], jnp.int32), jnp.int32(1), jnp.ones((1, 3))
        >>> operands = (row_ptr, post, weight, 0.5, delays, ids, counts, tick)
        >>> (acc,) = kernels.deliver([jnp.zeros(2)], *operands, first=0, n_sources=2, native=False)
        >>> acc.tolist()
        [0.5, 1.0]
    """
    if len(operands) != len(_OPERANDS):
        raise ValueError(f"operands: got {len(operands)} arrays, must be {', '.join(_Operands._fields[:-1])}")
    rows = [jnp.asarray(row) for row in acc]
    arrays = dict(zip(_Operands._fields, operands, strict=False))
    arrays["gain"] = _scalar(arrays["gain"], rows[0].dtype if rows else float)
    arrays["tick"] = _scalar(arrays["tick"], jnp.int32)
    o = _Operands(**{name: jnp.asarray(array) for name, array in arrays.items()}, acc=None)
    check_graph(o.row_ptr, o.post, (jnp.int32, jnp.uint16))
    check_weight(o.weight, o.post)
    floats = {} if o.weight.dtype in COMPACT else {"weight": o.weight}
    check_floats(native, **floats, gain=o.gain, **{f"acc[{r}]": row for r, row in enumerate(rows)})
    check_ring(o.ids, o.counts, o.tick)
    shapes = {row.shape for row in rows}
    one_each = len(rows) == o.weight.shape[0] and len(shapes) == 1 and rows[0].ndim == 1
    if not one_each or o.gain.shape not in ((), (len(rows),)):
        raise ValueError(
            f"acc, gain: got shapes {[row.shape for row in rows]} and {o.gain.shape}, must be {o.weight.shape[0]} "
            f"times (n_post,), one for each receptor of weight, and () or ({o.weight.shape[0]},)"
        )
    blocks = target_blocks(o.post.dtype, rows[0].shape[0])
    if o.delays.ndim != 1 or o.delays.dtype != jnp.int32 or blocks * o.delays.size * n_sources + 1 != o.row_ptr.size:
        raise ValueError(
            f"delays: got {o.delays.dtype}{list(o.delays.shape)} for {n_sources} sources, {blocks} blocks of targets "
            f"and {o.row_ptr.size - 1} rows, must be int32 with one row of the graph for each block, delay and source"
        )
    static = {"first": first, "n_sources": n_sources, "threads": check_threads(threads)}
    out: list[Array] = _deliver_p.bind(*o[:-1], *rows, **static, native=require_native(native))
    return out


def _scalar(value: Any, dtype: Any) -> Array:
    """A Python number in the given dtype; arrays as they are."""
    return jnp.asarray(value, dtype=dtype) if isinstance(value, int | float) else jnp.asarray(value)
