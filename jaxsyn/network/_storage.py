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


def _scale(where: str, value: Numbers, storage: str) -> float:
    """What the stored weights of a receptor are multiplied by: a power of two, 1 unless they are integers."""
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


def check_form(name: str, storage: str, form: str) -> str:
    """The form, in which compact synapses deliver spikes as ids.

    Raises:
        ValueError: They are asked for where numbers travel.
    """
    if form != "ids" and storage != "full":
        raise ValueError(
            f"projection {name!r}: storage={storage!r} is for spikes without gradient and amplitude; drop it, or the "
            "surrogate of the source, short_term and propagation='bcoo'"
        )
    return form


class Format:
    """How the weights of one projection are stored, one entry for each receptor.

    Args:
        where: What to call a weight in an error.
        values: Weights of each receptor, one for all synapses or one for each.
        storage: One of `STORAGES`.
    Raises:
        ValueError: A weight is too large or too small for the type.
    """

    def __init__(self, where: str, values: Sequence[Numbers], storage: str) -> None:
        own = any(value.ndim for value in values)  # else all synapses share their weights, in full
        self.compact, self.dtype = storage != "full", weight_dtype(storage) if own else float_dtype()
        self.scales = [_scale(where, value.reshape(-1), storage) if own else 1.0 for value in values]

    @property
    def scale(self) -> Any:
        """What the stored weights are multiplied by, (receptors,), or None where they are floats."""
        return jnp.asarray(self.scales, float_dtype()) if self.dtype.kind == "i" else None

    def stack(self, rows: Sequence[Any], n_padded: int) -> Any:
        """Weights (receptors, n_padded) of stored arrays and numbers; (receptors, 1) if all are numbers."""
        if all(np.ndim(row) == 0 for row in rows):
            return jnp.asarray(np.asarray(rows, self.dtype).reshape(-1, 1))
        if len(rows) == 1:
            return rows[0][None, :]
        return jnp.stack([self._stored(row, scale, n_padded) for row, scale in zip(rows, self.scales, strict=True)])

    def _stored(self, row: Any, scale: float, n_padded: int) -> Any:
        if np.ndim(row):
            return row
        number = np.asarray(row, np.float64) / scale
        number = np.rint(number) if self.dtype.kind == "i" else number
        return jnp.broadcast_to(jnp.asarray(number.astype(self.dtype)), n_padded)
