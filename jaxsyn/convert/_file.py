"""Models as files: a list of layers as JSON, or as arrays beside a description (npz). Nothing is ever unpickled."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._ann import Ann, Shape
from ._layers import read_layers

_MODEL = "model"
_SIDES = ("branch", "skip")


def read_model(path: str | Path) -> Ann:
    """Read a model from a file.

    JSON: {"input_shape": [...], "layers": [...]}, layers as `read_layers` takes them, arrays as nested lists. npz: the
    same text without arrays under the name "model", and an array "PATH.KEY" for each, such as "0.weight" or
    "2.branch.1.bias", as `write_model` leaves them.

    Args:
        path: File, *.json or *.npz.
    Returns:
        The model.
    Raises:
        ValueError: A file that is not of this form, or a layer that does not fit, with the name of the file.
        OSError: The file cannot be read.
    Example:
        >>> import tempfile, numpy as np, jaxsyn as js
        >>> file = Path(tempfile.mkdtemp()) / "model.npz"
        >>> js.convert.write_model(file, [{"kind": "linear", "weight": np.eye(3), "bias": None}], (3,))
        >>> js.convert.read_model(file).input_shape
        (3,)
    """
    file = Path(path)
    try:
        document = _npz(file) if file.suffix == ".npz" else _json(file.read_text(encoding="utf-8"))
        shape = document.get("input_shape")
        if not isinstance(shape, list) or not shape or not all(type(n) is int and n >= 1 for n in shape):
            raise ValueError(f"input_shape: got {shape!r}; allowed: a list of whole numbers >= 1, such as [1, 28, 28]")
        return read_layers(document.get("layers", []), tuple(shape))
    except (ValueError, zipfile.BadZipFile, KeyError, RecursionError) as error:
        raise ValueError(f"{file}: {error}") from None


def write_model(path: str | Path, layers: Sequence[Mapping[str, Any]], input_shape: Shape) -> None:
    """Write a list of layers as npz, for `read_model` and `jaxsyn convert`.

    Args:
        path: File, *.npz.
        layers: As `read_layers` takes them; names of a state dict are not resolved here.
        input_shape: Shape of one sample.
    Raises:
        ValueError: Layers that do not fit, or another ending.
    Example:
        >>> write_model("model.pkl", [], (3,))
        Traceback (most recent call last):
        ValueError: path: got model.pkl; allowed: a name that ends in .npz
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"path: got {path}; allowed: a name that ends in .npz")
    read_layers(layers, input_shape)
    arrays: dict[str, Any] = {}
    described = _described(layers, "", arrays)
    text = json.dumps({"input_shape": [int(n) for n in input_shape], "layers": described})
    arrays[_MODEL] = np.asarray(text)
    np.savez(path, allow_pickle=False, **arrays)


def _described(layers: Sequence[Mapping[str, Any]], above: str, arrays: dict[str, Any]) -> list[dict[str, Any]]:
    """Layers without their arrays, which go into `arrays` by path."""
    out = []
    for i, layer in enumerate(layers):
        rest: dict[str, Any] = {}
        for key, value in layer.items():
            if key in _SIDES:
                rest[key] = _described(value, f"{above}{i}.{key}.", arrays)
            elif isinstance(value, str | int | float | None) or key in ("stride", "padding", "kernel"):
                rest[key] = value if isinstance(value, str | int | float | None) else [int(n) for n in value]
            else:
                arrays[f"{above}{i}.{key}"] = np.asarray(value)
        out.append(rest)
    return out


def _json(text: str) -> dict[str, Any]:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(f'got {type(document).__name__}; allowed: {{"input_shape": [...], "layers": [...]}}')
    return document


def _npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as arrays:
        if _MODEL not in arrays.files or arrays[_MODEL].dtype.kind != "U":
            raise ValueError(f"no text {_MODEL!r} among {arrays.files}; write it with js.convert.write_model")
        document = _json(str(arrays[_MODEL]))
        for name in arrays.files:
            if name != _MODEL:
                _put(document.get("layers"), name, arrays[name])
    return document


def _put(layers: Any, name: str, value: Any) -> None:
    """Give an array back to the layer that its name says."""
    *path, key = name.split(".")
    place = layers
    try:
        for part in path:
            place = place[part] if part in _SIDES else place[int(part)]
        place[key] = value
    except (IndexError, KeyError, TypeError, ValueError):
        raise ValueError(f"array {name!r}: got no layer of that path; allowed: PATH.KEY, such as '0.weight'") from None
