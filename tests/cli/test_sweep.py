"""`jaxsyn sweep`: what it writes, that it goes on where it stopped, and what it refuses."""

import copy
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.cli._build import Builder
from jaxsyn.cli._config import parse, read

from .conftest import SMALL, call

Write = Callable[..., pathlib.Path]
ROOT = pathlib.Path(__file__).parents[2]
TABLE = {
    "parameters": {"projections.E_I.gain": [0.5, 3.0], "stimuli": {"bias": {"I_pA": [40.0, 160.0]}}},
    "seeds": [4, 7],
}


def config(**changes: Any) -> Any:
    made = copy.deepcopy(SMALL)
    del made["run"]["checkpoint_every_ms"]
    return made | {"sweep": {**TABLE, **changes}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Results of an uninterrupted sweep of the small configuration."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "net.json").write_text(json.dumps(config(batch_size=3)))
    result = call("sweep", folder / "net.json", "--out", folder / "out")
    assert result.exit_code == 0, result.stderr
    assert "8 runs of 60 ms of 25 neurons" in result.stdout
    assert "stimuli.bias.I_pA" in result.stdout
    return folder / "out"


def test_results_are_those_of_the_library(whole: pathlib.Path) -> None:
    file = whole.parent / "net.json"
    builder = Builder(file, parse(file, read(file)))
    parameters = {"projections.E_I.gain": [0.5, 3.0], "stimuli.bias.I_pA": [40.0, 160.0]}
    swept = js.sweep(builder.network(), parameters, 60.0, seeds=[4, 7], record=builder.records())
    with np.load(whole / "results.npz") as found:
        assert found["dims"].tolist() == list(swept.dims)
        assert found["coordinates/seed"].tolist() == [4, 7]
        assert (found["results"] == "done").all()
        assert np.array_equal(found["count I/values"], swept.reductions["count I"])
        assert np.array_equal(found["rate E/values"], swept.reductions["rate E"].values)
        assert np.array_equal(found["E.V_mV/values"], swept.states["E.V_mV"].values)
        rates = [swept.lane(*i).spikes["E"].rate_Hz() for i in np.ndindex(2, 2, 2)]
        assert found["E/rate_Hz"].ravel().tolist() == rates
        assert len(set(rates)) > 1
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["axes"] == {"projections.E_I.gain": 2, "stimuli.bias.I_pA": 2, "seed": 2}
    assert (summary["lanes"], summary["failures"]) == (8, {})


def test_a_sweep_goes_on_and_is_not_replaced_unasked(whole: pathlib.Path) -> None:
    file, batch = whole.parent / "net.json", whole / "batches" / "batch_000001.npz"
    before, others = (whole / "results.npz").read_bytes(), whole / "batches" / "batch_000000.npz"
    stamp = others.stat().st_mtime_ns
    batch.unlink()
    refused = call("sweep", file, "--out", whole)
    assert refused.exit_code == 2
    assert "which holds results" in refused.stderr
    assert call("sweep", file, "--out", whole, "--resume").exit_code == 0
    assert batch.exists()
    assert others.stat().st_mtime_ns == stamp
    assert (whole / "results.npz").read_bytes() == before
    assert call("sweep", file, "--out", whole, "--overwrite").exit_code == 0
    assert others.stat().st_mtime_ns > stamp
    assert call("sweep", file, "--resume", "--overwrite").exit_code == 2


def test_lanes_that_end_early_are_reported(write: Write, tmp_path: pathlib.Path) -> None:
    made = config(parameters={"projections.E_I.weight_pA.AMPA": [50.0, 3e38]}, seeds=[0])
    result = call("sweep", write(made), "--out", tmp_path / "out", "--log-json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    early = [line for line in lines if line["event"] == "lane ended early"]
    assert [line["lane"] for line in early] == ["projections.E_I.weight_pA.AMPA=3e+38, seed=0"]
    assert "population 'I'" in early[0]["reason"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"parameters": {"projections.E_I.gian": [1.0]}}, "sweep", "did you mean 'projections.E_I.gain'"),
        ({"parameters": {"projections.E_I.gain": []}}, "sweep", "at least one"),
        ({"parameters": {"projections.E_I.gain": 1.0}}, "sweep", "a list of values"),
        ({"parameters": {"populations.E.neuron.tau_m_ms": [-1.0]}}, "sweep", "finite and > 0"),
        (
            {"parameters": {"projections.E_I.gain": ["a"]}},
            "sweep.parameters.projections.E_I.gain",
            "a number or a list",
        ),
        ({"parameters": {}, "seeds": None}, "sweep.seeds", ""),
        ({"seeds": [-1]}, "sweep.seeds[0]", "a whole number from 0 to 4294967295"),
        ({"zipped": True, "parameters": {"projections.E_I.gain": [1.0], "seed": [1, 2]}, "seeds": []}, "sweep", ""),
        ({"seed": [1]}, "sweep.seed", "did you mean seeds?"),
        ({"batch_size": 0}, "sweep.batch_size", "from 1 to"),
    ],
)
def test_what_is_wrong_is_named(write: Write, tmp_path: pathlib.Path, changes: Any, field: str, said: str) -> None:
    result = call("sweep", write(config(**changes)), "--out", tmp_path / "out")
    assert result.exit_code == 2, result.stderr
    assert f": {field}\n" in result.stderr
    assert said in result.stderr


def test_a_configuration_without_a_sweep_or_with_checkpoints_is_refused(write: Write) -> None:
    plain = config()
    del plain["sweep"]
    assert "add [sweep], or use jaxsyn run" in call("sweep", write(plain)).stderr
    with_checkpoints = SMALL | {"sweep": TABLE}
    assert "a sweep keeps each finished batch" in call("sweep", write(with_checkpoints)).stderr


def test_the_example_of_the_documentation_is_valid() -> None:
    file = ROOT / "docs" / "examples" / "sweep.toml"
    table = parse(file, read(file)).sweep
    assert table.parameters["stimuli.background.rate_Hz"] == [1000.0, 2000.0]
