"""How a projection stores its synapses: in full, or compact, with a weight of one or two bytes and a target of two."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import float_dtype
from ..connect import CHUNK, Draws, Order, SparseGraph, arrange, parts_of

STORAGES = ("full", "float16", "bfloat16", "int16", "int8")
_LIMITS = {"float16": (2.0**-14, 65504.0), "bfloat16": (2.0**-126, (2.0 - 2.0**-7) * 2.0**127)}  # normal numbers


Numbers = np.ndarray[Any, Any]


def weight_dtype(storage: str) -> Any:
    """Type of a weight that each synapse has for itself."""
    return float_dtype() if storage == "full" else jnp.dtype(storage)


def _scale(where: str, value: Numbers | Draws, storage: str) -> float:
    """What the stored weights of a receptor are multiplied by: a power of two, 1 unless they are integers."""
    dtype = weight_dtype(storage)
    if storage == "full":
        return 1.0
    flat = value if isinstance(value, Draws) else value.reshape(-1)
    sizes = [_sizes(part) for part in parts_of(flat, CHUNK)]
    smallest, largest = min((low for low, _ in sizes), default=math.inf), max((high for _, high in sizes), default=0.0)
    if dtype.kind == "i":
        mantissa, exponent = math.frexp(largest / np.iinfo(dtype).max)
        return 1.0 if largest == 0.0 else 2.0 ** max(exponent - (mantissa == 0.5), -126)
    least, most = _LIMITS[storage]
    if largest > most or smallest < least:
        got = f"{largest:g}" if largest > most else f"{smallest:g}"
        raise ValueError(
            f"{where}: got {got}; storage={storage!r} holds 0 and {least:.3g} to {most:.3g}; choose 'int16', "
            "'bfloat16' or 'full'"
        )
    return 1.0


def _sizes(part: Numbers) -> tuple[float, float]:
    """The smallest size of what is not 0, and the largest."""
    sizes = np.abs(part[part != 0])
    return (float(sizes.min()), float(sizes.max())) if sizes.size else (math.inf, 0.0)


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

    def __init__(self, where: str, values: Sequence[Numbers | Draws], storage: str) -> None:
        own = any(value.ndim for value in values)  # else all synapses share their weights, in full
        self.compact, self.dtype = storage != "full", weight_dtype(storage) if own else float_dtype()
        self.scales = [_scale(where, value, storage) if own else 1.0 for value in values]

    @property
    def scale(self) -> Any:
        """What the stored weights are multiplied by, (receptors,), or None where they are floats."""
        return jnp.asarray(self.scales, float_dtype()) if self.dtype.kind == "i" else None

    def arrange(self, values: Sequence[Numbers | Draws], order: Order, graph: SparseGraph) -> Any:
        """Weights as the graph has its synapses, (receptors, n_padded); (receptors, 1) if all are numbers."""
        if all(value.ndim == 0 for value in values):
            return jnp.asarray(np.asarray(values, self.dtype).reshape(-1, 1))
        return arrange(values, order, graph, self.dtype, self.scales)
