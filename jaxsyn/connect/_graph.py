"""The sparse graph that the kernels walk: rows of (delay, source), each with its targets."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from ..kernels import target_blocks
from . import _checks as check
from ._edges import EdgeList, Int32s

_CHUNK = 1 << 18
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
) -> tuple[SparseGraph, Int32s | None]:
    """Sort edges by (delay, pre, post) into a `SparseGraph`.

    Linear time, and no more than one array of int32 beyond the edges and the result. Edges that are sorted by
    (pre, post) and share one delay are taken as they are.

    Args:
        edges: The edges.
        delay_steps: Delay in steps, one for all or one for each edge, >= 0.
        n_pre: Number of source neurons.
        n_post: Number of target neurons.
        span: Shortest and longest delay for which there are rows in any case, so that another seed gives the same
            shapes (see `delay_span`); None makes rows for the delays that there are.
        compact: Targets take two bytes instead of four.
    Returns:
        The graph, and the order in which it holds the edges: synapse s is edge `order[s]`, shape (edges,); None where
        it is the order of the list.
    Raises:
        ValueError: negative or non-integer delays, wrong shape, neurons out of range, more than 2^31 - 2 synapses or
            as many rows.
    Example:
        >>> edges = EdgeList(np.array([1, 0], np.int32), np.array([0, 2], np.int32))
        >>> graph, order = build_graph(edges, 1, n_pre=2, n_post=3)
        >>> graph.row_ptr.tolist(), order.tolist()
        ([0, 1, 2], [1, 0])
    """
    steps = _check_steps(delay_steps, len(edges))
    check.synapses("build_graph", len(edges))
    _check_range(edges.pre, n_pre, "source")
    _check_range(edges.post, n_post, "target")
    delays = _distinct(steps)
    if span is not None:
        delays = np.union1d(delays, np.arange(span[0], span[1] + 1)).astype(np.int32)
    index = np.uint16 if compact else np.int32
    n_classes = target_blocks(index, n_post) * delays.size
    n_rows = n_classes * n_pre
    check.synapses("build_graph: delays x source neurons", n_rows)
    rows = _Rows(edges, steps, delays, n_pre, blocks=n_classes > delays.size)
    row_ptr = _row_pointers(rows, n_rows)
    is_sorted = edges.is_sorted or _is_sorted(edges.pre, edges.post)
    order = None
    if is_sorted and 1 < n_classes <= _MOST_CLASSES:
        order, _ = _partition(rows.classes, len(edges), n_classes)
    elif not is_sorted or n_classes > 1:
        order = _order_in_full(rows, edges.post, n_rows, n_post)
    size = padded_size(max(len(edges), edges.room))
    post = _arranged(edges.post, order, size, index)
    graph = SparseGraph(to_device(row_ptr), to_device(post), to_device(delays), n_pre, n_post)
    return graph, order


def arrange(
    values: npt.NDArray[Any], order: Int32s | None, graph: SparseGraph, dtype: npt.DTypeLike, *, scale: float = 1.0
) -> jax.Array:
    """Per-edge values in the order and padding of the graph: zeros behind the last synapse.

    Args:
        values: One value for each edge of the list that the graph was built from, shape (edges,).
        order: What `build_graph` returned.
        graph: The graph.
        dtype: Type of the result; integers are rounded.
        scale: The values are divided by it, a power of two.
    Returns:
        The values, shape (n_padded,).
    Example:
        >>> edges = EdgeList(np.array([1, 0], np.int32), np.array([0, 2], np.int32))
        >>> graph, order = build_graph(edges, 1, n_pre=2, n_post=3)
        >>> arrange(np.array([5.0, 7.0]), order, graph, np.float32)[:2].tolist()
        [7.0, 5.0]
    """
    return to_device(_arranged(values, order, graph.n_padded, dtype, scale))


def _arranged(
    values: npt.NDArray[Any], order: Int32s | None, size: int, dtype: npt.DTypeLike, scale: float = 1.0
) -> npt.NDArray[Any]:
    """Values in another order and type, without what a type of two bytes does not hold of a target."""
    out = aligned_empty(size, dtype)
    for start in range(0, values.size, _CHUNK):
        where = slice(start, min(start + _CHUNK, values.size))
        part = values[where] if order is None else values[order[where]]
        if values.dtype.kind == "f" and out.dtype.kind == "i":
            part = np.rint(part / scale)
        out[where] = part.astype(out.dtype)
    out[values.size :] = 0
    return out


def _check_steps(delay_steps: int | npt.ArrayLike, n: int) -> Int32s:
    steps = np.asarray(delay_steps)
    if steps.dtype.kind not in "iu":
        raise check.refuse("delay_steps", f"dtype {steps.dtype}", "whole steps", "Convert with delay_to_steps.")
    if steps.shape not in ((), (n,)):
        raise check.refuse("delay_steps", f"shape {steps.shape}", f"() or ({n},)", "Give one delay for each edge.")
    if steps.size and (int(steps.min()) < 0 or int(steps.max()) > 2**31 - 1):
        raise check.refuse("delay_steps", f"{steps.min()} to {steps.max()}", "0 to 2^31 - 1", "Shorten the delays.")
    return steps.astype(np.int32, copy=False)


def _check_range(index: Int32s, n: int, side: str) -> None:
    if index.size and (int(index.min()) < 0 or int(index.max()) >= n):
        raise check.refuse(
            f"build_graph: {side} neurons", f"{index.min()} to {index.max()}", f"0 to {n - 1}", "Correct the edges."
        )


def _distinct(steps: Int32s) -> Int32s:
    """The distinct values, rising; by marking them, without a sort."""
    if steps.ndim == 0 or not steps.size:
        return steps.reshape(-1)[:1] if steps.size else np.zeros(1, np.int32)
    if int(steps.max()) >= _LARGE:
        return np.unique(steps)
    seen = np.zeros(int(steps.max()) + 1, bool)
    for start in range(0, steps.size, _CHUNK):
        seen[steps[start : start + _CHUNK]] = True
    return np.flatnonzero(seen).astype(np.int32)


class _Rows:
    """The row of each edge, computed for the edges asked for."""

    def __init__(self, edges: EdgeList, steps: Int32s, delays: Int32s, n_pre: int, *, blocks: bool) -> None:
        self._pre, self._steps, self._delays, self._n_pre = edges.pre, steps, delays, n_pre
        self._post = edges.post if blocks else None
        self._table = np.zeros(0, np.int64)
        if delays[-1] < _LARGE:
            self._table = np.zeros(int(delays[-1]) + 1, np.int64)
            self._table[delays] = np.arange(delays.size)

    def classes(self, where: Any) -> npt.NDArray[np.int64]:
        """Which block and which of the distinct delays each edge has, as one number."""
        steps: Int32s = self._steps[where] if self._steps.ndim else self._steps
        classes: npt.NDArray[np.int64] = (
            self._table[steps] if self._table.size else np.searchsorted(self._delays, steps)
        )
        if self._post is not None:
            classes = (self._post[where] >> _BLOCK_BITS).astype(np.int64) * self._delays.size + classes
        return classes

    def __call__(self, where: Any) -> npt.NDArray[Any]:
        pre: Int32s = self._pre[where]
        alone = self._delays.size == 1 and self._post is None
        return pre if alone else self.classes(where) * self._n_pre + pre

    def __len__(self) -> int:
        return self._pre.size


def _row_pointers(rows: _Rows, n_rows: int) -> Int32s:
    counts = np.zeros(n_rows, np.int64)
    step = max(_CHUNK, n_rows)
    for start in range(0, len(rows), step):
        counts += np.bincount(rows(slice(start, start + step)), minlength=n_rows)
    row_ptr = aligned_empty(n_rows + 1, np.int32)
    row_ptr[0] = 0
    np.cumsum(counts, out=row_ptr[1:])
    return row_ptr


def _is_sorted(pre: Int32s, post: Int32s) -> bool:
    for start in range(0, pre.size, _CHUNK):
        end = start + _CHUNK + 1
        a, b = pre[start:end], post[start:end]
        if (a[1:] < a[:-1]).any() or ((a[1:] == a[:-1]) & (b[1:] < b[:-1])).any():
            return False
    return True


def _order_in_full(rows: _Rows, post: Int32s, n_rows: int, n_post: int) -> Int32s:
    """The order that sorts edges by (row, post): a coarse partition by row, then a sort of each part in the cache."""
    shift = max(n_rows.bit_length() - _COARSE_BITS, 0)
    order, starts = _partition(lambda where: rows(where) >> shift, len(rows), ((n_rows - 1) >> shift) + 1)
    begin = 0
    while begin < len(rows):
        end = int(starts[np.searchsorted(starts, begin + _CHUNK)]) if begin + _CHUNK < len(rows) else len(rows)
        part = order[begin:end]
        keys = rows(part).astype(np.int64) * n_post + post[part]
        order[begin:end] = part[np.argsort(keys, kind="stable")]
        begin = end
    return order


def _partition(classes: Any, n: int, n_classes: int) -> tuple[Int32s, npt.NDArray[np.int64]]:
    """The stable order of n edges by class, and where each class starts: each chunk is sorted, its runs are copied."""
    small = np.uint8 if n_classes <= 1 << 8 else np.uint16

    def chunks() -> Iterator[tuple[int, npt.NDArray[Any]]]:
        for start in range(0, n, _CHUNK):
            yield start, classes(slice(start, min(start + _CHUNK, n))).astype(small)

    counts = np.zeros(n_classes, np.int64)
    for _, chunk in chunks():
        counts += np.bincount(chunk, minlength=n_classes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    place = starts[:-1].copy()
    order = np.empty(n, np.int32)
    for start, chunk in chunks():
        local = np.argsort(chunk, kind="stable")
        lengths = np.bincount(chunk, minlength=n_classes)
        target = np.repeat(place - (np.cumsum(lengths) - lengths), lengths)
        target += np.arange(target.size)
        order[target] = local + start
        place += lengths
    return order, starts
