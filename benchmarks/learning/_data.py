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


def fashion(data: Folder) -> tuple[np.ndarray[Any, Any], ...]:
    """Images and labels of Fashion-MNIST to train on and to score: standardized float32 (n, 28, 28), int32 (n,).

    Where there is an evaluation file, both parts of the other are trained on.
    """
    given, scored = data.load("fashion_mnist")
    train = [given["x_train"], given["y_train"]]
    test = [given["x_test"], given["y_test"]]
    if scored is not None:
        train = [np.concatenate(pair) for pair in zip(train, test, strict=True)]
        test = [scored["x_test"], scored["y_test"]]
    mean, sd = train[0].mean(), train[0].std()
    parts = [((x.astype(np.float32) - mean) / sd).astype(np.float32) for x in (train[0], test[0])]
    return parts[0], train[1].astype(np.int32), parts[1], test[1].astype(np.int32)


def _arrays(file: pathlib.Path) -> Arrays:
    with np.load(file, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
