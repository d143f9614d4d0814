"""Victor-Purpura and van Rossum distances."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import trains

COSTS = st.sampled_from([0.0, 0.05, 0.3, 2.0, np.inf])
TAUS = st.sampled_from([0.5, 5.0, 200.0])
ROUNDING = 1e-9


def edit_distance(a: np.ndarray, b: np.ndarray, q: float) -> float:
    """The table of Victor and Purpura, cell by cell."""
    D = np.zeros((len(a) + 1, len(b) + 1))
    D[:, 0], D[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            gap = abs(a[i - 1] - b[j - 1])
            shift = D[i - 1, j - 1] + (q * gap if gap else 0.0)
            D[i, j] = min(D[i - 1, j] + 1, D[i, j - 1] + 1, shift)
    return float(D[-1, -1])


def filtered_distance(a: np.ndarray, b: np.ndarray, tau: float) -> float:
    """Van Rossum distance from its three correlation sums: one spike against none is 1."""

    def overlap(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.exp(-np.abs(x[:, None] - y[None]) / tau).sum())

    return np.sqrt(max(0.0, overlap(a, a) + overlap(b, b) - 2 * overlap(a, b)))


def check_metric(D: np.ndarray, spikes: list[np.ndarray]) -> None:
    assert np.array_equal(D, D.T)
    assert (np.diag(D) == 0).all()
    assert (D >= 0).all()
    assert (D[:, :, None] <= D[:, None, :] + D.T[None] + ROUNDING).all()  # D_ij <= D_ik + D_kj
    for i, a in enumerate(spikes):
        for j, b in enumerate(spikes):
            if np.array_equal(a, b):
                assert D[i, j] == 0


@hypothesis.given(trains(0, 4), COSTS)
def test_victor_purpura_is_a_metric(spikes: list[np.ndarray], q: float) -> None:
    check_metric(analysis.victor_purpura_distance(spikes, cost_per_ms=q), spikes)


@hypothesis.given(trains(0, 4), TAUS, st.sampled_from(["elephant", "plain"]))
def test_van_rossum_is_a_metric(spikes: list[np.ndarray], tau: float, normalization: str) -> None:
    check_metric(analysis.van_rossum_distance(spikes, tau_ms=tau, normalization=normalization), spikes)


@hypothesis.given(trains(2, 2), COSTS)
def test_victor_purpura_fills_the_table(spikes: list[np.ndarray], q: float) -> None:
    D = analysis.victor_purpura_distance(spikes, cost_per_ms=q)
    assert D[0, 1] == pytest.approx(edit_distance(*spikes, q), abs=ROUNDING)


@hypothesis.given(trains(2, 2), TAUS)
def test_van_rossum_is_its_correlation_sums(spikes: list[np.ndarray], tau: float) -> None:
    D = analysis.van_rossum_distance(spikes, tau_ms=tau)
    assert D[0, 1] == pytest.approx(filtered_distance(*spikes, tau), abs=1e-6)  # the sums cancel
    plain = analysis.van_rossum_distance(spikes, tau_ms=tau, normalization="plain")
    np.testing.assert_allclose(plain * np.sqrt(2.0), D)


@hypothesis.given(trains(2, 3), st.floats(-1e3, 1e3))
def test_shift_of_all_trains_changes_nothing(spikes: list[np.ndarray], by: float) -> None:
    moved = [t + by for t in spikes]
    for q in (0.0, 0.3):
        here = analysis.victor_purpura_distance(spikes, cost_per_ms=q)
        np.testing.assert_allclose(analysis.victor_purpura_distance(moved, cost_per_ms=q), here, atol=ROUNDING)
    here = analysis.van_rossum_distance(spikes, tau_ms=5.0)
    np.testing.assert_allclose(analysis.van_rossum_distance(moved, tau_ms=5.0), here, atol=1e-6)


@hypothesis.given(trains(2, 3))
def test_limits_of_the_cost(spikes: list[np.ndarray]) -> None:
    count = np.array([len(t) for t in spikes])
    D = analysis.victor_purpura_distance(spikes, cost_per_ms=0.0)
    assert np.array_equal(D, np.abs(count[:, None] - count))
    high, limit = (analysis.victor_purpura_distance(spikes, cost_per_ms=q) for q in (1e6, np.inf))
    np.testing.assert_allclose(high, limit, atol=1e-6)


def test_spikes_twice_at_one_time_pair_up_one_by_one() -> None:
    D = analysis.victor_purpura_distance([[1.0, 1.0, 2.0], [1.0, 2.0, 2.0]], cost_per_ms=np.inf)
    assert D[0, 1] == 2.0


def test_van_rossum_keeps_its_digits_for_nearly_equal_trains() -> None:
    times = np.arange(0.0, 1000.0, 5.0)
    moved = times.copy()
    moved[-1] += 1e-9
    got = analysis.van_rossum_distance([times, moved], tau_ms=10.0)[0, 1]
    shift = moved[-1] - times[-1]
    assert got == pytest.approx(np.sqrt(2 * -np.expm1(-shift / 10.0)), rel=1e-6)


def test_bad_arguments() -> None:
    for q in (-1.0, np.nan):
        with pytest.raises(ValueError, match=r"cost_per_ms: got .*; allowed: >= 0, infinity too. Give the cost"):
            analysis.victor_purpura_distance([[1.0]], cost_per_ms=q)
    with pytest.raises(ValueError, match=r"tau_ms: got 0.0; allowed: finite and > 0. Give the time constant in ms"):
        analysis.van_rossum_distance([[1.0]], tau_ms=0.0)
    with pytest.raises(ValueError, match=r"normalization: got 'l2'; allowed: 'elephant'"):
        analysis.van_rossum_distance([[1.0]], tau_ms=1.0, normalization="l2")
