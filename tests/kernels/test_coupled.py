"""Recurrences whose neurons meet in products with matrices, against `jax.lax.scan` of the same function."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import kernels
from jaxsyn.kernels._library import elementwise_supported
from jaxsyn.surrogate import SuperSpike
from tests.kernels import scans
from tests.kernels.scans import compiled, normal, run

pytestmark = pytest.mark.skipif(not elementwise_supported(), reason="no elementwise programs on this machine")

SPIKE = SuperSpike(k=10.0)
assert_close = functools.partial(scans.assert_close, rtol=2e-5)  # sums in another order


def leaky(matrix, decay, state, x):
    """Leaky neurons that reach each other by graded, mostly zero emissions: smooth but at the threshold."""
    v, s = state
    u = decay * v + x + kernels.spike_matmul(s, matrix, native=True)
    s = jnp.where(u > 0.8, jnp.tanh(u), 0.0)
    return (u - 0.5 * s, s), (s, v)


def zeros(size):
    return (jnp.zeros(size), jnp.zeros(size))


@pytest.mark.parametrize("level", [-3.0, 0.0, 3.0])  # hardly any spikes, some, most neurons in each step
@pytest.mark.parametrize(("size", "lanes"), [(1, 1), (33, 40), (200, 5)])
def test_values_and_gradients_are_those_of_a_scan(size, lanes, level):
    matrix = 0.5 * normal(0, size, size) / np.sqrt(size).astype(np.float32)

    def both(native, matrix, decay, x, weights):
        def total(decay, x):
            step = functools.partial(leaky, matrix, decay)
            (v, _), (s, _) = jax.vmap(lambda x: run(native, step, zeros(size), x), 1, (0, 1))(x)
            return jnp.sum(s * weights) + jnp.sum(v**2), (s, v)

        return jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(decay, x)

    args = (jnp.float32(0.9), normal(1, 6, lanes, size) + level, normal(2, 6, lanes, size))
    got, expected, calls = compiled(both, matrix, *args)
    assert calls == 2
    assert_close(got, expected)


@hypothesis.settings(max_examples=4, deadline=None)
@hypothesis.given(
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 40)), lanes=st.integers(1, 20), seed=st.integers(0, 99)
)
def test_populations_side_by_side(sizes, lanes, seed):
    """Blocks of a matrix between parts of the neurons, as projections between the populations of a group are."""
    first, second = sizes
    size = first + second
    blocks = [0.3 * normal(seed + k, *shape) for k, shape in enumerate(((first, second), (second, first)))]

    def both(native, x):
        def step(state, x):
            v, s = state
            to_second = kernels.spike_matmul(s[:first], blocks[0], native=True)
            to_first = kernels.spike_matmul(s[first:], blocks[1], native=True)
            u = 0.9 * v + x + jnp.pad(to_second, (first, 0)) - 0.5 * jnp.pad(to_first, (0, second))
            s = jnp.where(u > 0.5, jnp.tanh(u), 0.0)
            return (u - s, s), s

        def total(x):
            _, s = jax.vmap(lambda x: run(native, step, zeros(size), x), 1, (0, 1))(x)
            return jnp.sum(s**2), s

        return jax.value_and_grad(total, has_aux=True)(x)

    x = 2.0 * normal(seed + 2, 5, lanes, size)
    (_, gradient), (_, wanted), calls = compiled(both, x)
    assert calls == 2
    assert_close(gradient, wanted, rtol=1e-4)


def test_spikes_and_their_surrogate_gradient():
    matrix, x, weights = 0.3 * normal(0, 50, 50), normal(1, 20, 8, 50), normal(2, 20, 8, 50)

    def both(native, x):
        def step(state, x):
            v, s = state
            u = 0.9 * v + x + kernels.spike_matmul(s, matrix, native=True)
            s = SPIKE(u - 1.0)
            return (u - s, s), (s, u)

        def total(x):
            _, (s, u) = jax.vmap(lambda x: run(native, step, zeros(50), x), 1, (0, 1))(x)
            return jnp.sum(s * weights), u

        return jax.value_and_grad(total, has_aux=True)(x)

    got, expected, calls = compiled(both, x)
    assert float(jnp.min(jnp.abs(expected[0][1] - 1.0))) > 1e-5  # no spike within rounding of the threshold
    assert calls == 2
    assert_close(got, expected)


def test_changes_forward_and_second_derivatives():
    matrix, x = 0.3 * normal(0, 33, 33), normal(1, 5, 33)

    def both(native, x, way):
        def total(x):
            def step(state, x):
                v, s = state
                return (jnp.tanh(0.5 * v + x + kernels.spike_matmul(s, matrix, native=True)), v), s

            _, out = run(native, step, zeros(33), x)
            return jnp.sum(out**3)

        return jax.jvp(total, (x,), (way,)), jax.jvp(jax.grad(total), (x,), (way,))

    got, expected, calls = compiled(both, x, normal(2, 5, 33))
    assert calls
    assert_close(got, expected)


def test_matrices_that_are_computed_from_others_are_so_once():
    matrix, x = 0.3 * normal(0, 20, 20), normal(1, 6, 5, 20)

    def both(native, matrix, gain, x):
        def step(state, x):
            v, s = state
            u = 0.9 * v + x + kernels.spike_matmul(s, gain * matrix.T, native=True) - matrix @ jnp.tanh(s)
            return (u, jnp.where(u > 0.5, u, 0.0)), s

        def total(x):
            return jnp.sum(jax.vmap(lambda x: run(native, step, zeros(20), x)[1], 1, 1)(x) ** 2)

        return jax.value_and_grad(total)(x)

    got, expected, calls = compiled(both, matrix, jnp.float32(0.5), x)
    assert calls == 2
    assert_close(got, expected)


@pytest.mark.parametrize("mapped", [False, True])
def test_derivatives_by_the_matrix(mapped):
    """They are those of a scan; so are lanes with a matrix each."""
    matrix, x = 0.3 * normal(0, 3, 20, 20), normal(1, 6, 20)

    def both(native, matrix, x):
        def total(matrix):
            (v, _), (s, _) = run(native, functools.partial(leaky, matrix, 0.9), zeros(20), x)
            return jnp.sum(s**2) + jnp.sum(v)

        function = jax.value_and_grad(total)
        return jax.vmap(function)(matrix) if mapped else function(matrix[0])

    got, expected, _ = compiled(both, matrix, x)
    assert_close(got, expected)


def test_products_of_products_and_what_is_too_much():
    """Several stages in a step, of what was computed in it; with more of them than there is room for it is a scan."""
    matrices = [0.3 * normal(k, 40, 40) for k in range(9)]

    def both(native, x, n):
        def step(state, x):
            v, s = state
            for matrix in matrices[:n]:
                s = jnp.tanh(kernels.spike_matmul(s, matrix, native=True) + x)
            return (s, v + s), (v, s)

        def total(x):
            ends, out = jax.vmap(lambda x: run(native, step, zeros(40), x), 1, (0, 1))(x)
            return sum(jnp.sum(a**2) for a in jax.tree.leaves((ends, out)))

        return jax.value_and_grad(total)(x)

    for n, native in ((1, 2), (3, 2), (9, 0)):
        got, expected, calls = compiled(functools.partial(both, n=n), normal(9, 4, 6, 40))
        assert calls == native
        assert_close(got, expected)


def test_emissions_that_are_not_finite_reach_the_others():
    matrix = jnp.ones((40, 40))
    start = (jnp.zeros(40), jnp.zeros(40).at[3].set(jnp.nan))
    (v, _), _ = jax.jit(
        lambda x: kernels.recurrence(functools.partial(leaky, matrix, 0.9), 2, 40, start, x, native=True)
    )(jnp.zeros((2, 40)))
    assert jnp.isnan(v).all()


def test_threads_give_the_same_bits():
    """A batch that is shared by threads, against its lanes one by one; sums of sparse rows do not depend on others."""
    matrix, x = 0.3 * normal(0, 256, 256), normal(1, 30, 64, 256) - 2.0
    step = functools.partial(leaky, matrix, 0.9)
    function = lambda x: kernels.recurrence(step, 30, 256, zeros(256), x, native=True)  # noqa: E731
    whole = jax.jit(jax.vmap(function, 1, (0, 1)))(x)
    alone = jax.jit(function)
    for lane in (0, 17, 63):
        (v, _), (s, _) = alone(x[:, lane])
        assert (v == whole[0][0][lane]).all()
        assert (s == whole[1][0][:, lane]).all()
