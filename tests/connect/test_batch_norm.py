import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import connect

SHAPE = (3, 4, 2)


def bind(**options):
    generator = connect.GraphKey(0, "b").generator("weight")
    return connect.BatchNorm(input_shape=SHAPE, **options).bind(24, 24, generator=generator)


def train(norm, x, statistics):
    def call(v):
        return norm(v, statistics, training=True, axis_name="batch")

    return jax.vmap(call, out_axes=(0, None), axis_name="batch")(x)


def test_training_normalizes_the_batch_and_returns_unbatched_statistics():
    norm = bind(momentum=0.25)
    x = 3.0 + 2.0 * jax.random.normal(jax.random.key(0), (5, 24))
    y, after = train(norm, x, norm.init_statistics())
    samples = np.asarray(x, np.float64).reshape(5, *SHAPE)
    mean, variance = samples.mean((0, 2, 3)), samples.var((0, 2, 3))
    want = (samples - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    np.testing.assert_allclose(y, want.reshape(5, 24), rtol=1e-4, atol=1e-4)
    assert after.mean.shape == after.variance.shape == (3,)
    np.testing.assert_allclose(after.mean, 0.25 * mean, rtol=1e-4)
    np.testing.assert_allclose(after.variance, 0.75 + 0.25 * samples.var((0, 2, 3), ddof=1), rtol=1e-4)


def test_running_statistics_are_used_otherwise():
    norm = bind()
    state = connect.BatchNormState(jnp.full(3, 2.0), jnp.full(3, 4.0))
    y, after = norm(jnp.full(24, 6.0), state)
    np.testing.assert_allclose(y, 2.0, rtol=1e-4)
    assert after is state


def test_gradient_passes_through_the_batch_statistics():
    norm = bind()
    x = jax.random.normal(jax.random.key(0), (5, 24))
    shift = jax.grad(lambda s: (train(norm, x + s, norm.init_statistics())[0] ** 3).sum())(jnp.zeros((5, 24)))
    assert jnp.abs(shift).max() > 1e-2
    assert jnp.abs(shift.sum()) < 1e-3  # a common shift changes nothing


def test_options():
    assert bind(affine=False).scale is None
    y, _ = bind(affine=False)(jnp.ones(24), bind().init_statistics())
    assert y.shape == (24,)
    generator = connect.GraphKey(0, "b").generator("weight")
    assert connect.BatchNorm().bind(7, 7, generator=generator).init_statistics().mean.shape == (7,)


BAD = {
    "momentum": (lambda: connect.BatchNorm(momentum=2.0), r"BatchNorm\.momentum: got 2"),
    "epsilon": (lambda: connect.BatchNorm(epsilon=0.0), r"BatchNorm\.epsilon: got 0\.0; allowed: > 0"),
    "shape": (lambda: connect.BatchNorm(input_shape=(0,)), r"BatchNorm\.input_shape: got 0"),
    "size": (lambda: connect.BatchNorm(input_shape=(3,)).plan((4,), None), r"with 3 entries; allowed: 4 entries"),
    "axis": (lambda: bind()(jnp.ones(24), bind().init_statistics(), training=True), "axis_name: got None in training"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
