"""Spikes forward, finite pseudo-derivatives backward; no gradient passes silently through a hard spike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.surrogate import hard_spike

ALL = [js.surrogate.SuperSpike(), js.surrogate.Triangle(), js.surrogate.Arctangent(), js.surrogate.Sigmoid()]
ALL += [js.surrogate.Boxcar(), js.surrogate.Exponential(), js.surrogate.Gaussian(), js.surrogate.MultiGaussian()]
ALL += [js.surrogate.StraightThrough()]


@pytest.mark.parametrize("surrogate", ALL, ids=lambda s: type(s).__name__)
def test_values_are_spikes_and_gradients_are_finite_at_any_input(surrogate):
    gap = jnp.asarray([-3e38, -1e20, -1.0, -1e-20, 0.0, 1e-20, 1.0, 1e20, 3e38])
    np.testing.assert_array_equal(surrogate(gap), np.asarray(gap) >= 0)
    slope = jax.vmap(jax.grad(surrogate))(gap)
    assert np.isfinite(np.asarray(slope)).all()
    assert (np.asarray(slope) >= 0).all() or isinstance(surrogate, js.surrogate.MultiGaussian)
    np.testing.assert_allclose(slope, surrogate.derivative(gap))
    assert float(slope[4]) == max(np.asarray(slope).tolist())


@pytest.mark.parametrize("name", ["SuperSpike", "Arctangent", "Sigmoid", "Boxcar", "Exponential", "Gaussian"])
def test_the_area_of_a_density_is_one(name):
    """They are densities of a threshold noise."""
    surrogate = getattr(js.surrogate, name)(k=2.0)
    x = jnp.linspace(-400.0, 400.0, 800_001)
    area = float(jnp.sum(surrogate.derivative(x))) * 1e-3
    assert area == pytest.approx(1.0, abs=4e-3)


def test_the_multi_gaussian_is_that_of_the_paper():
    found = js.surrogate.MultiGaussian(k=2.0, h=0.15).derivative(jnp.asarray([0.0, 0.3, -2.0]))
    normal = lambda x, m, s: np.exp(-0.5 * ((x - m) / s) ** 2) / (s * np.sqrt(2 * np.pi))  # noqa: E731
    for x, value in zip((0.0, 0.3, -2.0), found, strict=True):
        expected = 1.15 * normal(x, 0, 0.5) - 0.15 * (normal(x, 0.5, 3.0) + normal(x, -0.5, 3.0))
        assert float(value) == pytest.approx(expected, rel=1e-5)


def test_an_own_surrogate_takes_three_lines():
    class Box(js.surrogate.AbstractSurrogate):
        def derivative(self, gap):
            return (jnp.abs(gap) < 0.5).astype(gap.dtype)

    assert float(jax.grad(Box())(0.2)) == 1.0
    assert float(jax.grad(Box())(0.7)) == 0.0


def test_forward_mode_and_second_order_work():
    spike = js.surrogate.SuperSpike(k=5.0)
    assert float(jax.jvp(spike, (0.1,), (2.0,))[1]) == pytest.approx(2.0 / 1.5**2)
    assert np.isfinite(float(jax.grad(jax.grad(lambda x: spike(x) * x))(0.1)))


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.vmap])
def test_a_hard_spike_refuses_to_be_differentiated(wrap):
    gap = jnp.asarray([-1.0, 1.0])

    def total(x):
        return jnp.sum(jnp.where(wrap(lambda g: hard_spike(g, "E"))(x), x, 0.0))

    assert float(total(gap)) == 1.0
    with pytest.raises(ValueError, match="population 'E' has no surrogate"):
        jax.grad(total)(gap)
