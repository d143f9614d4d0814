"""The command itself: on the reference files kept here, on files that are wrong, and on files of other names."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.oracles import FAMILIES

ROOT = pathlib.Path(__file__).parents[2]
DATA = ROOT / "tests" / "reference" / "data"
TESTED_ELSEWHERE = ("spike_metrics", "stimuli_stats")
NAMES = sorted(p.stem for p in DATA.glob("*.json") if p.stem in FAMILIES and p.stem not in TESTED_ELSEWHERE)


def oracles(folder: pathlib.Path, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and the JSON lines of a run."""
    command = [sys.executable, "-m", "benchmarks", "oracles", str(folder), "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def outcome() -> tuple[int, dict[str, dict[str, Any]]]:
    status, lines = oracles(DATA, "--only", *NAMES)
    return status, {line["file"]: line for line in lines}


@pytest.mark.parametrize("name", NAMES)
def test_reference_files(outcome: tuple[int, dict[str, dict[str, Any]]], name: str) -> None:
    status, lines = outcome
    line = lines[name]
    assert line["pass"], line["first_failure"]
    assert line["cases_passed"] == line["cases"] > 0
    assert line["worst_error"] <= line["tolerance"]
    assert status == 0


def test_all_kept_files_are_known() -> None:
    assert len(NAMES) >= 8


def test_wrong_numbers_unknown_kinds_and_unknown_names(tmp_path: pathlib.Path) -> None:
    stp = json.loads((DATA / "stp.json").read_text())
    first, second = stp["sets"]
    stp["sets"][second]["A_tu2000"][3] += 1e-3
    (tmp_path / "science").mkdir()
    (tmp_path / "science" / "stp.json").write_text(json.dumps(stp))
    psp = json.loads((DATA / "psp_traces.json").read_text())
    psp = {"tolerance": psp["tolerance"], "linear": [{**psp["linear"][0], "kind": "gamma"}]}
    (tmp_path / "psp_traces.json").write_text(json.dumps(psp))
    (tmp_path / "lif_rates.json").write_text('{"tolerance": {"formula": NaN}}')
    (tmp_path / "weather.json").write_text("{}")
    (tmp_path / "cases_stp.json").write_text("{}")
    status, lines = oracles(tmp_path)
    by_name = {line["file"]: line for line in lines}
    assert status == 1
    assert by_name["weather"] == {"file": "weather", "known": False}
    assert set(by_name) == {"stp", "psp_traces", "lif_rates", "weather"}
    assert (by_name["stp"]["cases_passed"], by_name["stp"]["cases"]) == (1, 2)
    assert second in by_name["stp"]["first_failure"]
    assert first not in by_name["stp"]["first_failure"]
    assert "gamma" in by_name["psp_traces"]["first_failure"]
    assert "strict JSON" in by_name["lif_rates"]["first_failure"]


def test_a_folder_without_known_files_fails(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "oracles"]
    for folder in (tmp_path, tmp_path / "absent"):
        done = subprocess.run([*command, str(folder)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 1
        assert "no " in done.stdout
