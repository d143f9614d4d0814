"""Each task at a small size, the keys it prints, what its figures mean, and what the command refuses."""

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from benchmarks.speed import OPERATIONS, SIMULATION, add_arguments
from benchmarks.speed._limit import bytes_per_s
from benchmarks.speed._measure import OPERATIONS as FUNCTIONS
from benchmarks.speed._measure import measure
from benchmarks.speed._measurement import Measurement
from benchmarks.speed._tasks import TASKS

ROOT = pathlib.Path(__file__).parents[2]
KEYS = {"task", "n", "synapses", "threads", "compile_s", "build_s", "run_s_per_bio_s", "rate_Hz", "peak_MB", "kernels"}
KEYS |= {"run_s_per_bio_s_min", "run_s_per_bio_s_max"}
OWN = {
    **{task: {"limit_s_per_bio_s"} for task in SIMULATION},
    "propagate": {"us_per_call", "ns_per_event"},
    "poisson": {"ns_per_draw", "ns_per_draw_each"},
    "compact": {"us_per_call"},
    "batch": {"lanes", "ratio", "one_run_s_per_bio_s"},
    "sweep": {"runs_per_s_alone", "runs_per_s_8", "runs_per_s_64", "ratio_8", "ratio_64"},
    "growth": {"exponent", "of_each_n"},
    "gradient": {"ratio_trainable", "ratio_gradient", "finite", "gradient_norm", "smooth_error"},
    "build": {"final_MB", "grown_MB", "peak_over_final"},
}
SIZES = {"pd14": "1", "growth": "10000"}


def arguments(task: str, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([task, "--n", SIZES.get(task, "400"), "--bio", "0.02", "--repeats", "2", *more])


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True)


def check(line: dict[str, Any], task: str) -> None:
    assert set(line) == KEYS | OWN[task]
    assert json.loads(json.dumps(line)) == line
    assert (line["task"], line["threads"]) == (task, 1)
    assert line["peak_MB"] > 10
    if task != "build":
        assert 0 < line["run_s_per_bio_s_min"] <= line["run_s_per_bio_s"] <= line["run_s_per_bio_s_max"]
        assert line["compile_s"] > 0


def test_every_task_has_a_measurement() -> None:
    assert set(SIMULATION) == set(TASKS)
    assert set(OPERATIONS) == set(FUNCTIONS)


@pytest.mark.parametrize("task", SIMULATION)
def test_networks(task: str) -> None:
    line = measure(arguments(task), None)
    check(line, task)
    assert (line["synapses"] > 0) == (task != "adex")
    assert line["build_s"] > 0
    assert 0 < line["limit_s_per_bio_s"] < line["run_s_per_bio_s"]


@pytest.mark.parametrize("native", [None, False])
@pytest.mark.parametrize("task", ["propagate", "poisson", "compact", "batch", "sweep"])
def test_operations(task: str, native: bool | None) -> None:
    line = measure(arguments(task), native)
    check(line, task)
    assert line["n"] == 400
    if native is False:
        assert line["kernels"] == "pure JAX"
    if "us_per_call" in line:  # one call in each step of 0.1 ms
        assert line["us_per_call"] == pytest.approx(line["run_s_per_bio_s"] * 100, rel=0.01, abs=0.11)


def test_what_operations_deliver() -> None:
    propagate = measure(arguments("propagate"), None)
    assert propagate["synapses"] == pytest.approx(16_000, rel=0.1)
    assert propagate["rate_Hz"] == 1000.0
    assert measure(arguments("poisson"), None)["rate_Hz"] == pytest.approx(10_000, rel=0.3)
    assert measure(arguments("compact", "--n", "10000"), None)["rate_Hz"] == 8.0
    build = measure(arguments("build"), None)
    check(build, "build")
    assert build["run_s_per_bio_s"] is None
    assert build["synapses"] == 400 * 400
    ratio = build["grown_MB"] / build["final_MB"]  # of numbers rounded to 0.1 MB: little where memory is used again
    assert build["peak_over_final"] == pytest.approx(ratio, rel=0.1, abs=0.1)


def test_the_gradient_of_a_conductance_network() -> None:
    line = measure(arguments("gradient"), None)
    check(line, "gradient")
    assert line["finite"]
    assert line["gradient_norm"] > 0
    assert line["smooth_error"] < 1e-6


@pytest.mark.parametrize("task", ["ff", "rec"])
def test_training_tasks(task: str) -> None:
    done = command("speed", task, "--T", "4", "--density", "0.3", "--plain", "--repeats", "1", "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert (line["task"], line["T"], line["density"], line["batch"]) == (task, 4, 0.3, 128)
    assert line["ms_per_step"] > 0
    assert line["plain_ms_per_step"] > 0
    assert line["gradient_error"] < 1e-5


def test_growth_fits_the_slope_over_processes_of_their_own() -> None:
    line = measure(arguments("growth"), None)
    check(line, "growth")
    small, large = line["of_each_n"]
    assert (small["n"], large["n"], line["n"]) == (1000, 10_000, 10_000)
    assert line["peak_MB"] == large["peak_MB"]
    assert line["exponent"] == pytest.approx(np.log10(large["run_s_per_bio_s"] / small["run_s_per_bio_s"]), abs=1e-3)
    with pytest.raises(SystemExit, match="10000"):
        measure(arguments("growth", "--n", "9999"), None)


def test_the_command_prints_one_line_for_each_kind_of_kernels() -> None:
    done = command("speed", "cuba", "--n", "400", "--bio", "0.02", "--repeats", "1", "--native", "--pure", "--json")
    if done.returncode:
        assert "native: got True" in done.stderr
        return
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kernels"] for line in lines] == ["native", "pure JAX"]
    assert lines[0]["synapses"] == lines[1]["synapses"]
    assert lines[0]["rate_Hz"] == pytest.approx(lines[1]["rate_Hz"], rel=0.2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["weather"], "invalid choice"),
        (["cuba", "--repeats", "0"], "--repeats"),
        (["cuba", "--threads", "0"], "--threads"),
        (["cuba", "--threads", "100000"], "cores"),
        (["cuba", "--bio", "0"], "--bio"),
        (["cuba", "--bio", "nan"], "--bio"),
        (["cuba", "--n", "0"], "--n"),
        (["cuba", "--seed", "-1"], "--seed"),
    ],
)
def test_bad_arguments(words: list[str], says: str) -> None:
    done = command("speed", *words)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_measurement_without_runs() -> None:
    line = Measurement(1, 0, False, 0.0, 0.0, [], None).line("x", 2)
    assert (line["run_s_per_bio_s"], line["run_s_per_bio_s_min"], line["rate_Hz"]) == (None, None, None)
    line = Measurement(1, 0, False, 0.0, 0.0, [3.0, 1.0, 2.0], 1.0).line("x", 2)
    assert [line[f"run_s_per_bio_s{end}"] for end in ("_min", "", "_max")] == [1.0, 2.0, 3.0]


def test_small_buffers_move_faster_than_large_ones() -> None:
    assert bytes_per_s(32_768, 1) > 0.5 * bytes_per_s(2**28, 1) > 1e8
