"""The notebook runs from the first cell to the last, as Colab would run it after its installing cell."""

import json
import pathlib
from typing import Any

import jax
import pytest
from matplotlib import pyplot

NOTEBOOK = pathlib.Path(__file__).parent.parent / "notebooks" / "first_steps.ipynb"


def code_cells() -> list[str]:
    """Source of the code cells; the one tagged `install` is for machines without jaxsyn."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in cells if "install" not in cell["metadata"].get("tags", [])]


def test_first_steps_runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as the reader has them
        for number, source in enumerate(code_cells()):
            exec(compile(source, f"{NOTEBOOK.name}, code cell {number}", "exec"), namespace)
    assert pyplot.get_fignums(), "the notebook draws nothing"
    pyplot.close("all")


def test_first_steps_is_committed_without_output() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    kept = [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")]
    assert not kept, "clear all outputs before committing the notebook"
