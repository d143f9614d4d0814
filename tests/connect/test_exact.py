import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from jaxsyn.connect import _exact


def relative(got, want):
    return np.max(np.abs(got / want - 1.0))


def test_log_agrees_with_numpy():
    x = np.exp(np.random.default_rng(0).uniform(-700.0, 700.0, 10_000))
    assert relative(_exact.log(x), np.log(x)) < 1e-15
    u = np.random.default_rng(1).integers(1, 2**53, 10_000) * 2.0**-53
    assert relative(_exact.log(u), np.log(u)) < 1e-15
    assert _exact.log(np.array([1.0]))[0] == 0.0


def test_exp_agrees_with_numpy():
    x = np.random.default_rng(0).uniform(-700.0, 700.0, 10_000)
    assert relative(_exact.exp(x), np.exp(x)) < 1e-15
    assert _exact.exp(np.array([0.0, -1e9])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("p", [1e-300, 1e-12, 1e-4, 0.00999, 0.01001, 0.3, 1.0 - 2.0**-53])
def test_log1p_negative(p):
    assert _exact.log1p_negative(p) == pytest.approx(math.log1p(-p), rel=1e-14)


def test_normal_quantile_agrees_with_scipy():
    u = np.random.default_rng(0).uniform(1e-9, 1.0, 10_000)
    p = np.concatenate([u, 10.0 ** -np.linspace(1.0, 300.0, 500)])
    assert np.max(np.abs(_exact.normal_quantile(p) - ndtri(p)) / np.maximum(np.abs(ndtri(p)), 1e-3)) < 1e-14


def test_normal_cdf_agrees_with_scipy():
    for x in np.linspace(-37.0, 8.0, 200):
        assert _exact.normal_cdf(float(x)) == pytest.approx(ndtr(x), rel=1e-12)
    assert _exact.normal_cdf(-math.inf) == 0.0
    assert _exact.normal_cdf(math.inf) == 1.0


def test_bits_are_pinned():
    """Any machine gives these bits: only operations that IEEE 754 rounds exactly are used."""
    x = np.array([1e-3, 0.1, 0.7, 3.0])
    assert [v.hex() for v in _exact.log(x).tolist()] == PINNED["log"]
    assert [v.hex() for v in _exact.exp(x).tolist()] == PINNED["exp"]
    assert [v.hex() for v in _exact.normal_quantile(x[:3]).tolist()] == PINNED["quantile"]


PINNED = {
    "log": ["-0x1.ba18a998fffa0p+2", "-0x1.26bb1bbb55515p+1", "-0x1.6d3c324e13f4fp-2", "0x1.193ea7aad030bp+0"],
    "exp": ["0x1.0041919b7ee34p+0", "0x1.1aec7b35a00d4p+0", "0x1.01c2a61268987p+1", "0x1.415e5bf6fb106p+4"],
    "quantile": ["-0x1.8b8cbb7204470p+1", "-0x1.4813c36e26d34p+0", "0x1.0c7e39582c5fap-1"],
}
