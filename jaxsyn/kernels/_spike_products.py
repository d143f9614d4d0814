"""Spikes times a dense matrix, and the gradient of the matrix: natively entries that are zero cost nothing."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array, ArrayLike
from ._derivatives import define_bilinear
from ._library import require_native
from ._pack import WORD, unpack
from ._primitive import define_call, define_kernel

# Shares of entries above which a dense product is faster (docs/decisions.md), for matrices of less than 64 columns too.
_DENSE_SHARE, _DENSE_SHARE_NARROW, _NARROW = 0.25, 0.12, 64


def _entries(x: Any, n: int, dtype: Any, swap: bool) -> Array:
    """Spikes as numbers, their leading axes in the order of the result."""
    x = unpack(x, n) if x.dtype == jnp.uint32 else x
    return (jnp.swapaxes(x, 0, 1) if swap else x).astype(dtype)


def _matmul(x: Any, w: Any, *, n: int, swap: bool) -> list[Array]:
    x = _entries(x, n, w.dtype, swap)
    return [jax.lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())))]


def _outer(x: Any, g: Any, *, n: int, swap: bool) -> list[Array]:
    x = _entries(x, n, g.dtype, swap)
    lead = tuple(range(g.ndim - 1))
    return [jax.lax.dot_general(x, g, ((lead, lead), ((), ())))]


def _infer_matmul(x: Any, w: Any, *, n: int, swap: bool) -> list[jax.core.ShapedArray]:
    lead = (x.shape[1], x.shape[0]) if swap else x.shape[:-1]
    return [jax.core.ShapedArray((*lead, w.shape[1]), w.dtype)]


def _infer_outer(x: Any, g: Any, *, n: int, swap: bool) -> list[jax.core.ShapedArray]:
    return [jax.core.ShapedArray((n, g.shape[-1]), g.dtype)]


_MATMUL_EVENTS = define_kernel("spike_matmul", (), _infer_matmul, None, attributes=("swap",))
_OUTER_EVENTS = define_kernel("spike_outer", (), _infer_outer, None, attributes=("swap",))


def _is_dense(x: Any, n: int, m: int) -> Array:
    """Whether so many entries are not zero that a dense product is faster; one row of 32 is looked at."""
    rows = x[..., ::32, :] if x.ndim > 1 else x
    bits = x.dtype == jnp.uint32
    counts = (jax.lax.population_count(rows) if bits else rows.astype(jnp.bool_)).astype(jnp.int32)
    share = _DENSE_SHARE if m >= _NARROW else _DENSE_SHARE_NARROW
    many: Array = jnp.sum(counts, dtype=jnp.int32) > jnp.int32(int(share * n * math.prod(rows.shape[:-1])))
    return many


def _chosen(events: Any, dense: Any) -> Any:
    """The form that is taken natively: by events, or dense where there are too many of them."""

    def form(x: Any, other: Any, *, n: int, swap: bool) -> list[Array]:
        params = {"n": n, "swap": swap}
        if math.prod(x.shape) == 0:
            return list(dense(x, other, **params))
        return list(
            jax.lax.cond(
                _is_dense(x, n, other.shape[-1]),
                lambda x, other: list(dense(x, other, **params)),
                lambda x, other: events.bind(x, other, **params, native=True),
                *(x, other),
            )
        )

    return form


_MATMUL = define_call("spike_product", _infer_matmul, _matmul, _chosen(_MATMUL_EVENTS, _matmul))
_OUTER = define_call("spike_gradient", _infer_outer, _outer, _chosen(_OUTER_EVENTS, _outer))
define_bilinear(_MATMUL, _OUTER, _matmul, _outer)


@jax.custom_jvp
def _of_moving(x: Array, moving: Array, w: Array) -> Array:
    """Product of spikes that have no changes, with the changes of the same as numbers."""
    results: list[Array] = _MATMUL.bind(x, w, n=w.shape[0], swap=False, native=True)
    return results[0]


@_of_moving.defjvp
def _of_moving_jvp(primals: Any, changes: Any) -> Any:
    (x, moving, w), (_, d_moving, d_w) = primals, changes
    params = {"n": w.shape[0], "swap": False}
    return _of_moving(x, moving, w), _matmul(d_moving, w, **params)[0] + _MATMUL.bind(x, d_w, **params, native=True)[0]


def spike_matmul(x: ArrayLike, w: ArrayLike, *, native: bool, moving: Array | None = None) -> Array:
    """Spikes times a matrix, y = x w, for few spikes or many.

    Natively the value and the derivative by `w` cost as much as there are entries of x that are not zero, or what a
    dense product costs where there are many (a look at some rows decides); the derivative by `x` is a dense product.
    Differentiable to any order, batched in both. Lanes that `vmap` adds in front of one axis of rows come out behind
    it in memory, so that a scan over these rows, which wants it so, copies nothing.

    Args:
        x: Spikes, bool (..., n) or bits as `pack` gives them, uint32 (..., ceil(n / 32)); or numbers of the dtype of
            w, (..., n), which need not be 0 and 1.
        w: Matrix, float (n, m).
        native: Use the native CPU kernel where the computation runs on a CPU.
        moving: The same spikes as numbers, (..., n), whose changes are those of x; their values need not be there.
    Returns:
        Products, shape (..., m), dtype of w.
    Raises:
        ValueError: Shapes or dtypes disagree; the native kernels are asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.spike_matmul(jnp.array([True, False]), jnp.array([[1.0, 2.0], [3.0, 4.0]]), native=False).tolist()
        [1.0, 2.0]
    """
    x, w = jnp.asarray(x), jnp.asarray(w)
    bits = x.dtype == jnp.uint32
    if w.ndim != 2 or x.ndim == 0 or x.shape[-1] != (-(-w.shape[0] // WORD) if bits else w.shape[0]):
        raise ValueError(
            f"x, w: got shapes {x.shape} and {w.shape}, must be (..., n) and (n, m); (..., ceil(n / 32)) for bits"
        )
    if not jnp.issubdtype(w.dtype, jnp.floating) or not (bits or x.dtype in (w.dtype, jnp.bool_)):
        raise ValueError(
            f"x, w: got {x.dtype} and {w.dtype}, must be bool, uint32 (bits) or one float dtype; cast with astype"
        )
    if moving is not None and (moving.shape, moving.dtype) != ((*x.shape[:-1], w.shape[0]), w.dtype):
        raise ValueError(
            f"moving: got {moving.dtype}{list(moving.shape)}, must be the spikes of x as {w.dtype}, (..., {w.shape[0]})"
        )
    if native and w.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"w: got {w.dtype}, native kernels take float32 or float64; pass native=False")
    native = require_native(native)
    if moving is not None and native:
        return _of_moving(x, moving, w)
    results: list[Array] = _MATMUL.bind(x if moving is None else moving, w, n=w.shape[0], swap=False, native=native)
    return results[0]
