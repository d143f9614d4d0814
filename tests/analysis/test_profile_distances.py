"""ISI and SPIKE distances."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import T_MS, trains

DISTANCES = [analysis.isi_distance, analysis.spike_distance]


@pytest.mark.parametrize("distance", DISTANCES)
@hypothesis.given(spikes=trains(0, 4))
def test_symmetric_and_zero_to_itself(distance, spikes: list[np.ndarray]) -> None:
    D = distance(spikes, t_stop_ms=T_MS)
    assert D.shape == (len(spikes), len(spikes))
    assert np.array_equal(D, D.T)
    assert (np.diag(D) == 0).all()
    assert (D >= 0).all()
    if distance is analysis.isi_distance:
        assert (D < 1).all()
    if spikes:
        np.testing.assert_allclose(distance([spikes[0], spikes[0].copy()], t_stop_ms=T_MS), 0.0, atol=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
@hypothesis.given(spikes=trains(2, 3), scale=st.sampled_from([0.5, 3.0]), by=st.floats(-1e3, 1e3))
def test_neither_shift_nor_time_scale_matters(distance, spikes: list[np.ndarray], scale: float, by: float) -> None:
    moved = [np.clip(scale * t + by, by, by + scale * T_MS) for t in spikes]
    there = distance(moved, t_start_ms=by, t_stop_ms=by + scale * T_MS)
    np.testing.assert_allclose(there, distance(spikes, t_stop_ms=T_MS), atol=1e-8)


def test_two_clocks_differ_by_the_ratio_of_their_periods() -> None:
    clocks = [np.arange(0.0, 100.1, 5.0), np.arange(0.0, 100.1, 20.0)]
    assert analysis.isi_distance(clocks, t_stop_ms=100.0)[0, 1] == pytest.approx(0.75)
    assert analysis.spike_distance([clocks[0], clocks[0]], t_stop_ms=100.0)[0, 1] == 0.0


def test_mean_over_pairs() -> None:
    assert np.isnan(analysis.mean_over_pairs([[0.0]]))
    assert analysis.mean_over_pairs(np.array([[0.0, 3.0], [3.0, 0.0]])) == 3.0
    with pytest.raises(ValueError, match=r"matrix: got shape \(2,\); allowed: \(n, n\)"):
        analysis.mean_over_pairs([1.0, 2.0])
