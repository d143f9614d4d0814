"""Attention against the textbook's products, head by head."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn import connect

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5))


def call(transform, n_pre, n_post, x):
    return transform.bind(n_pre, n_post, generator=None)(jnp.asarray(x), ())[0]


def spikes(seed, *shape):
    return (np.random.default_rng(seed).random(shape) < 0.4).astype(np.float32)


def plain_self_attention(q, k, v, heads, scale):
    """Tokens as rows: (n, c) each."""
    n, c = q.shape
    out = np.zeros((n, c))
    for h in range(heads):
        own = slice(h * c // heads, (h + 1) * c // heads)
        out[:, own] = scale * (q[:, own] @ k[:, own].T) @ v[:, own]
    return out


@given(sizes=SHAPES, seed=st.integers(0, 99))
def test_self_attention(sizes, seed):
    heads, each, height, width = sizes
    shape, n = (heads * each, height, width), heads * each * height * width
    x = spikes(seed, 3, heads * each, height * width)
    got = call(connect.SelfAttention(shape, heads, scale=0.25), 3 * n, n, x.reshape(-1))
    want = plain_self_attention(*(part.T for part in x), heads, 0.25).T
    np.testing.assert_array_equal(np.asarray(got).reshape(want.shape), want)  # counts, times a power of two


@given(sizes=SHAPES, seed=st.integers(0, 99))
def test_query_key_attention(sizes, seed):
    heads, each, height, width = sizes
    tokens, shape = height * width, (heads * each, height, width)
    n, chosen = heads * each * tokens, spikes(seed, heads, tokens)
    q, k = spikes(seed + 1, heads * each, tokens), spikes(seed + 2, heads * each, tokens)
    evidence = call(connect.QuerySum(shape, heads), n, heads * tokens, q.reshape(-1))
    want = [[q[h * each : (h + 1) * each, t].sum() for t in range(tokens)] for h in range(heads)]
    np.testing.assert_array_equal(np.asarray(evidence).reshape(heads, tokens), want)
    both = np.concatenate([chosen.reshape(-1), k.reshape(-1)])
    got = call(connect.QueryKeyAttention(shape, heads), heads * tokens + n, n, both)
    want = np.stack([k[c] * chosen[c // each] for c in range(heads * each)])
    np.testing.assert_array_equal(np.asarray(got).reshape(want.shape), want)
    assert set(np.unique(got)) <= {0.0, 1.0}


@pytest.mark.parametrize("tokens", [2, 9])  # fewer than the channels of a head, and more: both orders
def test_gradient(tokens):
    shape, n = (6, tokens), 6 * tokens
    bound = connect.SelfAttention(shape, heads=2, scale=0.5).bind(3 * n, n, generator=None)
    x, g = jax.random.normal(jax.random.key(0), (3, 2, 3, tokens)), jax.random.normal(jax.random.key(1), (n,))

    def plain(x):
        q, k, v = x
        score = jnp.einsum("hct,hcu->htu", q, k)
        return 0.5 * jnp.vdot(jnp.einsum("htu,hdu->hdt", score, v).reshape(-1), g)

    got = jax.grad(lambda x: jnp.vdot(bound(x.reshape(-1), ())[0], g))(x)
    np.testing.assert_allclose(got, jax.grad(plain)(x), rtol=1e-4, atol=1e-5)


BAD = {
    "heads": (
        lambda: connect.SelfAttention((6, 4), heads=4),
        "SelfAttention.heads: got 4; allowed: a divisor of the 6",
    ),
    "no tokens": (lambda: connect.QuerySum((6,)), r"QuerySum.shape: got \(6,\)"),
    "scale": (lambda: connect.SelfAttention((6, 4), scale=0.0), "SelfAttention.scale"),
    "sources": (lambda: connect.SelfAttention((6, 4)).bind(24, 24, generator=None), "SelfAttention.shape: got"),
    "target": (lambda: connect.QueryKeyAttention((6, 4)).bind(28, 28, generator=None), "a target population of 28"),
    "weight": (lambda: connect.QuerySum((6, 4)).bind(24, 4, generator=None, weight=1.0), "QuerySum: weight"),
    "sample": (lambda: call(connect.QueryKeyAttention((6, 4)), 28, 24, np.ones(7)), "QueryKeyAttention: x: got shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
