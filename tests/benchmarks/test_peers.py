"""What `peers` does with simulators that are absent, broken or there; the simulators themselves are not installed."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.peers import PEERS, comparison, run_peer
from benchmarks.speed import SIMULATION

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ("--n", "400", "--bio", "0.02", "--repeats", "1")
LINE = {"task": "cuba", "n": 400, "threads": 1, "run_s_per_bio_s": 2.0, "run_s_per_bio_s_min": 1.0, "rate_Hz": 5.5}


def interpreter(folder: pathlib.Path, prints: str, status: int = 0) -> str:
    """A program that stands for the Python of a simulator; what it was asked is kept beside it."""
    path = folder / "python"
    text = f'#!/bin/sh\necho "$@" > {folder}/asked\ncat {folder}/prints\necho went wrong >&2\nexit {status}\n'
    (folder / "prints").write_text(prints)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def peers(*words: str) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "benchmarks", "peers", "cuba", *SMALL, "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_absent_peers_are_skipped_and_a_named_one_is_compared(tmp_path: pathlib.Path) -> None:
    status, lines = peers("--sparx-python", interpreter(tmp_path, f"a warning\n{json.dumps(LINE)}\n"))
    assert status == 0
    by_name = {line["simulator"]: line for line in lines if "simulator" in line}
    assert list(by_name) == ["jaxsyn", *PEERS]
    for name in set(PEERS) - {"sparx"}:
        assert PEERS[name].install in by_name[name]["skipped"]
        assert f"--{name}-python" in by_name[name]["skipped"]
    assert by_name["sparx"] == {"simulator": "sparx", **LINE}
    asked = (tmp_path / "asked").read_text()
    assert "sparx_tasks.py cuba --n 400 --threads 1 --repeats 1 --bio 0.02 --seed 1" in asked
    (ratios,) = [line for line in lines if "against" in line]
    assert ratios["against"] == "sparx"
    assert ratios["run_s_per_bio_s ratio"] == pytest.approx(2.0 / by_name["jaxsyn"]["run_s_per_bio_s"], rel=0.01)


def test_a_python_without_the_simulator_is_an_error() -> None:
    status, lines = peers("--brian2-python", sys.executable, "--pure")
    assert status == 1
    assert [line["kernels"] for line in lines[:2]][1] == "pure JAX"
    (brian2,) = [line for line in lines if line.get("simulator") == "brian2"]
    assert "No module named 'brian2'" in brian2["error"]
    assert PEERS["brian2"].install in brian2["error"]
    assert not [line for line in lines if "against" in line]


@pytest.mark.parametrize(("prints", "status"), [("", 0), (json.dumps(LINE), 3), ("no JSON\n", 0)])
def test_a_simulator_that_fails(tmp_path: pathlib.Path, prints: str, status: int) -> None:
    result = run_peer("nest", interpreter(tmp_path, prints, status), "cuba", ())
    assert f"ended with {status}" in result["error"]
    assert "went wrong" in result["error"]


def test_a_python_that_is_not_there(tmp_path: pathlib.Path) -> None:
    result = run_peer("nest", str(tmp_path / "absent"), "cuba", ())
    assert "No such file" in result["error"]


def test_tasks_of_peers() -> None:
    assert set(SIMULATION) == {task for peer in PEERS.values() for task in peer.tasks}
    assert "brunel" in run_peer("sparx", sys.executable, "adexnet", ())["skipped"]


@pytest.mark.parametrize("name", PEERS)
def test_the_script_has_the_tasks_of_the_table(name: str) -> None:
    path = ROOT / "benchmarks" / "peers" / f"{name}_tasks.py"
    scope: dict[str, Any] = {}
    line = next(line for line in path.read_text().splitlines() if line.startswith("TASKS = "))
    exec(line, scope)
    assert scope["TASKS"] == PEERS[name].tasks


def test_ratios_and_rates() -> None:
    own = {"kernels": "native", "run_s_per_bio_s": 0.5, "run_s_per_bio_s_min": 0.5, "rate_Hz": 5.0}
    found = comparison(own, LINE)
    assert found["run_s_per_bio_s ratio"] == 4.0
    assert found["run_s_per_bio_s_min ratio"] == 2.0
    assert found["rate_Hz difference %"] == 10.0
    assert "rate_Hz difference %" not in comparison({**own, "rate_Hz": 0.0}, LINE)
