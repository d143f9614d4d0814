"""Push, pull and outer: one trilinear form, seen from each of its three sides.

A sparse graph couples weights, sources and targets in

    T(weight, source, target) = sum_{r, s} weight[r, s] * source[row(s)] * target[r, post[s]].

Fixing two of the three leaves a linear map onto the third: push gives targets, pull sources, outer weights. Each is the
derivative of the others, so that this one family closes under grad, jvp, vmap, scan and their nestings. What each
gives may be added to what there is, natively in its place. Rows that are marked -0.0 take no part in the sum: emissions
whose derivative is zero, which a gradient need not be carried back to.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array, ArrayLike
from ._check import check_floats, check_graph, check_weight
from ._derivatives import define_trilinear
from ._library import require_native
from ._primitive import Operand, define_kernel

WEIGHT, SOURCE, TARGET = 0, 1, 2
_CORE_RANKS = (2, 1, 2)
_MOST_ROWS = 64  # kMaxReceptors in csrc/jaxsyn_kernels.cc
_OPERANDS = (Operand.SHARED, Operand.SHARED, Operand.LANES, Operand.LANES, Operand.LANES)


def synapse_rows(row_ptr: Array, nnz: int) -> Array:
    """The row of each synapse; entries behind the last row get the number of rows.

    Args:
        row_ptr: Offsets of the rows, int32 (rows + 1,).
        nnz: Number of entries.
    Returns:
        Rows, int32 (nnz,).
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.synapse_rows(jnp.array([0, 2, 3], jnp.int32), 4).tolist()
        [0, 0, 1, 2]
    """
    steps = jnp.zeros(nnz + 1, jnp.int32).at[row_ptr[1:]].add(jnp.int32(1), mode="drop")
    return jnp.cumsum(steps[:nnz], dtype=jnp.int32)


def _scatter(values: Array, index: Array, size: int) -> Array:
    """Sum the last axis of `values` into `size` bins chosen by `index`; flat, since windowed scatters are slow."""
    lead = values.shape[:-1]
    lanes = jnp.arange(math.prod(lead), dtype=jnp.int32)[:, None]
    flat = jnp.zeros(math.prod(lead) * size, values.dtype)
    return flat.at[(lanes * size + index[None]).ravel()].add(values.ravel(), mode="drop").reshape(*lead, size)


def _reduce_to(values: Array, batch: tuple[int, ...]) -> Array:
    """Sum over the batch axes that the result shares."""
    axes = tuple(i for i, size in enumerate(batch) if size == 1 and values.shape[i] != 1)
    return jnp.sum(values, axis=axes, keepdims=True) if axes else values


def _sources_of_synapses(row_ptr: Array, post: Array, source: Array) -> Array:
    rows = synapse_rows(row_ptr, post.shape[0])
    n_rows = source.shape[-1]
    values = jnp.take(source, jnp.minimum(rows, jnp.int32(n_rows - 1)), axis=-1)
    return jnp.where(rows < n_rows, values, jnp.zeros((), source.dtype))


def _unmarked(marks: Any, values: Any) -> Any:
    """Values of rows, 0 for those that are marked."""
    if marks.shape[-1] == 0:
        return values
    return jnp.where((marks == 0) & jnp.signbit(marks), jnp.zeros((), values.dtype), values)


def _push(row_ptr: Any, post: Any, marks: Any, *factors: Any, n_post: int, width: int, batch: Any) -> list[Array]:
    weight, source, *rows = factors
    source = _unmarked(marks, source)
    if 0 in (post.shape[0], source.shape[-1], n_post, *batch):
        return rows
    values = weight * _sources_of_synapses(row_ptr, post, source)[..., None, :]
    sums = _scatter(_reduce_to(values, batch), post, n_post)
    return [row + sums[..., r, :] for r, row in enumerate(rows)]


def _pull(row_ptr: Any, post: Any, marks: Any, *factors: Any, n_post: int, width: int, batch: Any) -> list[Array]:
    weight, target, *onto = factors
    n_rows = row_ptr.shape[0] - 1
    if 0 in (post.shape[0], n_rows, n_post, *batch):
        return onto or [jnp.zeros((*batch, n_rows), weight.dtype)]
    values, rows = jnp.sum(weight * jnp.take(target, post, axis=-1), axis=-2), synapse_rows(row_ptr, post.shape[0])
    if marks.shape[-1] == 0:
        sums = _scatter(_reduce_to(values, batch), rows, n_rows + 1)[..., :n_rows]
    else:
        sums = _reduce_to(_unmarked(marks, _scatter(values, rows, n_rows + 1)[..., :n_rows]), batch)
    return [onto[0] + sums if onto else sums]


def _outer(row_ptr: Any, post: Any, marks: Any, *factors: Any, n_post: int, width: int, batch: Any) -> list[Array]:
    source, target, *onto = factors
    receptors, source = target.shape[-2], _unmarked(marks, source)
    if 0 in (post.shape[0], source.shape[-1], n_post, *batch):
        return onto or [jnp.zeros((*batch, receptors, width), source.dtype)]
    values = _sources_of_synapses(row_ptr, post, source)[..., None, :] * jnp.take(target, post, axis=-1)
    values = _reduce_to(values, batch)
    values = values if width == post.shape[0] else jnp.sum(values, axis=-1, keepdims=True)
    return [onto[0] + values if onto else values]


def _shapes(slot: int) -> Any:
    def infer(row_ptr: Any, post: Any, marks: Any, *factors: Any, n_post: int, width: int, batch: Any) -> Any:
        if slot == TARGET:
            return [jax.core.ShapedArray(row.shape, row.dtype) for row in factors[2:]]
        left, right, *_ = factors
        core = (right.shape[-2], width) if slot == WEIGHT else (row_ptr.shape[0] - 1,)
        return [jax.core.ShapedArray((*batch, *core), left.dtype)]

    return infer


_PRIMITIVES = (
    define_kernel("outer", _OPERANDS, _shapes(WEIGHT), _outer, rest=Operand.IN_PLACE),
    define_kernel("pull", _OPERANDS, _shapes(SOURCE), _pull, rest=Operand.IN_PLACE),
    define_kernel("push", _OPERANDS, _shapes(TARGET), _push, rest=Operand.IN_PLACE),
)


def bind_trilinear(slot: int, *operands: Any, **params: Any) -> Array:
    """Call one of the family: graph (row_ptr, post, marks), the two given slots in order, what is added to, if any.

    A batch axis that no operand has is made once and broadcast.
    """
    row_ptr, post, marks, left, right, *onto = operands
    if onto:
        added: list[Array] = _PRIMITIVES[slot].bind(row_ptr, post, marks, left, right, *onto, **params)
        return added[0]
    first, second = (i for i in range(3) if i != slot)
    left_batch = left.shape[: left.ndim - _CORE_RANKS[first]]
    right_batch = right.shape[: right.ndim - _CORE_RANKS[second]]
    wanted = params["batch"]
    params["batch"] = tuple(
        1 if a == b == c == 1 else size
        for a, b, c, size in zip(left_batch, right_batch, marks.shape[:-1], wanted, strict=True)
    )
    rows = []
    if slot == TARGET:
        rows = [jnp.zeros((*params["batch"], params["n_post"]), left.dtype)] * left.shape[-2]
    outs = _PRIMITIVES[slot].bind(row_ptr, post, marks, left, right, *rows, **params)
    out = jnp.stack(outs, axis=-2) if slot == TARGET else outs[0]
    return out if params["batch"] == wanted else jnp.broadcast_to(out, (*wanted, *out.shape[len(wanted) :]))


define_trilinear(_PRIMITIVES, bind_trilinear, _CORE_RANKS)


def push(
    onto: Sequence[ArrayLike],
    row_ptr: ArrayLike,
    post: ArrayLike,
    weight: ArrayLike,
    source: ArrayLike,
    *,
    native: bool,
    marks: ArrayLike | None = None,
) -> list[Array]:
    """Carry values of source rows along the synapses of a sparse graph and add them up at their targets.

    y[r][post[s]] += weight[r, s] * source[row(s)], over all synapses s that belong to a row. Differentiable to any
    order in sums, weight and source, and batched in them (lanes share the graph). Natively a row whose source is zero
    costs nothing, so that sparse activity is cheap. Indices in `post` must lie in [0, n_post): they are not checked.

    Args:
        onto: Sums so far, one row for each receptor, float (n_post,), at most 64; natively updated in place.
        row_ptr: Offsets of the rows, int32 (rows + 1,).
        post: Target of each synapse, int32 (nnz,); entries behind row_ptr[-1] are padding.
        weight: One row for each receptor, float (receptors, nnz), or (receptors, 1) if all synapses share one.
        source: Value of each row, shape (rows,), dtype of weight.
        native: Use the native CPU kernel where the computation runs on a CPU.
        marks: A number for each row, shape (rows,), -0.0 where the source is 0 and nothing moves it: its derivative is
            not computed, but 0. None for no such row.
    Returns:
        The sums with what was carried.
    Raises:
        ValueError: shapes or dtypes disagree; the native kernels are asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> row_ptr, post = jnp.array([0, 2, 3], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
        >>> weight, source = jnp.ones((1, 3)), jnp.array([1.0, 10.0])
        >>> kernels.push([jnp.zeros(2)], row_ptr, post, weight, source, native=False)[0].tolist()
        [1.0, 11.0]
    """
    row_ptr, post, weight, source = (jnp.asarray(array) for array in (row_ptr, post, weight, source))
    rows = [jnp.asarray(row) for row in onto]
    check_graph(row_ptr, post)
    check_weight(weight, post)
    marks = jnp.zeros(0, source.dtype) if marks is None else jax.lax.stop_gradient(jnp.asarray(marks))
    sums = {f"onto[{r}]": row for r, row in enumerate(rows)}
    check_floats(native, weight=weight, source=source, marks=marks, **sums)
    if source.shape != (row_ptr.shape[0] - 1,) or marks.shape not in ((0,), source.shape):
        raise ValueError(
            f"source, marks: got shapes {source.shape} and {marks.shape}, must be ({row_ptr.shape[0] - 1},), one for "
            "each row"
        )
    if len(rows) != weight.shape[0] or len({row.shape for row in rows}) != 1 or rows[0].ndim != 1:
        raise ValueError(
            f"onto: got shapes {[row.shape for row in rows]}, must be {weight.shape[0]} times (n_post,), one for each "
            "receptor of weight"
        )
    if require_native(native) and len(rows) > _MOST_ROWS:
        raise ValueError(f"onto: got {len(rows)} rows, native kernels take at most {_MOST_ROWS}; pass native=False")
    params = {"n_post": rows[0].shape[0], "width": weight.shape[1], "batch": (), "native": native}
    out: list[Array] = _PRIMITIVES[TARGET].bind(row_ptr, post, marks, weight, source, *rows, **params)
    return out


def pull(row_ptr: ArrayLike, post: ArrayLike, weight: ArrayLike, target: ArrayLike, *, native: bool) -> Array:
    """Carry values of targets back along the synapses and sum them at the source rows: the transpose of `push`.

    x[row(s)] += sum_r weight[r, s] * target[r, post[s]]. It is the gradient of `push` with respect to its source.

    Args:
        row_ptr: Offsets of the rows, int32 (rows + 1,).
        post: Target of each synapse, int32 (nnz,).
        weight: Float (receptors, nnz) or (receptors, 1).
        target: Value at each target, shape (receptors, n_post), dtype of weight.
        native: Use the native CPU kernel where the computation runs on a CPU.
    Returns:
        Sums at the rows, shape (rows,).
    Raises:
        ValueError: shapes or dtypes disagree; the native kernels are asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> row_ptr, post = jnp.array([0, 2, 3], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
        >>> kernels.pull(row_ptr, post, jnp.ones((1, 3)), jnp.array([[1.0, 10.0]]), native=False).tolist()
        [11.0, 10.0]
    """
    row_ptr, post, weight, target = (jnp.asarray(array) for array in (row_ptr, post, weight, target))
    check_graph(row_ptr, post)
    check_weight(weight, post)
    check_floats(native, weight=weight, target=target)
    if target.ndim != 2 or target.shape[0] != weight.shape[0]:
        raise ValueError(f"target: got shape {target.shape}, must be ({weight.shape[0]}, n_post), a row a receptor")
    params = {"n_post": target.shape[1], "width": weight.shape[1], "batch": (), "native": require_native(native)}
    return bind_trilinear(SOURCE, row_ptr, post, jnp.zeros(0, target.dtype), weight, target, **params)


def outer(
    row_ptr: ArrayLike, post: ArrayLike, source: ArrayLike, target: ArrayLike, *, width: int | None = None, native: bool
) -> Array:
    """The product of source and target value at each synapse, summed over leading axes: a weight gradient.

    w[r, s] = sum_lanes source[row(s)] * target[r, post[s]]. It is the gradient of `push` with respect to its weight;
    lanes (time steps, batch entries) accumulate in place, and natively a row whose source is zero costs nothing.

    Args:
        row_ptr: Offsets of the rows, int32 (rows + 1,).
        post: Target of each synapse, int32 (nnz,).
        source: Value of each row, shape (..., rows).
        target: Value at each target, shape (..., receptors, n_post), the same leading axes, dtype of source.
        width: Number of synapses (nnz, the default), or 1 for the gradient of one weight that all synapses share.
        native: Use the native CPU kernel where the computation runs on a CPU.
    Returns:
        Shape (receptors, width).
    Raises:
        ValueError: shapes or dtypes disagree; the native kernels are asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> row_ptr, post = jnp.array([0, 2, 3], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
        >>> x, y = jnp.array([1.0, 2.0]), jnp.array([[1.0, 10.0]])
        >>> kernels.outer(row_ptr, post, x, y, native=False).tolist()
        [[1.0, 10.0, 20.0]]
    """
    row_ptr, post, source, target = (jnp.asarray(array) for array in (row_ptr, post, source, target))
    check_graph(row_ptr, post)
    check_floats(native, source=source, target=target)
    nnz = post.shape[0]
    width = nnz if width is None else width
    lead = source.shape[:-1]
    if source.shape[-1:] != (row_ptr.shape[0] - 1,) or target.ndim != len(lead) + 2 or target.shape[:-2] != lead:
        raise ValueError(
            f"source, target: got shapes {source.shape} and {target.shape}, must be (..., {row_ptr.shape[0] - 1}) and "
            "(..., receptors, n_post) with the same leading axes"
        )
    if width not in (1, nnz):
        raise ValueError(f"width: got {width}, must be 1 or the number of synapse entries, {nnz}")
    lanes = math.prod(lead)
    source, target = source.reshape(lanes, -1), target.reshape(lanes, *target.shape[-2:])
    params = {"n_post": target.shape[-1], "width": width, "batch": (1,), "native": require_native(native)}
    return bind_trilinear(WEIGHT, row_ptr, post, jnp.zeros((1, 0), source.dtype), source, target, **params)[0]
