import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn.connect import GraphKey, Normal, TruncatedNormal, Uniform, delay_to_steps, sample_delays


def generator():
    return GraphKey(0, "d").generator("delay")


@given(steps=st.integers(0, 100_000), dt_ms=st.sampled_from([0.01, 0.025, 0.1, 0.125, 0.5, 1.0]))
def test_delays_on_the_grid_are_exact(steps, dt_ms):
    assert delay_to_steps(steps * dt_ms, dt_ms, sampled=False) == steps


@given(delay_ms=st.floats(0.0, 100.0))
def test_sampled_delays_go_to_the_nearest_step(delay_ms):
    steps = int(delay_to_steps(delay_ms, 0.1, sampled=True))
    assert steps >= 1
    assert steps == 1 or abs(steps * 0.1 - delay_ms) <= 0.05 + 1e-9


def test_shapes_and_types():
    assert delay_to_steps(1.5, 0.1, sampled=False).shape == ()
    assert delay_to_steps([0.1, 0.2], 0.1, sampled=False).dtype == np.int32
    assert delay_to_steps([], 0.1, sampled=False).shape == (0,)


def test_sample_delays():
    steps = sample_delays(Uniform(0.0, 1.0), 100_000, 0.1, generator())
    counts = np.bincount(steps)
    assert counts.size == 11
    assert counts[0] == 0
    expected = np.array([0.15] + [0.1] * 8 + [0.05])
    assert np.abs(counts[1:] / 1e5 - expected).max() < 0.005
    assert sample_delays(1.5, 10, 0.1, generator()) == 15
    assert sample_delays([0.1, 0.3], 2, 0.1, generator()).tolist() == [1, 3]
    assert sample_delays(Uniform(0.5, 1.0), 0, 0.1, generator()).size == 0
    assert sample_delays(TruncatedNormal(1.0, 1.0, low=0.0), 1000, 0.1, generator()).min() >= 1


BAD = {
    "off grid": (
        lambda: delay_to_steps(0.25, 0.1, sampled=False),
        r"delay_ms: got 0\.25, which is 2\.5 steps of dt_ms=0\.1; allowed: whole steps, such as 0\.2 or 0\.3",
    ),
    "place": (lambda: delay_to_steps([0.1, 0.15], 0.1, sampled=False), r"got 0\.15 at place \(1,\)"),
    "negative": (lambda: delay_to_steps(-0.1, 0.1, sampled=False), r"delay_ms: got -0\.1; allowed: >= 0"),
    "drawn": (lambda: sample_delays(Normal(0.0, 1.0), 100, 0.1, generator()), r"TruncatedNormal\(\.\.\., low=0\)"),
    "nan": (lambda: delay_to_steps(np.nan, 0.1, sampled=True), "delay_ms: got nan"),
    "long": (lambda: delay_to_steps(1e12, 0.1, sampled=False), "delay_ms: got 1e"),
    "dt": (lambda: delay_to_steps(1.0, 0.0, sampled=False), r"dt_ms: got 0\.0; allowed: > 0"),
    "shape": (
        lambda: sample_delays([0.1, 0.2], 3, 0.1, generator()),
        r"delay_ms: got shape \(2,\); allowed: shape \(3,\)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
