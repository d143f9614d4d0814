"""Numbered entries of a folder: each appears there whole or not at all, whenever the process is killed."""

import dataclasses
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

Folder = str | os.PathLike[str]

METADATA = "metadata.json"  # written last: a folder without it is no checkpoint

_ENTRY = re.compile(r"checkpoint-(\d{6,})-step-(\d+)")
_PART = re.compile(r"\.(?:part|old)-(?P<host>.*)-(?P<pid>\d+)-[0-9a-f]{8}")


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """A complete checkpoint: its number in the order of writing, its step, and its folder."""

    serial: int
    step: int
    path: Path


def entries(folder: Folder) -> list[Entry]:
    """The complete checkpoints of a folder in the order of writing; a checkpoint itself counts as its only one."""
    root = Path(folder)
    inside = [root] if _ENTRY.fullmatch(root.name) else root.iterdir() if root.is_dir() else ()
    found = ((path, _ENTRY.fullmatch(path.name)) for path in inside)
    return sorted(Entry(int(m[1]), int(m[2]), path) for path, m in found if m and (path / METADATA).is_file())


def choose(folder: Folder, step: int | None) -> Entry:
    """The newest entry of a folder, or the newest with a given step.

    Raises:
        ValueError: There is none.
    """
    found = entries(folder)
    if not found:
        raise ValueError(f"checkpoint {folder}: there is none; give the folder that was given to Checkpoints or save")
    if step is None:
        return found[-1]
    matching = [entry for entry in found if entry.step == step]
    if not matching:
        steps = ", ".join(str(entry.step) for entry in found)
        raise ValueError(f"checkpoint {folder}: got step {step}; allowed: {steps}, or None for the newest")
    return matching[-1]


def latest(folder: Folder) -> int | None:
    """Step of the newest checkpoint of a folder: the tick of a network state, or what `save_tree` was told.

    Args:
        folder: Folder of the checkpoints.
    Returns:
        The step, or None where there is no complete checkpoint.
    Example:
        >>> latest("a folder that does not exist") is None
        True
    """
    found = entries(folder)
    return found[-1].step if found else None


def _sync(path: Path) -> None:
    """Have the entries of a directory on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _hidden(root: Path, word: str) -> Path:
    return root / f".{word}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:  # it may belong to somebody else
        return not isinstance(error, ProcessLookupError)
    return True


def _remove_abandoned(root: Path) -> None:
    """Delete what processes of this machine left behind when they were killed."""
    for path in root.iterdir():
        match = _PART.fullmatch(path.name)
        if match and match["host"] == socket.gethostname() and not _is_running(int(match["pid"])):
            shutil.rmtree(path, ignore_errors=True)


def add_entry(folder: Folder, step: int, keep: int, fill: Callable[[Path], None]) -> Entry:
    """Write a new entry beside the others, then delete all but the newest `keep`.

    The entry is made under a hidden name and renamed when everything is on the disk; older ones are renamed away
    before they are deleted. So at any moment each visible entry is complete.

    Args:
        folder: Where; made if absent.
        step: What the entry is found by.
        keep: Number of entries to leave, >= 1.
        fill: Writes the files of the entry into the folder that it is given.
    """
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    part = _hidden(root, "part")
    part.mkdir()
    try:
        fill(part)
        _sync(part)
        entry = _publish(root, part, step)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    for old in entries(root)[:-keep]:
        away = _hidden(root, "old")
        try:
            old.path.rename(away)
        except FileNotFoundError:  # another process was faster
            continue
        shutil.rmtree(away, ignore_errors=True)
    return entry


def _publish(root: Path, part: Path, step: int) -> Entry:
    """Give a finished entry the next free number; a rename onto a folder with files fails, so none is used twice."""
    serial = max((entry.serial for entry in entries(root)), default=0) + 1
    while True:
        final = root / f"checkpoint-{serial:06d}-step-{step}"
        try:
            part.rename(final)
        except OSError:
            if not final.exists():
                raise
            serial += 1
            continue
        _sync(root)
        return Entry(serial, step, final)
