"""Autocorrelation and its time scales."""

import hypothesis
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import T_MS, trains


def modulated(tau_ms: float, seed: int) -> np.ndarray:
    """Spikes of an inhomogeneous Poisson process whose rate is an AR(1) process with time constant tau."""
    r = np.random.default_rng(seed)
    steps, keep = 200_000, np.exp(-1.0 / tau_ms)
    noise = r.normal(size=steps) * np.sqrt(1 - keep**2)
    x = np.empty(steps)
    x[0] = 0.0
    for k in range(1, steps):
        x[k] = keep * x[k - 1] + noise[k]
    return np.flatnonzero(r.random(steps) < np.clip(0.2 * (1 + 0.5 * x), 0, 1)) + 0.5


@hypothesis.given(trains(1, 4))
def test_wieland_timescale_is_that_of_the_dense_counts(spikes: list[np.ndarray]) -> None:
    x = analysis.binned_counts(spikes, bin_ms=1.0, t_stop_ms=T_MS).astype(float)
    N, K = x.shape[1], 5
    got = analysis.wieland_timescale_ms(spikes, bin_ms=1.0, max_lag_bins=K, t_stop_ms=T_MS)
    for row, train, tau in zip(x, spikes, got, strict=True):
        C = np.array([row[: N - k] @ row[k:] for k in range(1, K + 1)]) - row.sum() ** 2 / N
        if len(train) < 2 or C[0] == 0:
            assert np.isnan(tau)
        else:
            assert tau == pytest.approx(2 * np.trapezoid((C / C[0]) ** 2), rel=1e-9)


def test_time_scales_of_a_known_process() -> None:
    spikes = [modulated(20.0, seed=k) for k in range(2)]
    rho = analysis.population_autocorrelation(spikes, bin_ms=1.0, max_lag_bins=200, t_stop_ms=2e5)
    assert rho[0] == 1.0
    tail = rho[1:] / rho[1]  # without the delta peak of the point process
    assert analysis.decay_timescale_ms(tail, bin_ms=1.0) == pytest.approx(20.0, rel=0.3)
    wieland = analysis.wieland_timescale_ms(spikes, bin_ms=1.0, max_lag_bins=200, t_stop_ms=2e5)
    assert wieland == pytest.approx(np.full(2, 20.0), rel=0.4)  # int of exp(-2 t / tau), twice


def test_closed_forms() -> None:
    rho = np.exp(-np.arange(200) / 10.0)
    assert analysis.decay_timescale_ms(rho, bin_ms=0.5) == pytest.approx(5.0, rel=1e-2)
    assert analysis.integrated_timescale_ms(rho, bin_ms=0.5) == pytest.approx(10.0, rel=1e-2)
    assert np.isnan(analysis.decay_timescale_ms([1.0, 0.9, 0.8], bin_ms=1.0))
    assert np.isnan(analysis.decay_timescale_ms([1.0], bin_ms=1.0))


def test_a_silent_population_has_no_autocorrelation() -> None:
    rho = analysis.population_autocorrelation([[], []], bin_ms=1.0, max_lag_bins=3, t_stop_ms=10.0)
    assert np.isnan(rho).all()
    assert np.isnan(analysis.decay_timescale_ms(rho, bin_ms=1.0))
    assert analysis.wieland_timescale_ms([], bin_ms=1.0, max_lag_bins=3, t_stop_ms=10.0).shape == (0,)


def test_bad_arguments() -> None:
    for measure in (analysis.population_autocorrelation, analysis.wieland_timescale_ms):
        with pytest.raises(ValueError, match=r"max_lag_bins: got 10; allowed: below the 10 bins"):
            measure([[1.0]], bin_ms=1.0, max_lag_bins=10, t_stop_ms=10.0)
        with pytest.raises(ValueError, match=r"max_lag_bins: got 0; allowed: an integer >= 1"):
            measure([[1.0]], bin_ms=1.0, max_lag_bins=0, t_stop_ms=10.0)
    with pytest.raises(ValueError, match=r"rho: got shape \(0,\)"):
        analysis.integrated_timescale_ms([], bin_ms=1.0)
    with pytest.raises(ValueError, match=r"bin_ms: got 0.0; allowed: finite and > 0"):
        analysis.decay_timescale_ms([1.0, 0.1], bin_ms=0.0)
