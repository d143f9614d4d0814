"""The published recurrence digit for digit, and the equation whose limit it is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js


def hard(gap: jax.Array) -> jax.Array:
    return (gap >= 0).astype(gap.dtype)


@pytest.mark.parametrize(("substeps", "simultaneous"), [(1, False), (2, False), (1, True)])
def test_published_scheme(substeps: int, simultaneous: bool) -> None:
    options: dict[str, Any] = {"dt_ms": 0.5, "substeps": substeps, "simultaneous": simultaneous}
    with jax.enable_x64(True):
        neuron = js.neurons.IzhikevichPublished(d=6.0, **options)
        state, got = neuron.init_state((1,)), []
        step = jax.jit(lambda state, drive: neuron.step(state, drive, hard))
        for _ in range(200):
            state, spikes = step(state, jnp.full(1, 12.0))
            got.append((float(state.V_mV[0]), float(state.u_pA[0]), float(spikes[0])))
    v, u = -65.0, 0.2 * -65.0
    for V_mV, u_pA, spiked in got:
        old = v
        for _ in range(substeps):
            v = v + 0.5 / substeps * (0.04 * v**2 + 5.0 * v + 140.0 - u + 12.0)
        u = u + 0.5 * 0.02 * (0.2 * (old if simultaneous else v) - u)
        fired = v >= 30.0
        if fired:
            v, u = -65.0, u + 6.0
        assert spiked == fired
        np.testing.assert_allclose([V_mV, u_pA], [v, u], rtol=1e-9)
    assert sum(spiked for *_, spiked in got) > 3


def test_the_equation_rests_where_its_rate_is_zero() -> None:
    cell = js.neurons.Izhikevich()
    rate = cell.derivative(cell.init_state((1,)), jnp.zeros(1))
    np.testing.assert_allclose(rate.V_mV, 0.0, atol=1e-4)
    np.testing.assert_allclose(rate.u_pA, 0.0, atol=1e-6)


def test_finite_far_above_its_peak() -> None:
    cell = js.neurons.Izhikevich()
    state = cell.init_state((1,)).__class__(jnp.full(1, 1e30), jnp.zeros(1))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(cell.derivative(state, jnp.full(1, 1e6))))


def test_the_network_must_have_the_step_of_the_model() -> None:
    cells = js.Population(js.neurons.IzhikevichPublished(dt_ms=0.5), 2)
    with pytest.raises(ValueError, match=r"IzhikevichPublished has dt_ms=0\.5, the network 0\.1"):
        js.Network({"E": cells}, dt_ms=0.1)
