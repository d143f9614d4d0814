"""The place where values are computed once: an identity that XLA does not see through."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsyn import kernels
from tests.kernels.reference import each_form, needs_native

TREE = {"a": np.arange(3.0, dtype=np.float32), "b": (np.arange(4), np.array([True, False]))}


@each_form
def test_it_is_the_identity_on_trees(native: bool) -> None:
    for settle in (kernels.settle, jax.jit(kernels.settle, static_argnames="native")):
        got: Any = settle(TREE, native=native)
        assert jax.tree.structure(got) == jax.tree.structure(TREE)
        for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(TREE), strict=True):
            np.testing.assert_array_equal(np.asarray(one), other)
    assert kernels.settle((), native=native) == ()


@each_form
def test_derivatives_and_lanes_pass_through(native: bool) -> None:
    def f(x: jax.Array, n: jax.Array) -> jax.Array:
        x, n = kernels.settle((jnp.sin(x), n), native=native)
        return jnp.sum(x**3 * n)

    g = lambda x, n: jnp.sum(jnp.sin(x) ** 3 * n)  # noqa: E731
    x, n = jnp.arange(3.0), jnp.full(3, 2.0)
    for transform in (
        lambda h: jax.grad(h, (0, 1))(x, n),
        lambda h: jax.jvp(h, (x, n), (n, x)),
        lambda h: jax.hessian(h)(x, n),
        lambda h: jax.vmap(h, (0, None))(jnp.stack([x, n]), n),
        lambda h: jax.vmap(jax.grad(h), (0, None))(jnp.stack([x, n]), n),
        lambda h: jax.grad(lambda x: jnp.sum(jax.vmap(h, (0, None))(x, n)))(jnp.stack([x, n])),
    ):
        for one, other in zip(jax.tree.leaves(transform(f)), jax.tree.leaves(transform(g)), strict=True):
            np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6, atol=1e-6)


@needs_native
def test_a_settled_value_is_computed_once() -> None:
    """Three stages that each use the last one in three different places."""

    def stages(x: jax.Array, settled: bool) -> jax.Array:
        for _ in range(3):
            x = jnp.exp(-x * x)
            x = kernels.settle(x, native=True) if settled else x
            x = x + jnp.roll(x, 1) + jnp.roll(x, 7)
        return x

    most = []
    for settled in (True, False):
        program = jax.jit(stages, static_argnums=1).lower(jnp.ones(64), settled).compile().as_text()
        fusions = re.split(r"\n(?=%|ENTRY)", program)
        most.append(max(len(re.findall(r"= \S+ exponential\(", fusion)) for fusion in fusions))
    assert most[0] == 1
    assert most[1] > 1  # a stage inside the loop of the next: should XLA stop that, this call has had its day
