"""What `peers` does with simulators that are absent, broken or there; the simulators themselves are not installed."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.peers import PEERS, comparison, run_peer, training
from benchmarks.speed import SIMULATION, TRAINING

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ("--n", "400", "--bio", "0.02", "--repeats", "1")
LINE = {"task": "cuba", "n": 400, "threads": 1, "run_s_per_bio_s": 2.0, "run_s_per_bio_s_min": 1.0, "rate_Hz": 5.5}
LINE |= {"kernels": "sparx 1.0"}


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
    assert by_name["spyx"]["skipped"] == "its script has ff, rec"
    for name in set(PEERS) - {"sparx", "spyx"}:
        assert PEERS[name].install in by_name[name]["skipped"]
        assert f"--{name}-python" in by_name[name]["skipped"]
    assert by_name["sparx"] == {"simulator": "sparx", **LINE}
    asked = (tmp_path / "asked").read_text()
    assert "sparx_tasks.py cuba --n 400 --bio 0.02 --threads 1 --repeats 1 --seed 1" in asked
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
    assert {*SIMULATION, *TRAINING} == {task for peer in PEERS.values() for task in peer.tasks}
    assert "brunel" in run_peer("sparx", sys.executable, "adexnet", ())["skipped"]


SCRIPTS = [(name, kind) for name, peer in PEERS.items() for kind in (SIMULATION, TRAINING) if {*kind} & {*peer.tasks}]


@pytest.mark.parametrize(("name", "kind"), [pair for pair in SCRIPTS if pair[1] is SIMULATION])
def test_the_script_has_the_tasks_of_the_table(name: str, kind: tuple[str, ...]) -> None:
    path = ROOT / "benchmarks" / "peers" / f"{name}_tasks.py"
    scope: dict[str, Any] = {}
    line = next(line for line in path.read_text().splitlines() if line.startswith("TASKS = "))
    exec(line, scope)
    assert set(scope["TASKS"]) == set(PEERS[name].tasks) & set(kind)


def test_each_framework_that_trains_has_a_script() -> None:
    assert training.TASKS == TRAINING
    for name, kind in SCRIPTS:
        if kind is TRAINING:
            assert (ROOT / "benchmarks" / "peers" / f"{name}_training.py").exists()


def test_steps_of_training_are_compared_too(tmp_path: pathlib.Path) -> None:
    line = {"task": "rec", "ms_per_step": 60.0, "ms_per_step_min": 50.0, "loss": 3.3, "kernels": "spyx 1"}
    python = interpreter(tmp_path, json.dumps(line))
    result = run_peer("spyx", python, "rec", ("--T", "100"))
    assert "spyx_training.py rec --T 100" in (tmp_path / "asked").read_text()
    found = comparison({"kernels": "native", "ms_per_step": 20.0, "ms_per_step_min": 20.0, "loss": 3.0}, result)
    assert found["ms_per_step ratio"] == 3.0
    assert found["ms_per_step_min ratio"] == 2.5
    assert found["loss difference %"] == 10.0


def test_the_line_of_a_training_script(capsys: pytest.CaptureFixture[str]) -> None:
    """What the scripts of the others print: the first loss, and times of steps behind three that warm up."""
    losses = iter(range(3, 10))
    options = argparse.Namespace(task="ff", T=5, density=0.1, threads=1, repeats=4)
    training.measure(options, "some 1.0", lambda: 7.0, lambda: next(losses))
    line = json.loads(capsys.readouterr().out)
    assert (line["loss"], line["peak_MB"], line["T"], line["kernels"]) == (3.0, 7.0, 5, "some 1.0")
    assert 0.0 <= line["ms_per_step_min"] <= line["ms_per_step"]
    assert list(losses) == []
    spikes, labels = training.samples(50, 0.1, 0)
    assert spikes.shape == (50, training.BATCH, training.N_IN)
    assert spikes.mean() == pytest.approx(0.1, rel=0.01)
    assert set(labels) == set(range(training.N_OUT))


def test_ratios_and_rates() -> None:
    own = {"kernels": "native", "run_s_per_bio_s": 0.5, "run_s_per_bio_s_min": 0.5, "rate_Hz": 5.0}
    found = comparison(own, LINE)
    assert found["run_s_per_bio_s ratio"] == 4.0
    assert found["run_s_per_bio_s_min ratio"] == 2.0
    assert found["rate_Hz difference %"] == 10.0
    assert "rate_Hz difference %" not in comparison({**own, "rate_Hz": 0.0}, LINE)
