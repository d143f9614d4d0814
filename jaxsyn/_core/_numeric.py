"""Small functions that keep their digits where the textbook form loses them."""

import jax.numpy as jnp

from ._types import Array


def expm1_ratio(x: Array) -> Array:
    """(exp(x) - 1) / x, equal to 1 at x = 0, with full relative accuracy and finite gradient everywhere."""
    small = jnp.abs(x) < 1e-5
    safe = jnp.where(small, jnp.ones_like(x), x)
    return jnp.where(small, 1.0 + x / 2.0 + x * x / 6.0, jnp.expm1(safe) / safe)
