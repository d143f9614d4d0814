"""The keys of `learning`, and how data files are found."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from benchmarks.learning import _convert_images, _first_spike
from benchmarks.learning._data import Folder, Images

ROOT = pathlib.Path(__file__).parents[2]


def learning(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "learning", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_digits() -> None:
    done = learning("digits", "--seed", "1", "--json")
    line = json.loads(done.stdout)
    assert set(line) == {"task", "seed", "metric", "value", "seconds", "epochs"}
    assert (line["task"], line["seed"], line["metric"]) == ("digits", 1, "test_accuracy")
    assert line["value"] > 0.95


def test_evaluation_file_is_taken_where_there_is_one(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    assert Folder(str(tmp_path)).load("a")[1] is None
    np.savez(tmp_path / "a_eval.npz", x=np.arange(4))
    train, scored = Folder(str(tmp_path)).load("a")
    assert scored is not None
    assert (len(train["x"]), len(scored["x"])) == (3, 4)


@pytest.mark.parametrize("folder", [None, "empty"])
def test_missing_data_are_named(tmp_path: pathlib.Path, folder: str | None) -> None:
    with pytest.raises(SystemExit, match="mnist10k"):
        Folder(None if folder is None else str(tmp_path)).load("mnist10k")


def test_first_spikes_of_a_small_network() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 1, 2, 2)), rng.integers(0, 3, 20).astype(np.int32)
    images = Images(x, y, x, y, 0.5, 0.1)
    layers = [
        {"kind": "linear", "weight": rng.normal(size=(5, 4)), "bias": None},
        {"kind": "relu"},
        {"kind": "linear", "weight": rng.normal(size=(3, 5)), "bias": None},
    ]
    error, spikes, gradient = _first_spike.outcomes(layers, images, 1)
    assert error.value < 1e-5
    assert 0.0 < spikes.value < 1.0
    assert gradient.value < 1e-12


def test_conversion_of_convolutions_scores_each_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images = Images(*(rng.normal(size=(64, 28, 28)).astype(np.float32), np.arange(64, dtype=np.int32) % 10) * 2, 0, 1)
    monkeypatch.setattr(_convert_images, "fashion", lambda data: images)
    monkeypatch.setattr(_convert_images, "CONV_EPOCHS", (2, 2))
    monkeypatch.setattr(_convert_images.quantized, "BATCH", 32)
    first, pooled = _convert_images.conv_kinds()[:3], [{"kind": "avgpool", "kernel": 2}, {"kind": "flatten"}]
    kinds = [*first, *pooled, {"kind": "linear", "shape": (10, 16 * 196)}]
    monkeypatch.setattr(_convert_images, "conv_kinds", lambda: kinds)
    # The benchmark runs as users have it.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        found = list(_convert_images.conv(0, Folder(None)))
    assert [(one.metric, one.epochs) for one in found] == [("accuracy_relu", 2), ("accuracy_T4", 4), ("accuracy_T2", 6)]
    assert all(0.0 < one.value < 1.0 for one in found)
