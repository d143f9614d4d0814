"""The joined matrix exponential, also where time constants are equal or far from the step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn._core import LinearSystem, expm1_ratio, propagator

rates = st.floats(min_value=-1e4, max_value=-1e-5)


@given(a=rates, b=rates, coupling=st.floats(min_value=-10, max_value=10))
def test_the_step_equals_the_matrix_exponential(a, b, coupling):
    x, y = ("x",), ("y",)
    with jax.enable_x64(True):
        entries = {(x, x): jnp.asarray(a), (y, y): jnp.asarray(b), (y, x): jnp.asarray(coupling)}
        step = propagator(LinearSystem((x, y), entries), 0.1)
        out = step.apply({x: jnp.asarray(1.0), y: jnp.asarray(-2.0)}, None)
        expected = scipy.linalg.expm(0.1 * np.array([[a, 0.0], [coupling, b]])) @ np.array([1.0, -2.0])
        np.testing.assert_allclose([out[x], out[y]], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("relative", [0.0, 1e-12, 1e-7, 1e-3])
def test_equal_time_constants_lose_no_digits(relative):
    v, i = ("v",), ("i",)
    tau = 10.0
    with jax.enable_x64(True):
        entries = {
            (v, v): jnp.asarray(-1.0 / tau),
            (i, i): jnp.asarray(-1.0 / (tau * (1.0 + relative))),
            (v, i): jnp.asarray(1.0),
        }
        out = propagator(LinearSystem((v, i), entries), 5.0).apply({v: jnp.asarray(0.0), i: jnp.asarray(1.0)}, None)
        expected = 5.0 * np.exp(-5.0 / tau) * (1.0 + relative * 5.0 / tau / 2.0)  # first order in the difference
        np.testing.assert_allclose(out[v], expected, rtol=max(relative**2, 1e-13))


@given(st.floats(min_value=-50.0, max_value=20.0))
def test_expm1_ratio_is_accurate_everywhere(x):
    with jax.enable_x64(True):
        expected = 1.0 if x == 0 else np.expm1(x) / x
        np.testing.assert_allclose(expm1_ratio(jnp.asarray(x)), expected, rtol=1e-10)
        assert np.isfinite(jax.grad(lambda v: expm1_ratio(v))(jnp.asarray(x)))
