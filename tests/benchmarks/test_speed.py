"""The keys of `speed`, and what `peers` does without its peer."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
KEYS = {"task", "n", "synapses", "threads", "compile_s", "build_s", "run_s_per_bio_s", "rate_Hz", "peak_MB", "kernels"}
SMALL = ("--n", "400", "--bio", "0.02", "--repeats", "1", "--json")


def benchmarks(*arguments: str) -> tuple[int, list[dict]]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("task", ["cuba", "coba", "brunel", "adex", "adexnet"])
def test_speed(task: str) -> None:
    status, lines = benchmarks("speed", task, *SMALL)
    assert status == 0
    (line,) = lines
    assert set(line) >= KEYS
    assert (line["task"], line["n"], line["threads"]) == (task, 400, 1)
    assert line["run_s_per_bio_s"] > 0
    assert (line["synapses"] > 0) == (task != "adex")


@pytest.mark.parametrize("task", ["ff", "rec"])
def test_training_task(task: str) -> None:
    status, (line,) = benchmarks("speed", task, "--T", "4", "--density", "0.3", "--plain", "--repeats", "1", "--json")
    assert status == 0
    assert (line["task"], line["T"], line["density"], line["batch"]) == (task, 4, 0.3, 128)
    assert line["ms_per_step"] > 0
    assert line["plain_ms_per_step"] > 0
    assert line["gradient_error"] < 1e-5


def test_peers_without_brian2() -> None:
    status, lines = benchmarks("peers", "cuba", *SMALL, "--pure", "--brian2-python", sys.executable)
    assert status == 1
    assert [line["simulator"] for line in lines] == ["jaxsyn", "jaxsyn", "brian2"]
    assert [line.get("kernels") for line in lines][1] == "pure JAX"
    assert "brian2" in lines[2]["error"]
