"""Identity, reshaping, the full matrix and chains; what every bound transform promises."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import connect


def generator():
    return connect.GraphKey(0, "t").generator("weight")


def bind(transform, n_pre, n_post, **options):
    return transform.bind(n_pre, n_post, generator=generator(), **options)


IMAGE = (2, 6, 6)
TRANSFORMS = {
    "identity": (connect.Identity(), 72, 72),
    "reshape": (connect.Reshape(IMAGE), 72, 72),
    "flatten": (connect.Flatten(), 72, 72),
    "dense": (connect.Dense(bias=True), 72, 5),
    "conv": (connect.Conv(4, (3, 3), bias=True, input_shape=IMAGE), 72, 64),
    "avg_pool": (connect.AvgPool((2, 2), input_shape=IMAGE), 72, 18),
    "max_pool": (connect.MaxPool((2, 2), input_shape=IMAGE), 72, 18),
    "batch_norm": (connect.BatchNorm(input_shape=IMAGE), 72, 72),
    "chain": (
        connect.Chain(
            (
                connect.Reshape(IMAGE),
                connect.Conv(4, (3, 3)),
                connect.BatchNorm(),
                connect.MaxPool((2, 2)),
                connect.Flatten(),
                connect.Dense(n_out=6),
                connect.Identity(),
                connect.Dense(),
            )
        ),
        72,
        3,
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform(name):
    transform, n_pre, n_post = TRANSFORMS[name]
    bound = bind(transform, n_pre, n_post)
    statistics = bound.init_statistics()
    x = jax.random.normal(jax.random.key(0), (4, n_pre))
    y, after = bound(x[0], statistics)
    assert y.shape == (n_post,)
    assert y.dtype == x.dtype
    assert jax.tree.structure(after) == jax.tree.structure(statistics)
    jitted = eqx.filter_jit(bound)(x[0], statistics)[0]
    np.testing.assert_allclose(y, jitted, rtol=1e-5, atol=1e-5)
    batched = jax.vmap(lambda v: bound(v, statistics)[0])(x)
    np.testing.assert_allclose(batched[0], y, rtol=1e-5, atol=1e-5)

    def trained(bound, x):
        return bound(x, statistics, training=True, axis_name="batch")

    def loss(bound):
        y, after = jax.vmap(lambda v: trained(bound, v), out_axes=(0, None), axis_name="batch")(x)
        return (y**2).mean(), after

    (_, after), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(bound)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, statistics)
    assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(gradient))
    with pytest.raises(ValueError, match=r"x: got shape \(71,\); allowed: shape \(72,\), one flat sample"):
        bound(x[0, 1:], statistics)


def test_same_generator_same_weights():
    one, two = (bind(connect.Dense(), 10, 5).weight for _ in range(2))
    assert jnp.array_equal(one, two)
    assert jnp.abs(one).max() <= 10**-0.5


def test_dense():
    weight = np.arange(6.0).reshape(2, 3)
    bound = bind(connect.Dense(bias=[1.0, 2.0, 3.0]), 2, 3, weight=weight)
    x = jnp.array([1.0, -1.0])
    np.testing.assert_allclose(bound(x, ())[0], np.asarray(x) @ weight + [1, 2, 3])
    assert bind(connect.Dense(), 2, 3).bias is None
    assert bind(connect.Dense(), 2, 3, weight=0.5).weight.tolist() == [[0.5] * 3] * 2
    drawn = bind(connect.Dense(weight=connect.Uniform(1.0, 2.0), bias=connect.Uniform(3.0, 4.0)), 20, 30)
    assert 1.0 <= drawn.weight.min() <= drawn.weight.max() < 2.0
    assert drawn.bias.min() >= 3.0


def test_chain_is_its_parts():
    chain = connect.Chain((connect.Dense(n_out=4, weight=2.0), connect.Dense(weight=0.5, bias=1.0)))
    bound = bind(chain, 3, 2)
    assert bound(jnp.ones(3), bound.init_statistics())[0].tolist() == [13.0, 13.0]


def test_identity_and_shapes():
    x = jnp.arange(6.0)
    assert jnp.array_equal(bind(connect.Identity(), 6, 6)(x, ())[0], x)
    assert connect.Reshape((1, 2, 3)).plan((6,), None) == ((6,), (1, 2, 3))
    assert connect.Flatten().plan((1, 2, 3), None) == ((1, 2, 3), (6,))


BAD = {
    "identity": (lambda: bind(connect.Identity(), 3, 4), "Identity: got a target population of 4 neurons; allowed: 3"),
    "identity weight": (lambda: bind(connect.Identity(), 3, 3, weight=2.0), "Identity: weight: got 2.0; allowed: None"),
    "reshape": (
        lambda: bind(connect.Reshape((2, 2)), 5, 5),
        r"Reshape\.shape: got \(2, 2\) with 4 entries; allowed: 5",
    ),
    "shape entries": (lambda: connect.Reshape((4, 0)), r"Reshape\.shape: got 0; allowed: a whole number >= 1"),
    "n_out": (lambda: connect.Dense(n_out=0), r"Dense\.n_out: got 0"),
    "size": (lambda: bind(connect.Dense(n_out=4), 3, 5), "Dense: got a target population of 5 neurons; allowed: 4"),
    "weight": (lambda: bind(connect.Dense(), 3, 5, weight=np.ones((5, 3))), r"Dense\.weight: got shape \(5, 3\)"),
    "two weights": (lambda: bind(connect.Dense(weight=1.0), 3, 5, weight=1.0), "Dense: weight: got two weights"),
    "bias": (lambda: bind(connect.Dense(bias=[1.0]), 3, 5), r"Dense\.bias: got shape \(1,\); allowed: shape \(5,\)"),
    "chain": (lambda: connect.Chain(()), r"Chain\.transforms: got \[\]"),
    "chain weight": (lambda: bind(connect.Chain((connect.Dense(),)), 3, 5, weight=1.0), "Chain: weight: got 1.0"),
    "chain n_out": (
        lambda: bind(connect.Chain((connect.Dense(), connect.Dense())), 3, 5),
        r"Dense\.n_out: got None; allowed: the number of outputs",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
