"""How a projection stores its synapses: in full, or compact, with a weight of one or two bytes and a target of two."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import float_dtype

STORAGES = ("full", "float16", "bfloat16", "int16", "int8")
_LIMITS = {"float16": (2.0**-14, 65504.0), "bfloat16": (2.0**-126, (2.0 - 2.0**-7) * 2.0**127)}  # normal numbers
_CHUNK = 1 << 18

Numbers = np.ndarray[Any, Any]


def weight_dtype(storage: str) -> Any:
    """Type of a weight that each synapse has for itself."""
    return float_dtype() if storage == "full" else jnp.dtype(storage)


def weight_scale(where: str, value: Numbers, storage: str) -> float:
    """What the stored weights of a receptor are multiplied by: a power of two, 1 unless they are integers.

    Raises:
        ValueError: A weight is too large or too small for the type.
    """
    dtype = weight_dtype(storage)
    largest = max(abs(float(value.max(initial=0.0))), abs(float(value.min(initial=0.0))))
    if dtype.kind == "i":
        mantissa, exponent = math.frexp(largest / np.iinfo(dtype).max)
        return 1.0 if largest == 0.0 else 2.0 ** max(exponent - (mantissa == 0.5), -126)
    if storage == "full":
        return 1.0
    least, most = _LIMITS[storage]
    smallest = min((_least(value[i : i + _CHUNK]) for i in range(0, value.size, _CHUNK)), default=math.inf)
    if largest > most or smallest < least:
        got = f"{largest:g}" if largest > most else f"{smallest:g}"
        raise ValueError(
            f"{where}: got {got}; storage={storage!r} holds 0 and {least:.3g} to {most:.3g}; choose 'int16', "
            "'bfloat16' or 'full'"
        )
    return 1.0


def _least(part: Numbers) -> float:
    """The smallest size of what is not 0."""
    sizes = np.abs(part[part != 0])
    return float(sizes.min()) if sizes.size else math.inf


def stacked(rows: Sequence[Any], scales: Sequence[float], storage: str, n_padded: int) -> Any:
    """Weights (receptors, n_padded) of stored arrays and numbers; (receptors, 1), in full, if all are numbers."""
    if all(np.ndim(row) == 0 for row in rows):
        return jnp.asarray(np.asarray(rows, float_dtype()).reshape(-1, 1))
    if len(rows) == 1:
        return rows[0][None, :]
    dtype = weight_dtype(storage)

    def stored(row: Any, scale: float) -> Any:
        if np.ndim(row):
            return row
        number = np.asarray(row, np.float64) / scale
        return jnp.broadcast_to(jnp.asarray((np.rint(number) if dtype.kind == "i" else number).astype(dtype)), n_padded)

    return jnp.stack([stored(row, scale) for row, scale in zip(rows, scales, strict=True)])
