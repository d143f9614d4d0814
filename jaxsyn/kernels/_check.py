"""What the kernels check of their operands, at trace time, once for all of them."""

from typing import Any

import jax.numpy as jnp


def check_graph(row_ptr: Any, post: Any, targets: tuple[Any, ...] = (jnp.int32,)) -> None:
    """Raise unless row_ptr and post are flat, int32 (post one of `targets`), and row_ptr has an entry.

    Raises:
        ValueError: naming what was found.
    """
    for name, array, dtypes in (("row_ptr", row_ptr, (jnp.int32,)), ("post", post, targets)):
        if array.ndim != 1 or array.dtype not in dtypes:
            allowed = " or ".join(jnp.dtype(dtype).name for dtype in dtypes)
            raise ValueError(f"{name}: got {array.dtype}{list(array.shape)}, must be {allowed} with one axis; cast it")
    if row_ptr.size == 0:
        raise ValueError("row_ptr: got no entry, must hold n_rows + 1 offsets (just [0] for no rows)")


def check_weight(weight: Any, post: Any) -> None:
    """Raise unless weight is (receptors, nnz) or (receptors, 1).

    Raises:
        ValueError: naming both shapes.
    """
    if weight.ndim != 2 or weight.shape[1] not in (1, post.size):
        raise ValueError(
            f"weight: got shape {weight.shape}, must be (receptors, {post.size}), one for each synapse, or "
            "(receptors, 1), one for all"
        )


def check_floats(native: bool, **arrays: Any) -> None:
    """Raise unless all arrays have one float dtype, natively float32 or float64.

    Raises:
        ValueError: naming the dtypes.
    """
    dtypes = {array.dtype for array in arrays.values()}
    got = ", ".join(f"{name} {array.dtype}" for name, array in arrays.items())
    if len(dtypes) > 1 or not all(jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes):
        raise ValueError(f"{', '.join(arrays)}: got {got}, must be one float dtype; cast with astype")
    if native and not dtypes <= {jnp.dtype("float32"), jnp.dtype("float64")}:
        raise ValueError(f"{', '.join(arrays)}: got {got}, native kernels take float32 or float64; pass native=False")


def check_ring(ids: Any, counts: Any, tick: Any) -> None:
    """Raise unless ids is int32 (slots, capacity), counts int32 (slots,) and tick an int32 scalar.

    Raises:
        ValueError: naming what was found.
    """
    for name, array, ndim in (("ids", ids, 2), ("counts", counts, 1), ("tick", tick, 0)):
        if array.ndim != ndim or array.dtype != jnp.int32:
            raise ValueError(f"{name}: got {array.dtype}{list(array.shape)}, must be int32 with {ndim} axes; cast it")
    if counts.shape != ids.shape[:1] or ids.shape[0] == 0:
        raise ValueError(f"ids, counts: got shapes {ids.shape} and {counts.shape}, must be (D, capacity), (D,), D >= 1")


def check_threads(threads: Any) -> int:
    """Return a number of threads, or raise.

    Raises:
        ValueError: not a whole number from 1 to 256.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 256:
        raise ValueError(f"threads: got {threads!r}, must be a whole number from 1 to 256; 1 uses the calling thread")
    return threads
