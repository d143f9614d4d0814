"""The quantized activation: values, straight-through gradient, and its place in a converted model."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js


def test_values_and_gradients() -> None:
    z = jnp.asarray(np.random.default_rng(0).uniform(-1.0, 3.0, 200), jnp.float32)
    act = js.convert.QCFS(threshold=1.5, levels=3)
    want = 1.5 * np.clip(np.floor(np.asarray(z) * 3 / 1.5 + 0.5) / 3, 0, 1)
    np.testing.assert_allclose(act(z), want, rtol=1e-6)
    inside = (np.asarray(z) > 0) & (np.asarray(z) < 1.5)
    np.testing.assert_allclose(jax.vmap(jax.grad(act))(z), inside.astype(float))
    of_threshold = jax.vmap(eqx.filter_grad(lambda a, z: a(z)), (None, 0))(act, z).threshold
    expected = np.where(np.asarray(z) <= 0, 0.0, np.where(inside, (want - np.asarray(z)) / 1.5, 1.0))
    np.testing.assert_allclose(of_threshold, expected, atol=1e-5)


def test_a_model_keeps_its_thresholds_and_levels() -> None:
    keys = jax.random.split(jax.random.key(0))
    model = eqx.nn.Sequential([
        eqx.nn.Linear(4, 6, key=keys[0]), js.convert.QCFS(0.7, 5), eqx.nn.Linear(6, 2, key=keys[1])
    ])  # fmt: skip
    x = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    snn = js.convert.from_equinox(model, x, "exact")
    assert snn.n_steps == 5
    assert snn.paths == ("layers[1]",)
    assert float(snn.thresholds[0]) == pytest.approx(0.7)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        want = jax.vmap(model)(x)
    np.testing.assert_allclose(js.convert.predict(snn, x), want, atol=1e-5)


@pytest.mark.usefixtures("unchecked")
def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"QCFS.threshold: got 0.0; allowed: finite and > 0"):
        js.convert.QCFS(threshold=0.0)
    with pytest.raises(ValueError, match=r"QCFS.levels: got 0; allowed: a whole number >= 1"):
        js.convert.QCFS(levels=0)
