"""What a folder of batches belongs to: everything that the results depend on, as text and checksums."""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .._core import write_whole
from .._version import __version__
from ..network import Network
from ..record import AbstractRecord
from ._axes import Axis

FORMAT, FORMAT_VERSION, FILE = "jaxsyn sweep", 1, "sweep.json"

Table = dict[str, Any]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _array_text(array: Any) -> Any:
    """Numbers as they are where they are a short list, else their shape and checksum."""
    array = np.asarray(array)
    if array.ndim == 1 and array.size <= 1000 and array.dtype.kind in "iuf":
        return array.tolist()
    content = hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()
    return f"{array.dtype}{list(array.shape)} sha256 {content}"


def function_text(function: Any) -> str | None:
    """A function by its name and the checksum of its source; what it closes over is not seen."""
    if function is None:
        return None
    name = getattr(function, "__qualname__", type(function).__name__)  # without its module: a script is "__main__" too
    try:
        return f"{name} sha256 {hashlib.sha256(inspect.getsource(function).encode()).hexdigest()}"
    except (OSError, TypeError):
        return name


def describe_sweep(
    net: Network, axes: Sequence[Axis], records: Sequence[AbstractRecord], summary: Any, settings: Mapping[str, Any]
) -> Table:
    """The sweep as a table; `settings` holds plain values, and trees of arrays such as the state at the start."""
    from ..checkpoint import describe

    plain = {k: v for k, v in settings.items() if v is None or isinstance(v, bool | int | float | str)}
    trees = {
        k: {jax.tree_util.keystr(path): _array_text(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(v)}
        for k, v in settings.items()
        if k not in plain
    }
    return {
        "network": describe(net),
        "kernels": "native" if net.native else "pure JAX",
        "axes": [axis.name for axis in axes],
        "values": {path: _array_text(v) for axis in axes for path, v in axis.values.items()},
        "record": [repr(r) for r in records],
        "summary": function_text(summary),
        **plain,
        **trees,
    }


def _difference(here: Table, saved: Table) -> str | None:
    """The first thing in which two sweeps differ, in words."""
    from ..checkpoint import first_difference

    found = first_difference(here["network"], saved["network"], strict=True)
    if found is not None:
        return f"its network is another one: {found.replace('checkpoint', 'folder')}"
    if here["axes"] != saved["axes"]:
        return f"axes are {here['axes']}, the folder has {saved['axes']}"
    for path, values in here["values"].items():
        if saved["values"].get(path) != values:
            return f"values of {path!r} are {_short(values)}, the folder has {_short(saved['values'].get(path))}"
    for key in [*here, *saved]:
        if here.get(key) != saved.get(key):
            return f"{key} is {_short(here.get(key))}, the folder has {_short(saved.get(key))}"
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def read_manifest(folder: Path) -> Table | None:
    """The table of a folder, checked; None where there is none.

    Raises:
        ValueError: Not readable, damaged, or of another format.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or not isinstance(content.get("sweep"), dict):
            raise ValueError("not a table")
    except (OSError, ValueError) as error:
        raise ValueError(f"sweep {path}: cannot be read ({error}); start in another folder") from None
    if (content.get("format"), content.get("format_version")) != (FORMAT, FORMAT_VERSION):
        got = f"{content.get('format')!r} {content.get('format_version')!r}"
        raise ValueError(f"sweep {path}: got format {got}; allowed: {FORMAT!r} {FORMAT_VERSION}")
    if content.get("sha256") != _digest(content["sweep"]) or not isinstance(content["sweep"].get("batch_size"), int):
        raise ValueError(f"sweep {path}: its checksum does not fit its content; start in another folder")
    return content


def versions() -> dict[str, str]:
    """Versions that decide about bits."""
    return {"jaxsyn": __version__, "jax": jax.__version__}


def open_folder(folder: Path, table: Table) -> tuple[str, dict[str, str]]:
    """Make a folder that of a sweep, or check that it is.

    Returns:
        What its batches are known by, and the versions that it was begun with.
    Raises:
        ValueError: The folder holds another sweep, named by the first difference, or other files.
    """
    table = json.loads(json.dumps(table))  # as it is read back
    content = read_manifest(folder)
    if content is None:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("batch_*.npz")):
            raise ValueError(f"sweep {folder}: has batches but no {FILE}; start in another folder")
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, "versions": versions()}
        content |= {"sha256": _digest(table), "sweep": table}
        text = json.dumps(content, indent=1)
        write_whole(folder / FILE, lambda file: file.write(text.encode()))
    try:
        difference = _difference(table, content["sweep"])
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"sweep {folder}: {FILE} is malformed; start in another folder") from None
    if difference is not None:
        raise ValueError(f"sweep {folder}: {difference}; go on with the sweep of the folder, or take another one")
    return str(content["sha256"]), dict(content.get("versions", {}))
