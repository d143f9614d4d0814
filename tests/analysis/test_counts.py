"""Rates, bins and Fano factors."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import T_MS, trains


@hypothesis.given(trains(0, 5), st.sampled_from([0.1, 0.7, 5.0, 12.5, 50.0]))
def test_bins_hold_what_numpy_says(spikes: list[np.ndarray], bin_ms: float) -> None:
    counts = analysis.binned_counts(spikes, bin_ms=bin_ms, t_stop_ms=T_MS)
    edges = bin_ms * np.arange(counts.shape[1] + 1)
    want = [np.histogram(t + 1e-7, edges)[0] for t in spikes]
    assert counts.shape == (len(spikes), int(T_MS / bin_ms + 1e-9))
    assert np.array_equal(counts, np.array(want).reshape(counts.shape))
    assert np.array_equal(analysis.psth(spikes, bin_ms=bin_ms, t_stop_ms=T_MS), counts.sum(axis=0))


@hypothesis.given(trains(1, 5), st.sampled_from([5.0, 12.5]), st.integers(0, 1))
def test_fano_factor_is_variance_over_mean_of_dense_counts(spikes: list[np.ndarray], window: float, ddof: int) -> None:
    counts = analysis.binned_counts(spikes, bin_ms=window, t_stop_ms=T_MS)
    fano = analysis.fano_factor(spikes, window_ms=window, ddof=ddof, t_stop_ms=T_MS)
    fires = counts.sum(axis=1) > 0
    assert np.isnan(fano[~fires]).all()
    np.testing.assert_allclose(fano[fires], counts[fires].var(axis=1, ddof=ddof) / counts[fires].mean(axis=1))


@hypothesis.given(trains(1, 5), st.floats(-1e4, 1e4))
def test_shift_of_spikes_and_window_changes_nothing(spikes: list[np.ndarray], by: float) -> None:
    moved = [t + 0.05 + by for t in spikes]
    here = analysis.binned_counts([t + 0.05 for t in spikes], bin_ms=5.0, t_stop_ms=T_MS)
    there = analysis.binned_counts(moved, bin_ms=5.0, t_start_ms=by, t_stop_ms=by + T_MS)
    assert np.array_equal(here, there)
    starts = analysis.bin_starts_ms(moved, bin_ms=5.0, t_start_ms=by, t_stop_ms=by + T_MS)
    np.testing.assert_allclose(starts, by + 5.0 * np.arange(10))


def test_rates() -> None:
    spikes = [[1.0, 2.0, 7.0], [6.0], []]
    assert analysis.mean_rate_Hz(spikes, t_stop_ms=10.0).tolist() == [300.0, 100.0, 0.0]
    rate = analysis.population_rate_Hz(spikes, bin_ms=5, t_stop_ms=10)
    np.testing.assert_allclose(rate, [1000 * 2 / 15, 1000 * 2 / 15])
    assert np.isnan(analysis.population_rate_Hz([], bin_ms=5.0, t_stop_ms=10.0)).all()


def test_smoothing_keeps_a_constant_rate_up_to_the_ends_and_spreads_a_spike() -> None:
    clock = [np.arange(0.5, 100.0)]
    np.testing.assert_allclose(
        analysis.population_rate_Hz(clock, bin_ms=1.0, smooth_ms=7.0, t_stop_ms=100.0), np.full(100, 1000.0)
    )
    one = analysis.population_rate_Hz([[50.5]], bin_ms=1.0, smooth_ms=3.0, t_stop_ms=100.0)
    width = np.sqrt(np.average((np.arange(100) - 50.0) ** 2, weights=one))
    assert one.argmax() == 50
    assert width == pytest.approx(3.0, rel=1e-2)
    assert one.sum() == pytest.approx(1000.0, rel=1e-6)


def test_fano_factor_of_poisson_counts_is_one_and_of_a_clock_zero() -> None:
    r = np.random.default_rng(0)
    poisson = [np.sort(r.uniform(0, 1e5, r.poisson(2000))) for _ in range(20)]
    assert analysis.fano_factor(poisson, window_ms=100.0, t_stop_ms=1e5).mean() == pytest.approx(1.0, abs=0.05)
    assert analysis.fano_factor([np.arange(5.0, 1000.0, 10.0)], window_ms=100.0, t_stop_ms=1000.0).tolist() == [0.0]
    assert analysis.fano_factor_across_trains(poisson) == pytest.approx(1.0, abs=0.8)
    assert np.isnan(analysis.fano_factor_across_trains([]))
    assert np.isnan(analysis.fano_factor_across_trains([[], []]))


def test_one_window_has_no_variance() -> None:
    assert analysis.fano_factor([[1.0]], window_ms=10.0, t_stop_ms=10.0).tolist() == [0.0]
    assert np.isnan(analysis.fano_factor([[1.0]], window_ms=10.0, ddof=1, t_stop_ms=10.0)).all()


def test_large_networks_cost_spikes_not_neurons_times_bins() -> None:
    r = np.random.default_rng(1)
    n, k = 100_000, 200_000
    spikes = analysis.spike_table((np.sort(r.uniform(0, 1e6, k)), r.integers(0, n, k), n), t_stop_ms=1e6)
    assert analysis.fano_factor(spikes, window_ms=1.0).shape == (n,)  # dense: 10^11 counts
    assert analysis.golomb_chi(spikes, bin_ms=1.0) < 0.1


@pytest.mark.parametrize("bin_ms", [0.0, -1.0, np.nan, np.inf])
def test_bad_bin(bin_ms: float) -> None:
    with pytest.raises(ValueError, match=r"bin_ms: got .*; allowed: finite and > 0. Give a width in ms"):
        analysis.psth([[1.0]], bin_ms=bin_ms, t_stop_ms=10.0)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"window_ms: got 20; allowed: at most the recorded 10 ms"):
        analysis.fano_factor([[1.0]], window_ms=20.0, t_stop_ms=10.0)
    with pytest.raises(ValueError, match=r"ddof: got -1; allowed: an integer >= 0"):
        analysis.fano_factor([[1.0]], window_ms=5.0, ddof=-1, t_stop_ms=10.0)
    with pytest.raises(ValueError, match=r"smooth_ms: got -1.0; allowed: finite and > 0. Give 0, or a width in ms"):
        analysis.population_rate_Hz([[1.0]], bin_ms=1.0, smooth_ms=-1.0, t_stop_ms=10.0)
