"""The host driver: chunks, room, records, resuming, streaming, errors at run time; nothing of these changes a bit."""

import functools
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.simulate import _simulate as driver
from jaxsyn.simulate._store import FileStore
from tests.simulate.zoo import network, records, same, simple

ALL = (
    js.record.Spikes(),
    js.record.State("E.V_mV", every_ms=0.7, index=[3, 1, 39]),
    js.record.State("I.x.value", every_ms=2.0),
    js.record.Mean("E.x.value", every_ms=1.1),
    js.record.Rate("E", every_ms=2.0),
    js.record.SpikeCount("I"),
    js.record.Weights("E_all", every_ms=5.0),
)
SPARSE = (js.record.State("E.V_mV", every_ms=1.0), js.record.Rate("I", every_ms=5.0), js.record.Weights("I_E", 2.5))
DURATION_MS = 19.9  # 199 steps, a prime: no chunk length divides it


QUICK = (js.record.Spikes(), js.record.State("a.V_mV", every_ms=0.7), js.record.Rate("a", every_ms=1.4))


@functools.cache
def quick() -> js.Solution:
    return js.simulate(simple(), DURATION_MS, record=QUICK)


@functools.cache
def whole(which: tuple[Any, ...] = ALL) -> js.Solution:
    return js.simulate(network(), DURATION_MS, record=which)


def test_the_zoo_is_alive() -> None:
    sol = whole()
    assert 5 < sol.spikes["E"].rate_Hz() < 300
    assert len(sol.spikes["I"]) > 5
    assert len(sol.spikes["S"]) > 5
    assert sol.result == "done"
    assert sol.spikes["E"].times_ms.max() <= DURATION_MS
    off_grid = sol.spikes["E"].times_ms / 0.1
    assert np.mean(np.abs(off_grid - np.rint(off_grid)) > 1e-3) > 0.3


@pytest.mark.parametrize("chunk_ms", [2.0, 100.0])
def test_the_length_of_chunks_changes_nothing(chunk_ms: float) -> None:
    sol = js.simulate(network(), DURATION_MS, record=ALL, chunk_ms=chunk_ms)
    assert same(records(sol), records(whole()))
    assert same(sol.final_state, whole().final_state)


@pytest.mark.parametrize("chunk_ms", [0.3, 0.5, 2.3])
def test_chunks_and_sampling_periods_need_not_fit(chunk_ms: float) -> None:
    sol = js.simulate(simple(), DURATION_MS, record=QUICK, chunk_ms=chunk_ms)
    assert same(records(sol), records(quick()))
    assert sol.states["a.V_mV"].times_ms.tolist() == pytest.approx(0.7 * np.arange(1, 29))


def test_samples_lie_at_multiples_of_their_period_and_are_the_state_there() -> None:
    sol, net = whole(), network()
    assert sol.states["E.V_mV"].times_ms.tolist() == pytest.approx(0.7 * np.arange(1, 29))
    assert sol.states["E.V_mV"].index == (3, 1, 39)
    assert sol.states["I.x.value"].values.shape == (9, 10)
    assert sol.reductions["mean E.x.value"].values.shape == (18,)
    upto = js.simulate(net, 7.7).final_state
    assert np.array_equal(net.view(upto, "E").neuron.V_mV[np.array([3, 1, 39])], sol.states["E.V_mV"].values[10])
    mean = float(np.mean(net.view(upto, "E").receptors["x"].value))
    np.testing.assert_allclose(sol.reductions["mean E.x.value"].values[6], mean, rtol=1e-6)


def test_reductions_are_those_of_the_spikes() -> None:
    sol = whole()
    count = sol.reductions["count I"]
    assert count.tolist() == sol.spikes["I"].counts().tolist()
    edges = np.arange(0.0, 20.0, 2.0)
    ends = np.ceil(np.round(sol.spikes["E"].times_ms / 0.1, 5)) * 0.1  # a spike counts in the step that it lies in
    inside = np.histogram(ends - 0.05, edges)[0]
    rate = sol.reductions["rate E"]
    assert rate.times_ms.tolist() == pytest.approx(edges[1:])
    np.testing.assert_allclose(rate.values, inside / (40 * 2e-3))
    synapses = network().synapses("E_all")
    for sample in sol.states["weights E_all"].values:
        assert np.array_equal(sample, synapses["weight x"])


def test_what_is_recorded_changes_nothing() -> None:
    for which in ((), SPARSE):
        assert same(js.simulate(network(), DURATION_MS, record=which).final_state, whole().final_state)


@pytest.mark.parametrize("which", [ALL, SPARSE], ids=["all", "sparse"])
def test_a_run_in_two_parts_is_one_run(which: tuple[Any, ...]) -> None:
    """Cut off the grid of every sampling period, and of the chunks."""
    first = js.simulate(network(), 7.3, record=which)
    second = js.simulate(network(), DURATION_MS - 7.3, record=which, state=first.final_state)
    assert same(second.final_state, whole(which).final_state)
    assert second.t_start_ms == pytest.approx(7.3)
    for name, expected in records(whole(which)).items():
        one, two = records(first)[name], records(second)[name]
        if name.startswith("count"):
            assert np.array_equal(one + two, expected)
        elif name.startswith("rate"):  # windows that were cut are in neither part
            assert set(one[0]) | set(two[0]) < set(expected[0])
            kept = np.isin(expected[0], [*one[0], *two[0]])
            assert np.array_equal(np.concatenate([one[1], two[1]]), expected[1][kept])
            assert kept.sum() == len(kept) - 1
        else:
            for a, b, c in zip(one, two, expected, strict=True):
                assert np.array_equal(np.concatenate([a, b]), c), name


def test_too_little_room_is_found_and_nothing_lost() -> None:
    sol = js.simulate(simple(), DURATION_MS, record=QUICK, capacity=1, chunk_ms=10.0)
    assert same(records(sol), records(quick()))
    ids = sol.final_state.groups[0].ids
    assert ids is not None
    assert 1 < ids.shape[1] < 40
    on = js.simulate(simple(), 1.0, state=sol.final_state, capacity=1)
    assert on.final_state.groups[0].ids.shape == ids.shape  # it does not shrink below what is in flight


def test_room_is_found_where_only_the_record_needs_it() -> None:
    """Without projections no ids are kept, but the times inside a step need room: all neurons spike at once here."""
    cells = js.Population(js.neurons.LIF(), 300)
    net = js.Network({"a": cells}, stimuli={"dc": js.stimuli.Constant("a", I_pA=300.0)}, dt_ms=0.1)
    times = js.simulate(net, 20.0, record=js.record.Spikes(), capacity=2).spikes["a"]
    assert times.counts().tolist() == [2] * 300
    assert len(np.unique(times.times_ms)) == 2


def test_streaming_gives_the_same_and_keeps_nothing_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[FileStore] = []

    def store(*arguments: Any) -> FileStore:
        kept.append(FileStore(*arguments))
        return kept[-1]

    monkeypatch.setattr(driver, "FileStore", store)
    sol = js.simulate(network(), DURATION_MS, record=ALL, stream=tmp_path, chunk_ms=2.0)
    assert same(records(sol), records(whole()))
    assert set(vars(kept[0])) == {"folder", "_first"}  # a path and a number, no arrays


def test_chunks_are_as_long_as_their_records_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_CHUNK_BYTES", 1000)
    js.simulate(simple(), DURATION_MS, record=QUICK, stream=tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) > 10
    assert all(path.stat().st_size < 4000 for path in files)


class Saved:
    """A checkpoint that remembers when it was asked for."""

    def __init__(self, every_ms: float | None) -> None:
        self.every_ms, self.ticks = every_ms, list[int]()

    def save(self, net: js.Network, state: js.NetworkState) -> None:
        self.ticks.append(int(state.tick))


@pytest.mark.parametrize(("every_ms", "ticks"), [(5.0, [50, 100, 150, 199]), (2.3, [*range(23, 199, 23), 199])])
def test_checkpoints_come_when_asked_whatever_is_recorded(every_ms: float, ticks: list[int]) -> None:
    saved = Saved(every_ms)
    sol = js.simulate(simple(), DURATION_MS, record=QUICK, checkpoint=saved)
    assert saved.ticks == ticks
    assert same(records(sol), records(quick()))
    assert same(sol.final_state, quick().final_state)


def test_a_checkpoint_without_period_is_written_at_the_end() -> None:
    saved = Saved(None)
    js.simulate(simple(), DURATION_MS, record=QUICK, checkpoint=saved)
    assert saved.ticks == [199]


def test_inputs_go_along_with_the_chunks() -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "E": rng.normal(0.0, 200.0, (199, 40)),
        "I.d": rng.exponential(0.5, (199, 10)),
        "S": rng.integers(0, 2, (199, 6)),
    }
    one = js.simulate(network(), DURATION_MS, record=ALL[:1], inputs=inputs, chunk_ms=2.0)
    assert not same(one.final_state, whole().final_state)
    state, out = jax.jit(lambda net: js.run(net, 199, inputs=inputs, record=[js.record.Spikes()]))(network())
    for name in "EIS":
        steps, ids = np.nonzero(out["spikes"][name])
        spikes = one.spikes[name]
        when = np.ceil(np.round(spikes.times_ms / 0.1, 5)).astype(int) - 1
        assert sorted(zip(steps, ids, strict=True)) == sorted(zip(when, spikes.neurons, strict=True))
    np.testing.assert_allclose(state.groups[0].membrane.neuron.V_mV, one.final_state.groups[0].membrane.neuron.V_mV)


def test_a_second_call_of_the_same_structure_compiles_nothing() -> None:
    whole()
    again = js.simulate(network(), DURATION_MS, record=ALL)
    assert again.compile_s == 0.0
    assert again.wall_s > 0.0
    other = js.simulate(network(seed=3, rate_Hz=4000.0), DURATION_MS, record=ALL)
    assert other.compile_s == 0.0
    assert not same(records(other), records(again))


def plain() -> js.Network:
    """Two fused populations without noise."""
    cells = js.Population(js.neurons.LIF(), 3, {"x": js.receptors.Current(js.receptors.Exponential(2.0))})
    loop = js.Projection("b", "a", js.connect.OneToOne(), weight_pA=10.0, delay_ms=0.2)
    return js.Network({"a": cells, "b": cells}, {"ba": loop}, dt_ms=0.1)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("b", np.nan, r"population 'b': V_mV of neuron 2 is not finite at step 38 \(t = 3\.8 ms\)"),
        ("b.x", np.inf, r"population 'b': x\.value of neuron 2 is not finite at step 38 "),
        ("a", np.inf, r"population 'a': V_mV of neuron 2 is not finite at step 38 "),
    ],
)
def test_a_state_that_is_not_finite_is_named(key: str, value: float, message: str) -> None:
    inputs = {key: np.zeros((60, 3))}
    inputs[key][37, 2] = value
    record = (js.record.Spikes(), js.record.State("a.V_mV"))
    with pytest.raises(js.SimulationError, match=message) as error:
        js.simulate(plain(), 6.0, inputs=inputs, chunk_ms=1.0, record=record)
    assert isinstance(error.value.state, js.NetworkState)
    assert int(error.value.state.tick) == 30
    sol = js.simulate(plain(), 6.0, inputs=inputs, chunk_ms=1.0, record=record, throw=False)
    assert re.search(message, sol.result)
    assert (sol.t_stop_ms, len(sol.states["a.V_mV"].times_ms)) == (pytest.approx(3.0), 30)
    assert np.isfinite(sol.states["a.V_mV"].values).all()
    assert same(sol.final_state, error.value.state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duration_ms": 0.05}, r"simulate\.duration_ms: got 0\.05 ms; allowed: a positive multiple of dt_ms = 0\.1"),
        ({"duration_ms": 0.0}, r"simulate\.duration_ms: got 0\.0 ms"),
        ({"duration_ms": -1.0}, r"simulate\.duration_ms: got -1\.0 ms"),
        ({"duration_ms": float("nan")}, r"simulate\.duration_ms: got nan"),
        ({"duration_ms": float("inf")}, r"simulate\.duration_ms: got inf"),
        ({"duration_ms": 3e8}, r"would end at 3e\+08 ms; allowed: below 2\^31 steps"),
        ({"chunk_ms": 0.25}, r"simulate\.chunk_ms: got 0\.25 ms"),
        ({"capacity": 0}, r"simulate: got capacity 0; allowed: a whole number >= 1"),
        ({"chunks": 3}, r"simulate: unknown option 'chunks'; allowed: stream, chunk_ms, progress"),
        ({"inputs": {"c": np.zeros((10, 3))}}, r"unknown population 'c'; the network has \['a', 'b'\]"),
        ({"inputs": {"a": np.zeros((9, 3))}}, r"inputs\['a'\]: got shape \(9, 3\); allowed: \(10, 3\)"),
        ({"record": js.record.Spikes("c")}, r"unknown population 'c'"),
        ({"checkpoint": Saved(0.05)}, r"checkpoint\.every_ms: got 0\.05 ms"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        js.simulate(plain(), **({"duration_ms": 1.0} | arguments))


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"state: .*; it belongs to another network; start from net\.init_state\(\)"):
        js.simulate(plain(), 1.0, state=network().init_state())


def listed(times_ms: list[float]) -> js.Network:
    cells = js.Population(js.neurons.LIF(), 2, {"d": js.receptors.Delta()})
    events = js.stimuli.SpikeTimes("a", times_ms=times_ms, neurons=1, weight_mV=20.0)
    return js.Network({"a": cells}, stimuli={"list": events}, dt_ms=0.1)


def test_listed_spikes_outside_the_run_are_refused() -> None:
    net = listed([0.3, 0.5, 1.1])
    with pytest.raises(
        ValueError, match=r"stimulus 'list': has spikes up to 1\.1 ms, but the run ends at 1 ms; run longer"
    ):
        js.simulate(net, 1.0)
    half = js.simulate(net, 0.4, continued=True, record=js.record.Spikes())
    rest = js.simulate(net, 0.7, state=half.final_state, record=js.record.Spikes())
    assert [*half.spikes["a"].times_ms, *rest.spikes["a"].times_ms] == pytest.approx([0.3, 0.5, 1.1])
    with pytest.raises(ValueError, match=r"SpikeTimes\.times_ms\[1\]: got 0\.0; allowed: finite and > 0"):
        listed([0.3, 0.0])
    with pytest.raises(ValueError, match=r"SpikeTimes\.times_ms\[0\]: 0\.25 ms is not a multiple of dt_ms = 0\.1"):
        listed([0.25])


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    js.simulate(plain(), 1.0, progress=True)
    assert "1/1 ms" in capsys.readouterr().err
