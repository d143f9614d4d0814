"""Convolution and pooling against equinox."""

import equinox as eqx
import jax
import numpy as np
import pytest

from jaxsyn import connect


def bind(transform, n_pre, n_post, **options):
    generator = connect.GraphKey(0, "c").generator("weight")
    return transform.bind(n_pre, n_post, generator=generator, **options)


def sizes(transform):
    shape, out = transform.plan((int(np.prod(transform.input_shape)),), None)
    return int(np.prod(shape)), int(np.prod(out)), out


CONVS = {
    "plain": connect.Conv(4, (3, 3), bias=True, input_shape=(2, 7, 6)),
    "padded": connect.Conv(4, (3, 2), padding=1, input_shape=(2, 7, 6)),
    "strided": connect.Conv(4, (3, 3), stride=(2, 1), padding=(1, 0), input_shape=(2, 7, 6)),
    "grouped": connect.Conv(4, (3, 3), groups=2, bias=True, input_shape=(2, 7, 6)),
    "line": connect.Conv(3, (5,), stride=2, padding=2, input_shape=(2, 20)),
}


@pytest.mark.parametrize("name", CONVS)
def test_conv(name):
    conv = CONVS[name]
    n_pre, n_post, out = sizes(conv)
    bound = bind(conv, n_pre, n_post)
    x = jax.random.normal(jax.random.key(0), conv.input_shape)
    reference = eqx.nn.Conv(
        len(conv.kernel),
        conv.input_shape[0],
        conv.channels,
        conv.kernel,
        conv.stride,
        conv.padding,
        groups=conv.groups,
        use_bias=bound.bias is not None,
        key=jax.random.key(0),
    )
    reference = eqx.tree_at(lambda c: c.weight, reference, bound.weight)
    if bound.bias is not None:
        reference = eqx.tree_at(lambda c: c.bias, reference, bound.bias.reshape(-1, *(1,) * len(conv.kernel)))
    want = reference(x)
    assert want.shape == out
    np.testing.assert_allclose(bound(x.reshape(-1), ())[0], want.reshape(-1), rtol=1e-5, atol=1e-5)
    fan_in = np.prod(bound.weight.shape[1:])
    assert np.abs(bound.weight).max() <= fan_in**-0.5


POOLS = {
    "plain": ((2, 2), None, 0, (3, 6, 4)),
    "ragged": ((2, 2), None, 0, (3, 7, 5)),
    "padded": ((3, 3), 2, 1, (3, 7, 6)),
    "line": ((3,), (2,), 0, (3, 9)),
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("maximum", [True, False])
def test_pool(name, maximum):
    kernel, stride, padding, shape = POOLS[name]
    pool = (connect.MaxPool if maximum else connect.AvgPool)(kernel, stride, padding, shape)
    n_pre, n_post, out = sizes(pool)
    x = jax.random.normal(jax.random.key(0), shape)
    kind = {1: (eqx.nn.AvgPool1d, eqx.nn.MaxPool1d), 2: (eqx.nn.AvgPool2d, eqx.nn.MaxPool2d)}[len(kernel)][maximum]
    want = kind(kernel, kernel if stride is None else stride, padding)(x)
    assert want.shape == out
    np.testing.assert_allclose(bind(pool, n_pre, n_post)(x.reshape(-1), ())[0], want.reshape(-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("maximum", [True, False])
def test_pool_has_a_gradient_under_jit(maximum):
    pool = bind((connect.MaxPool if maximum else connect.AvgPool)((2,), input_shape=(1, 4)), 4, 2)
    gradient = jax.jit(jax.grad(lambda x: pool(x, ())[0].sum()))(np.arange(4, dtype=np.float32))
    assert gradient.tolist() == ([0.0, 1.0, 0.0, 1.0] if maximum else [0.5] * 4)


def test_weight_of_the_projection():
    bound = bind(connect.Conv(2, (3,), input_shape=(1, 5)), 5, 6, weight=0.5)
    assert bound.weight.shape == (2, 1, 3)
    assert (np.asarray(bound.weight) == 0.5).all()


BAD = {
    "no shape": (
        lambda: bind(connect.Conv(4, (3, 3)), 9, 4),
        r"Conv\.input_shape: got None, .*input_shape=\(1, 28, 28\)",
    ),
    "axes": (lambda: connect.Conv(4, (3, 3, 3)), "one or two axes"),
    "stride": (lambda: connect.Conv(4, (3, 3), stride=(1, 1, 1)), r"Conv\.stride: got \(1, 1, 1\); allowed: 2 numbers"),
    "padding": (lambda: connect.Conv(4, (3, 3), padding=-1), r"Conv\.padding: got -1"),
    "groups": (lambda: connect.Conv(4, (3, 3), groups=3), r"Conv\.groups: got 3; allowed: a divisor of channels=4"),
    "channels": (
        lambda: bind(connect.Conv(4, (1,), groups=2, input_shape=(3, 3)), 9, 12),
        "a divisor of the 3 input channels",
    ),
    "source": (
        lambda: bind(connect.Conv(4, (3, 3), input_shape=(1, 5, 5)), 24, 36),
        r"Conv\.input_shape: got \(1, 5, 5\) with 25 entries; allowed: 24 entries",
    ),
    "target": (
        lambda: bind(connect.Conv(4, (3, 3), input_shape=(1, 5, 5)), 25, 10),
        r"a target population of 10 neurons; allowed: 36 neurons, as Conv has shape \(1, 5, 5\) -> \(4, 3, 3\)",
    ),
    "large kernel": (lambda: bind(connect.Conv(1, (9,), input_shape=(1, 5)), 5, 5), "no larger than its padded input"),
    "pool padding": (lambda: connect.AvgPool((2, 2), padding=2), "at most half of kernel"),
    "pool weight": (lambda: bind(connect.MaxPool((2,), input_shape=(1, 4)), 4, 2, weight=1.0), "MaxPool: weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
