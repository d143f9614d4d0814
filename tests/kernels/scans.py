"""Recurrences and scans side by side."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxsyn import kernels


def run(native, function, state, inputs):
    length, size = jax.tree.leaves(inputs)[0].shape
    if native:
        return kernels.recurrence(function, length, size, state, inputs, native=True)
    return jax.lax.scan(function, state, inputs)


def compiled(function, *args):
    """Results in one call and by a scan, and how many recurrences the first has."""
    text = jax.jit(functools.partial(function, True)).lower(*args).as_text()
    got, expected = (jax.jit(functools.partial(function, native))(*args) for native in (True, False))
    return got, expected, text.count("@jaxsyn_recurrence")


def assert_close(got, expected, rtol=2e-6):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        scale = float(jnp.max(jnp.abs(b.astype(float)), initial=0.0))
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=rtol * scale)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
