"""Files of one checkpoint: arrays through Orbax, and metadata with checksums. No pickle is written or read."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._version import __version__
from ._folder import METADATA, Entry, Folder, add_entry

FORMAT = "jaxsyn checkpoint"
FORMAT_VERSION = 1

Arrays = dict[str, np.ndarray[Any, Any]]
Metadata = dict[str, Any]

_DAMAGED = "the file is truncated or damaged: restore an older checkpoint (step=...), or run again"


def _canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def digest(content: Any) -> str:
    """SHA-256 of anything that JSON can hold."""
    return hashlib.sha256(_canonical(content)).hexdigest()


def array_digest(array: np.ndarray[Any, Any]) -> str:
    """SHA-256 of the numbers of an array, in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()


def versions() -> dict[str, str]:
    """Versions that a checkpoint is written with."""
    packages = ("jax", "jaxlib", "orbax-checkpoint", "numpy")
    found = {name: installed_version(name) for name in packages}
    return {"jaxsyn": __version__, **found, "python": platform.python_version()}


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype == np.bool_ or bool(jnp.issubdtype(dtype, jnp.number))


def write_checkpoint(folder: Folder, step: int, keep: int, arrays: Arrays, about: Metadata) -> Entry:
    """Write named arrays and what is known about them as a new entry of a folder.

    Args:
        folder: Folder of the checkpoints.
        step: Step of the entry.
        keep: Number of entries to leave.
        arrays: Arrays by name.
        about: Further metadata: `kind`, and what must agree at restore.
    Raises:
        ValueError: An array does not hold numbers.
    """
    for name, array in arrays.items():
        if not _is_number(array.dtype):
            raise ValueError(f"checkpoint: {name} has dtype {array.dtype}; allowed: arrays of numbers or bool")
    specs = [
        {"name": name, "shape": list(a.shape), "dtype": str(a.dtype), "sha256": array_digest(a)}
        for name, a in arrays.items()
    ]
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "step": step,
        "arrays": specs,
        **about,
    }

    def fill(part: Path) -> None:
        _write_orbax(part / "arrays", arrays)
        whole = {**content, "files": {name: _file_spec(part / name) for name in _files(part)}}
        with (part / METADATA).open("w") as file:
            file.write(json.dumps({**whole, "sha256": digest(whole)}, indent=1))
            file.flush()
            os.fsync(file.fileno())

    return add_entry(folder, step, keep, fill)


def _files(folder: Path) -> list[str]:
    """Files below a folder, without the metadata."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [name for path in paths if (name := path.relative_to(folder).as_posix()) != METADATA]


def _file_spec(path: Path) -> list[Any]:
    """Size and checksum of a file."""
    with path.open("rb") as file:
        return [path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()]


def _check_files(entry: Entry, specs: dict[str, list[Any]]) -> None:
    """Refuse an entry with a file that is not as it was written; Orbax then never meets a damaged one."""
    present = set(_files(entry.path))
    for name, (size, checksum) in specs.items():
        if name not in present:
            raise ValueError(f"checkpoint {entry.path}: {name} is missing; {_DAMAGED}")
        found = _file_spec(entry.path / name)
        if found[0] != size:
            raise ValueError(f"checkpoint {entry.path}: {name} has {found[0]} of {size} bytes; {_DAMAGED}")
        if found[1] != checksum:
            raise ValueError(f"checkpoint {entry.path}: {name} does not fit its checksum; {_DAMAGED}")


def _orbax_names(names: list[str]) -> dict[str, str]:
    """Names that are safe as file names; numbered where two would coincide."""
    safe = [re.sub(r"[^\w.\-]", "_", name) for name in names]
    return {name: s if safe.count(s) == 1 else f"{s}~{i}" for i, (name, s) in enumerate(zip(names, safe, strict=True))}


def _write_orbax(path: Path, arrays: Arrays) -> None:
    import orbax.checkpoint as ocp

    names = _orbax_names(list(arrays))
    stored = {names[name]: array for name, array in arrays.items() if array.size}  # Orbax refuses empty arrays
    if not stored:
        return
    with _alone(use_ocdbt=True) as checkpointer:
        checkpointer.save(path.absolute(), args=ocp.args.PyTreeSave(stored))


def _alone(**options: Any) -> Any:
    """An Orbax checkpointer that waits for no other process: what it gets is in the memory of this one."""
    import orbax.checkpoint as ocp

    own = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(own, active_processes={own}, barrier_sync_key_prefix=f"process{own}")
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone, **options)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def read_metadata(entry: Entry) -> Metadata:
    """Metadata of an entry, checked for damage and version.

    Raises:
        ValueError: Truncated or changed, not a checkpoint, or of a newer format.
    """
    path = entry.path / METADATA
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError("not a table")
    except (OSError, ValueError) as error:  # JSON and Unicode errors are ValueErrors
        raise ValueError(f"checkpoint {path}: cannot be read ({error}); {_DAMAGED}") from None
    if content.get("format") != FORMAT:
        raise ValueError(f"checkpoint {path}: got format {content.get('format')!r}; allowed: {FORMAT!r}")
    if content.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"checkpoint {path}: got format version {content.get('format_version')!r}; allowed: {FORMAT_VERSION}; "
            f"use the jaxsyn that wrote it ({content.get('versions')})"
        )
    if content.pop("sha256", None) != digest(content):
        raise ValueError(f"checkpoint {path}: its checksum does not fit its content; {_DAMAGED}")
    try:
        good = all(_is_spec(spec) for spec in content["arrays"])
        good = good and all(isinstance(s, list) and len(s) == 2 for s in content["files"].values())
    except (AttributeError, KeyError, TypeError):
        good = False
    if not good:
        raise ValueError(f"checkpoint {path}: its list of arrays is malformed; {_DAMAGED}")
    return content


def _is_spec(spec: Metadata) -> bool:
    """Whether this describes an array of numbers."""
    named = isinstance(spec["name"], str) and isinstance(spec["sha256"], str) and isinstance(spec["dtype"], str)
    sized = isinstance(spec["shape"], list) and all(isinstance(n, int) and n >= 0 for n in spec["shape"])
    return named and sized and _is_number(jnp.dtype(spec["dtype"]))


def read_arrays(entry: Entry, metadata: Metadata) -> Arrays:
    """Arrays of an entry, each checked against its checksum.

    Raises:
        ValueError: A file or an array is missing, damaged or of another shape than the metadata says.
    """
    _check_files(entry, metadata["files"])
    specs: list[dict[str, Any]] = metadata["arrays"]
    names = _orbax_names([spec["name"] for spec in specs])
    read = _read_orbax(entry.path / "arrays", [names[s["name"]] for s in specs if 0 not in s["shape"]])
    out: Arrays = {}
    for spec in specs:
        name, dtype, shape = spec["name"], jnp.dtype(spec["dtype"]), tuple(spec["shape"])
        array = np.zeros(shape, dtype) if 0 in shape else np.asarray(read[names[name]])
        if array.shape != shape or array.dtype != dtype or array_digest(array) != spec["sha256"]:
            raise ValueError(f"checkpoint {entry.path}: the numbers of {name} do not fit their checksum; {_DAMAGED}")
        out[name] = array
    return out


def _read_orbax(path: Path, names: list[str]) -> Mapping[str, Any]:
    if not names:
        return {}
    import orbax.checkpoint as ocp

    wanted = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names}
    try:
        with _alone() as checkpointer:
            args = ocp.args.PyTreeRestore(item=dict.fromkeys(names, 0), restore_args=wanted)
            found: Mapping[str, Any] = checkpointer.restore(path.absolute(), args=args)
    except Exception as error:  # whatever the storage says about a damaged file
        reason = str(error).strip().splitlines()
        raise ValueError(
            f"checkpoint {path}: cannot be read ({reason[0] if reason else error!r}); {_DAMAGED}"
        ) from error
    return found


def host(array: Any) -> np.ndarray[Any, Any]:
    """An array of the device as NumPy array of the same dtype."""
    return np.asarray(jax.device_get(array))
