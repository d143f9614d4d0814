"""The scripts of docs/examples run as they stand, here on a few made-up samples, and end with their figure."""

import pathlib
import re
import runpy

import jax
import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> str:
    """Files of the formats that the scripts read, with a few random samples."""
    rng = np.random.default_rng(0)

    def images(n: int) -> np.ndarray:
        return rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)

    labels = (np.arange(1000) % 10).astype(np.uint8)
    fashion = {"x_train": images(256), "y_train": labels[:256], "x_test": images(20), "y_test": labels[:20]}
    np.savez(tmp_path / "fashion_mnist.npz", **fashion)
    np.savez(tmp_path / "mnist10k.npz", x=images(20), y=labels[:20])
    offsets, index = np.arange(21, dtype=np.int32) * 3000, np.arange(20).astype(np.uint8)
    audio = rng.integers(-999, 999, 20 * 3000).astype(np.int16)
    np.savez(tmp_path / "fsdd.npz", audio=audio, offsets=offsets, label=labels[:20], index=index)
    return str(tmp_path)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(
    path: pathlib.Path, folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["4", "1"] if path.stem == "randman" else [folder, "1"]
    monkeypatch.setattr("sys.argv", [str(path), *given])
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as the reader has them
        runpy.run_path(str(path), run_name="__main__")
    assert re.search(r"\d+\.\d+%", capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_fits_a_screen(path: pathlib.Path) -> None:
    code = [line for line in path.read_text().split('"""')[-1].splitlines() if line.strip()]
    assert len(code) <= 70
