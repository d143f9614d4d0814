"""Array aliases and the one rule for dtypes."""

from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.typing.ArrayLike
Parameter: TypeAlias = Any  # of a model: a number or an array when it is constructed, an array leaf from then on


def float_dtype() -> np.dtype[Any]:
    """The float type of new arrays: float32, or float64 when the user has enabled x64."""
    return np.dtype(jax.dtypes.canonicalize_dtype(np.float64))
