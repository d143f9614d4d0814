"""Digits that the textbook form loses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn._core import expm1_ratio


@pytest.mark.parametrize("bits", [32, 64])
def test_relative_accuracy_everywhere(bits: int) -> None:
    with jax.enable_x64(bits == 64):
        sizes = np.logspace(-30, 1.5, 200)
        x = np.concatenate([-sizes[::-1], [0.0], sizes]).astype(f"float{bits}")
        exact = x.astype(np.longdouble)
        wanted = np.where(x == 0, 1.0, np.expm1(exact) / np.where(x == 0, 1.0, exact))
        got = np.asarray(expm1_ratio(jnp.asarray(x)))
        assert got.dtype == x.dtype
        np.testing.assert_allclose(got, wanted.astype(x.dtype), rtol=4 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("x", [0.0, 1e-6, -1e-6, 1e-5, 0.3, -20.0])
def test_slope(x: float) -> None:
    with jax.enable_x64(True):
        slope = jax.grad(expm1_ratio)(jnp.asarray(x))
        series = 0.5 + x / 3.0 + x * x / 8.0
        exact = series if abs(x) < 1e-3 else (np.exp(x) - np.expm1(x) / x) / x
        np.testing.assert_allclose(slope, exact, rtol=1e-4)
