"""The report from results that are made up: what is run, kept, refused, written and drawn."""

import hashlib
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.peers import PEERS
from benchmarks.report import _store
from benchmarks.report._figures import draw
from benchmarks.report._goals import GOALS
from benchmarks.report._page import CAPTIONS, compared, page
from benchmarks.report._plan import CELLS, LONG, OPERATIONS, TRAINING, Run, plan
from benchmarks.report._store import Line, Results, execute, machine
from benchmarks.speed import SIMULATION

ROOT = pathlib.Path(__file__).parents[2]
HERE = {"cpu": "Abacus 1", "cores": 2, "memory_GB": 1.0, "system": "Linux", "Python": "3.11", "jax": "0.10.2"}


def made_up(run: Run) -> Line:
    """A line that has the keys of a real one; peers take twice our time, Brian2 half."""
    size = next((int(v) for k, v in zip(run.options, run.options[1:], strict=False) if k == "--n"), 1000)
    jitter = int(hashlib.sha256(run.key.encode()).hexdigest()[:2], 16) / 2560
    took = {"jaxsyn": 1.0, "brian2": 0.5}.get(run.simulator, 2.0) * (1.0 + jitter) * size / 4000
    took *= 3.0 if "--pure" in run.options else 1.0
    line = {"simulator": run.simulator, "task": run.task, "n": size, "synapses": 80 * size, "threads": 1}
    line |= {"run_s_per_bio_s": took, "run_s_per_bio_s_min": 0.9 * took, "run_s_per_bio_s_max": 1.1 * took}
    line |= {"compile_s": 0.5, "build_s": 0.25, "rate_Hz": 20.0 + jitter, "peak_MB": 300.0}
    line |= {"kernels": "native" if run.simulator == "jaxsyn" else f"{run.simulator} 1.0"}
    own: dict[str, Line] = {
        "propagate": {"us_per_call": 4.0, "ns_per_event": 0.4},
        "poisson": {"ns_per_draw": 0.5, "ns_per_draw_each": 3.0},
        "compact": {"us_per_call": 4.0},
        "batch": {"ratio": 6.0},
        "build": {"peak_over_final": 2.0, "final_MB": 800.0},
        "growth": {"exponent": 0.9},
        "long": {"steps": 1_000_000, "chunks": 500, "memory_first_MB": 400.0, "memory_last_MB": 401.0},
    }
    own |= {key: {"ms_per_step": 50.0, "plain_ms_per_step": 100.0, "gradient_error": 1e-07} for key in ("ff", "rec")}
    own["growth"]["of_each_n"] = [{**line, "n": n, "run_s_per_bio_s": n / 1e4} for n in (1000, 10_000, 100_000)]
    own["long"] |= {"memory_growth": 0.0025, "last_spikes": 5, "spikes_equal": True, "state_equal": True, "ok": True}
    return line | own.get(run.task, {"limit_s_per_bio_s": 0.1})


@pytest.fixture
def full(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(_store, "commit", lambda: "abc1234")
    results = Results.open(tmp_path / "results.jsonl", HERE)
    for run in plan():
        results.append(run.key, made_up(run))
    return results


def test_the_plan_runs_each_thing_once_and_every_task() -> None:
    runs = plan()
    assert len({run.key for run in runs}) == len(runs)
    assert {run.task for run in runs if run.group == "networks"} == set(SIMULATION)
    for run in runs:
        if run.simulator != "jaxsyn":
            assert run.task in PEERS[run.simulator].tasks
    assert all(run.options[run.options.index("--repeats") + 1] == "3" for cell in CELLS for run in cell.ours())


def test_results_are_kept_and_read_back(full: Results) -> None:
    again = Results.open(full.path, HERE)
    assert again.lines == full.lines
    assert page(again, []) == page(full, [])
    assert json.loads(full.path.read_text().splitlines()[0]) == {"machine": HERE}


def test_another_machine_or_a_damaged_file_is_refused(full: Results, tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match="cores 2 there, 4 here"):
        Results.open(full.path, {**HERE, "cores": 4})
    for text in ("", "{", "[1]\n", '{"machine": {}}\n{"task": "cuba"}\n', "{}\n"):
        path = tmp_path / "damaged.jsonl"
        path.write_text(text)
        with pytest.raises(SystemExit, match=r"damaged\.jsonl is no file of results"):
            Results.open(path, HERE)


def test_the_page_says_what_was_found(full: Results) -> None:
    text = page(full, ["figures/bench_peers.svg"])
    assert text.count("## ") == text.count("\n## ") + text.count("### ")
    for words in ("Abacus 1, 2 cores, 1 GB", "jaxsyn at abc1234", "brian2 1.0; nest 1.0; sparx 1.0", "N to the 0.900"):
        assert words in text
    assert f"![{CAPTIONS['bench_peers.svg']}](figures/bench_peers.svg)" in text
    slower = text.split("## Where jaxsyn is slower")[1].split("##")[0]
    assert len(slower.strip().splitlines()) == sum("brian2" in cell.peers for cell in CELLS)
    assert "sparx" not in slower
    for run in (*OPERATIONS.values(), *TRAINING.values()):
        assert f"`python -m benchmarks {' '.join(('speed', run.task, *run.options))}`" in text
    assert "`python -m benchmarks peers brunel --n 12500 --threads 2 --repeats 3 --bio 0.3`" in text
    assert "--n 100 --threads 2 --repeats 3 --bio 0.5`; NEST one run" in text
    assert "All rates lie within 10 % of ours" in text
    assert "400 MB, at the end 401 MB; growth 0.25 %" in text
    assert all(len(line) <= 120 or line[0] in "|!-#" or "`" in line for line in text.splitlines() if line)


def test_goals_are_met_or_not(full: Results) -> None:
    rows = {row[0]: row for goal in GOALS if (row := goal.row(full)) is not None}
    assert len(rows) == len(GOALS)
    assert rows["propagate: one call"] == ["propagate: one call", "at most 10 us", "4", "yes"]
    assert rows["1e8 synapses: peak over final memory"][2:] == ["2", "**no**"]
    cuba = next(row for what, row in rows.items() if what.startswith("cuba 4000, 1 thread"))
    own, (peer,) = full.together(CELLS[0].ours()), [full.of(CELLS[0].theirs()["brian2"])]
    assert own is not None
    assert peer is not None
    assert float(cuba[2]) == pytest.approx(peer["run_s_per_bio_s"] / own["run_s_per_bio_s"], rel=0.01)
    assert cuba[3] == "**no**"
    empty = Results(full.path, HERE, {})
    assert not [goal for goal in GOALS if goal.row(empty) is not None]


def test_seeds_are_put_together(full: Results) -> None:
    cell = CELLS[0]
    lines = [full.of(run) for run in cell.ours()]
    one = full.together(cell.ours())
    assert one is not None
    assert len(lines) == cell.seeds == 3
    found = sorted(line["run_s_per_bio_s"] for line in lines if line is not None)
    assert one["run_s_per_bio_s"] == found[1]
    assert one["run_s_per_bio_s_min"] == pytest.approx(0.9 * found[0])
    assert one["run_s_per_bio_s_max"] == pytest.approx(1.1 * found[2])
    assert one["rate_Hz_min"] < one["rate_Hz"] < one["rate_Hz_max"]


def test_rates_apart_are_named(full: Results) -> None:
    run = CELLS[0].theirs()["nest"]
    full.append(run.key, {**made_up(run), "rate_Hz": 30.0})
    assert "- cuba 4000, 1 thread: NEST by +" in page(full, [])


def test_pictures(full: Results, tmp_path: pathlib.Path) -> None:
    made = draw(full, tmp_path / "figures")
    assert {path.name for path in made} == set(CAPTIONS)
    for path in made:
        assert path.read_text().startswith("<?xml")
    before = [path.read_bytes() for path in made]
    assert [path.read_bytes() for path in draw(full, tmp_path / "figures")] == before
    assert draw(Results(full.path, HERE, {}), tmp_path / "none") == []


@pytest.mark.parametrize("keep", ["jaxsyn", "brian2", "operations", "one"])
def test_a_page_of_a_part(full: Results, tmp_path: pathlib.Path, keep: str) -> None:
    runs = [run for run in plan() if keep in (run.simulator, run.group) or (keep == "one" and run == LONG)]
    part = Results(full.path, HERE, {run.key: full.lines[run.key] for run in runs})
    text = page(part, [])
    assert ("## Networks" in text) == (keep == "jaxsyn") == bool(compared(part))
    assert ("## A long run" in text) == (keep in ("jaxsyn", "one"))
    draw(part, tmp_path / "figures")


def test_a_run_that_fails_is_an_error() -> None:
    line = execute(Run("networks", "jaxsyn", "cuba", ("--n", "0")), None)
    assert "--n must be at least 1" in line["error"]
    assert "error" in execute(Run("networks", "nest", "cuba"), sys.executable)


def test_the_machine_has_no_name() -> None:
    here = machine()
    assert set(here) == {"cpu", "cores", "memory_GB", "system", "Python", "jax", "jaxlib", "numpy"}
    assert here["cores"] >= 1
    assert here["memory_GB"] > 0.1


def test_the_command_runs_what_is_missing_and_writes(tmp_path: pathlib.Path) -> None:
    results = tmp_path / "results.jsonl"
    about = {"machine": machine()}
    skipped = [run for run in plan() if run.key != OPERATIONS["propagate"].key]
    lines: list[dict[str, Any]] = [about, *({"run": run.key, "commit": "", **made_up(run)} for run in skipped)]
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["report", "--results", str(results), "--write", str(tmp_path / "page.md")]
    command = [sys.executable, "-m", "benchmarks", *words]
    done = subprocess.run([*command, "--no-run"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "us a call" in (tmp_path / "page.md").read_text()
    assert len(results.read_text().splitlines()) == len(lines)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 of 1: jaxsyn propagate: ")
    new = json.loads(results.read_text().splitlines()[-1])
    assert new["run"] == "jaxsyn propagate"
    assert new["us_per_call"] > 0
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(CAPTIONS)


def test_nothing_to_write(tmp_path: pathlib.Path) -> None:
    words = ["report", "--results", str(tmp_path / "none.jsonl"), "--write", str(tmp_path / "page.md"), "--no-run"]
    done = subprocess.run([sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "holds no results" in done.stderr
    assert not (tmp_path / "page.md").exists()
