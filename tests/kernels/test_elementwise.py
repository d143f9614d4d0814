"""Elementwise programs against the same function in plain JAX: every operation, random programs, lanes, derivatives."""

import functools
import operator

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import kernels
from jaxsyn.kernels._schedule import Value, fused, needed_values
from jaxsyn.surrogate import Triangle, hard_spike

pytestmark = pytest.mark.usefixtures("instruction_set")


RNG = np.random.default_rng(0)
SIZES = [1, 7, 31, 32, 33, 64, 101]


def both(function, size, state, *args):
    """Results of the program and of plain JAX."""
    program = jax.jit(lambda s, *a: kernels.elementwise(function, size, s, *a, native=True))
    return program(state, *args), jax.jit(function)(state, *args)


def assert_close(got, expected, rtol=0.0):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol)


def only(function):
    """A function of arrays as one of (state, args) with nothing else to give."""
    return lambda state, *args: (function(state, *args), ())


def floats(size, scale=3.0):
    values = RNG.normal(size=size, scale=scale).astype(np.float32)
    values[:5] = [0.0, -0.0, np.inf, -np.inf, np.nan]
    return jnp.asarray(values)


def integers(size, dtype):
    return jnp.asarray(RNG.integers(0, 2**32, size, dtype=np.uint32).astype(dtype))


FLOAT_UNARY = [
    jnp.abs, jnp.negative, jnp.square, jnp.sign, jnp.isfinite, lambda x: x**3, lambda x: 1.0 / x**2, lambda x: x > 0.5,
    lambda x: jnp.clip(x, -1.0, 1.0), lambda x: (x < 0.0).astype(jnp.float32), lambda x: jnp.sqrt(jnp.abs(x)),
    lambda x: jnp.where(x > 0.0, x, 2.0 * x), lambda x: jax.lax.rsqrt(jnp.abs(x)), lambda x: x != x,
    lambda x: (x < 1.0).astype(jnp.int32), lambda x: x.astype(jnp.bool_), lambda x: x.view(jnp.uint32),
]  # fmt: skip
FLOAT_BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, jnp.maximum, jnp.minimum),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
]
INTEGER_BINARY = [
    *(operator.add, operator.sub, operator.mul, jnp.maximum, jnp.minimum, operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
]


@pytest.mark.parametrize("k", range(len(FLOAT_UNARY)))
def test_float_operations_of_one(k):
    function = FLOAT_UNARY[k]
    got, expected = both(lambda s, x: ((), function(x)), 101, (), floats(101))
    assert_close(got, expected, rtol=3e-7)  # XLA approximates the inverse root


@pytest.mark.parametrize("k", range(len(FLOAT_BINARY)))
@pytest.mark.parametrize("uniform", [False, True])
def test_float_operations_of_two(k, uniform):
    function, x = FLOAT_BINARY[k], floats(101)
    y = jnp.float32(1.5) if uniform else jnp.roll(floats(101), 1)
    got, expected = both(lambda s, x, y: ((), (function(x, y), function(y, x))), 101, (), x, y)
    assert_close(got, expected, rtol=2e-7 if function is operator.truediv else 0.0)  # by a reciprocal where uniform


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("k", range(len(INTEGER_BINARY)))
def test_integer_operations(k, dtype):
    function = INTEGER_BINARY[k]
    x, y = integers(101, dtype), integers(101, dtype).at[:50].set(integers(101, dtype)[:50] % 7)
    one = dtype(3)
    got, expected = both(lambda s, x, y: ((), (function(x, y), function(x, one), function(one, y))), 101, (), x, y)
    assert_close(got, expected)


def test_shifts_conversions_and_masks():
    def function(state, bits, truth):
        word = (bits << 3) ^ (bits >> 17)
        number = (bits >> 8).astype(jnp.int32).astype(jnp.float32) + bits.astype(jnp.float32)
        return ~bits.astype(jnp.int32), (word, number, ~truth, truth & (bits > 5), truth ^ (number > 1e9), -bits)

    bits, truth = integers(101, np.uint32), jnp.asarray(RNG.random(101) < 0.5)
    assert_close(*both(function, 101, bits.astype(jnp.int32), bits, truth))


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "tanh", "logistic"])
def test_elementary_functions(name):
    edges = np.array([0.0, np.inf, -np.inf, np.nan, 88.7, 88.73, -87.0, -200.0, 1e30, -1.0, -0.5, 2e-38])
    wide = np.concatenate([RNG.normal(size=4000, scale=s) for s in (1e-6, 1e-2, 1.0, 30.0)])
    x = np.concatenate([edges, wide, np.exp(wide / 2)]).astype(np.float32)
    function = getattr(jax.lax, name)
    (got, _), _ = both(only(function), x.size, jnp.asarray(x))
    with np.errstate(all="ignore"):
        exact = x.astype(np.float64)
        exact = 1.0 / (1.0 + np.exp(-exact)) if name == "logistic" else getattr(np, name)(exact)
        expected = exact.astype(np.float32)
    tiny = np.abs(exact) < 2e-38  # subnormal results count as zero
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    np.testing.assert_allclose(np.asarray(got)[~tiny], expected[~tiny], rtol=4e-7)
    assert np.all(np.abs(np.asarray(got)[tiny]) < 2e-38)


@pytest.mark.parametrize("size", SIZES)
def test_any_size_in_place_and_exchanged(size):
    def function(state, x):
        a, b, kept = state
        return (b, a - b, kept), (a * x, jnp.arange(size, dtype=jnp.int32), jnp.ones(size), a > b)

    state = tuple(jnp.asarray(RNG.normal(size=size).astype(np.float32)) for _ in range(3))
    assert_close(*both(function, size, state, jnp.float32(2.0)))


def test_a_chain_of_steps_in_a_loop_does_not_disturb_itself():
    def function(state):
        a, b = state
        return (0.9 * a + b, jnp.where(a > b, b - a, 0.5 * b)), a > b

    state = (jnp.linspace(-1.0, 1.0, 77), jnp.linspace(2.0, -1.0, 77))

    def loop(step):
        return jax.jit(lambda s: jax.lax.scan(lambda c, _: step(c), s, None, length=50))(state)

    assert_close(loop(lambda s: kernels.elementwise(function, 77, s, native=True)), loop(function), rtol=1e-6)


LEAVES = ("add", "sub", "mul", "max", "select", "exp")


@st.composite
def programs(draw):
    """Operations on earlier values, with more of them alive than there are registers, and choices by rare masks."""
    n_ops = draw(st.integers(1, 60))
    ops = [(draw(st.sampled_from(LEAVES)), *(draw(st.integers(0, 200)) for _ in range(4))) for _ in range(n_ops)]
    return (
        ops,
        draw(st.lists(st.integers(0, 200), min_size=1, max_size=6)),
        draw(st.sampled_from([0.0, 0.05, 0.5, 1.0])),
    )


def run_program(ops, results, values, masks):
    values = list(values)
    for op, i, j, k, m in ops:
        a, b, c = (values[n % len(values)] for n in (i, j, k))
        new = {
            "add": lambda a=a, b=b: a + b,
            "sub": lambda a=a, b=b: a - 0.5 * b,
            "mul": lambda a=a, b=b: jnp.clip(a * b, -4.0, 4.0),
            "max": lambda a=a, b=b: jnp.maximum(a, b),
            "select": lambda a=a, b=b, m=m: jnp.where(masks[m % len(masks)], a, b),
            "exp": lambda c=c: jnp.exp(jnp.minimum(c, 1.0)),
        }[op]()
        values.append(new)
    return [values[-1 - r % len(values)] for r in results]


@hypothesis.given(programs(), st.sampled_from(SIZES))
@hypothesis.settings(max_examples=60)
def test_random_programs(program, size):
    ops, results, share = program
    values = [jnp.asarray(RNG.normal(size=size).astype(np.float32)) for _ in range(4)]
    masks = [jnp.asarray(RNG.random(size) < share) for _ in range(3)]

    def function(state, masks):
        return tuple(state), run_program(ops, results, state, masks)

    assert_close(*both(function, size, values, masks), rtol=2e-5)


def test_what_a_mask_hides_may_be_anything():
    """Work behind a mask that holds nowhere in a block is skipped; whatever it would give does not show."""

    def function(x, y):
        heavy = y
        for _ in range(8):
            heavy = jnp.exp(heavy) / (heavy - x)
        hit = x > 2.5
        twice = jnp.where(hit, heavy + jnp.where(hit, heavy, x), 0.0)
        return jnp.where(hit, twice, x), (jnp.where(hit, heavy, y), hit)

    x = jnp.asarray(RNG.normal(size=1000).astype(np.float32))
    got, expected = both(function, 1000, x, jnp.asarray(RNG.random(1000).astype(np.float32)))
    assert 0 < int(expected[1][1].sum()) < 30
    assert_close(got, expected, rtol=1e-3)  # eight exponentials in a row


def test_random_numbers_are_the_same_bits():
    survival = kernels.poisson_survival(0.3, kernels.poisson_terms(0.3))

    def function(state, seed, step):
        index = jnp.arange(333)
        draws = kernels.random_bits(seed, 5, index, step), kernels.uniform(seed, 5, index, step)
        return (), (
            *draws,
            kernels.poisson(seed, 5, index, step, survival),
            kernels.bernoulli(seed, 6, index, step, 0.2),
        )

    assert_close(*both(function, 333, (), jnp.uint32(7), jnp.int32(12)))


def step(state, current, tau):
    V = state + (current - state) / tau
    return jnp.where(V > 1.0, 0.0, V), V > 1.0


def test_lanes_are_single_runs_whatever_is_batched():
    call = jax.jit(functools.partial(kernels.elementwise, step, 50, native=True))
    V, I = jnp.linspace(0.0, 1.0, 150).reshape(3, 50), jnp.linspace(0.5, 2.0, 100).reshape(2, 50)
    tau = jnp.asarray([2.0, 5.0, 10.0])
    over_all = jax.vmap(jax.vmap(call, (0, None, 0)), (None, 0, None))(V, I, tau)
    over_tau = jax.vmap(call, (None, None, 0))(V[0], I[0], tau)
    for j in range(3):
        for i in range(2):
            assert_close(jax.tree.map(lambda x, i=i, j=j: x[i, j], over_all), call(V[j], I[i], tau[j]))
        assert_close(jax.tree.map(lambda x, j=j: x[j], over_tau), call(V[0], I[0], tau[j]))


def test_derivatives_are_those_of_the_function():
    def loss(f, V, I, tau):
        V, spikes = f(V, I, tau)
        return jnp.sum(V**2) + jnp.sum(spikes.astype(jnp.float32))

    args = jnp.linspace(0.0, 1.0, 50), jnp.linspace(0.5, 2.0, 50), jnp.float32(5.0)
    program = functools.partial(loss, functools.partial(kernels.elementwise, step, 50, native=True))
    plain = functools.partial(loss, step)
    taus = jnp.asarray([2.0, 5.0])
    for transform, inputs in (
        (lambda f: jax.grad(f, (0, 1, 2)), args),
        (lambda f: lambda *a: jax.jvp(f, a, a), args),
        (lambda f: jax.vmap(jax.grad(f, (0, 2)), (None, None, 0)), (*args[:2], taus)),
        (lambda f: jax.hessian(f, 2), args),
        (lambda f: jax.jacfwd(jax.grad(f, (0, 2)), 1), args),
        (
            lambda f: jax.grad(lambda V, I, taus: jnp.sum(jax.vmap(f, (None, None, 0))(V, I, taus)), (0, 1, 2)),
            (*args[:2], taus),
        ),
    ):
        assert_close(jax.jit(transform(program))(*inputs), jax.jit(transform(plain))(*inputs), rtol=1e-5)


def firing(V, I):
    """A neuron with a surrogate: values, masks and integers come out, and only some of them have derivatives."""
    u = 0.9 * V + I * jnp.exp(-V * V)
    spikes = Triangle(k=0.5)(u - 1.0)
    return u - spikes * u, (spikes, spikes > 0, (spikes > 0).astype(jnp.int32))


def test_derivatives_are_programs_forward_and_backward():
    V, I = jnp.linspace(0.0, 2.0, 40), jnp.linspace(0.5, 1.5, 40)

    def loss(f, V, I):
        V, (spikes, mask, count) = f(V, I)
        return jnp.sum(V**2 + jnp.where(mask, V, 0.0) * spikes + count.astype(V.dtype))

    program = functools.partial(loss, functools.partial(kernels.elementwise, firing, 40, native=True))
    plain = functools.partial(loss, firing)
    push = lambda f: lambda V, I: jax.jvp(f, (V, I), (I, V))  # noqa: E731
    for transform, n in (
        (lambda f: f, 1),
        (push, 2),
        (lambda f: jax.grad(f, (0, 1)), 2),
        (lambda f: jax.grad(f, 1), 2),
    ):
        assert_close(jax.jit(transform(program))(V, I), jax.jit(transform(plain))(V, I), rtol=1e-5)
        text = jax.jit(transform(program)).lower(V, I).as_text()
        assert text.count("custom_call @jaxsyn_elementwise") == n  # the function, and its derivative


def test_a_derivative_keeps_only_what_it_reads():
    V, I = jnp.linspace(0.0, 2.0, 40), jnp.linspace(0.5, 1.5, 40)
    drive = functools.partial(kernels.elementwise, lambda V, I: (0.5 * V + 2.0 * I, jnp.exp(I)), 40, native=True)
    pull = jax.vjp(drive, V, I)[1]
    (kept,) = [x for x in jax.tree.leaves(pull) if x.shape == V.shape]
    np.testing.assert_array_equal(kept, I)
    assert_close(pull((V, I)), (0.5 * V, 2.0 * V + I * jnp.exp(I)))


def test_a_loop_of_programs_has_the_derivative_of_a_loop():
    V, I, way = jnp.linspace(0.0, 2.0, 40), jnp.linspace(0.5, 1.5, 40), jnp.linspace(-1.0, 1.0, 40)

    def loss(f, V, I):
        def body(V, _):
            V, (spikes, _, _) = f(V, I)
            return V, jnp.sum(spikes * way)

        return jnp.sum(jax.lax.scan(jax.checkpoint(body), V, None, length=7)[1])

    program = functools.partial(loss, functools.partial(kernels.elementwise, firing, 40, native=True))
    both_inputs = jnp.stack([I, 2.0 * I])
    plain = functools.partial(loss, firing)
    assert_close(jax.jit(jax.grad(program, (0, 1)))(V, I), jax.jit(jax.grad(plain, (0, 1)))(V, I), rtol=1e-4)
    lanes = [jax.jit(jax.vmap(jax.grad(f, (0, 1)), (None, 0)))(V, both_inputs) for f in (program, plain)]
    assert_close(*lanes, rtol=1e-4)


def test_a_derivative_that_the_function_refuses_is_refused():
    def firing(V):
        V, spikes = kernels.elementwise(lambda V: (V, hard_spike(V, "E")), 5, V, native=True)
        return jnp.sum(jnp.where(spikes, V, 0.0))

    assert float(jax.jit(firing)(jnp.ones(5))) == 5.0
    with pytest.raises(ValueError, match="population 'E' has no surrogate"):
        jax.grad(firing)(jnp.ones(5))


def is_program(function, *args):
    return "jaxsyn_elementwise" in jax.jit(function).lower(*args).as_text()


def test_functions_of_functions_and_arrays_made_of_a_number():
    """What is called is followed; an array of equal numbers is one number, unless something looks at its axis."""

    def function(x, k):
        inner = jax.checkpoint(jax.jit(lambda x: jax.nn.relu(x) + jnp.ones(40)))
        row = jnp.full(40, k) * 2.0
        return inner(x) + row * x, (jnp.cumsum(row) - row, x + jnp.sum(row))

    assert_close(*both(function, 40, jnp.linspace(-1.0, 1.0, 40), jnp.float32(3.0)), rtol=1e-6)
    assert is_program(lambda x, k: kernels.elementwise(function, 40, x, k, native=True), jnp.ones(40), jnp.float32(3.0))


def test_a_single_call_without_transformation_is_the_function():
    def refuse(x):
        assert isinstance(x, jax.core.Tracer) or calls.append(x) is None
        return x + 1.0, ()

    calls = []
    assert_close(kernels.elementwise(refuse, 3, jnp.ones(3), native=True)[0], jnp.full(3, 2.0))
    assert len(calls) == 1


@pytest.mark.parametrize("function", [jnp.cumsum, jnp.sort, jnp.sin, lambda x: x - x.mean(), lambda x: x[::-1]])
def test_what_is_no_operation_of_the_kernel_is_left_to_xla(function):
    assert not is_program(lambda x: kernels.elementwise(only(function), 20, x, native=True), jnp.ones(20))
    assert_close(*both(only(lambda x: 2.0 * function(x) + x), 20, jnp.linspace(0.0, 1.0, 20)), rtol=1e-6)


@pytest.mark.parametrize("n", [100, 127, 128, 200])
def test_more_arrays_than_the_kernel_takes_are_left_to_xla(n):
    arrays = [jnp.full(40, float(k)) for k in range(n)]
    got, expected = both(lambda s, arrays: (s + sum(arrays[1:], start=arrays[0]), ()), 40, jnp.ones(40), arrays)
    assert_close(got, expected, rtol=1e-6)


def test_more_shared_values_than_the_kernel_takes_are_left_to_xla(monkeypatch):
    monkeypatch.setattr("jaxsyn.kernels._elementwise.MOST_UNIFORMS", 4)
    for n in (3, 9):
        shared = [jnp.float32(k) for k in range(n)]
        function = only(lambda x, shared=shared: sum((x * s for s in shared), start=x))
        call = jax.jit(lambda x, f=function: kernels.elementwise(f, 40, x, native=True)[0])
        assert_close(call(jnp.ones(40)), function(jnp.ones(40))[0])
        assert is_program(call, jnp.ones(40)) == (n == 3)


def test_double_precision_is_left_to_xla():
    with jax.enable_x64(True):
        x = jnp.linspace(0.0, 1.0, 20, dtype=jnp.float64)
        assert_close(*both(only(lambda x: jnp.exp(x) + x), 20, x), rtol=1e-12)


def test_many_programs_side_by_side_keep_their_own_code():
    calls = [
        jax.jit(lambda x, k=k: kernels.elementwise(only(lambda x: x * k + k), 40, x, native=True)[0])
        for k in range(1, 6)
    ]
    x = jnp.linspace(0.0, 1.0, 40)
    for _ in range(2):
        for k, call in enumerate(calls, start=1):
            assert_close(call(x), x * k + k)


def test_a_result_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"got a result of shape \(\), must be \(4,\)"):
        kernels.elementwise(lambda x: (x, x.sum()), 4, jnp.ones(4), native=True)


def test_without_native_code_and_without_neurons_it_is_the_function():
    assert_close(kernels.elementwise(step, 0, jnp.zeros(0), jnp.zeros(0), 5.0, native=True)[0], jnp.zeros(0))
    got = kernels.elementwise(step, 3, jnp.zeros(3), jnp.ones(3), jnp.float32(5.0), native=False)
    assert_close(got, step(jnp.zeros(3), jnp.ones(3), jnp.float32(5.0)))


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize("at", [0, 3, 68])
@pytest.mark.parametrize("look", [lambda x: x, jnp.cumsum], ids=["program", "left to XLA"])
def test_a_window_of_longer_arrays(lanes, at, look):
    """The rest of the array stays; lanes that share it get arrays of their own."""
    whole, short = floats(105), jnp.arange(37, dtype=jnp.float32)
    gains = jnp.asarray([2.0, -1.0], jnp.float32)

    def step(state, gain):
        total, x = state
        return (total + gain * look(x), x + 1.0), total > 0.0

    def run(gain, native=True):
        return kernels.elementwise(step, 37, (whole, short), gain, native=native, at=at)

    got = jax.jit(jax.vmap(run) if lanes else run)(gains if lanes else gains[0])
    for lane in range(2 if lanes else 1):
        new, positive = step((whole[at : at + 37], short), gains[lane])
        expected = (whole.at[at : at + 37].set(new[0]), new[1]), positive
        assert_close(jax.tree.map(lambda x, lane=lane: x[lane], got) if lanes else got, expected)
        assert_close(run(gains[lane]), expected)  # eagerly
        assert_close(jax.jit(functools.partial(run, native=False))(gains[lane]), expected)
    (change,) = jax.grad(lambda w: jnp.sum(sum_with_window(w, short, gains[0], at)), argnums=(0,))(whole)
    assert_close(change, jnp.ones(105))


def sum_with_window(whole, short, gain, at):
    def add(state):
        return state + gain * short, ()

    return kernels.elementwise(add, 37, whole, native=True, at=at)[0]


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint32, jnp.float32])
def test_the_number_of_a_neuron(dtype):
    function = lambda x: x + jax.lax.iota(dtype, 70).astype(jnp.float32)  # noqa: E731
    got, expected = both(only(function), 70, jnp.zeros(70))
    assert_close(got, expected[0] if isinstance(got, jax.Array) else expected)


ARITHMETIC = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "xor": lambda a, sign: -a,
    "fma": lambda a, b, c: c + a * b,
    "fnma": lambda a, b, c: c - a * b,
}


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(3, 25), st.integers(1, 3))
def test_fused_sums_are_the_same_sums(seed, n, n_results):
    """Products and negatives that a sum alone reads become part of it: the same numbers, in fewer operations."""
    rng, sign = np.random.default_rng(seed), ~2
    inputs = rng.normal(size=3)
    uniforms = [*rng.normal(size=2), None]
    values = [Value("operand", (k,)) for k in range(3)]
    for _ in range(n):
        op = rng.choice(["add", "sub", "mul", "mul", "xor"])
        one, other = (int(rng.integers(-2, len(values))) for _ in range(2))
        one = max(one, 0) if op == "xor" else one
        values.append(Value(str(op), (one, sign if op == "xor" else other)))
    results = [int(k) for k in rng.integers(3, len(values), n_results)]

    def evaluate(program):
        known = {}
        for k in needed_values(program, results):
            op, operands = program[k]
            if op == "operand":
                known[k] = inputs[operands[0]]
                continue
            x = [known[o] if o >= 0 else uniforms[~o] for o in operands]
            known[k] = ARITHMETIC[op](*x)
        return [known[k] for k in results]

    got = fused(values, results, sign)
    np.testing.assert_allclose(evaluate(got), evaluate(values), rtol=1e-9, atol=1e-9)
    assert len(needed_values(got, results)) <= len(needed_values(values, results))
    reads = [o for k in needed_values(got, results) for o in got[k].reads()] + results
    for k in needed_values(got, results):
        if got[k].op == "add":  # no product is left that it alone reads
            assert not any(o >= 0 and got[o].op == "mul" and reads.count(o) == 1 for o in got[k].operands)


def test_states_that_derivatives_read_are_not_copied():
    """Steps that are written out, forward and backward: results stand beside what they were computed from."""

    def run(v, steps=6):
        for _ in range(steps):
            v, _ = kernels.elementwise(lambda v: (v + 0.1 * jnp.exp(-v) * v, ()), 4000, v, native=True)
        return jnp.sum(v)

    lowered = jax.jit(jax.grad(lambda v: run(jnp.tanh(v)))).lower(jnp.ones(4000))
    text = lowered.compile().as_text()
    assert "jaxsyn_elementwise" in text
    assert " copy(" not in text
