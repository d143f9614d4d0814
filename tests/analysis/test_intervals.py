"""Intervals and their irregularity."""

import hypothesis
import numpy as np
import pytest

from jaxsyn import analysis

from .strategies import trains

MEASURES = [analysis.isi_cv, analysis.cv2, analysis.lv]


@hypothesis.given(trains(0, 5))
def test_intervals_and_cv_are_those_of_numpy(spikes: list[np.ndarray]) -> None:
    intervals = analysis.isi_ms(spikes)
    assert len(intervals) == len(spikes)
    for got, cv, train in zip(intervals, analysis.isi_cv(spikes), spikes, strict=True):
        want = np.diff(train)
        np.testing.assert_allclose(got, want)
        assert np.isnan(cv) if len(want) < 2 else cv == pytest.approx(want.std() / want.mean(), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@hypothesis.given(spikes=trains(1, 4))
def test_neither_time_scale_nor_shift_nor_direction_matters(measure, spikes: list[np.ndarray]) -> None:
    here = measure(spikes)
    np.testing.assert_allclose(measure([3.0 * t - 20.0 for t in spikes]), here, atol=1e-9)
    np.testing.assert_allclose(measure([-t[::-1] for t in spikes]), here, atol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_zero_for_a_clock_one_for_poisson(measure) -> None:
    poisson = np.cumsum(np.random.default_rng(0).exponential(10.0, 20_000))
    clock = np.arange(0.0, 1000.0, 8.0)
    got = measure([clock, poisson, [1.0], []])
    assert got[0] == pytest.approx(0.0, abs=1e-12)
    assert got[1] == pytest.approx(1.0, abs=0.03)
    assert np.isnan(got[2:]).all()


def test_spikes_at_the_same_time_have_no_local_variation() -> None:
    assert analysis.cv2([[1.0, 1.0, 1.0]]).tolist() == [0.0]
    assert np.isnan(analysis.isi_cv([[1.0, 1.0, 1.0]])).all()


def test_too_few_intervals_are_nan_on_request() -> None:
    spikes = [[0.0, 1.0, 4.0], [0.0, 1.0, 4.0, 6.0]]
    assert np.isnan(analysis.isi_cv(spikes, min_intervals=3)).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"min_intervals: got -1; allowed: an integer >= 0"):
        analysis.isi_cv(spikes, min_intervals=-1)
