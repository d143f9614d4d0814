"""Refractoriness belongs to the population: V is held for exactly t_ref, everything else goes on."""

from typing import Any

import numpy as np
import pytest

import jaxsyn as js

CELL = js.neurons.LIF(tau_m_ms=20.0, C_pF=200.0, E_L_mV=0.0, V_th_mV=15.0, V_reset_mV=0.0)


def intervals(integrator: Any, refractory_ms: Any, I_pA: float = 400.0, dt_ms: float = 0.1) -> list[Any]:
    """Intervals between spikes of one cell for each refractory time."""
    size = len(refractory_ms) if refractory_ms is not None else 1
    population = js.Population(CELL, size, integrator=integrator, refractory_ms=refractory_ms)
    net = js.Network({"c": population}, stimuli={"I": js.stimuli.Constant("c", I_pA=I_pA)}, dt_ms=dt_ms)
    spikes = js.simulate(net, 200.0, record=js.record.Spikes()).spikes["c"]
    return [np.diff(spikes.train(i)) for i in range(size)]


@pytest.mark.parametrize("integrator", [js.neurons.Exact(), js.neurons.RK4()], ids=["Exact", "RK4"])
def test_located_spikes_wait_for_exactly_the_refractory_time(integrator: Any) -> None:
    free, times = 20.0 * np.log(40.0 / 25.0), [0.0, 0.03, 0.1, 0.25, 2.0, 7.777]
    for t_ref, found in zip(times, intervals(integrator, times), strict=True):
        np.testing.assert_allclose(found, free + t_ref, atol=5e-4)


def test_on_the_grid_it_is_a_number_of_steps() -> None:
    without, brief, long = intervals(js.neurons.Exact(on_grid=True), [0.0, 0.1, 2.0])
    np.testing.assert_allclose(brief[0] - without[0], 0.1, atol=1e-6)
    np.testing.assert_allclose(long[0] - without[0], 2.0, atol=1e-6)
    np.testing.assert_array_equal(intervals(js.neurons.Exact(on_grid=True), None)[0], without)


def test_on_the_grid_it_must_be_a_multiple_of_the_step() -> None:
    with pytest.raises(ValueError, match=r"refractory_ms=.*0\.25.* is not a multiple of dt_ms=0\.1"):
        intervals(js.neurons.Exact(on_grid=True), [0.25])


def test_delta_jumps_are_lost_while_refractory() -> None:
    population = js.Population(CELL, 1, {"d": js.receptors.Delta()}, refractory_ms=5.0)
    events = js.stimuli.SpikeTimes("c", times_ms=[1.0, 2.0, 5.9, 6.2], neurons=0, weight_mV=20.0)
    net = js.Network({"c": population}, stimuli={"e": events}, dt_ms=0.1)
    times = js.simulate(net, 20.0, record=js.record.Spikes()).spikes["c"].times_ms
    np.testing.assert_allclose(times, [1.0, 6.2], atol=1e-6)
