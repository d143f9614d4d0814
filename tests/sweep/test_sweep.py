"""Sweeps: every lane is its single run, whatever is kept, wherever it is kept, however often it is interrupted."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.sweep import _axes as axes
from tests.simulate.zoo import simple
from tests.sweep import interrupted

RECORD = (
    js.record.Spikes(),
    js.record.State("a.V_mV", every_ms=5.0, index=(0, 7)),
    js.record.SpikeCount("a"),
    js.record.Rate("a", every_ms=10.0),
)
GAINS, RATES = [0.0, 1.0, 2.0], [2000.0, 6000.0]
GRID = {"projections.loop.gain": GAINS, "stimuli.drive.rate_Hz": RATES}


def summary(solution: js.Solution) -> Any:
    trains = solution.spikes["a"]
    return {"rate_Hz": trains.rate_Hz(), "parts": (len(trains), [np.arange(2), None])}


@pytest.fixture(scope="module")
def swept() -> js.Sweep:
    return js.sweep(simple(), GRID, 40.0, seeds=[5, 0], record=RECORD, summary=summary, batch_size=5)


def equal(a: js.Sweep, b: js.Sweep) -> bool:
    if a.shape != b.shape or list(a.results.ravel()) != list(b.results.ravel()):
        return False
    pairs = [(a.states[n].values, b.states[n].values) for n in a.states]
    for name in a.reductions:
        pair = a.reductions[name], b.reductions[name]
        pairs.append(tuple(np.asarray(getattr(x, "values", x)) for x in pair))  # type: ignore[arg-type]
    for index in np.ndindex(a.shape):
        mine, theirs = a.lane(*index).spikes, b.lane(*index).spikes
        pairs += [(mine[p].times_ms, theirs[p].times_ms) for p in mine]
        pairs += [(mine[p].neurons, theirs[p].neurons) for p in mine]
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


def test_every_lane_is_its_single_run(swept: js.Sweep) -> None:
    assert swept.dims == ("projections.loop.gain", "stimuli.drive.rate_Hz", "seed")
    assert swept.shape == (3, 2, 2)
    assert swept.reductions["count a"].shape == (3, 2, 2, 40)
    assert swept.states["a.V_mV"].values.shape == (3, 2, 2, 8, 2)
    assert swept.states["a.V_mV"].index == (0, 7)
    assert swept.states["a.V_mV"].unit == "mV"
    assert swept.reductions["rate a"].times_ms.tolist() == [10.0, 20.0, 30.0, 40.0]
    for index in ((0, 0, 0), (1, 1, 1), (2, 0, 1), (2, 1, 0)):
        lane = swept.lane(*index)
        values = {"projections.loop.gain": GAINS[index[0]], "stimuli.drive.rate_Hz": RATES[index[1]]}
        assert lane.parameters == {**values, "seed": [5, 0][index[2]]}
        one = js.simulate(js.network.with_parameters(simple(), lane.parameters), 40.0, record=RECORD)
        assert len(one.spikes["a"]) > 0
        assert np.array_equal(lane.spikes["a"].times_ms, one.spikes["a"].times_ms)
        assert np.array_equal(lane.spikes["a"].neurons, one.spikes["a"].neurons)
        assert np.array_equal(lane.states["a.V_mV"].values, one.states["a.V_mV"].values)
        assert np.array_equal(swept.reductions["count a"][index], one.reductions["count a"])
        assert np.array_equal(swept.reductions["rate a"].values[index], one.reductions["rate a"].values)
        assert lane.summary["rate_Hz"] == swept.summary["rate_Hz"][index] == one.spikes["a"].rate_Hz()
    assert len({len(swept.lane(*i).spikes["a"]) for i in np.ndindex(swept.shape)}) > 8


def test_a_lane_is_the_network_that_would_have_been_built_with_its_rate(swept: js.Sweep) -> None:
    """Tables of Poisson probabilities do not depend on the largest rate of the sweep."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
    integrator = js.neurons.Exact(on_grid=True)
    cells = js.Population(js.neurons.LIF(), 40, receptors, integrator=integrator, refractory_ms=0.5)
    loop = js.Projection("a", "a", js.connect.FixedProbability(0.2), weight_pA=32.0, delay_ms=0.3, gain=2.0)
    drive = js.stimuli.Poisson("a", rate_Hz=2000.0, weight_pA=64.0)
    net = js.Network({"a": cells}, {"loop": loop}, {"drive": drive}, dt_ms=0.1, seed=0)
    one = js.simulate(net, 40.0, record=RECORD)
    assert np.array_equal(swept.lane(2, 0, 1).spikes["a"].times_ms, one.spikes["a"].times_ms)


def test_the_form_of_a_summary_comes_back(swept: js.Sweep) -> None:
    found = swept.summary
    assert found["parts"][0].shape == (3, 2, 2)
    assert isinstance(found["parts"], tuple)
    assert found["parts"][1][0].shape == (3, 2, 2, 2)
    assert found["parts"][1][1] is None


def test_selection_by_value_and_place(swept: js.Sweep) -> None:
    part = swept.select({"projections.loop.gain": 1.0, "seed": [0, 5]})
    assert part.dims == ("stimuli.drive.rate_Hz", "seed")
    assert part.coordinates["seed"].tolist() == [0, 5]
    assert np.array_equal(part.reductions["count a"], swept.reductions["count a"][1][:, ::-1])
    one = part.select({"seed": 0, "stimuli.drive.rate_Hz": 6000.0})
    assert one.shape == ()
    assert one.lane().parameters == swept.lane(1, 1, 1).parameters
    assert one.summary["rate_Hz"] == swept.summary["rate_Hz"][1, 1, 1]
    for wanted, said in (
        ({"projections.loop.gain": 0.5}, r"got 0\.5; allowed: \[0\.0, 1\.0, 2\.0\]"),
        ({"projections.loop": 0.5}, "unknown dimension 'projections.loop'"),
    ):
        with pytest.raises(ValueError, match=said):
            swept.select(wanted)
    with pytest.raises(ValueError, match="allowed: one place in each dimension"):
        swept.lane(0, 0)
    with pytest.raises(ValueError, match="allowed: one place in each dimension"):
        swept.lane(0, 0, 2)
    with pytest.raises(KeyError, match="'count b' was not kept"):
        swept.reductions["count b"]
    assert "12 lanes" in repr(swept)


def test_zipped_parameters_vary_together(swept: js.Sweep) -> None:
    pairs = {"projections.loop.gain": [2.0, 0.0, 2.0], "stimuli.drive.rate_Hz": [2000.0, 6000.0, 6000.0]}
    found = js.sweep(simple(), pairs, 40.0, seeds=[0], record=RECORD, zipped=True)
    assert found.dims == ("set", "seed")
    assert np.array_equal(found.reductions["count a"][0, 0], swept.reductions["count a"][2, 0, 1])
    assert np.array_equal(found.reductions["count a"][1, 0], swept.reductions["count a"][0, 1, 1])
    assert found.select({"projections.loop.gain": 2.0}).coordinates["stimuli.drive.rate_Hz"].tolist() == [
        2000.0,
        6000.0,
    ]
    assert found.select({"set": 1}).dims == ("seed",)


def test_values_for_each_neuron_and_seeds_alone(swept: js.Sweep) -> None:
    each = np.stack([np.full(40, -60.0), np.linspace(-60.0, -51.0, 40)])
    found = js.sweep(simple(), {"populations.a.initial.V_mV": each}, 40.0, seeds=[0], record=RECORD)
    start = js.network.with_parameters(simple(), {"populations.a.initial.V_mV": each[1]})
    one = js.simulate(start, 40.0, record=RECORD)
    assert np.array_equal(found.lane(1, 0).spikes["a"].times_ms, one.spikes["a"].times_ms)
    assert found.select({"populations.a.initial.V_mV": each[1]}).dims == ("seed",)
    seeds = js.sweep(simple(), {}, 40.0, seeds=np.arange(2), record=js.record.SpikeCount("a"))
    assert seeds.dims == ("seed",)
    assert not np.array_equal(seeds.reductions["count a"][0], seeds.reductions["count a"][1])


def test_a_lane_that_is_not_finite_is_named_and_leaves_the_others_alone(tmp_path: pathlib.Path) -> None:
    kicks = {"stimuli.drive.weight_pA.x": [64.0, 3e38]}
    with pytest.warns(RuntimeWarning, match=r"1 of 2 lanes ended early, the first stimuli\.drive\.weight_pA\.x=3e\+38"):
        found = js.sweep(simple(), kicks, 40.0, record=RECORD, summary=summary, folder=tmp_path / "s")
    assert found.results[0] == "done"
    assert found.results[1].startswith("population 'a'")
    assert list(found.failures) == ["stimuli.drive.weight_pA.x=3e+38"]
    assert np.isnan(found.reductions["count a"][1]).all()
    assert np.isnan(found.states["a.V_mV"].values[1]).all()
    assert np.isnan(found.summary["parts"][0][1])
    assert found.lane(1).spikes == {}
    alone = js.sweep(simple(), {"seed": [0]}, 40.0, record=RECORD)
    assert np.array_equal(found.reductions["count a"][0], alone.reductions["count a"][0])
    assert found.select({"stimuli.drive.weight_pA.x": [64.0]}).reductions["count a"].dtype == np.int64
    with pytest.raises(ValueError, match="none of these lanes was finished; the first: population 'a'"):
        _ = found.select({"stimuli.drive.weight_pA.x": 3e38}).summary


def test_a_first_batch_without_a_finished_lane_leaves_the_others_as_they_are(tmp_path: pathlib.Path) -> None:
    kicks = {"stimuli.drive.weight_pA.x": [3e38, 64.0]}
    with pytest.warns(RuntimeWarning, match="1 of 2 lanes ended early"):
        found = js.sweep(simple(), kicks, 40.0, record=RECORD, batch_size=1, folder=tmp_path / "s")
    with pytest.warns(RuntimeWarning, match="1 of 2 lanes ended early"):
        assert equal(found, js.sweep(simple(), kicks, 40.0, record=RECORD, batch_size=2))
    assert found.results[1] == "done"


def test_a_large_seed_is_named_in_full() -> None:
    found = js.sweep(simple(), {}, 1.0, seeds=[4294967295, 1234567])
    assert [axes.label(found.axes, lane) for lane in range(2)] == ["seed=4294967295", "seed=1234567"]


def test_fused_populations_that_come_to_agree_in_some_lanes() -> None:
    """Such lanes take a second program; they are computed together, and stand where they belong."""
    cells = js.Population(js.neurons.LIF(), 10, {"x": js.receptors.Current(js.receptors.Exponential(3.0))})
    drive = js.stimuli.Poisson(("E", "I"), rate_Hz=3000.0, weight_pA=60.0)
    net = js.Network({"E": cells, "I": cells}, stimuli={"drive": drive}, dt_ms=0.1)
    values = {"populations.I.neuron.V_th_mV": [-52.0, -50.0, -54.0]}
    found = js.sweep(net, values, 30.0, seeds=[3, 4], record=js.record.Spikes(), batch_size=4)
    for index in np.ndindex(3, 2):
        lane = found.lane(*index)
        receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
        other = js.Population(js.neurons.LIF(V_th_mV=values["populations.I.neuron.V_th_mV"][index[0]]), 10, receptors)
        built = js.Network({"E": cells, "I": other}, stimuli={"drive": drive}, dt_ms=0.1, seed=[3, 4][index[1]])
        one = js.simulate(built, 30.0, record=js.record.Spikes())
        assert len(one.spikes["I"]) > 0
        assert np.array_equal(lane.spikes["I"].times_ms, one.spikes["I"].times_ms)
        assert np.array_equal(lane.spikes["E"].times_ms, one.spikes["E"].times_ms)


def test_only_summaries_are_kept_when_asked_for(swept: js.Sweep) -> None:
    found = js.sweep(simple(), GRID, 40.0, seeds=[5, 0], record=RECORD, summary=summary, keep=False)
    assert np.array_equal(found.summary["rate_Hz"], swept.summary["rate_Hz"])
    assert list(found.states) == list(found.reductions) == []
    assert found.lane(0, 0, 0).spikes == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"parameters": {}}, "got neither parameters nor seeds"),
        (
            {"parameters": {"projections.loop.gain": []}},
            "gain': got no values; allowed: at least one",
        ),
        ({"parameters": {}, "seeds": []}, "'seed': got no values"),
        ({"parameters": {"projections.loop.gian": [1.0]}}, "did you mean 'projections.loop.gain'"),
        ({"parameters": {"projections.loop.gain": 1.0}}, "got 1.0; allowed: a list of values"),
        ({"parameters": {"projections.loop.gain": "12"}}, "got '12'; allowed: a list of values"),
        ({"parameters": {"projections.loop.gain": [1.0, np.nan]}}, "got nan; allowed: finite"),
        ({"parameters": {"projections.loop.gain": [[1.0, 2.0]]}}, r"got shape \(2,\); allowed: one number"),
        ({"parameters": {"projections.loop.gain": [1.0, [2.0]]}}, "'projections.loop.gain': got"),
        ({"parameters": {"projections.loop.gain": ["a"]}}, r"got \['a'\]; allowed: finite"),
        ({"parameters": {"populations.a.neuron.tau_m_ms": [5.0, 0.0]}}, "got 0.0; allowed: finite and > 0"),
        (
            {"parameters": {"populations.a.neuron.tau_m_ms": np.ones((2, 3))}},
            r"got shape \(3,\); allowed: one number, or",
        ),
        ({"parameters": {"populations.a.refractory_ms": [0.13]}}, "and a multiple of dt_ms = 0.1"),
        ({"seeds": [0, -1]}, "'seed': got -1; allowed: whole numbers"),
        ({"seeds": [0.5]}, "'seed': got .*; allowed: whole numbers"),
        ({"parameters": {"seed": [1]}, "seeds": [1]}, "among the parameters and as seeds"),
        (
            {"parameters": {"projections.loop.gain": [1.0], "seed": [1, 2]}, "zipped": True},
            "zipped parameters differ in length: 'projections.loop.gain' has 1, 'seed' has 2",
        ),
        ({"keep": False}, "keep=False without a summary"),
        ({"batch_size": 0}, "batch_size: got 0; allowed"),
        ({"batchsize": 1}, "unknown option 'batchsize'"),
        ({"duration_ms": 0.25}, "duration_ms: got 0.25 ms; allowed: a positive multiple"),
        ({"record": js.record.SpikeCount("b")}, "unknown population 'b'"),
        ({"summary": lambda s: "text"}, "summary: gave str; allowed: numbers and arrays"),
        ({"summary": lambda s: {1: 2.0}}, "summary: gave dict; allowed: numbers and arrays"),
        ({"summary": lambda s: s.spikes["a"].times_ms}, "for one lane and .* for another; allowed: one form"),
    ],
)
def test_wrong_sweeps_are_refused(unchecked: None, given: dict[str, Any], said: str) -> None:
    asked = {"parameters": {"projections.loop.gain": [0.0, 1.0]}, "duration_ms": 40.0, "record": RECORD, **given}
    with pytest.raises(ValueError, match=said):
        js.sweep(simple(), asked.pop("parameters"), asked.pop("duration_ms"), **asked)


def test_an_error_of_a_summary_says_in_which_lane() -> None:
    def fail(solution: js.Solution) -> float:
        raise KeyError("rate")

    with pytest.raises(KeyError) as caught:
        js.sweep(simple(), {"projections.loop.gain": [0.0, 1.0]}, 40.0, record=RECORD, summary=fail)
    assert caught.value.__notes__ == ["in the summary of the lane projections.loop.gain=0"]


def test_initial_values_and_a_state_exclude_each_other() -> None:
    state = simple().init_state()
    with pytest.raises(ValueError, match=r"initial\.V_mV' has no effect on runs that begin from a state"):
        js.sweep(simple(), {"populations.a.initial.V_mV": [-55.0]}, 1.0, state=state)


def child(*arguments: str, out: Any = subprocess.DEVNULL, **environment: str) -> subprocess.Popen[str]:
    root = pathlib.Path(interrupted.__file__).parents[2]
    own = {**os.environ, "PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu", **environment}
    command = [sys.executable, interrupted.__file__, *arguments]
    return subprocess.Popen(command, env=own, stdout=out, text=True)


def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path: pathlib.Path) -> None:
    process = child(str(tmp_path), "0.2")
    while process.poll() is None and len(list(tmp_path.glob("batch_*.npz"))) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = {path: path.stat().st_mtime_ns for path in tmp_path.glob("batch_*.npz")}
    assert 2 <= len(left) < 5
    with pytest.raises(ValueError, match=r"summary is 'rate sha256 .*, the folder has 'slow_rate\."):
        interrupted.run(tmp_path)
    resumed = interrupted.run(tmp_path, interrupted.slow_rate(0.0))
    whole = interrupted.run(None)
    assert equal(resumed, whole)
    assert np.array_equal(resumed.summary["rate_Hz"], whole.summary["rate_Hz"])
    assert {path: path.stat().st_mtime_ns for path in left} == left  # finished batches are not computed again
    again = interrupted.run(tmp_path, interrupted.slow_rate(0.0))
    assert again.wall_s == 0.0
    assert equal(again, whole)


def test_lanes_on_several_devices_give_the_same_bits() -> None:
    flags = "--xla_force_host_platform_device_count=4"
    with child("--devices", out=subprocess.PIPE, XLA_FLAGS=flags) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    four, one = json.loads(out.splitlines()[-1])
    assert four == one
    here = interrupted.run(None)
    assert four == [interrupted.digest(here.lane(*i)) for i in np.ndindex(here.shape)]


@pytest.fixture
def kept(tmp_path: pathlib.Path) -> pathlib.Path:
    interrupted.run(tmp_path)
    return tmp_path


def test_the_folder_of_another_sweep_is_refused(kept: pathlib.Path) -> None:
    def again(values: Any = interrupted.VALUES, seeds: Any = interrupted.SEEDS, **given: Any) -> Any:
        net = given.pop("net", interrupted.network())
        options = {"record": (), "summary": None, "folder": kept, **given}
        return js.sweep(net, values, options.pop("duration_ms", 40.0), seeds=seeds, **options)

    for given, said in (
        ({}, r"record is \[\], the folder has \['Spikes"),
        ({"seeds": [0, 1]}, r"values of 'seed' are \[0, 1\], the folder has \[0, 1, 2\]"),
        ({"values": {"projections.loop.gain": [0.0]}}, r"values of 'projections\.loop\.gain' are \[0\.0\]"),
        ({"values": {"stimuli.drive.rate_Hz": [0.0]}}, "axes are "),
        ({"net": simple()}, "its network is another one: population 'a'"),
    ):
        with pytest.raises(ValueError, match=said):
            again(**given)
    record = (js.record.Spikes(), js.record.State("a.V_mV", every_ms=5.0), js.record.SpikeCount("a"))
    for given, said in (
        ({}, "summary is None, the folder has 'rate sha256"),
        ({"batch_size": 100, "summary": interrupted.rate}, "batch_size is 9, the folder has 2"),
        ({"duration_ms": 50.0, "summary": interrupted.rate}, r"duration_ms is 50\.0, the folder has 40\.0"),
    ):
        with pytest.raises(ValueError, match=said):
            again(record=record, **given)


def test_damaged_files_are_refused_by_name(kept: pathlib.Path) -> None:
    batch, manifest = kept / "batch_000002.npz", kept / "sweep.json"
    whole, table = batch.read_bytes(), manifest.read_text()
    for content in (whole[: len(whole) // 2], b"", b"\x80\x04N."):
        batch.write_bytes(content)
        with pytest.raises(ValueError, match=r"batch_000002\.npz: cannot be read .*; delete the file"):
            interrupted.run(kept)
    batch.write_bytes((kept / "batch_000004.npz").read_bytes())
    with pytest.raises(ValueError, match=r"batch_000002\.npz: belongs to another sweep"):
        interrupted.run(kept)
    batch.unlink()
    assert equal(interrupted.run(kept), interrupted.run(None))
    for text, said in (
        (table[:100], "cannot be read"),
        ("[]", "not a table"),
        (table.replace('"jaxsyn sweep"', '"else"'), "got format 'else' 1"),
        (table.replace('"duration_ms": 40.0', '"duration_ms": 41.0'), "checksum does not fit"),
    ):
        manifest.write_text(text)
        with pytest.raises(ValueError, match=rf"sweep\.json: .*{said}"):
            interrupted.run(kept)
    manifest.unlink()
    with pytest.raises(ValueError, match=r"has batches but no sweep\.json"):
        interrupted.run(kept)
    manifest.write_text(table.replace('"jaxsyn": "', '"jaxsyn": "0.0.'))
    assert interrupted.run(kept).wall_s == 0.0  # complete: nothing is left to compute with another version
    batch.unlink()
    with pytest.raises(ValueError, match=r"begun with .*; go on with those versions"):
        interrupted.run(kept)


def test_batches_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from jaxsyn.sweep import _memory

    monkeypatch.setattr(_memory, "free_bytes", lambda device: 4_000_000)
    assert _memory.lanes_that_fit(100_000, 25) == 9  # 10 fit: three batches of about equal size
    assert _memory.lanes_that_fit(10**9, 25) == 1
    assert _memory.lanes_that_fit(1, 25) == 25
    monkeypatch.undo()
    import jax

    assert _memory.free_bytes(jax.devices()[0]) > 2**20
