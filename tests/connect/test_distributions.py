import numpy as np
import pytest
from scipy import stats

from jaxsyn.connect import GraphKey, LogNormal, Normal, TruncatedNormal, Uniform, sample_values

S = np.sqrt(np.log(1.25))
CASES = {
    "uniform": (Uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
    "normal": (Normal(2.0, 3.0), stats.norm(2.0, 3.0)),
    "lognormal": (LogNormal(2.0, 1.0), stats.lognorm(S, scale=2.0 * np.exp(-S * S / 2))),
    "truncated": (TruncatedNormal(1.0, 2.0, 0.0, 5.0), stats.truncnorm(-0.5, 2.0, 1.0, 2.0)),
    "upper tail": (TruncatedNormal(0.0, 1.0, low=6.0), stats.truncnorm(6.0, np.inf)),
    "lower tail": (TruncatedNormal(0.0, 1.0, high=-6.0), stats.truncnorm(-np.inf, -6.0)),
    "untruncated": (TruncatedNormal(0.0, 1.0), stats.norm()),
}


def generator(seed=0):
    return GraphKey(seed, "d").generator("weight")


@pytest.mark.parametrize("name", CASES)
def test_distribution(name):
    distribution, reference = CASES[name]
    values = distribution.sample(generator(), 20_000)
    assert values.dtype == np.float64
    limit = stats.kstwobign.isf(1e-6) / np.sqrt(values.size)
    assert stats.kstest(values, reference.cdf).statistic < limit
    assert np.array_equal(values, distribution.sample(generator(), 20_000))
    assert not np.array_equal(values, distribution.sample(generator(1), 20_000))


def test_shape_and_type():
    assert Normal(0.0, 1.0).sample(generator(), (3, 4)).shape == (3, 4)
    values = sample_values(Normal(0.0, 1.0), 200_000, generator(), dtype=np.float32)
    assert values.dtype == np.float32
    assert np.array_equal(values, Normal(0.0, 1.0).sample(generator(), 200_000).astype(np.float32))


def test_the_extremes_of_the_uniform_numbers_are_finite():
    ends = np.array([0.0, 0.5, 1.0 - 2.0**-53])
    for distribution, _ in CASES.values():
        assert np.isfinite(distribution.transform(ends)).all()
    bounded = TruncatedNormal(1.0, 2.0, 0.0, 5.0).transform(ends)
    assert bounded[0] >= 0.0
    assert bounded[-1] <= 5.0
    assert Uniform(2.0, 2.0).transform(ends).tolist() == [2.0] * 3
    assert LogNormal(2.0, 0.0).transform(ends) == pytest.approx(2.0)


def test_numbers_and_arrays():
    assert sample_values(2, (3,), generator()).shape == ()
    assert sample_values([1, 2, 3], (3,), generator()).tolist() == [1.0, 2.0, 3.0]
    assert sample_values(np.ones((2, 2)), (2, 2), generator()).shape == (2, 2)


def test_bits_are_pinned():
    """Any machine gives these bits: no function of the C library is used."""
    for name, (distribution, _) in CASES.items():
        assert distribution.sample(generator(), 3)[-1].hex() == PINNED[name]


BAD = {
    "swapped": (lambda: Uniform(2.0, 1.0), r"Uniform\.high: got 1; allowed: a finite number >= 2"),
    "infinite": (lambda: Uniform(0.0, np.inf), r"Uniform\.high: got inf"),
    "std": (lambda: Normal(0.0, -1.0), r"Normal\.std: got -1"),
    "nan": (lambda: Normal(np.nan, 1.0), r"Normal\.mean: got nan"),
    "mean": (lambda: LogNormal(0.0, 1.0), r"LogNormal\.mean: got 0\.0; allowed: > 0"),
    "no width": (lambda: TruncatedNormal(0.0, 0.0), r"TruncatedNormal\.std: got 0\.0; allowed: > 0"),
    "bounds": (lambda: TruncatedNormal(0.0, 1.0, 2.0, 1.0), r"got \[2\.0, 1\.0\]; allowed: low < high"),
    "far": (lambda: TruncatedNormal(0.0, 1.0, 50.0, 60.0), "more than 37 std from the mean"),
    "shape": (lambda: sample_values([1.0, 2.0], (3,), generator(), name="weight_nS"), r"weight_nS: got shape \(2,\)"),
    "value": (lambda: sample_values(np.nan, (3,), generator(), name="weight_nS"), "weight_nS: got nan"),
    "text": (lambda: sample_values("big", (3,), generator(), name="weight_nS"), "weight_nS: got 'big'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


PINNED = {
    "uniform": "0x1.7a66a7db8e4e0p-4",
    "normal": "0x1.843d06fdca0a8p-3",
    "lognormal": "0x1.585baab8af8c7p+0",
    "truncated": "0x1.e94ecf7ff241dp-1",
    "upper tail": "0x1.8d452bb393a7bp+2",
    "lower tail": "-0x1.8d452bb393a7bp+2",
    "untruncated": "-0x1.34faea15847f2p-1",
}
