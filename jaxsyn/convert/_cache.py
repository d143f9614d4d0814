"""Calibrated thresholds kept in a folder, by the content of everything that they follow from."""

import hashlib
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, write_whole
from .._version import __version__
from ._ann import Ann
from ._calibrate import AbstractCalibration, calibrate


def calibrate_cached(
    ann: Ann, data: Array, how: AbstractCalibration, levels: int, folder: str | Path
) -> tuple[Array, ...]:
    """As `calibrate`; thresholds of the same model, data and settings are read from the folder if they are there.

    Args:
        ann: The folded model.
        data: Samples, shape (samples, *input_shape).
        how: How a threshold follows from activations.
        levels: Steps that a sample will be shown for.
        folder: Where thresholds are kept, made if absent; files may be deleted at any time.
    Returns:
        Thresholds, in the order of `ann.activations`.
    Raises:
        ValueError: A file of the folder that is not what was written.
    Example:
        >>> import tempfile, jax.numpy as jnp
        >>> from jaxsyn.convert import Percentile, read_layers
        >>> ann = read_layers([{"kind": "linear", "weight": [[2.0]], "bias": None}, {"kind": "relu"}], (1,))
        >>> folder = tempfile.mkdtemp()
        >>> for _ in range(2):
        ...     found = calibrate_cached(ann, jnp.ones((1, 1)), Percentile(100.0), 4, folder)
        >>> [float(t) for t in found], len(list(Path(folder).iterdir()))
        ([2.0], 1)
    """
    file = Path(folder) / f"{content_key(ann, data, how, levels)}.npy"
    if file.exists():
        return _read(file, len(ann.activations))
    found = calibrate(ann, data, how, levels)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = np.asarray(jnp.stack(found) if found else np.zeros(0, float_dtype()))
    write_whole(file, lambda part: np.save(part, kept, allow_pickle=False))
    return found


def content_key(ann: Ann, data: Any, how: AbstractCalibration, levels: int) -> str:
    """Hash of the model's structure and numbers, the data, the settings and the version; equal content, equal key."""
    digest = hashlib.sha256()
    leaves, structure = jax.tree.flatten((ann, data))
    digest.update(repr((__version__, str(structure), how, levels)).encode())
    for leaf in leaves:
        array = np.asarray(leaf)
        digest.update(repr((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(file: Path, n: int) -> tuple[Array, ...]:
    try:
        found = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{file}: got {error}; allowed: thresholds as they were written; delete the file") from None
    if found.shape != (n,) or found.dtype != float_dtype() or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(f"{file}: got {found.dtype}{found.shape}; allowed: {n} thresholds > 0; delete the file")
    return tuple(jnp.asarray(t) for t in found)
