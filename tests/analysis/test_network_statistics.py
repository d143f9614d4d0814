"""Statistics of a network against the same numbers taken one by one."""

import math

import numpy as np
import pytest

from jaxsyn import analysis


def poisson(n: int, rate_Hz: float, T_ms: float, seed: int = 0) -> list[np.ndarray]:
    r = np.random.default_rng(seed)
    return [np.sort(r.uniform(0, T_ms, r.poisson(rate_Hz * T_ms / 1000))) for _ in range(n)]


def test_poisson_neurons_are_asynchronous_and_irregular() -> None:
    got = analysis.network_statistics(poisson(400, 20.0, 5000.0), t_stop_ms=5000.0)
    assert got.rate_Hz == pytest.approx(20.0, rel=0.02)
    assert got.rate_sd_Hz == pytest.approx(2.0, rel=0.1)
    assert got.silent_fraction == 0.0
    assert got.isi_cv == pytest.approx(1.0, abs=0.03)
    assert got.population_fano == pytest.approx(1.0, abs=0.06)
    assert got.pair_correlation == pytest.approx(0.0, abs=0.01)


def test_each_number_is_that_of_its_own_measure() -> None:
    trains = poisson(30, 8.0, 3000.0, seed=4)
    trains[3] = np.empty(0)
    window = analysis.cut(trains, 500.0, 2500.0)
    got = analysis.network_statistics(trains, t_start_ms=500.0, t_stop_ms=2500.0)
    rate, cv = analysis.mean_rate_Hz(window), analysis.isi_cv(window, min_intervals=5)
    assert got.rate_Hz == rate.mean()
    assert got.rate_sd_Hz == rate.std()
    assert got.silent_fraction == 1 / 30
    assert got.isi_cv == pytest.approx(np.nanmean(cv), rel=1e-14)
    assert got.pair_correlation == analysis.mean_pair_correlation(window)
    assert got.peak_frequency_Hz == analysis.peak_frequency_Hz(window)
    assert got == analysis.network_statistics(window)


def test_peak_frequency_of_a_common_rhythm() -> None:
    r = np.random.default_rng(5)
    trains = [np.sort(np.arange(12.5, 2000.0, 25.0) + r.normal(0, 2.0, 80)) for _ in range(50)]
    assert analysis.peak_frequency_Hz(trains, t_stop_ms=2000.0) == pytest.approx(40.0, abs=1.5)
    frequency, power = analysis.population_spectrum(trains, t_stop_ms=2000.0)
    assert frequency[power.argmax()] == 40.0
    assert power[0] == pytest.approx(0.0, abs=1e-9)


def test_a_silent_and_an_empty_population() -> None:
    silent = analysis.network_statistics([[], []], t_stop_ms=100.0)
    assert (silent.rate_Hz, silent.silent_fraction) == (0.0, 1.0)
    assert math.isnan(silent.isi_cv)
    assert math.isnan(silent.population_fano)
    assert math.isnan(silent.peak_frequency_Hz)
    empty = analysis.network_statistics([], t_stop_ms=100.0)
    assert all(math.isnan(value) for value in vars(empty).values())


def test_the_window_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"t_stop_ms: got none and the spikes carry no window"):
        analysis.network_statistics([[1.0]])
