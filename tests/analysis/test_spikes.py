"""The table of spikes: three forms of input, one window, messages that say what to do."""

import dataclasses
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import analysis

TRAINS = [[3.0, 7.0], [], [1.0, 7.0, 9.0]]


@dataclasses.dataclass
class Recorded:
    """What a solution carries."""

    times_ms: Any
    neurons: Any
    n: int
    t_start_ms: float = 0.0
    t_stop_ms: float = 10.0


def test_all_forms_give_the_same_table() -> None:
    times, neurons = [1.0, 3.0, 7.0, 7.0, 9.0], [2, 0, 0, 2, 2]
    forms: list[Any] = [
        TRAINS,
        [np.array(t) for t in TRAINS],
        tuple(jnp.array(t, dtype=float) for t in TRAINS),
        (times, neurons, 3),
        (np.array(times), np.array(neurons, dtype=np.uint32), np.int64(3)),
        Recorded(jnp.array(times), jnp.array(neurons), 3),
    ]
    for form in forms:
        table = analysis.spike_table(form, t_stop_ms=10.0)
        assert [t.tolist() for t in table.trains()] == TRAINS
        assert table.n == 3
        assert table.count().tolist() == [2, 0, 3]
        assert table.times_ms.dtype == np.float64


def test_a_carrier_brings_its_window() -> None:
    recorded = Recorded([3.0], [0], 1, t_start_ms=2.0, t_stop_ms=12.0)
    assert analysis.mean_rate_Hz(recorded).tolist() == [100.0]
    assert analysis.mean_rate_Hz(recorded, t_stop_ms=7.0).tolist() == [200.0]
    assert analysis.spike_table(analysis.spike_table(recorded)).duration_ms == 10.0


def test_a_spike_of_the_last_step_counts_in_the_rate_and_lies_in_no_bin() -> None:
    late = [[10.0 * (1 + 1e-15)]]
    assert analysis.mean_rate_Hz(late, t_stop_ms=10.0).tolist() == [100.0]
    assert analysis.psth(late, bin_ms=5.0, t_stop_ms=10.0).tolist() == [0, 0]


def test_no_neurons() -> None:
    table = analysis.spike_table([], t_stop_ms=5.0)
    assert table.n == 0
    assert table.trains() == []
    assert analysis.mean_rate_Hz(table).shape == (0,)


def test_cut_is_half_open_and_knows_its_window() -> None:
    table = analysis.cut([[1.0, 5.0, 9.0], [9.0]], 1.0, 9.0)
    assert [t.tolist() for t in table.trains()] == [[1.0, 5.0], []]
    assert (table.t_start_ms, table.t_stop_ms, table.duration_ms) == (1.0, 9.0, 8.0)
    with pytest.raises(ValueError, match=r"inside the recorded \[1, 9\] ms. Record for longer"):
        analysis.cut(table, 0.0, 9.0)


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        ([[3.0, 1.0]], r"neuron 0 has 1.0 ms after 3.0 ms; allowed: times that rise. Sort each train"),
        ([[], [1.0, np.nan]], r"time 1 of neuron 1 is nan; allowed: finite times in ms. Drop the padding"),
        ([[1.0], [12.0]], r"neuron 1 has a spike at 12.0 ms; allowed: the window \[0, 10\] ms.*analysis.cut"),
        ([[-1.0]], r"neuron 0 has a spike at -1.0 ms"),
        ([1.0, 2.0], r"spikes\[0\]: got shape \(\).*Wrap the times of a single train in a list"),
        (([1.0, 2.0], [0], 1), r"times_ms has shape \(2,\) and neurons \(1,\)"),
        (([1.0], [3], 3), r"neuron 3; allowed: 0..2, as n is 3"),
        (([1.0], [-1], 3), r"neuron -1; allowed: 0..2"),
        (([1.0], [0.0], 3), r"neurons: got dtype float64; allowed: integers"),
        (([], [], -1), r"n: got -1; allowed: 0 or more"),
        (([2.0, 1.0], [0, 0], 1), r"neuron 0 has 1.0 ms after 2.0 ms"),
    ],
)
def test_bad_spikes(spikes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        analysis.mean_rate_Hz(spikes, t_stop_ms=10.0)


@pytest.mark.parametrize("window", [(0.0, 0.0), (5.0, 1.0), (0.0, -3.0), (0.0, np.nan), (np.nan, 1.0)])
def test_bad_window(window: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"t_stop_ms: got .*; allowed: t_stop_ms > t_start_ms. Give the recorded"):
        analysis.mean_rate_Hz([[]], t_start_ms=window[0], t_stop_ms=window[1])


def test_a_measure_that_needs_the_window_asks_for_it() -> None:
    with pytest.raises(ValueError, match=r"t_stop_ms: got none and the spikes carry no window.*Pass t_stop_ms="):
        analysis.mean_rate_Hz(TRAINS)


@hypothesis.given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 999)), max_size=40, unique=True))
def test_the_order_of_neurons_does_not_matter(events: list[tuple[int, int]]) -> None:
    by_time = sorted(events, key=lambda event: event[1])
    times, neurons = [0.1 * k for _, k in by_time], [i for i, _ in by_time]
    table = analysis.spike_table((times, np.array(neurons, dtype=int), 5), t_stop_ms=100.0)
    want = [[0.1 * k for i, k in by_time if i == neuron] for neuron in range(5)]
    assert [t.tolist() for t in table.trains()] == want
