"""EIF and AdEx: overflow-safe for any input, LIF in the limit Delta_T = 0, located spikes."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js


def spikes_of(neuron, I_pA, duration_ms=100.0, **options):
    n = np.size(I_pA)
    population = js.Population(neuron, n, **options)
    stimulus = js.stimuli.Constant("cell", I_pA=I_pA)
    net = js.Network({"cell": population}, stimuli={"I": stimulus}, dt_ms=0.1)
    sol = js.simulate(net, duration_ms, record=js.record.Spikes())
    return sol.spikes["cell"], sol.final_state


@pytest.mark.parametrize("neuron", [js.neurons.AdEx(), js.neurons.EIF()], ids=["AdEx", "EIF"])
@pytest.mark.parametrize(
    "integrator", [None, js.neurons.RK4(on_grid=True), js.neurons.ExponentialEuler(), js.neurons.RK2()]
)
def test_finite_for_any_input_in_float32(neuron, integrator):
    currents = np.array([-1e6, -1e3, 0.0, 1e3, 1e4, 1e5, 1e6])
    spikes, state = spikes_of(neuron, currents, integrator=integrator)
    counts = spikes.counts()
    assert counts[3] > 0
    strong = slice(0, 5) if isinstance(integrator, js.neurons.RK2) else slice(0, None)  # its docstring says why
    assert (np.diff(counts[strong]) >= 0).all()
    assert np.isfinite(np.asarray(state.groups[0].membrane.neuron.V_mV)).all()


@pytest.mark.parametrize("Delta_T_mV", [0.0, 1e-6, 1e-3])
def test_without_exponential_it_is_the_lif_neuron(Delta_T_mV):
    eif = js.neurons.EIF(200.0, 10.0, -65.0, -50.0, Delta_T_mV, -60.0, 0.0)
    lif = js.neurons.LIF(20.0, 200.0, -65.0, -50.0, -60.0)
    currents = np.array([160.0, 250.0, 600.0])
    a, _ = spikes_of(eif, currents, 300.0)
    b, _ = spikes_of(lif, currents, 300.0)
    for k in range(3):
        assert len(a.train(k)) == len(b.train(k)) > 0
        np.testing.assert_allclose(a.train(k), b.train(k), rtol=1e-3)


def test_the_spike_level_matters_little():
    trains = [spikes_of(js.neurons.AdEx(V_peak_mV=v), np.array([1000.0]))[0].times_ms for v in (0.0, 20.0)]
    np.testing.assert_allclose(trains[0], trains[1], atol=2e-4)


def test_adaptation_lengthens_the_intervals():
    times = spikes_of(js.neurons.AdEx(), np.array([1250.0]), 1000.0)[0].times_ms
    intervals = np.diff(times)
    assert len(times) == 46
    np.testing.assert_allclose(intervals[0], 9.3125, atol=2e-3)
    np.testing.assert_allclose(intervals[-1], 23.6671, atol=2e-3)


def test_the_chart_is_its_own_inverse_and_regular_at_the_blow_up():
    chart = js.neurons.AdEx().chart()
    V = jnp.asarray([-200.0, -80.0, -60.0, -50.4, -45.0, -40.0])
    np.testing.assert_allclose(chart.back(chart.to(V)), V, rtol=1e-4)
    assert np.isfinite(np.asarray(chart.back(jnp.asarray([-1e-30, 0.0, 1e3])))).all()
