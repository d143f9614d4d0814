"""Data files of a folder, and what a task gives back."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

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


class Images(NamedTuple):
    """Standardized images (n, 28, 28) and labels to train on and to score; pixels are mean + sd x, from 0 to 1."""

    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    x_test: np.ndarray[Any, Any]
    y_test: np.ndarray[Any, Any]
    mean: float
    sd: float


def fashion(data: Folder) -> Images:
    """Fashion-MNIST; where there is an evaluation file, both parts of the other are trained on."""
    given, scored = data.load("fashion_mnist")
    train = [given["x_train"], given["y_train"]]
    test = [given["x_test"], given["y_test"]]
    if scored is not None:
        train = [np.concatenate(pair) for pair in zip(train, test, strict=True)]
        test = [scored["x_test"], scored["y_test"]]
    mean, sd = train[0].mean(), train[0].std()
    parts = [((x.astype(np.float32) - mean) / sd).astype(np.float32) for x in (train[0], test[0])]
    labels = [y.astype(np.int32) for y in (train[1], test[1])]
    return Images(parts[0], labels[0], parts[1], labels[1], float(mean / 255), float(sd / 255))


def _arrays(file: pathlib.Path) -> Arrays:
    with np.load(file, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
