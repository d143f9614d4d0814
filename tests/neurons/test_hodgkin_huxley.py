"""The three classic cells: counts and first spikes of the literature, and no hole in the rate functions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

HH = js.neurons.HodgkinHuxley

# first spikes and counts: our own integration with rtol 1e-12, confirmed with NEURON and NEST
CELLS = {
    "squid": (HH.squid, 200.0, {6.5: (11, 2.49384), 10.0: (14, 1.90097), 20.0: (18, 1.27073)}),
    "traub_miles": (HH.traub_miles, 300.0, {100.0: (10, 5.50178), 300.0: (18, 3.24698), 1000.0: (40, 1.63079)}),
}
STEADY_HZ = {0.2: 8.62, 0.5: 32.22, 1.0: 59.70, 2.0: 101.79, 5.0: 189.63, 10.0: 284.94}


def spikes(cell: Any, I_pA: Any, duration_ms: float, dt_ms: float) -> js.SpikeTrains:
    dc = js.stimuli.Constant("E", I_pA=I_pA)
    net = js.Network({"E": js.Population(cell, len(I_pA))}, stimuli={"dc": dc}, dt_ms=dt_ms)
    return js.simulate(net, duration_ms, record=js.record.Spikes()).spikes["E"]


@pytest.mark.parametrize("name", CELLS)
def test_spike_counts(name: str) -> None:
    make, duration_ms, cases = CELLS[name]
    trains = spikes(make(), np.array(list(cases)), duration_ms, 0.02)
    assert trains.counts().tolist() == [count for count, _ in cases.values()]
    first = [trains.train(i)[0] for i in range(len(cases))]
    np.testing.assert_allclose(first, [first for _, first in cases.values()], atol=1e-3)


def test_wang_buzsaki_rates() -> None:
    trains = spikes(HH.wang_buzsaki(), np.array(list(STEADY_HZ)), 400.0, 0.04)
    last = [1e3 / np.diff(trains.train(i))[-1] for i in range(len(STEADY_HZ))]
    np.testing.assert_allclose(last, list(STEADY_HZ.values()), rtol=2e-3)


@pytest.mark.parametrize("make", [HH.squid, HH.traub_miles, HH.wang_buzsaki])
def test_rates_have_no_hole_and_no_end(make: Any) -> None:
    cell = make()
    holes = jnp.asarray([-40.0, -55.0, -35.0, -34.0, 13.0, 40.0, 15.0])  # 0/0 of the textbook form

    @jax.jit
    @jax.vmap
    def rates_and_slopes(u: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.stack(cell.kinetics.rates(u)), jnp.stack(jax.jacfwd(cell.kinetics.rates)(u))

    (at, slopes), (near, _) = rates_and_slopes(holes), rates_and_slopes(holes + 1e-3)
    np.testing.assert_allclose(at, near, rtol=1e-3)
    assert np.isfinite(slopes).all()
    V = jnp.asarray([-1e6, -200.0, 200.0, 1e6])
    half = jnp.full(4, 0.5)
    rate = jax.jit(lambda s, I: cell.derivative(s, I))(js.neurons.HodgkinHuxleyState(V, half, half, half), jnp.zeros(4))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(rate))


def test_gates_start_at_rest_and_stay() -> None:
    for make in (HH.squid, HH.traub_miles, HH.wang_buzsaki):
        rate = jax.jit(lambda cell: cell.derivative(cell.init_state((1,)), jnp.zeros(1)))(make())
        for gate in ("m", "h", "n"):
            np.testing.assert_allclose(getattr(rate, gate), 0.0, atol=1e-5)


def test_the_area_scales_everything() -> None:
    small, large = HH.squid(), HH.squid(area_um2=500.0)
    state = small.init_state((1,))
    one, five = small.derivative(state, jnp.full(1, 3.0)), large.derivative(state, jnp.full(1, 15.0))
    np.testing.assert_allclose(one.V_mV, five.V_mV, rtol=1e-5, atol=1e-5)
