"""The long run at a small size: what it finds where all is well, and that it would see what is not."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import equinox as eqx
import pytest

import jaxsyn as js
from benchmarks.long import _run

ROOT = pathlib.Path(__file__).parents[2]


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "long", *words], cwd=ROOT, capture_output=True, text=True
    )


def test_memory_is_flat_and_the_resumed_run_is_the_same() -> None:
    done = command("--steps", "20000", "--n", "1000", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout)
    assert (line["task"], line["n"], line["steps"], line["chunks"]) == ("long", 1000, 20000, 20)
    assert line["synapses"] == 100_000
    assert line["memory_growth"] <= 0.01
    assert line["memory_growth"] <= line["memory_spread"] < 0.1
    assert line["spikes_equal"]
    assert line["state_equal"]
    assert line["last_spikes"] > 100
    assert line["rate_Hz"] == pytest.approx(line["spikes"] / 2000.0, abs=1e-3)


@pytest.mark.parametrize("fault", ["memory", "spikes"])
def test_faults_are_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "memory":
        leak = iter(range(400, 1000))
        monkeypatch.setattr(_run, "memory_MB", lambda: float(next(leak)))
    else:
        restore = js.checkpoint.restore

        def another(folder: pathlib.Path, net: js.Network, step: int) -> js.network.NetworkState:
            state = restore(folder, net, step=step)
            kicked = state.groups[0].membrane.neuron.V_mV.at[:].add(5.0)
            return eqx.tree_at(lambda s: s.groups[0].membrane.neuron.V_mV, state, kicked)

        monkeypatch.setattr(_run.js.checkpoint, "restore", another)
    line = _run.measure(400, 500, 1, 1)
    assert not line["ok"]
    assert line["spikes_equal"] == (fault == "memory")
    assert (line["memory_growth"] > 0.01) == (fault == "memory")


@pytest.mark.parametrize(("steps", "chunk"), [(1_000_000, 2000), (20_000, 1000), (40, 2), (40 * 7919, 20)])
def test_chunks_meet_the_middle(steps: int, chunk: int) -> None:
    found = _run.chunk_of(steps)
    assert found == chunk
    assert steps % (2 * found) == 0


def test_a_silent_run_proves_nothing() -> None:
    cells = js.Population(js.neurons.LIF(), 2)
    net = js.Network({"E": cells}, dt_ms=0.1)
    whole = js.simulate(net, 10.0, record=js.record.Spikes())
    assert _run.compare(whole, dataclasses.replace(whole), 100) == (0, 0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--steps", "30"], "--steps"),
        (["--steps", "41"], "--steps"),
        (["--n", "100"], "--n"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_bad_arguments(words: list[str], says: str) -> None:
    done = command(*words)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
