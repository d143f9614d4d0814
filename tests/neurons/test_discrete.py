"""The recurrences, written out by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

N = js.neurons
DRIVE = np.random.default_rng(5).uniform(-0.2, 0.9, (40, 3))


def hard(gap: jax.Array) -> jax.Array:
    return (gap >= 0).astype(gap.dtype)


def play(neuron: Any, drive: Any = DRIVE) -> tuple[Any, np.ndarray]:
    state, out = neuron.init_state(drive.shape[1:]), []
    for row in drive:
        state, spikes = neuron.step(state, jnp.asarray(row, jnp.float32), hard)
        out.append(spikes)
    return state, np.asarray(out)


def lif(drive: Any, decay: float, reset: str, rho: float = 0.0, beta: float = 0.0, alpha: float = 0.0) -> Any:
    v, a, i = np.zeros(3), np.zeros(3), np.zeros(3)
    out = []
    for row in drive:
        i = alpha * i + row
        u = decay * v + i
        s = (u >= 1.0 + beta * a).astype(float)
        v = u - s if reset == "subtract" else u * (1 - s)
        a = rho * a + s
        out.append(s)
    return v, np.array(out)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (lambda reset: N.DiscreteLIF(decay=0.8, reset=reset), {"decay": 0.8}),
        (lambda reset: N.DiscreteIF(reset=reset), {"decay": 1.0}),
        (
            lambda reset: N.DiscreteALIF(decay=0.8, rho=0.7, beta=0.3, reset=reset),
            {"decay": 0.8, "rho": 0.7, "beta": 0.3},
        ),
        (lambda reset: N.DiscreteCuBaLIF(alpha=0.5, decay=0.8, reset=reset), {"decay": 0.8, "alpha": 0.5}),
    ],
)  # fmt: skip
def test_recurrence(make: Any, options: dict[str, float], reset: str) -> None:
    state, spikes = play(make(reset))
    v, wanted = lif(DRIVE, reset=reset, **options)
    np.testing.assert_array_equal(spikes, wanted)
    np.testing.assert_allclose(state.v, v, atol=1e-5)
    assert 0 < spikes.sum() < spikes.size


def test_from_tau() -> None:
    np.testing.assert_allclose(N.DiscreteLIF.from_tau(tau_m_ms=20.0, dt_ms=1.0, threshold=2.0).decay, np.exp(-0.05))


@pytest.mark.parametrize("model", [N.DiscreteLIF, N.DiscreteALIF, N.DiscreteCuBaLIF, N.DiscreteIF])
def test_a_detached_reset_carries_no_gradient(model: Any) -> None:
    spike = js.surrogate.Triangle()

    def last(drive: jax.Array, detach: bool) -> jax.Array:
        neuron = model(detach_reset=detach)
        state, _ = neuron.step(neuron.init_state(()), drive, spike)
        return state.v

    at = jnp.asarray(1.2)
    assert jax.grad(last)(at, True) == 1.0
    np.testing.assert_allclose(jax.grad(last)(at, False), 1.0 - 0.8, rtol=1e-5)


def test_start_value_of_the_conversion_neuron() -> None:
    _, spikes = play(N.DiscreteIF(v_init=0.5), np.full((4, 1), 0.25))
    assert spikes[:, 0].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_readout_and_relay_pass_numbers_on() -> None:
    _, values = play(N.LeakyIntegrator(decay=0.5), np.ones((3, 1)))
    assert values[:, 0].tolist() == [1.0, 1.5, 1.75]
    _, values = play(N.Relay())
    np.testing.assert_allclose(values, DRIVE, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: N.DiscreteLIF(decay=1.5), r"DiscreteLIF\.decay: got 1\.5; allowed: finite and >= 0 and <= 1"),
        (lambda: N.DiscreteLIF(threshold=0.0), r"DiscreteLIF\.threshold: got 0\.0"),
        (lambda: N.DiscreteLIF(reset="none"), r"DiscreteLIF\.reset: got 'none'; allowed: 'subtract' or 'zero'"),
        (lambda: N.DiscreteALIF(rho=-0.1), r"DiscreteALIF\.rho"),
        (lambda: N.DiscreteALIF(reset="x"), r"DiscreteALIF\.reset"),
        (lambda: N.DiscreteCuBaLIF(alpha=2.0), r"DiscreteCuBaLIF\.alpha"),
        (lambda: N.DiscreteIF(threshold=np.nan), r"DiscreteIF\.threshold: got nan"),
        (lambda: N.LeakyIntegrator(decay=[0.1, 3.0]), r"LeakyIntegrator\.decay\[1\]: got 3\.0"),
        (lambda: N.IzhikevichPublished(substeps=0), r"IzhikevichPublished\.substeps: got 0"),
        (lambda: N.IzhikevichPublished(dt_ms=0.0), r"IzhikevichPublished\.dt_ms: got 0\.0"),
    ],
)  # fmt: skip
def test_bad_parameters(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
