"""Where the records of finished chunks go: memory, or one file a chunk."""

import abc
import ctypes
import functools
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .._core import write_whole

Arrays = dict[str, np.ndarray[Any, Any]]


class AbstractStore(abc.ABC):
    """Chunks of named arrays in the order of time."""

    @abc.abstractmethod
    def append(self, tick: int, arrays: Arrays) -> None:
        """Keep the arrays of the chunk that begins at a tick."""

    @abc.abstractmethod
    def read(self, name: str) -> list[np.ndarray[Any, Any]]:
        """The arrays of one name, chunk by chunk."""


class MemoryStore(AbstractStore):
    """Chunks in memory."""

    def __init__(self) -> None:
        self._chunks: list[Arrays] = []

    def append(self, tick: int, arrays: Arrays) -> None:
        self._chunks.append(arrays)

    def read(self, name: str) -> list[np.ndarray[Any, Any]]:
        return [c[name] for c in self._chunks if name in c]


def chunk_files(folder: str | os.PathLike[str], first_tick: int = 0) -> list[Path]:
    """Chunk files of a stream from a tick on, in the order of time."""
    return sorted(p for p in Path(folder).glob("chunk_*.npz") if int(p.stem.split("_")[1]) >= first_tick)


class FileStore(AbstractStore):
    """Chunks as `chunk_TICK.npz` files in a folder, each written whole or not at all.

    A run that starts at a tick replaces the chunks from there on, and leaves the earlier ones of the same run in place;
    it reads back its own only (`load_stream` reads all).
    """

    def __init__(self, folder: str | os.PathLike[str], first_tick: int) -> None:
        self.folder, self._first = Path(folder), first_tick
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in chunk_files(self.folder, first_tick):
            path.unlink()

    def append(self, tick: int, arrays: Arrays) -> None:
        write_whole(self.folder / f"chunk_{tick:012d}.npz", lambda part: np.savez(part, allow_pickle=False, **arrays))
        return_freed_memory()

    def read(self, name: str) -> list[np.ndarray[Any, Any]]:
        return read_chunks(chunk_files(self.folder, self._first), name)


def return_freed_memory() -> None:
    """Give freed pages back to the system, where the C library can: glibc keeps those of chunk after chunk."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def read_chunks(paths: list[Path], name: str) -> list[np.ndarray[Any, Any]]:
    """The arrays of one name from chunk files that have it.

    Raises:
        ValueError: A file is truncated or damaged; names it.
    """
    out = []
    for path in paths:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as chunk:
                if name in chunk:
                    out.append(chunk[name])
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"stream {path}: cannot be read ({error}); go on from a checkpoint before it") from error
    return out
