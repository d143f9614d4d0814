"""What a simulation gives back: spike trains, traces with units, one screen of text."""

import numpy as np
import pytest

import jaxsyn as js
from tests.simulate.zoo import network

TRAINS = js.SpikeTrains(np.array([1.0, 2.5, 2.5, 7.0]), np.array([2, 0, 2, 2]), 4, 0.0, 10.0)


def test_spike_trains_can_be_taken_apart() -> None:
    assert len(TRAINS) == 4
    assert TRAINS.train(2).tolist() == [1.0, 2.5, 7.0]
    assert [train.tolist() for train in TRAINS.trains()] == [[2.5], [], [1.0, 2.5, 7.0], []]
    assert TRAINS.counts().tolist() == [1, 0, 3, 0]
    assert TRAINS.rate_Hz() == pytest.approx(100.0)
    part = TRAINS.between(1.0, 2.5)
    assert (part.times_ms.tolist(), part.t_start_ms, part.t_stop_ms) == ([2.5, 2.5], 1.0, 2.5)
    for neuron in (-1, 4):
        with pytest.raises(ValueError, match=rf"neuron: got {neuron}; allowed: 0 to 3"):
            TRAINS.train(neuron)


def test_a_solution_holds_what_was_asked_for_with_units_and_prints_itself() -> None:
    record = [
        js.record.Spikes("E"),
        js.record.State("E.V_mV", every_ms=1.0, index=range(2)),
        js.record.State("I.x.value", every_ms=1.0),
        js.record.Weights("I_E", every_ms=1.0),
        js.record.Mean("E.V_mV", every_ms=1.0),
        js.record.SpikeCount("E"),
        js.record.Rate("E"),
    ]
    sol = js.simulate(network(), 5.0, record=record)
    assert list(sol.spikes) == ["E"]
    assert len(sol.spikes) == 1
    with pytest.raises(KeyError, match=r"no spikes of 'I' were recorded; recorded: \['E'\]"):
        sol.spikes["I"]
    units = {name: trace.unit for name, trace in sol.states.items()}
    assert units == {"E.V_mV": "mV", "I.x.value": "pA", "weights I_E": "mV"}
    assert sol.reductions["rate E"].unit == "Hz"
    assert sol.states["E.V_mV"].index == (0, 1)
    times_ms = sol.spikes["E"].times_ms
    assert times_ms.dtype == np.float64
    assert np.all(np.diff(times_ms) >= 0)
    assert (sol.t_start_ms, sol.t_stop_ms) == (0.0, 5.0)
    assert sol.times_real_time == pytest.approx(5e-3 / sol.wall_s)
    text = repr(sol)
    for part in (
        "Solution: 0 to 5 ms, done",
        "x real time",
        "spikes E:",
        "of 40 neurons",
        "E.V_mV: (5, 2) mV",
        "rate E: (5,)",
    ):
        assert part in text
    assert "count E: (40,)" in text
    assert len(text.splitlines()) < 25


def test_spikes_are_unpacked_once() -> None:
    sol = js.simulate(network(), 5.0, record=js.record.Spikes())
    assert sol.spikes["E"] is sol.spikes["E"]
