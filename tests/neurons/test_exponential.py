"""EIF and AdEx: finite for any input, and what the slope factor and the peak do."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

N = js.neurons
SLOPES_MV = (0.0, 1e-5, 1e-3, 0.1, 2.0, 10.0)
INPUTS_PA = (1e6, 1e5, 3e3, 0.0, -1e6)
CASES = list(itertools.product(SLOPES_MV, INPUTS_PA))


def driven(neuron: Any, size: int, I_pA: Any, dt_ms: float = 0.1, **options: Any) -> js.Network:
    cells = js.Population(neuron, size, **options)
    return js.Network({"E": cells}, stimuli={"dc": js.stimuli.Constant("E", I_pA=I_pA)}, dt_ms=dt_ms)


@pytest.mark.parametrize("model", [N.AdEx, N.EIF])
@pytest.mark.parametrize("integrator", [N.RK4(), N.ExponentialEuler(), N.RK4(on_grid=True)], ids=repr)
def test_single_precision_stays_finite_for_any_input(model: Any, integrator: Any) -> None:
    slope, I_pA = np.array(CASES).T
    net = driven(model(Delta_T_mV=slope), len(CASES), I_pA, integrator=integrator)
    variables = [f"E.{name}" for name in vars(net.view(net.init_state(), "E").neuron)]
    _, out = jax.jit(lambda net: js.run(net, 100, record=[js.record.Spikes(), *map(js.record.State, variables)]))(net)
    for name in variables:
        assert out[name].dtype == jnp.float32
        assert np.isfinite(out[name]).all(), name
    spikes = np.asarray(out["spikes"]["E"]).sum(0).reshape(len(SLOPES_MV), len(INPUTS_PA))
    assert (spikes[:, 0] > 90).all()  # 1e6 pA: one in each step
    assert (spikes[:, -2:] == 0).all()  # none, and -1e6 pA


@pytest.fixture(scope="module")
def times() -> dict[str, Any]:
    """Spike times in float64 of EIF cells that differ in slope and peak, and of the LIF cell they approach."""
    V_T = -50.0
    same = {"C_pF": 200.0, "E_L_mV": -60.0, "V_reset_mV": -60.0}
    slopes = np.array([0.0, 1e-6, 1e-4, 1e-2])
    peaks = np.array([0.0, 20.0, V_T + 10.0, -40.0])  # with a slope of 2 mV: u = 25, 35, 5, 5
    with jax.enable_x64(True):
        populations = {
            "LIF": js.Population(N.LIF(tau_m_ms=20.0, V_th_mV=V_T, **same), 1),
            "slope": js.Population(N.EIF(g_L_nS=10.0, V_T_mV=V_T, Delta_T_mV=slopes, **same), 4),
            "AdEx": js.Population(N.AdEx(g_L_nS=10.0, V_T_mV=V_T, Delta_T_mV=slopes, a_nS=0.0, b_pA=0.0, **same), 4),
            "peak": js.Population(N.EIF(g_L_nS=10.0, V_T_mV=V_T, Delta_T_mV=2.0, V_peak_mV=peaks, **same), 4),
        }
        dc = {f"dc {name}": js.stimuli.Constant(name, I_pA=500.0) for name in populations}
        net = js.Network(populations, stimuli=dc, dt_ms=0.1)
        return dict(js.simulate(net, 60.0, record=js.record.Spikes()).spikes)


def test_without_slope_it_is_the_lif_neuron(times: dict[str, Any]) -> None:
    lif = times["LIF"].train(0)
    assert len(lif) == 13
    for name in ("slope", "AdEx"):
        for i, tolerance in enumerate([1e-3, 1e-3, 1e-3, 5e-2]):
            np.testing.assert_allclose(times[name].train(i), lif, atol=tolerance)


def test_the_peak_hardly_matters_if_it_is_high(times: dict[str, Any]) -> None:
    zero, twenty, low, same = (times["peak"].train(i) for i in range(4))
    np.testing.assert_allclose(zero, twenty, atol=1e-6)
    np.testing.assert_array_equal(low, same)
    advance = zero[0] - low[0]
    assert 0.2 < advance / (20.0 * np.exp(-5.0)) < 2.0  # tau_m exp(-u)


def test_the_chart_is_monotone_and_inverts() -> None:
    with jax.enable_x64(True):
        cell = N.AdEx(V_peak_mV=0.0)
        chart = cell.chart()
        V = jnp.linspace(-150.0, -1.0, 200)
        x, rise = jax.jit(jax.vmap(jax.value_and_grad(chart.to)))(V)
        assert (np.diff(x) > 0).all()
        assert (np.asarray(x) < 0).all()
        np.testing.assert_allclose(chart.back(x), V, atol=1e-3)
        state, I_pA = cell.init_state((200,)), jnp.linspace(-1e3, 1e4, 200)
        state = eqx.tree_at(lambda s: s.V_mV, state, V)
        speed = chart.speed(x, cell.regular(state, I_pA).V_mV)
        np.testing.assert_allclose(speed, rise * cell.derivative(state, I_pA).V_mV, rtol=1e-5)  # 1 - dx/dV cancels
        assert chart.gap(chart.to(jnp.asarray(0.0))) == 0.0
        assert chart.back(jnp.asarray(5.0)) == 0.0  # beyond the blow-up: the peak


def test_adaptation_rests_at_the_reversal_potential() -> None:
    cell = N.AdEx()
    rate = cell.derivative(cell.init_state((2,)), jnp.zeros(2))
    np.testing.assert_allclose(rate.w_pA, 0.0)
    assert (np.abs(rate.V_mV) < 1e-4).all()  # what is left of the exponential
    after = cell.reset(cell.init_state((2,)))
    np.testing.assert_allclose(after.w_pA, 80.5)
