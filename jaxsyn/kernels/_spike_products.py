"""Spikes times a dense matrix, and the gradient of the matrix: natively entries that are zero cost nothing."""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array, ArrayLike
from ._library import require_native
from ._pack import WORD, unpack
from ._primitive import define_bilinear, define_kernel


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


_MATMUL = define_kernel("spike_matmul", (), _infer_matmul, _matmul, attributes=("swap",))
_OUTER = define_kernel("spike_outer", (), _infer_outer, _outer, attributes=("swap",))
define_bilinear(_MATMUL, _OUTER, _matmul, _outer)


def spike_matmul(x: ArrayLike, w: ArrayLike, *, native: bool) -> Array:
    """Spikes times a matrix, y = x w, for few spikes or many.

    The value and the derivative by `w` cost as much as there are entries of x that are not zero (natively; elsewhere
    they are dense products); the derivative by `x` is a dense product. Differentiable to any order, batched in both.
    Rows of x that `vmap` adds in front come out behind the first axis in memory, so that a scan over time, which
    wants it so, copies nothing.

    Args:
        x: Spikes, bool (..., n) or bits as `pack` gives them, uint32 (..., ceil(n / 32)); or numbers of the dtype of
            w, (..., n), which need not be 0 and 1.
        w: Matrix, float (n, m).
        native: Use the native CPU kernel where the computation runs on a CPU.
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
    if native and w.dtype not in (jnp.float32, jnp.float64):
        raise ValueError(f"w: got {w.dtype}, native kernels take float32 or float64; pass native=False")
    results: list[Array] = _MATMUL.bind(x, w, n=w.shape[0], swap=False, native=require_native(native))
    return results[0]
