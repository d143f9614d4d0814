"""Refractoriness belongs to the population: V is held for exactly t_ref, everything else goes on."""

import numpy as np
import pytest

import jaxsyn as js

CELL = js.neurons.LIF(tau_m_ms=20.0, C_pF=200.0, E_L_mV=0.0, V_th_mV=15.0, V_reset_mV=0.0)


def intervals(integrator, refractory_ms, I_pA=400.0, dt_ms=0.1):
    population = js.Population(CELL, 1, integrator=integrator, refractory_ms=refractory_ms)
    net = js.Network({"c": population}, stimuli={"I": js.stimuli.Constant("c", I_pA=I_pA)}, dt_ms=dt_ms)
    return np.diff(js.simulate(net, 200.0, record=js.record.Spikes()).spikes["c"].times_ms)


@pytest.mark.parametrize("t_ref", [0.03, 0.1, 0.25, 2.0, 7.777])
@pytest.mark.parametrize("integrator", [js.neurons.Exact(), js.neurons.RK4()], ids=["Exact", "RK4"])
def test_located_spikes_wait_for_exactly_the_refractory_time(integrator, t_ref):
    free = 20.0 * np.log(40.0 / 25.0)
    np.testing.assert_allclose(intervals(integrator, t_ref), free + t_ref, atol=5e-4)


def test_on_the_grid_it_is_a_number_of_steps():
    with_ref = intervals(js.neurons.Exact(on_grid=True), 2.0)
    without = intervals(js.neurons.Exact(on_grid=True), None)
    np.testing.assert_allclose(with_ref[0] - without[0], 2.0, atol=1e-6)


def test_on_the_grid_it_must_be_a_multiple_of_the_step():
    with pytest.raises(ValueError, match=r"refractory_ms=0\.25 is not a multiple of dt_ms=0\.1"):
        intervals(js.neurons.Exact(on_grid=True), 0.25)


def test_delta_jumps_are_lost_while_refractory():
    population = js.Population(CELL, 1, {"d": js.receptors.Delta()}, refractory_ms=5.0)
    events = js.stimuli.SpikeTimes("c", times_ms=[1.0, 2.0, 5.9, 6.2], neurons=0, weight_mV=20.0)
    net = js.Network({"c": population}, stimuli={"e": events}, dt_ms=0.1)
    times = js.simulate(net, 20.0, record=js.record.Spikes()).spikes["c"].times_ms
    np.testing.assert_allclose(times, [1.0, 6.2], atol=1e-6)
