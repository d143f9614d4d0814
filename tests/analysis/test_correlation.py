"""Pair correlation and synchrony."""

import hypothesis
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import T_MS, trains


@hypothesis.given(trains(2, 4))
def test_correlogram_turns_around_when_the_trains_are_exchanged(spikes: list[np.ndarray]) -> None:
    settings = {"bin_ms": 1.0, "max_lag_bins": 6, "t_stop_ms": T_MS}
    forth = analysis.cross_correlogram(spikes, 0, 1, **settings)
    back = analysis.cross_correlogram(spikes, 1, 0, **settings)
    assert np.array_equal(forth.counts, back.counts[::-1])
    np.testing.assert_allclose(forth.coefficient, back.coefficient[::-1])
    np.testing.assert_allclose(forth.border_corrected, forth.counts * 50 / (50 - np.abs(np.arange(-6, 7))))
    assert forth.lags_ms.tolist() == list(range(-6, 7))


@hypothesis.given(trains(2, 4))
def test_coefficient_at_lag_zero_is_the_count_correlation(spikes: list[np.ndarray]) -> None:
    pair = analysis.cross_correlogram(spikes, 0, 1, bin_ms=2.0, max_lag_bins=1, t_stop_ms=T_MS)
    matrix = analysis.count_correlation(spikes, bin_ms=2.0, t_stop_ms=T_MS)
    np.testing.assert_allclose(pair.coefficient[1], matrix[0, 1], atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T)
    assert (np.abs(matrix[np.isfinite(matrix)]) <= 1 + 1e-12).all()


@hypothesis.given(trains(1, 5))
def test_chi_is_that_of_the_dense_counts(spikes: list[np.ndarray]) -> None:
    x = analysis.binned_counts(spikes, bin_ms=2.0, t_stop_ms=T_MS)
    np.testing.assert_allclose(
        analysis.golomb_chi(spikes, bin_ms=2.0, t_stop_ms=T_MS), analysis.golomb_chi_of_signals(x), atol=1e-12
    )


def test_chi_from_independent_to_identical() -> None:
    r = np.random.default_rng(2)
    one = np.sort(r.uniform(0, 1e4, 200))
    assert analysis.golomb_chi([one] * 7, bin_ms=2.0, t_stop_ms=1e4) == pytest.approx(1.0)
    independent = [np.sort(r.uniform(0, 1e4, 200)) for _ in range(100)]
    assert analysis.golomb_chi(independent, bin_ms=2.0, t_stop_ms=1e4) == pytest.approx(0.1, abs=0.02)
    assert np.isnan(analysis.golomb_chi([[], []], bin_ms=2.0, t_stop_ms=1e4))


def test_mean_pair_correlation_finds_a_common_source() -> None:
    r = np.random.default_rng(3)
    source = np.sort(r.uniform(0, 2e4, 800))
    copies = [source[r.random(800) < 0.5] for _ in range(40)]
    matrix = analysis.count_correlation(copies, bin_ms=5.0, t_stop_ms=2e4)
    everyone = analysis.mean_pair_correlation(copies, t_stop_ms=2e4)
    assert everyone == pytest.approx(analysis.mean_over_pairs(matrix), abs=1e-12)
    some = analysis.mean_pair_correlation(copies, max_neurons=15, seed=1, t_stop_ms=2e4)
    assert some == pytest.approx(0.5, abs=0.1)
    assert np.isnan(analysis.mean_pair_correlation(copies[:10], t_stop_ms=2e4))
    assert np.isnan(analysis.mean_pair_correlation([[1.0, 2.0]] * 11, bin_ms=5.0, t_stop_ms=5.0))


def test_bad_arguments() -> None:
    settings = {"bin_ms": 1.0, "max_lag_bins": 2, "t_stop_ms": 10.0}
    with pytest.raises(ValueError, match=r"j: got 2; allowed: 0..1. Give the index of a neuron"):
        analysis.cross_correlogram([[1.0], []], 0, 2, **settings)
    with pytest.raises(ValueError, match=r"max_lag_bins: got 10; allowed: below the 10 bins of the window"):
        analysis.cross_correlogram([[1.0]], 0, 0, **(settings | {"max_lag_bins": 10}))
    with pytest.raises(ValueError, match=r"signals: got shape \(3,\); allowed: \(n, samples\)"):
        analysis.golomb_chi_of_signals([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"signals: got a value that is not finite"):
        analysis.golomb_chi_of_signals([[1.0, np.nan]])
