"""`jaxsyn convert`: files in, a report and files out; bad files are named."""

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

import jaxsyn as js
from jaxsyn.cli import main

LAYERS = [
    {"kind": "linear", "weight": np.random.default_rng(0).normal(0, 0.4, (8, 64)), "bias": None},
    {"kind": "relu"},
    {"kind": "linear", "weight": np.random.default_rng(1).normal(0, 0.4, (10, 8)), "bias": None},
]


def test_a_model_is_converted_and_reported(tmp_path: Path) -> None:
    x, y, *_ = js.train.digits()
    js.convert.write_model(tmp_path / "model.npz", LAYERS, (64,))
    np.savez(tmp_path / "data.npz", x=x[:60], y=y[:60])
    arguments = ["convert", str(tmp_path / "model.npz"), "--calibration", str(tmp_path / "data.npz"), "--steps", "4"]
    for mode, files in (
        ("exact", {"accuracy.png", "cache", "report.json", "report.txt", "thresholds.npz"}),
        ("first-spike", {"report.json", "report.txt", "thresholds.npz"}),
    ):
        steps = arguments if mode == "exact" else arguments[:-2]
        done = CliRunner().invoke(main, [*steps, "--mode", mode, "--out", str(tmp_path / mode)])
        assert done.exit_code == 0, done.output
        assert "spikes a sample" in done.output
        assert {f.name for f in (tmp_path / mode).iterdir()} == files
        assert json.loads((tmp_path / mode / "report.json").read_text())["samples"] == 60
        with np.load(tmp_path / mode / "thresholds.npz") as found:
            assert found["1"] > 0


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    js.convert.write_model(tmp_path / "model.npz", LAYERS, (64,))
    np.savez(tmp_path / "empty.npz", x=np.ones((0, 64)))
    np.savez(tmp_path / "other.npz", samples=np.ones((3, 64)))
    np.save(tmp_path / "wide.npy", np.ones((3, 65)))
    for data, more, message in (
        ("empty.npz", [], "calibration: got no sample"),
        ("other.npz", [], "no array 'x'"),
        ("wide.npy", [], "calibration: got shape (3, 65); allowed: (samples, 64)"),
        ("none.npy", [], "No such file"),
        ("wide.npy", ["--mode", "fast"], "mode: got 'fast'"),
    ):
        arguments = ["convert", str(tmp_path / "model.npz"), "--calibration", str(tmp_path / data), *more]
        done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out")])
        assert done.exit_code == 2
        assert message in done.output
