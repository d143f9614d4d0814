"""Data files of a folder, and what a task gives back."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One figure of one task.

    Attributes:
        metric: What was measured, such as "test_accuracy".
        value: The figure.
        epochs: Times that the training data were shown.
    """

    metric: str
    value: float
    epochs: int


class Folder:
    """The folder of the data files, if one was given."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else pathlib.Path(path)

    def load(self, name: str) -> tuple[Arrays, Arrays | None]:
        """Arrays of DIR/<name>.npz, and of DIR/<name>_eval.npz where it is there."""
        if self.path is None:
            raise SystemExit(f"learning: this task needs --data DIR with {name}.npz in it")
        file = self.path / f"{name}.npz"
        if not file.is_file():
            raise SystemExit(f"learning: there is no {file}")
        scored = self.path / f"{name}_eval.npz"
        return _arrays(file), (_arrays(scored) if scored.is_file() else None)


def _arrays(file: pathlib.Path) -> Arrays:
    with np.load(file, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
