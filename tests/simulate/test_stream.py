"""What streamed runs leave in a folder, read back as one solution."""

import pathlib
from typing import Any

import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.simulate import load_stream
from jaxsyn.simulate._store import FileStore, _malloc_trim

RECORDS = [
    js.record.Spikes(),
    js.record.State("E.V_mV", every_ms=0.7, index=range(3)),
    js.record.Mean("E.V_mV", every_ms=0.5),
    js.record.Rate("E", every_ms=3.0),
    js.record.SpikeCount("E"),
]


@pytest.fixture(scope="module")
def net() -> js.Network:
    drive = js.stimuli.OrnsteinUhlenbeck("E", mean_pA=150.0, sd_pA=100.0, tau_ms=5.0)
    return js.Network({"E": js.Population(js.neurons.LIF(), 20)}, stimuli={"drive": drive}, dt_ms=0.1)


@pytest.fixture(scope="module")
def whole(net: js.Network) -> js.Solution:
    return js.simulate(net, 40.0, record=RECORDS)


@pytest.fixture
def halves(net: js.Network, tmp_path: pathlib.Path) -> tuple[js.Solution, js.Solution]:
    first = js.simulate(net, 20.0, record=RECORDS, stream=tmp_path)
    rest = js.simulate(net, 20.0, record=RECORDS, stream=tmp_path, state=first.final_state)
    return first, rest


def assert_same(a: js.Solution, b: js.Solution) -> None:
    assert np.array_equal(a.spikes["E"].times_ms, b.spikes["E"].times_ms)
    assert np.array_equal(a.spikes["E"].neurons, b.spikes["E"].neurons)
    for x, y in ((a.states, b.states), (a.reductions, b.reductions)):
        assert x.keys() == y.keys()
        for name in x:
            left: Any = x[name].values if isinstance(x[name], js.Trace) else x[name]
            right: Any = y[name].values if isinstance(y[name], js.Trace) else y[name]
            assert np.array_equal(left, right)


def test_two_runs_are_one(
    net: js.Network, whole: js.Solution, halves: tuple[js.Solution, js.Solution], tmp_path: pathlib.Path
) -> None:
    read = load_stream(tmp_path, net, record=RECORDS, state=halves[1].final_state)
    assert len(read.spikes["E"]) > 0
    assert (read.t_start_ms, read.t_stop_ms) == (0.0, 40.0)
    assert_same(read, whole)


def test_each_run_gives_back_its_own_part(net: js.Network, halves: tuple[js.Solution, js.Solution]) -> None:
    alone = js.simulate(net, 20.0, record=RECORDS, state=halves[0].final_state)
    assert_same(halves[1], alone)
    assert halves[1].states["E.V_mV"].times_ms.min() > 20.0


def test_a_run_from_the_middle_replaces_what_came_after(
    net: js.Network, whole: js.Solution, halves: tuple[js.Solution, js.Solution], tmp_path: pathlib.Path
) -> None:
    js.simulate(net, 5.0, record=RECORDS, stream=tmp_path, state=halves[0].final_state)
    again = js.simulate(net, 20.0, record=RECORDS, stream=tmp_path, state=halves[0].final_state)
    assert_same(load_stream(tmp_path, net, record=RECORDS, state=again.final_state), whole)


def test_what_does_not_fit_is_refused(
    net: js.Network, halves: tuple[js.Solution, js.Solution], tmp_path: pathlib.Path
) -> None:
    first, rest = halves

    def refuse(message: str, records: Any = RECORDS, state: Any = rest.final_state) -> None:
        with pytest.raises(ValueError, match=message):
            load_stream(tmp_path, net, record=records, state=state)

    refuse("ends at step 400, but state is that of step 200", state=first.final_state)
    chunks = sorted(tmp_path.glob("chunk_*.npz"))
    content = chunks[0].read_bytes()
    chunks[0].write_bytes(content[:-20])
    refuse(rf"{chunks[0].name}: cannot be read .*; go on from a checkpoint before it")
    chunks[0].write_bytes(content)
    js.simulate(net, 5.0, record=js.record.SpikeCount("E"), stream=tmp_path, state=rest.final_state)
    chunks[-1].unlink()
    refuse("steps 200 to 400 are missing; run them again")
    for chunk in tmp_path.glob("chunk_*.npz"):
        chunk.unlink()
    refuse("no chunks there")


def test_what_was_not_recorded_is_named(net: js.Network, tmp_path: pathlib.Path) -> None:
    done = js.simulate(net, 2.0, record=js.record.SpikeCount("E"), stream=tmp_path)
    for record, name in ((RECORDS[0], "spikes/0/tick"), (RECORDS[1], "sample/E.V_mV"), (RECORDS[3], "window/E")):
        with pytest.raises(ValueError, match=rf"{name} was not recorded; load with the records of the run"):
            load_stream(tmp_path, net, record=record, state=done.final_state)


def test_a_loaded_stream_is_not_written(net: js.Network, tmp_path: pathlib.Path) -> None:
    from jaxsyn.simulate._stream import _Stream

    with pytest.raises(ValueError, match="read only"):
        _Stream([]).append(0, {})


@pytest.mark.skipif(_malloc_trim() is None, reason="the C library cannot give freed pages back")
def test_freed_memory_goes_back_to_the_system(tmp_path: pathlib.Path) -> None:
    def resident_MB() -> float:
        line = next(s for s in pathlib.Path("/proc/self/status").read_text().splitlines() if s.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    arrays = [np.ones(8192) for _ in range(2000)]  # 64 KiB each, below what glibc maps by itself
    pins = arrays[::10]
    del arrays
    before = resident_MB()
    FileStore(tmp_path, 0).append(0, {"span": np.zeros(2)})
    assert resident_MB() < before - 50.0
    assert len(pins) == 200
