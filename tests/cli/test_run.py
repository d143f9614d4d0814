"""`jaxsyn run`: what it writes, that a resumed run ends as an uninterrupted one, and how it fails."""

import io
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js
from jaxsyn import checkpoint
from jaxsyn.cli._build import Builder
from jaxsyn.cli._config import parse, read

from .conftest import SMALL, call, changed

Write = Callable[..., pathlib.Path]
ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ("spikes.npz", "states.npz", "raster.png")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Results of an uninterrupted run of the small configuration."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "net.json").write_text(json.dumps(SMALL))
    result = call("run", folder / "net.json", "--out", folder / "out")
    assert result.exit_code == 0, result.stderr
    assert "60 ms of 25 neurons" in result.stdout
    return folder / "out"


def events(stderr: str) -> list[dict[str, Any]]:
    """The JSON lines of --log-json; every line is one."""
    return [json.loads(line) for line in stderr.splitlines()]


def test_results_are_those_of_the_library(whole: pathlib.Path) -> None:
    file = whole / "config.json"
    builder = Builder(file, parse(file, read(file)))
    solution = js.simulate(builder.network(), 60.0, record=builder.records())
    with np.load(whole / "spikes.npz") as spikes:
        for name in ("E", "I"):
            assert len(spikes[f"{name}/times_ms"]) > 0
            assert np.array_equal(spikes[f"{name}/times_ms"], solution.spikes[name].times_ms)
            assert np.array_equal(spikes[f"{name}/neurons"], solution.spikes[name].neurons)
        assert (int(spikes["E/n"]), float(spikes["t_stop_ms"])) == (20, 60.0)
    with np.load(whole / "states.npz") as states:
        assert np.array_equal(states["E.V_mV/values"], solution.states["E.V_mV"].values)
        assert np.array_equal(states["E.V_mV/times_ms"], np.arange(1.0, 61.0))
        assert (states["E.V_mV/index"].tolist(), str(states["E.V_mV/unit"])) == ([0, 1], "mV")
        assert np.array_equal(states["rate E/values"], solution.reductions["rate E"].values)
        assert np.array_equal(states["count I/values"], solution.reductions["count I"])
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["populations"]["E"]["spikes"] == len(solution.spikes["E"])
    assert summary["populations"]["E"]["rate_Hz"] == pytest.approx(solution.spikes["E"].rate_Hz())
    assert {"neurons": 25, "dt_ms": 0.1, "seed": 1, "result": "done"}.items() <= summary.items()
    assert (whole / "raster.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(file.read_text()) == SMALL
    assert checkpoint.latest(whole / "checkpoints") == 600


def test_a_killed_run_goes_on_to_the_same_results(whole: pathlib.Path, write: Write, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "jaxsyn", "run", str(write(SMALL)), "--out", str(out), "--log-json"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if json.loads(line).get("t_ms") == 20.0:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    assert not (out / "spikes.npz").exists()
    reached = checkpoint.latest(out / "checkpoints")
    assert reached is not None
    result = call("run", tmp_path / "net.json", "--out", out, "--resume", "--log-json")
    assert result.exit_code == 0, result.stderr
    log = events(result.stderr)
    assert {"event": "resumed", "t_ms": reached / 10}.items() <= log[1].items()
    assert log[-1]["event"] == "done"
    for name in RESULTS:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def test_resuming_a_finished_run_writes_the_same_again(whole: pathlib.Path, tmp_path: pathlib.Path) -> None:
    import shutil

    shutil.copytree(whole, tmp_path / "out")
    for name in RESULTS:
        (tmp_path / "out" / name).unlink()
    result = call("run", tmp_path / "out" / "config.json", "--out", tmp_path / "out", "--resume")
    assert result.exit_code == 0, result.stderr
    for name in RESULTS:
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_longer_run_goes_on_from_the_end(whole: pathlib.Path, write: Write, tmp_path: pathlib.Path) -> None:
    import shutil

    shutil.copytree(whole, tmp_path / "out")
    result = call("run", write(changed("run.duration_ms", 80.0)), "--out", tmp_path / "out", "--resume")
    assert result.exit_code == 0, result.stderr
    with np.load(tmp_path / "out" / "spikes.npz") as longer, np.load(whole / "spikes.npz") as first:
        times = longer["E/times_ms"]
        assert np.array_equal(times[times <= 60.0], first["E/times_ms"])
        assert times.max() > 60.0
    assert json.loads((tmp_path / "out" / "config.json").read_text())["run"]["duration_ms"] == 80.0


def test_resume_without_a_checkpoint_starts_at_the_beginning(write: Write, tmp_path: pathlib.Path) -> None:
    config = changed("run.duration_ms", 1.0)
    config["run"]["record"] = [{"kind": "mean", "variable": "E.V_mV"}]
    result = call("run", write(config), "--out", tmp_path / "out", "--resume", "--log-json")
    assert result.exit_code == 0, result.stderr
    assert events(result.stderr)[1]["event"] == "no checkpoint yet, starting at 0 ms"
    assert not (tmp_path / "out" / "raster.png").exists()  # no spikes were recorded
    with np.load(tmp_path / "out" / "states.npz") as states:
        assert states["mean E.V_mV/values"].shape == (10,)


@pytest.mark.parametrize(
    ("path", "value", "field", "said"),
    [
        ("network.seed", 2, "--resume", "seed is 2, the checkpoint has 1"),
        ("populations.E.size", 21, "--resume", "population 'E' has 21 neurons, the checkpoint has 20"),
        ("run.duration_ms", 40.0, "run.duration_ms", ">= 60, where the run already is"),
        ("run.record", [{"kind": "spikes"}], "run.record", "the records of the run that is resumed"),
    ],
)
def test_another_run_is_not_resumed(
    whole: pathlib.Path, write: Write, path: str, value: Any, field: str, said: str
) -> None:
    before = {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    result = call("run", write(changed(path, value)), "--out", whole, "--resume")
    assert result.exit_code == 2
    assert f"net.json: {field}\n" in result.stderr
    assert said in result.stderr
    assert "strict" not in result.stderr  # no option of the command line
    assert {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()} == before


def test_results_are_not_overwritten_unasked(whole: pathlib.Path, write: Write, tmp_path: pathlib.Path) -> None:
    import shutil

    result = call("run", write(SMALL), "--out", whole)
    assert result.exit_code == 2
    assert "holds a run" in result.stderr
    assert "--resume" in result.stderr
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    quick = changed("run", {"duration_ms": 2.0})
    result = call("run", write(quick), "--out", out, "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert json.loads((out / "summary.json").read_text())["t_stop_ms"] == 2.0
    assert not (out / "records").exists()  # nothing was streamed without checkpoints
    assert [e.step for e in checkpoint._folder.entries(out / "checkpoints")] == [20]


def test_a_damaged_stream_is_refused(whole: pathlib.Path, tmp_path: pathlib.Path) -> None:
    import shutil

    out = tmp_path / "out"
    shutil.copytree(whole, out)
    chunk = min(out.glob("records/*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:-30])
    result = call("run", out / "config.json", "--out", out, "--resume", "--log-json")
    assert result.exit_code == 1
    last = events(result.stderr)[-1]
    assert (last["event"], last["level"]) == ("run failed", "error")
    assert f"{chunk.name}: cannot be read" in last["reason"]


def test_a_run_that_goes_wrong_ends_with_1_and_keeps_its_checkpoint(write: Write, tmp_path: pathlib.Path) -> None:
    config = changed("stimuli.bias", {"kind": "step", "target": "I", "I_pA": 3e38, "start_ms": 30.0})
    config["populations"]["I"]["integrator"] = "RK4"
    config["populations"]["I"]["parameters"] = {"C_pF": 1e-3}
    result = call("run", write(config), "--out", tmp_path / "out", "--log-json")
    assert result.exit_code == 1
    last = events(result.stderr)[-1]
    assert last["kind"] == "SimulationError"
    assert "population 'I': V_mV" in last["reason"]
    assert checkpoint.latest(tmp_path / "out" / "checkpoints") == 200


@pytest.mark.parametrize(
    ("path", "value", "field", "said"),
    [
        ("run.record.1.variable", "E.U_mV", "run", "unknown variable 'E.U_mV'; 'E' has V_mV"),
        ("run.record.1.index", [99], "run", "index 99 is out of range; 'E' has 20 neurons"),
        (
            "stimuli.late",
            {"kind": "spike_times", "target": "E", "times_ms": [70.0], "neurons": 0, "weight_pA": 1.0},
            "stimuli.late",
            "has spikes up to 70 ms, but the run ends at 60 ms",
        ),
    ],
)
def test_what_only_the_run_can_refuse(
    write: Write, tmp_path: pathlib.Path, path: str, value: Any, field: str, said: str
) -> None:
    file = write(changed(path, value))
    result = call("run", file, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert f"{file}: {field}\n" in result.stderr
    assert said in result.stderr
    write(SMALL | {"run": {"duration_ms": 1.0}})
    assert call("run", file, "--out", tmp_path / "out").exit_code == 0  # nothing stands in the way of the next try


def test_bad_usage_ends_with_2(write: Write, tmp_path: pathlib.Path) -> None:
    assert call("run").exit_code == 2
    assert call("run", write(SMALL), "--fast").exit_code == 2
    assert call("run", write(SMALL), "--resume", "--overwrite").exit_code == 2
    assert call("walk").exit_code == 2
    (tmp_path / "file").write_text("")
    result = call("run", write(SMALL), "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert "which is a file" in result.stderr


def test_problems_in_json_are_one_line(write: Write, tmp_path: pathlib.Path) -> None:
    file = write(changed("populations.E.sise", 3))
    result = call("run", file, "--out", tmp_path / "out", "--log-json")
    assert result.exit_code == 2
    (line,) = events(result.stderr)
    assert line["event"] == "bad configuration"
    (problem,) = line["problems"]
    assert (problem["file"], problem["field"]) == (str(file), "populations.E.sise")
    assert problem["got"] == "unknown key 'sise'"
    assert "size" in problem["allowed"]
    assert problem["remedy"] == "did you mean size?"


@pytest.mark.parametrize(("error", "said"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("odd"), "run failed")])
def test_other_ends(
    write: Write, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, said: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("jaxsyn.cli._run.simulate", stop)
    result = call("run", write(SMALL), "--out", tmp_path / "out", "--log-json")
    assert result.exit_code == 1
    last = events(result.stderr)[-1]
    assert last["event"] == said
    assert ("Traceback" in last.get("exception", "")) == (said == "run failed")


def test_a_disk_that_is_full_is_no_traceback(
    write: Write, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxsyn.cli._run.write_npz", full)
    config = changed("run", {"duration_ms": 1.0})
    result = call("run", write(config), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_example_runs(tmp_path: pathlib.Path) -> None:
    result = call("run", ROOT / "docs" / "examples" / "balanced.toml", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert 2.0 < summary["populations"]["E"]["rate_Hz"] < 20.0
    assert summary["populations"]["I"]["rate_Hz"] > summary["populations"]["E"]["rate_Hz"]
    assert (tmp_path / "out" / "config.toml").exists()


def test_the_default_folder_is_named_after_the_configuration(
    write: Write, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("run", write({**SMALL, "run": {"duration_ms": 1.0}}, "tiny.json")).exit_code == 0
    assert (tmp_path / "tiny-out" / "summary.json").exists()


def test_files_appear_whole(tmp_path: pathlib.Path) -> None:
    from jaxsyn._core import write_whole

    (tmp_path / "a").write_text("old")

    def half(file: Any) -> None:
        file.write(b"ne")
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_whole(tmp_path / "a", half)
    assert (tmp_path / "a").read_text() == "old"


def test_messages_for_people_are_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from jaxsyn.cli._log import make_logger

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    make_logger(False).info("checkpoint", t_ms=20.0)
    assert "checkpoint" in stream.getvalue()
    assert "t_ms=20.0" in stream.getvalue()
    assert os.linesep not in stream.getvalue().strip()
