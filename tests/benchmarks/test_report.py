"""Errors, tolerances, verdicts, steps: the arithmetic of a comparison."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

import jaxsyn as js
from benchmarks.oracles._grid import at, common_step, cubic
from benchmarks.oracles._izhikevich_stimuli import STIMULI
from benchmarks.oracles._report import Case, Figure, attempt, difference, merge, spike_times


def test_difference_shows_the_value_that_uses_most_of_its_tolerance() -> None:
    figure = difference("x", [1.0, 100.5], [1.01, 100.0], 0.0, relative=0.001)
    assert figure.error == pytest.approx(0.01)
    assert figure.tolerance == pytest.approx(0.00101)
    assert not figure.ok


@pytest.mark.parametrize(
    ("own", "listed", "ok"),
    [
        ([1.0, 5.0], [1.0, None], True),  # null is skipped
        ([1.0, math.nan], [1.0, 2.0], False),  # ours must be defined where theirs is
        ([1.0], [1.0, 2.0], False),
        ([], [], True),
        ([[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0]], True),
    ],
)
def test_difference(own: list, listed: list, ok: bool) -> None:
    assert difference("x", own, listed, 1e-9).ok == ok


def test_a_zero_tolerance_asks_for_equality() -> None:
    assert Figure("n", 0.0, 0.0).ok
    assert Figure("n", 1.0, 0.0).load == math.inf
    assert Figure("n", math.nan, 1.0).load == math.inf


def test_spike_times_need_equal_numbers() -> None:
    assert all(f.ok for f in spike_times("", [1.0, 2.0], [1.0, 2.00001], 1e-4))
    assert not all(f.ok for f in spike_times("", [1.0], [1.0, 2.0], 1e-4))


def test_a_case_without_figures_did_not_pass() -> None:
    assert not Case("empty", []).ok


def test_errors_break_every_case_of_a_batch() -> None:
    def work() -> Iterator[Case]:
        yield Case("a", [Figure("x", 0.0, 1.0)])
        raise ValueError("no such model")

    cases = list(attempt(["a", "b"], work))
    assert [c.name for c in cases] == ["a", "b"]
    assert not any(c.ok for c in cases)
    assert "no such model" in str(cases[0].figures[0])


def test_merge_keeps_the_order_and_all_figures() -> None:
    good, bad = Figure("x", 0.0, 1.0), Figure("y", 2.0, 1.0)
    cases = merge([Case("b", [good]), Case("a", [good]), Case("b", [bad])])
    assert [(c.name, c.ok) for c in cases] == [("b", False), ("a", True)]


@pytest.mark.parametrize(
    ("times", "largest", "step"),
    [
        ([1.0, 2.5, 60.0], 0.1, 0.1),
        ([0.25, 3.0], 0.1, 0.25 / 3),
        ([100 / 11, 71.0, 100.0], 0.01, 1 / 110),
        ([8.5, 37.5, 312.5], 1.0, 0.5),
        ([], 0.1, 0.1),
    ],
)
def test_common_step(times: list[float], largest: float, step: float) -> None:
    assert common_step(times, largest) == pytest.approx(step)
    for t in times:
        assert t / step == pytest.approx(round(t / step), abs=1e-6)


def test_no_common_step() -> None:
    with pytest.raises(ValueError, match="grid"):
        common_step([math.pi], 0.1)
    with pytest.raises(ValueError, match="share only"):
        common_step([1 / 1999, 1 / 1997], 0.1)


def test_values_between_samples() -> None:
    t = np.arange(1, 41) * 0.1
    trace = js.Trace(t, (t**3)[:, None], (0,), "mV")
    wanted = np.array([0.0, 0.1, 0.25, 3.14, 4.0])
    np.testing.assert_allclose(at(trace, 0, 0.0, wanted), wanted**3, atol=1e-12)
    assert cubic(t, t**3, 3, 0.57) == pytest.approx(0.57**3)
    with pytest.raises(ValueError, match="after the run"):
        at(trace, 0, 0.0, [5.0])


def test_stimuli_of_all_patterns_and_cells() -> None:
    assert len(STIMULI) == 28
    assert STIMULI["K_resonator"].edges_ms(400.0) == [40.0, 44.0, 60.0, 64.0, 280.0, 284.0, 320.0, 324.0]
    listed = {
        "A_tonic_spiking": ([10.0, 10.25, 99.0], [0.0, 14.0, 14.0]),
        "G_class1": ([30.0, 130.0], [0.0, 7.5]),
        "H_class2": ([0.0, 30.0, 130.0], [-0.5, -0.5, 1.0]),
        "L_integrator": ([9.0, 9.25, 11.0, 11.25, 72.0], [0.0, 9.0, 9.0, 0.0, 0.0]),
        "O_threshold_variability": ([12.0, 72.0, 82.0, 90.0], [1.0, -6.0, 1.0, 0.0]),
        "Q_DAP": ([9.0, 9.1, 10.9, 11.0], [0.0, 20.0, 20.0, 0.0]),
        "R_accommodation": ([0.0, 100.0, 200.0, 250.0, 306.25, 312.5], [0.0, 4.0, 0.0, 0.0, 2.0, 0.0]),
        "S_inhibition_induced_spiking": ([0.0, 50.0, 250.0, 250.5], [80.0, 75.0, 75.0, 80.0]),
        "RZ": ([10.0, 10.25, 62.0, 65.0], [-2.0, -0.5, 10.0, -0.5]),
        "TC_rebound_burst": ([0.0, 45.0, 45.25], [-25.0, -25.0, 0.0]),
    }
    for name, (times, values) in listed.items():
        np.testing.assert_allclose(STIMULI[name](times), values, atol=1e-12, err_msg=name)
