"""The sparse graph that the kernels walk: rows of (delay, source), each with its targets."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from ..kernels import target_blocks
from . import _checks as check
from ._distributions import Draws
from ._edges import EdgeList, Int32s
from ._order import CHUNK, Order, Partition

_COARSE_BITS = 12  # parts of the coarse sort: 2^12, each small enough for the cache
_MOST_CLASSES = 1 << 16
_LARGE = 1 << 24  # longer delays are found by sorting, not by marking
_BLOCK_BITS = 16  # targets of a block in a compact graph
_ALIGNMENT = 64  # bytes; XLA takes over a NumPy buffer that is aligned so, without a copy


class SparseGraph(eqx.Module):
    """Synapses in stacked compressed rows: row `k * n_pre + pre` holds the targets of `pre` at the k-th delay.

    Synapse s of row r has `row_ptr[r] <= s < row_ptr[r + 1]` and reaches `post[s]`, `delays[r // n_pre]` steps later;
    the synapses are sorted by (delay, pre, post). Entries from `row_ptr[-1]` on are padding and belong to no row.
    Sizes are rounded up, so that another seed of the same rule gives the same shapes and compiles nothing. A compact
    graph has targets of two bytes, which count within blocks of 2^16; its rows stand once for each block.

    Args:
        row_ptr: Start of each row, int32, shape (n_blocks * n_delays * n_pre + 1,).
        post: Target neuron of each synapse, int32 (compact: uint16), shape (n_padded,).
        delays: The distinct delays in steps, rising, int32, shape (n_delays,).
        n_pre: Number of source neurons.
        n_post: Number of target neurons.
    Example:
        >>> edges = EdgeList(np.array([0, 1], np.int32), np.array([2, 0], np.int32))
        >>> graph, order = build_graph(edges, 15, n_pre=2, n_post=3)
        >>> graph.n_synapses, graph.delays.tolist()
        (2, [15])
    """

    row_ptr: jax.Array
    post: jax.Array
    delays: jax.Array
    n_pre: int = eqx.field(static=True)
    n_post: int = eqx.field(static=True)

    @property
    def n_delays(self) -> int:
        """Number of distinct delays."""
        return self.delays.shape[0]

    @property
    def n_rows(self) -> int:
        """Number of rows, n_blocks * n_delays * n_pre."""
        return self.row_ptr.shape[0] - 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks of targets, 1 unless the graph is compact."""
        return target_blocks(self.post.dtype, self.n_post)

    @property
    def n_padded(self) -> int:
        """Number of stored entries with padding: the length of a weight array."""
        return self.post.shape[0]

    @property
    def n_synapses(self) -> int:
        """Number of synapses. Known on the host only: not inside jit."""
        return int(np.asarray(self.row_ptr)[-1])

    @property
    def nbytes(self) -> int:
        """Memory of the graph without weights, bytes."""
        return int(self.row_ptr.nbytes + self.post.nbytes + self.delays.nbytes)

    def edges(self) -> tuple[Int32s, Int32s, Int32s]:
        """Source, target and delay in steps of each synapse, in stored order, on the host. Shapes (n_synapses,)."""
        rows = np.repeat(np.arange(self.n_rows), np.diff(np.asarray(self.row_ptr)))
        of_block, pre = np.divmod(rows, max(self.n_pre, 1))
        block, delay = np.divmod(of_block, self.n_delays)
        post = np.asarray(self.post)[: rows.size] + (block << _BLOCK_BITS)
        return pre.astype(np.int32), post.astype(np.int32), np.asarray(self.delays)[delay]

    def to_bcoo(self, weight: jax.Array, *, delay_steps: int | None = None) -> Any:
        """The synapses as a `jax.experimental.sparse.BCOO` matrix of shape (n_pre, n_post), sorted by (pre, post).

        A pair with several synapses (multapses, or several delays) has several entries; every product adds them up.

        Args:
            weight: Weight of each stored entry, shape (n_padded,), or one for all, shape (1,) or ().
            delay_steps: Take only synapses of this delay; None takes all.
        Returns:
            The matrix, differentiable in `weight`. Its structure is made on the host: not inside jit.
        Raises:
            ValueError: weight of a wrong shape.
        """
        from jax.experimental.sparse import BCOO

        weight = jnp.asarray(weight)
        if weight.shape not in ((), (1,), (self.n_padded,)):
            allowed = f"({self.n_padded},), (1,) or ()"
            raise check.refuse("to_bcoo: weight", f"shape {weight.shape}", allowed, "Give one value for each entry.")
        pre, post, delay = self.edges()
        kept = np.arange(pre.size) if delay_steps is None else np.flatnonzero(delay == delay_steps)
        kept = kept[np.lexsort((post[kept], pre[kept]))]
        pre, post = pre[kept], post[kept]
        unique = not bool(((pre[1:] == pre[:-1]) & (post[1:] == post[:-1])).any())
        data = weight[kept] if weight.shape == (self.n_padded,) else jnp.broadcast_to(weight, kept.shape)
        indices = jnp.asarray(np.stack([pre, post], axis=1))
        return BCOO((data, indices), shape=(self.n_pre, self.n_post), indices_sorted=True, unique_indices=unique)


def padded_size(n: int) -> int:
    """Storage for n synapses: rounded up by less than 1/16 (below 256 synapses to a multiple of 16).

    Args:
        n: Number of synapses.
    Returns:
        Number of stored entries, the length of `SparseGraph.post`.
    Example:
        >>> padded_size(1000)
        1024
    """
    step = max(16, 1 << max(n.bit_length() - 5, 0))
    return min(max(-(-n // step), 1) * step, 2**31 - 1)


def aligned_empty(n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An uninitialised NumPy array that a CPU device can take over without a copy."""
    size = np.dtype(dtype).itemsize * n
    buffer = np.empty(size + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + size].view(dtype)


def to_device(array: npt.NDArray[Any]) -> jax.Array:
    """Give an array to the default device; on a CPU it is taken over where aligned. Do not write to it afterwards."""
    taken: jax.Array = jax.device_put(array, may_alias=True)
    return taken


def build_graph(
    edges: EdgeList,
    delay_steps: int | npt.ArrayLike,
    n_pre: int,
    n_post: int,
    *,
    span: tuple[int, int] | None = None,
    compact: bool = False,
) -> tuple[SparseGraph, Order]:
    """Sort edges by (delay, pre, post) into a `SparseGraph`.

    Linear time. Edges that are sorted by (pre, post) take no memory beyond themselves and the result; others an index
    of int32.

    Args:
        edges: The edges.
        delay_steps: Delay in steps, one for all or one for each edge, >= 0.
        n_pre: Number of source neurons.
        n_post: Number of target neurons.
        span: Shortest and longest delay for which there are rows in any case, so that another seed gives the same
            shapes (see `delay_span`); None makes rows for the delays that there are.
        compact: Targets take two bytes instead of four.
    Returns:
        The graph, and the order in which it holds the edges: synapse s is edge `order.indices()[s]`.
    Raises:
        ValueError: negative or non-integer delays, wrong shape, neurons out of range, more than 2^31 - 2 synapses or
            as many rows.
    Example:
        >>> edges = EdgeList(np.array([1, 0], np.int32), np.array([0, 2], np.int32))
        >>> graph, order = build_graph(edges, 1, n_pre=2, n_post=3)
        >>> graph.row_ptr.tolist(), order.indices().tolist()
        ([0, 1, 2], [1, 0])
    """
    steps = _check_steps(delay_steps, len(edges))
    check.synapses("build_graph", len(edges))
    ends = np.array([0, len(edges) - 1] if len(edges) else [], np.int64)
    _check_range(edges.sources(ends) if edges.is_sorted else edges.pre, n_pre, "source")
    _check_range(edges.post, n_post, "target")
    delays = _distinct(steps)
    if span is not None:
        usual = np.arange(span[0], span[1] + 1, dtype=np.int32)
        delays = np.union1d(delays, usual) if len(edges) else usual
    index = np.uint16 if compact else np.int32
    n_classes = target_blocks(index, n_post) * delays.size
    n_rows = n_classes * n_pre
    check.synapses("build_graph: delays x source neurons", n_rows)
    classes = _Classes(np.broadcast_to(steps, (len(edges),)), delays, edges.post if n_classes > delays.size else None)

    def rows(where: Any) -> npt.NDArray[Any]:
        pre = edges.sources(where)
        return pre if n_classes == 1 else classes(where) * n_pre + pre

    row_ptr = _row_pointers(rows, edges, n_classes, n_rows)
    order = Order(len(edges))
    if n_classes > _MOST_CLASSES or not (edges.is_sorted or _is_sorted(edges)):
        order = Order(len(edges), _order_in_full(rows, edges.post, n_rows, n_post))
    elif n_classes > 1:
        order = Order(len(edges), Partition(classes, len(edges), n_classes))
    post = aligned_empty(padded_size(max(len(edges), edges.room)), index)
    order.put(edges.post, post, lambda part: part.astype(index))
    graph = SparseGraph(to_device(row_ptr), to_device(post), to_device(delays), n_pre, n_post)
    return graph, order


def arrange(
    values: Sequence[npt.NDArray[Any] | Draws],
    order: Order,
    graph: SparseGraph,
    dtype: npt.DTypeLike,
    scales: Sequence[float] | None = None,
) -> jax.Array:
    """Per-edge values in the order and padding of the graph: zeros behind the last synapse.

    Args:
        values: For each row of the result one value for each edge of the list that the graph was built from, shape
            (edges,), or one for all, shape ().
        order: What `build_graph` returned.
        graph: The graph.
        dtype: Type of the result; integers are rounded.
        scales: What the values of each row are divided by; None divides none.
    Returns:
        The values, shape (rows, n_padded).
    Example:
        >>> edges = EdgeList(np.array([1, 0], np.int32), np.array([0, 2], np.int32))
        >>> graph, order = build_graph(edges, 1, n_pre=2, n_post=3)
        >>> arrange([np.array([5.0, 7.0])], order, graph, np.float32)[:, :2].tolist()
        [[7.0, 5.0]]
    """
    out = aligned_empty(len(values) * graph.n_padded, dtype).reshape(len(values), -1)
    for row, value, scale in zip(out, values, scales or [1.0] * len(values), strict=True):
        convert = functools.partial(_stored, dtype=out.dtype, scale=scale)
        if value.ndim:
            order.put(value, row, convert)
        else:
            row[:] = convert(np.asarray(value).reshape(1))
    return to_device(out)


def _stored(part: npt.NDArray[Any], dtype: np.dtype[Any], scale: float) -> npt.NDArray[Any]:
    """Values as they are stored."""
    rounded = part.dtype.kind == "f" and dtype.kind == "i"
    stored: npt.NDArray[Any] = (np.rint(part / scale) if rounded else part).astype(dtype)
    return stored


def _check_steps(delay_steps: int | npt.ArrayLike, n: int) -> npt.NDArray[Any]:
    steps = np.asarray(delay_steps)
    if steps.dtype.kind not in "iu":
        raise check.refuse("delay_steps", f"dtype {steps.dtype}", "whole steps", "Convert with delay_to_steps.")
    if steps.shape not in ((), (n,)):
        raise check.refuse("delay_steps", f"shape {steps.shape}", f"() or ({n},)", "Give one delay for each edge.")
    if steps.size and (int(steps.min()) < 0 or int(steps.max()) > 2**31 - 1):
        raise check.refuse("delay_steps", f"{steps.min()} to {steps.max()}", "0 to 2^31 - 1", "Shorten the delays.")
    return steps


def _check_range(index: Int32s, n: int, side: str) -> None:
    if index.size and (int(index.min()) < 0 or int(index.max()) >= n):
        raise check.refuse(
            f"build_graph: {side} neurons", f"{index.min()} to {index.max()}", f"0 to {n - 1}", "Correct the edges."
        )


def _distinct(steps: npt.NDArray[Any]) -> Int32s:
    """The distinct values, rising; by marking them, without a sort."""
    if steps.ndim == 0 or not steps.size:
        return steps.reshape(-1)[:1].astype(np.int32) if steps.size else np.zeros(1, np.int32)
    if int(steps.max()) >= _LARGE:
        return np.unique(steps).astype(np.int32)
    seen = np.zeros(int(steps.max()) + 1, bool)
    for start in range(0, steps.size, CHUNK):
        seen[steps[start : start + CHUNK]] = True
    return np.flatnonzero(seen).astype(np.int32)


class _Classes:
    """Which block of targets and which of the distinct delays edges have, as one number, for those asked for."""

    def __init__(self, steps: npt.NDArray[Any], delays: Int32s, post: Int32s | None) -> None:
        self._steps, self._delays, self._post = steps, delays, post
        self._table = np.zeros(0, np.int64)
        if delays[-1] < _LARGE:
            self._table = np.zeros(int(delays[-1]) + 1, np.int64)
            self._table[delays] = np.arange(delays.size)

    def __call__(self, where: Any) -> npt.NDArray[np.int64]:
        steps = self._steps[where]
        classes: npt.NDArray[np.int64] = (
            self._table[steps] if self._table.size else np.searchsorted(self._delays, steps)
        )
        if self._post is not None:
            classes = (self._post[where] >> _BLOCK_BITS).astype(np.int64) * self._delays.size + classes
        return classes


def _row_pointers(rows: Callable[[Any], npt.NDArray[Any]], edges: EdgeList, n_classes: int, n_rows: int) -> Int32s:
    row_ptr = aligned_empty(n_rows + 1, np.int32)
    if edges.starts is not None and n_classes == 1:
        row_ptr[: edges.starts.size] = edges.starts[: n_rows + 1]
        row_ptr[edges.starts.size :] = len(edges)
        return row_ptr
    row_ptr[:] = 0
    for start in range(0, len(edges), CHUNK):
        places = rows(slice(start, min(start + CHUNK, len(edges)))).astype(np.intp, copy=False)
        np.add.at(row_ptr, places + 1, np.int32(1))  # of other types it takes forty times as long
    return np.cumsum(row_ptr, out=row_ptr)


def _is_sorted(edges: EdgeList) -> bool:
    pre, post = edges.pre, edges.post
    for start in range(0, pre.size, CHUNK):
        end = start + CHUNK + 1
        a, b = pre[start:end], post[start:end]
        if (a[1:] < a[:-1]).any() or ((a[1:] == a[:-1]) & (b[1:] < b[:-1])).any():
            return False
    return True


def _order_in_full(rows: Callable[[Any], npt.NDArray[Any]], post: Int32s, n_rows: int, n_post: int) -> Int32s:
    """The order that sorts edges by (row, post): a coarse partition by row, then a sort of each part in the cache."""
    shift = max(n_rows.bit_length() - _COARSE_BITS, 0)
    coarse = Partition(lambda where: rows(where) >> shift, post.size, ((n_rows - 1) >> shift) + 1)
    order, begin = coarse.indices(), 0
    while begin < post.size:
        end = post.size
        if begin + CHUNK < post.size:
            end = int(coarse.starts[np.searchsorted(coarse.starts, begin + CHUNK)])
        part = order[begin:end]
        keys = rows(part).astype(np.int64) * n_post + post[part]
        order[begin:end] = part[np.argsort(keys, kind="stable")]
        begin = end
    return order
