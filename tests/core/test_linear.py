"""The joined propagator is the matrix exponential, also where separate exponentials would divide by zero."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxsyn._core import LinearSystem, propagator

V, s, q, I = ("V",), ("s",), ("q",), ("I_pA",)


def cascade(tau_m: object, tau_s: object, tau_q: object) -> LinearSystem:
    """q feeds s, s feeds V."""
    one = jnp.ones_like(jnp.asarray(tau_s))
    entries = {
        (V, V): -1.0 / jnp.asarray(tau_m),
        (V, s): 0.005 * one,
        (s, s): -1.0 / jnp.asarray(tau_s),
        (s, q): one,
        (q, q): -1.0 / jnp.asarray(tau_q),
        (V, I): 0.005 * one,
    }
    return LinearSystem((V, s, q), entries, {V: -60.0 * one})


def matrix(tau_m: float, tau_s: float, tau_q: float) -> np.ndarray:
    return np.array(
        [[-1 / tau_m, 0.005, 0, 0.005], [0, -1 / tau_s, 1, 0], [0, 0, -1 / tau_q, 0], [0, 0, 0, 0]], np.float64
    )


taus = st.floats(-3.0, 6.0).map(lambda p: 10.0**p)


@hypothesis.given(taus, taus, taus, st.sampled_from([0.01, 0.1, 1.0]))
def test_any_time_constants(tau_m: float, tau_s: float, tau_q: float, dt: float) -> None:
    with jax.enable_x64(True):
        step = propagator(cascade(tau_m, tau_s, tau_q), dt)
        start = {V: jnp.asarray(-55.0), s: jnp.asarray(3.0), q: jnp.asarray(-2.0)}
        after = step.apply(start, jnp.asarray(100.0))
    wanted = scipy.linalg.expm(matrix(tau_m, tau_s, tau_q) * dt) @ [5.0, 3.0, -2.0, 100.0]
    got = [float(after[V]) + 60.0, float(after[s]), float(after[q])]
    np.testing.assert_allclose(got, wanted[:3], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("difference", [0.0, 1e-12, 1e-7, 1e-3])
def test_equal_and_nearly_equal_time_constants(difference: float) -> None:
    with jax.enable_x64(True):
        step = propagator(cascade(10.0, 10.0 * (1.0 + difference), 10.0), 0.7)
        got = float(step.apply({V: jnp.asarray(-60.0), s: jnp.asarray(1.0), q: jnp.asarray(0.0)}, None)[V]) + 60.0
    t, a, b = 0.7, 1 / 10.0, 1 / (10.0 * (1.0 + difference))
    gap = (b - a) * t
    wanted = 0.005 * np.exp(-a * t) * t * (1.0 if gap == 0 else -np.expm1(-gap) / gap)
    np.testing.assert_allclose(got, wanted, rtol=1e-11)


def test_one_value_for_each_neuron() -> None:
    step = propagator(cascade(np.array([10.0, 20.0]), np.array([2.0, 2.0]), np.array([1.0, 5.0])), 0.1)
    values = {V: jnp.full(2, -60.0), s: jnp.ones(2), q: jnp.zeros(2)}
    both = step.apply(values, jnp.asarray(50.0))
    for i, (tau_m, tau_q) in enumerate([(10.0, 1.0), (20.0, 5.0)]):
        alone = propagator(cascade(tau_m, 2.0, tau_q), 0.1).apply(
            {k: v[i] for k, v in values.items()}, jnp.asarray(50.0)
        )
        np.testing.assert_allclose(both[V][i], alone[V], rtol=1e-6)


def test_zeros_of_the_structure_cost_nothing() -> None:
    entries = propagator(cascade(10.0, 2.0, 1.0), 0.1).entries
    assert (V, q) in entries  # through s
    assert (q, V) not in entries
    assert (s, V) not in entries
    assert (q, I) not in entries


def test_a_system_without_entries_stands_still() -> None:
    step = propagator(LinearSystem((V,), {}, {}), 0.1)
    assert float(step.apply({V: jnp.asarray(-55.0)}, None)[V]) == -55.0


def test_gradient_with_respect_to_a_time_constant() -> None:
    def after(tau: jax.Array) -> jax.Array:
        return propagator(cascade(tau, 2.0, 1.0), 0.1).apply(
            {V: jnp.asarray(-55.0), s: jnp.asarray(1.0), q: jnp.asarray(1.0)}, None
        )[V]

    with jax.enable_x64(True):
        tau, h = jnp.asarray(10.0), 1e-5
        np.testing.assert_allclose(jax.grad(after)(tau), (after(tau + h) - after(tau - h)) / (2 * h), rtol=1e-6)
