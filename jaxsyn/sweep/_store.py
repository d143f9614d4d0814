"""Where finished batches are: in memory, or one file each in a folder."""

import abc
import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .._core import write_whole
from ._batch import Arrays

_DAMAGED = "delete the file to compute that batch again"


class AbstractBatches(abc.ABC):
    """Batches of named arrays by number."""

    @abc.abstractmethod
    def put(self, number: int, arrays: Arrays) -> None:
        """Keep a finished batch."""

    @abc.abstractmethod
    def done(self) -> set[int]:
        """Numbers of the batches that are there."""

    @abc.abstractmethod
    def names(self, number: int) -> Iterable[str]:
        """Names of the arrays of a batch."""

    @abc.abstractmethod
    def read(self, number: int, name: str) -> np.ndarray[Any, Any]:
        """One array of a batch."""


class MemoryBatches(AbstractBatches):
    """Batches in memory."""

    def __init__(self) -> None:
        self._batches: dict[int, Arrays] = {}

    def put(self, number: int, arrays: Arrays) -> None:
        self._batches[number] = arrays

    def done(self) -> set[int]:
        return set(self._batches)

    def names(self, number: int) -> Iterable[str]:
        return self._batches[number]

    def read(self, number: int, name: str) -> np.ndarray[Any, Any]:
        return self._batches[number][name]


class FolderBatches(AbstractBatches):
    """Batches as `batch_NUMBER.npz` in a folder, each written whole or not at all; read when they are asked for.

    Args:
        folder: Where; it exists.
        key: What the sweep is known by; a batch of another one is refused.
        lanes: Number of lanes of each batch.
    """

    def __init__(self, folder: Path, key: str, lanes: list[int]) -> None:
        self.folder, self._key, self._lanes = folder, key, lanes
        self._checked: set[int] = set()

    def _path(self, number: int) -> Path:
        return self.folder / f"batch_{number:06d}.npz"

    def put(self, number: int, arrays: Arrays) -> None:
        about = np.asarray(json.dumps({"sweep": self._key, "lanes": self._lanes[number]}))
        named: dict[str, Any] = {"about": about, **arrays}
        write_whole(self._path(number), lambda file: np.savez(file, **named))

    def done(self) -> set[int]:
        found = {number for number in range(len(self._lanes)) if self._path(number).exists()}
        for number in found - self._checked:
            self._check(number)
        self._checked |= found
        return found

    def names(self, number: int) -> Iterable[str]:
        names: list[str] = self._open(number, lambda batch: batch.files)
        return [name for name in names if name != "about"]

    def read(self, number: int, name: str) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self._open(number, lambda batch: batch[name])
        return array

    def _open(self, number: int, use: Any) -> Any:
        path = self._path(number)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as batch:
                return use(batch)
        except (
            OSError,
            EOFError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as e:
            raise ValueError(f"sweep {path}: cannot be read ({e}); {_DAMAGED}") from e

    def _check(self, number: int) -> None:
        """Refuse a batch that is damaged or belongs to another sweep."""
        path = self._path(number)

        def content(batch: Any) -> tuple[Any, int]:
            return json.loads(str(batch["about"])), len(batch["results"])

        about, lanes = self._open(number, content)
        if about != {"sweep": self._key, "lanes": self._lanes[number]} or lanes != self._lanes[number]:
            raise ValueError(f"sweep {path}: belongs to another sweep; {_DAMAGED}")
