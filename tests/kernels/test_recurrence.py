"""Recurrences of neurons against `jax.lax.scan` of the same function: values, derivatives of both kinds, lanes."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import pytest

from jaxsyn import kernels
from jaxsyn.surrogate import SuperSpike
from tests.kernels.scans import assert_close, compiled, normal, run

pytestmark = pytest.mark.usefixtures("instruction_set")


def neuron(decay, threshold, state, x):
    """An adaptive neuron with numbers, counts and truth values; smooth, so that it has all derivatives."""
    v, a, count, before = state
    u = decay * v + x
    s = jnp.tanh(u - threshold - 0.3 * a)
    fired = s > 0.2
    return (u - s * threshold, 0.8 * a + s, count + fired.astype(jnp.int32), fired), (s, before, fired, count)


def start(size, seed=3):
    zero = jnp.zeros(size, jnp.int32)
    return (normal(seed, size), normal(seed + 1, size), zero, zero == 1)


@pytest.mark.parametrize("length", [1, 2, 9])
@pytest.mark.parametrize("size", [1, 7, 32, 33, 1024, 2085])
def test_values_are_those_of_a_scan(size, length):
    def both(native, decay, threshold, state, x):
        return run(native, functools.partial(neuron, decay, threshold), state, x)

    args = (jnp.float32(0.9), normal(0, size) * 0.1 + 1.0, start(size), normal(1, length, size))
    got, expected, calls = compiled(both, *args)
    assert calls == 1
    assert_close(got, expected)


def test_results_that_need_no_operation():
    """States that change places, stay, are replaced by inputs, or by what all neurons share."""

    def step(state, x):
        a, b, c, d, e = state
        return (b, a, c, x, jnp.full_like(e, 7)), (d, jnp.ones_like(x), x, c)

    def both(native, x, state):
        return run(native, step, state, x)

    state = (*(normal(k, 40) for k in range(4)), jnp.zeros(40, jnp.int32))
    got, expected, calls = compiled(both, normal(9, 5, 40), state)
    assert calls == 1
    assert_close(got, expected, rtol=0.0)


def test_results_that_all_neurons_share_beside_others():
    def both(native, c, x):
        def step(v, x):
            u = 0.9 * v + jnp.tanh(x)
            return u, (jnp.full_like(x, 2.0), u * x, jnp.zeros_like(x) + c)

        return run(native, step, jnp.zeros(40), x)

    got, expected, calls = compiled(both, jnp.float32(3.0), normal(1, 5, 40))
    assert calls == 1
    assert_close(got, expected)


def loss(native, decay, threshold, state, x, weights):
    """A number that depends on all that a run gives."""
    carried = lambda own, x: neuron(decay, threshold, own, x)  # noqa: E731
    (v, a, *_), (s, _, fired, _) = run(native, carried, state, x)
    return jnp.sum(s * weights) + jnp.sum(v * a) + jnp.sum(fired.astype(s.dtype) * s)


ARGS = (
    *(jnp.float32(0.9), 1.0 + 0.1 * normal(0, 70), start(70), normal(1, 6, 70), normal(2, 6, 70)),
)  # decay, thresholds, state, inputs, weights


@pytest.mark.parametrize("remat", [False, True])
def test_gradients_are_those_of_a_scan(remat):
    def gradient(native, *args):
        function = functools.partial(loss, native)
        return jax.grad(jax.checkpoint(function) if remat else function, argnums=(0, 1, 2, 3), allow_int=True)(*args)

    got, expected, calls = compiled(gradient, *ARGS)
    assert calls == 2
    assert_close(*([x for x in jax.tree.leaves(g) if x.dtype == jnp.float32] for g in (got, expected)))


def test_gradients_of_some_operands_and_of_results_that_are_not_used():
    def gradient(native, decay, x, state):
        def one(decay):
            (v, *_), _ = run(native, functools.partial(neuron, decay, 1.0), state, x)
            return jnp.sum(v)

        return jax.grad(one)(decay)

    got, expected, _ = compiled(gradient, jnp.float32(0.8), normal(1, 5, 33), start(33))
    assert_close(got, expected)


def test_changes_forward_and_second_derivatives():
    def directional(native, x, ways):
        function = lambda decay, x: loss(native, decay, *ARGS[1:3], x, ARGS[4])  # noqa: E731
        first = jax.jvp(function, (ARGS[0], x), ways)
        return first, jax.jvp(jax.grad(function, argnums=(0, 1)), (ARGS[0], x), ways)

    got, expected, _ = compiled(directional, ARGS[3], (jnp.float32(0.3), normal(7, 6, 70)))
    assert_close(got, expected, rtol=1e-5)


def test_a_recomputed_run_stores_nothing_in_its_first_pass():
    """What derivatives need of each step is computed where they need it alone."""

    def function(x):
        step = lambda v, x: (0.9 * v + jnp.tanh(x + v), None)  # noqa: E731
        return jnp.sum(kernels.recurrence(step, 5, 64, jnp.zeros(64), x, native=True)[0])

    text = str(jax.make_jaxpr(jax.grad(lambda x: jax.checkpoint(function)(x) ** 2))(normal(0, 5, 64)))
    first = next(line for line in text.splitlines() if "jaxsyn_recurrence_of" in line)
    assert "f32[5,64]" not in first.split("=")[0]


@pytest.mark.parametrize("axes", [(None, None, None, 1), (0, 0, 0, 0), (0, None, None, None), (None, 1, None, 2)])
def test_lanes_are_single_runs(axes):
    lanes, size, length = 3, 37, 5
    full = [lambda k: normal(k), lambda k: 1.0 + 0.1 * normal(k, size), lambda k: normal(k, size)]
    full.append(lambda k: normal(k, length, size))
    stacked = [
        make(10 * i) if axis is None else jnp.stack([make(10 * i + k) for k in range(lanes)], axis)
        for i, (make, axis) in enumerate(zip(full, axes, strict=True))
    ]

    def one(native, decay, threshold, v, x):
        def step(v, x):
            u = decay * v + x
            s = jnp.tanh(u - threshold)
            return u - s * threshold, s

        return run(native, step, v, x)

    def both(native, *args):
        mapped = jax.vmap(functools.partial(one, native), in_axes=axes)

        def total(*args):
            v, s = mapped(*args)
            return jnp.sum(v**2) + jnp.sum(s**3)

        return mapped(*args), jax.grad(total, argnums=(0, 1, 2, 3))(*args)

    got, expected, calls = compiled(both, *stacked)
    assert calls
    assert_close(got, expected, rtol=1e-5)


def test_lanes_of_lanes_and_of_gradients():
    def both(native, decay, x):
        def one(decay, x):
            v, s = run(native, lambda v, x: (decay * v + x, jnp.tanh(v)), jnp.zeros(20), x)
            return jnp.sum(v * s[-1])

        inner = jax.vmap(jax.grad(one, argnums=(0, 1)), (None, 1))
        return jax.vmap(inner, (0, None))(decay, x)

    got, expected, calls = compiled(both, jnp.array([0.5, 0.9]), normal(0, 4, 3, 20))
    assert calls
    assert_close(got, expected, rtol=1e-5)


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(size=st.integers(1, 70), length=st.integers(1, 12), seed=st.integers(0, 99))
def test_spikes_and_their_surrogate_gradient(size, length, seed):
    """Spikes are equal wherever the potential is not within rounding of the threshold, and so are gradients."""
    spike = SuperSpike(k=10.0)
    x, weights = 2.0 * normal(seed, length, size), normal(seed + 1, length, size)

    def both(native, x):
        def total(x):
            def step(v, x):
                u = 0.9 * v + x
                s = spike(u - 1.0)
                return u - s, (s, u)

            _, (s, u) = run(native, step, jnp.zeros(size), x)
            return jnp.sum(s * weights), (s, u)

        return jax.value_and_grad(total, has_aux=True)(x)

    ((_, (s, u)), gradient), ((_, (s_scan, u_scan)), expected), calls = compiled(both, x)
    assert calls
    hypothesis.assume(float(jnp.min(jnp.abs(u_scan - 1.0))) > 1e-5)
    assert (s == s_scan).all()
    assert_close((u, gradient), (u_scan, expected), rtol=1e-5)


@pytest.mark.parametrize(
    "step",
    [
        lambda v, x: (v + jnp.cumsum(x), v),  # across neurons
        lambda v, x: (v + jax.lax.iota(jnp.int32, 40).astype(jnp.float32), v),  # by their place
        lambda v, x: (jax.lax.erf_inv(v * 0.1) + x, v),  # no operation of programs
        lambda v, x: (v + x, jnp.sum(v)),  # a result that is not of neurons
        lambda v, x: (v + x[::-1], v.astype(jnp.float16)),
    ],
)
def test_what_a_program_cannot_do_is_a_scan(step):
    def both(native, v, x):
        return run(native, step, v, x)

    def gradient(native, v, x):
        return jax.grad(lambda v, x: jnp.sum(both(native, v, x)[0] ** 2), argnums=(0, 1))(v, x)

    args = (normal(0, 40), normal(1, 4, 40))
    got, expected, calls = compiled(both, *args)
    assert calls == 0
    assert_close(got, expected)
    assert_close(*compiled(gradient, *args)[:2])


def test_no_steps_no_neurons_and_no_transformation():
    step = lambda v, x: (v + x, v)  # noqa: E731
    for length, size in ((0, 3), (2, 0)):
        v, out = jax.jit(lambda x, n=size, k=length: kernels.recurrence(step, k, n, jnp.ones(n), x, native=True))(
            jnp.ones((length, size))
        )
        assert v.tolist() == [1.0] * size
        assert out.shape == (length, size)
    v, out = kernels.recurrence(step, 2, 2, jnp.zeros(2), jnp.ones((2, 2)), native=True)
    assert v.tolist() == [2.0, 2.0]


def test_threads_give_the_same_bits():
    """A run that is shared by threads, against its parts one by one."""
    step = lambda v, x: (0.9 * v + jnp.tanh(x), jnp.exp(v))  # noqa: E731
    x = normal(0, 40, 40_000)
    whole = jax.jit(lambda x: kernels.recurrence(step, 40, 40_000, jnp.zeros(40_000), x, native=True))(x)
    part = jax.jit(lambda x: kernels.recurrence(step, 40, 1000, jnp.zeros(1000), x, native=True))
    for first in (0, 20_000, 39_000):
        v, out = part(x[:, first : first + 1000])
        assert (v == whole[0][first : first + 1000]).all()
        assert (out == whole[1][:, first : first + 1000]).all()


def test_derivatives_of_a_run_without_float_results():
    def gradient(native, x):
        def total(x):
            count, seen = run(native, lambda c, x: (c + 1, x > 0.1), jnp.zeros(40, jnp.int32), x)
            return jnp.sum(x**2) + jnp.sum(seen.astype(jnp.float32)) + jnp.sum(count.astype(jnp.float32))

        return jax.grad(total)(x), jax.jvp(total, (x,), (x,))

    got, expected, _ = compiled(gradient, normal(0, 6, 40))
    assert_close(got, expected)


def test_a_backward_rule_of_the_user_is_kept():
    @jax.custom_vjp
    def spike(u):
        return (u > 0).astype(u.dtype)

    spike.defvjp(lambda u: (spike(u), u), lambda u, g: (g / (1.0 + 10.0 * jnp.abs(u)) ** 2,))
    inner = jax.jit(lambda u: 2.0 * spike(u))

    def gradient(native, x, form):
        def step(v, x):
            s = form(0.9 * v + x - 1.0)
            return 0.9 * v + x - s, s

        return jax.grad(lambda x: jnp.sum(run(native, step, jnp.zeros(40), x)[1] ** 2))(x)

    for form in (spike, inner, jax.checkpoint(inner)):
        got, expected, _ = compiled(functools.partial(gradient, form=form), 2.0 * normal(0, 6, 40))
        assert_close(got, expected)


def test_changes_that_are_plain_numbers():
    x, v = normal(0, 5, 33), normal(1, 33)
    total = lambda c: jnp.sum(kernels.recurrence(lambda v, x: (c * v + x, v), 5, 33, v, x, native=True)[1] ** 2)  # noqa: E731
    plain = lambda c: jnp.sum(jax.lax.scan(lambda v, x: (c * v + x, v), v, x)[1] ** 2)  # noqa: E731
    assert_close(*(jax.jvp(jax.grad(f), (jnp.float32(0.5),), (1.0,)) for f in (total, plain)), rtol=1e-5)


def test_changes_have_the_type_of_their_results():
    with jax.enable_x64(True):

        def both(native, c):
            count = jnp.zeros((5, 33), jnp.int32)
            function = lambda c: run(native, lambda k, x: (k + x, k.astype(c.dtype) * c), count[0], count + 1)[1]  # noqa: E731
            return jax.jvp(function, (c,), (c,))[1], jax.grad(lambda c: jnp.sum(function(c) ** 2))(c)

        got, expected, calls = compiled(both, jnp.float32(0.5))
        assert calls
        assert_close(got, expected)


@pytest.mark.parametrize(
    ("step", "length"),
    [
        (lambda s, x: ((s[0] + x,), (s[1], s[0])), 3),
        (lambda s, x: ([s[0] + x, s[1]], x), 3),
        (lambda s, x: s, 3),
        (lambda s, x: (s, x), 4),
    ],
)
def test_what_a_scan_refuses_is_refused(step, length):
    state, x = (jnp.zeros(8), jnp.ones(8)), jnp.ones((3, 8))
    refusals = []
    for function in (
        lambda x: kernels.recurrence(step, length, 8, state, x, native=True),
        lambda x: jax.lax.scan(step, state, x, length=length),
    ):
        with pytest.raises((TypeError, ValueError)) as refusal:
            jax.jit(function)(x)
        refusals.append(type(refusal.value))
    assert refusals[0] is refusals[1]
