"""Spikes times a matrix: against NumPy in every form, and its derivatives and lanes against the dense product."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import kernels
from tests.kernels.reference import each_form, needs_native

SHAPES = [((5,), 70, 20), ((3, 40), 64, 33), ((600,), 130, 256), ((2, 3, 4), 31, 1), ((0,), 8, 8), ((4, 300), 257, 48)]


def spikes(shape: tuple[int, ...], n: int, density: float, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random((*shape, n)) < density


def form_of(x: Any, form: str, dtype: Any) -> Any:
    if form == "bits":
        return kernels.pack(x, native=False)
    if form == "bool":
        return jnp.asarray(x)
    values = x.astype(dtype)
    return jnp.asarray(values if form == "ones" else values * np.linspace(-2.0, 3.0, x.shape[-1]).astype(dtype))


@each_form
@pytest.mark.parametrize("form", ["bits", "bool", "ones", "amplitudes"])
@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
def test_products_and_weight_gradients_are_those_of_numpy(native: bool, form: str, density: float) -> None:
    for lead, n, m in SHAPES:
        rng = np.random.default_rng(n)
        x = form_of(spikes(lead, n, density), form, np.float32)
        dense = np.asarray(form_of(spikes(lead, n, density), "ones" if form in ("bits", "bool") else form, np.float64))
        w, g = rng.normal(size=(n, m)).astype(np.float32), rng.normal(size=(*lead, m)).astype(np.float32)
        y, pull = jax.vjp(lambda w, x=x: kernels.spike_matmul(x, w, native=native), jnp.asarray(w))
        (dw,) = pull(jnp.asarray(g))
        np.testing.assert_allclose(y, dense @ w, rtol=1e-5, atol=1e-4)
        expected = np.einsum("ri,rj->ij", dense.reshape(-1, n), g.reshape(-1, m).astype(float))
        np.testing.assert_allclose(dw, expected, rtol=1e-5, atol=2e-4)


@needs_native
def test_double_precision() -> None:
    with jax.enable_x64(True):
        x, w = jnp.asarray(spikes((7, 9), 40, 0.3)), jnp.asarray(np.random.default_rng(0).normal(size=(40, 21)))
        y, pull = jax.vjp(lambda w: kernels.spike_matmul(x, w, native=True), w)
        np.testing.assert_allclose(y, np.asarray(x) @ np.asarray(w), rtol=1e-13)
        (dw,) = pull(y)
        np.testing.assert_allclose(dw, np.einsum("abi,abj->ij", np.asarray(x, float), np.asarray(y)), rtol=1e-13)


@each_form
def test_lanes_and_derivatives_are_those_of_the_dense_product(native: bool) -> None:
    """A scan over time in a batch, as a network has it: two products, and every derivative of it, in both modes."""
    rng = np.random.default_rng(3)
    x = jnp.asarray(rng.random((6, 5, 40)) < 0.2)  # batch, time, sources
    w = {"a": rng.normal(size=(40, 24)).astype(np.float32), "b": rng.normal(size=(24, 3)).astype(np.float32)}
    w = jax.tree.map(jnp.asarray, w)

    def loss(w: Any, product: Any) -> jax.Array:
        def one(x: jax.Array) -> jax.Array:
            rows = jax.vmap(lambda row: product(row, w["a"]))(x)
            _, s = jax.lax.scan(lambda v, i: (0.5 * v + i, jnp.tanh(v + i)), jnp.zeros(24), rows)
            return jnp.sum(jax.vmap(lambda row: product(row, w["b"]))(s) ** 2)

        return jnp.mean(jax.vmap(one)(x))

    def own(x: jax.Array, w: jax.Array) -> jax.Array:
        return kernels.spike_matmul(x, w, native=native)

    def dense(x: jax.Array, w: jax.Array) -> jax.Array:
        return x.astype(w.dtype) @ w

    direction = jax.tree.map(lambda v: jnp.asarray(rng.normal(size=v.shape), jnp.float32), w)
    for derive in (
        lambda p: jax.jit(jax.value_and_grad(lambda w: loss(w, p)))(w),
        lambda p: jax.jvp(lambda w: loss(w, p), (w,), (direction,)),
        lambda p: jax.jvp(jax.grad(lambda w: loss(w, p)), (w,), (direction,)),
        lambda p: jax.vmap(jax.grad(lambda w: loss(w, p)))(jax.tree.map(lambda v: jnp.stack([v, 2 * v]), w)),
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-3), derive(own), derive(dense))


@each_form
def test_values_come_from_the_spikes_and_changes_from_the_same_as_numbers(native: bool) -> None:
    """Alone, in a batch, and second derivatives, against the product of the numbers."""
    rng = np.random.default_rng(4)
    u, w, way = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((6, 30), (30, 11), (6, 30)))

    def loss(u: jax.Array, w: jax.Array, own: bool) -> jax.Array:
        values = jnp.where(u > 0.5, 1.0, 0.0) + (jnp.tanh(u) - jax.lax.stop_gradient(jnp.tanh(u)))
        moving = values + 7.0 if own and native else values  # native values are those of the marks alone
        y = kernels.spike_matmul(u > 0.5, w, native=native, moving=moving) if own else values @ w
        return jnp.sum(jnp.sin(y))

    for derive in (
        lambda own: jax.jit(jax.value_and_grad(lambda u, w: loss(u, w, own), (0, 1)))(u, w),
        lambda own: jax.jvp(jax.grad(lambda u: loss(u, w, own)), (u,), (way,)),
        lambda own: jax.vmap(jax.value_and_grad(lambda u: loss(u, w, own)))(u),
        lambda own: jax.vmap(jax.grad(lambda w: loss(u, w, own)))(jnp.stack([w, 2 * w])),
    ):
        for a, b in zip(jax.tree.leaves(derive(True)), jax.tree.leaves(derive(False)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_numbers_that_do_not_fit_the_spikes_are_refused() -> None:
    for moving in (jnp.zeros((2, 3)), jnp.zeros((2, 4), jnp.int32)):
        with pytest.raises(ValueError, match=r"moving: got .*must be the spikes of x as float32, \(\.\.\., 4\)"):
            kernels.spike_matmul(jnp.zeros((2, 4), bool), jnp.zeros((4, 2)), native=False, moving=moving)


@needs_native
def test_work_shared_by_threads_gives_the_bits_of_one() -> None:
    """The whole has enough entries to be shared by the threads of the computation, each part is summed by one."""
    x = jnp.asarray(spikes((64, 40), 300, 0.2).astype(np.float32))
    w = jnp.asarray(np.random.default_rng(1).normal(size=(300, 77)), jnp.float32)
    whole = kernels.spike_matmul(x, w, native=True)
    parts = [kernels.spike_matmul(part, w, native=True) for part in x]
    np.testing.assert_array_equal(whole, jnp.stack(parts))


@pytest.mark.parametrize(
    ("x", "w", "message"),
    [
        (jnp.zeros((2, 3), bool), jnp.zeros((4, 2)), r"got shapes \(2, 3\) and \(4, 2\), must be"),
        (jnp.zeros((2, 2), jnp.uint32), jnp.zeros((32, 2)), r"\(\.\.\., ceil\(n / 32\)\) for bits"),
        (jnp.zeros((2, 4), jnp.int32), jnp.zeros((4, 2)), "must be bool, uint32"),
        (jnp.zeros(4, bool), jnp.zeros(4), "got shapes"),
    ],
)
def test_wrong_operands_are_refused(x: Any, w: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernels.spike_matmul(x, w, native=False)
