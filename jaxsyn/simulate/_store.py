"""Where the records of finished chunks go: memory, or one file a chunk."""

import abc
import os
from pathlib import Path
from typing import Any

import numpy as np

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


class FileStore(AbstractStore):
    """Chunks as `chunk_TICK.npz` files in a folder, each written whole or not at all.

    A run that starts at a tick replaces the chunks from there on, and leaves the earlier ones of the same run in place.
    """

    def __init__(self, folder: str | os.PathLike[str], first_tick: int) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self._paths():
            if int(path.stem.split("_")[1]) >= first_tick:
                path.unlink()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("chunk_*.npz"))

    def append(self, tick: int, arrays: Arrays) -> None:
        final = self.folder / f"chunk_{tick:012d}.npz"
        part = final.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        part.replace(final)

    def read(self, name: str) -> list[np.ndarray[Any, Any]]:
        out = []
        for path in self._paths():
            with np.load(path, allow_pickle=False) as chunk:
                if name in chunk:
                    out.append(chunk[name])
        return out
