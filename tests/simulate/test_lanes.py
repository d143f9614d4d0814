"""Lanes: each is its single run bit for bit, whatever stands beside it."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.simulate import Lanes
from tests.simulate.zoo import network, records, same, simple

RECORD = (
    js.record.Spikes(),
    js.record.State("E.V_mV", every_ms=1.0, index=range(3)),
    js.record.Mean("I.x.value", every_ms=0.5),
    js.record.SpikeCount("I"),
    js.record.Rate("E", every_ms=2.0),
)
SHORT = (js.record.Spikes(), js.record.State("a.V_mV", every_ms=1.0), js.record.Rate("a", every_ms=2.0))
GRID = {
    "projections.loop.gain": np.linspace(0.5, 2.0, 4, dtype=np.float32),
    "stimuli.drive.rate_Hz": np.linspace(1000.0, 4000.0, 4, dtype=np.float32),
    "seed": np.arange(4, dtype=np.uint32),
}


def single(net: js.Network, values: dict[str, Any], lane: int, record: Any, duration_ms: float) -> js.Solution:
    own = {path: v[lane] for path, v in values.items()}
    return js.simulate(js.network.with_parameters(net, own), duration_ms, record=record)


def arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {path: jnp.asarray(v) for path, v in values.items()}


def test_a_lane_is_its_single_run() -> None:
    """Located spikes, noise, short-term plasticity, delta and kinetic receptors; fused populations that come to agree
    in lanes 1 and 2 take another program."""
    net = network()
    values = {
        "projections.E_all.gain": np.linspace(0.5, 2.0, 4, dtype=np.float32),
        "populations.E.neuron.C_pF": np.linspace(150.0, 250.0, 4, dtype=np.float32),
        "populations.I.neuron.E_L_mV": np.asarray([-62.0, -61.0, -58.0, -56.0], np.float32),
        "populations.I.neuron.V_th_mV": np.asarray([-51.0, -50.0, -50.0, -52.0], np.float32),
        "stimuli.poisson.rate_Hz": np.linspace(1000.0, 5000.0, 4, dtype=np.float32),
        "stimuli.noise.sd_pA": np.linspace(0.0, 60.0, 4, dtype=np.float32),
        "projections.I_I.short_term.U": np.linspace(0.2, 0.8, 4, dtype=np.float32),
        "seed": np.arange(4, dtype=np.uint32),
    }
    lanes = Lanes(net, 20.0, RECORD)
    assert lanes.kinds(values).tolist() == [0, 4, 4, 0]
    found = lanes.run(arrays(values))
    assert min(len(s.spikes["E"]) for s in found) > 20
    for lane in (1, 3):
        one = single(net, values, lane, RECORD, 20.0)
        assert same(records(found[lane]), records(one))
        assert same(found[lane].final_state.groups[0].membrane, one.final_state.groups[0].membrane)
        assert found[lane].result == "done"


@pytest.mark.parametrize("native", [None, False], ids=["default kernels", "pure JAX"])
def test_neither_padding_nor_chunks_nor_room_change_a_bit(native: bool | None) -> None:
    net = simple(native=native)
    parts = Lanes(net, 30.0, SHORT, chunk_ms=6.0, capacity=1)
    padded = {path: np.concatenate([v[:3], v[2:3]]) for path, v in GRID.items()}
    found = parts.run(arrays(padded), count=3)
    assert len(found) == 3
    spikes = [len(s.spikes["a"]) for s in found]
    assert min(spikes) > 20
    assert len(set(spikes)) == 3
    for lane, sol in enumerate(found):
        assert same(records(sol), records(single(net, GRID, lane, SHORT, 30.0)))
    before = parts.compile_s
    again = parts.run(arrays(padded), count=3)
    assert parts.compile_s == before  # room that has grown stays
    assert all(same(records(a), records(b)) for a, b in zip(found, again, strict=True))


def test_a_batch_goes_on_from_a_state_and_takes_inputs() -> None:
    net = simple()
    warm = js.simulate(net, 20.0).final_state
    given = np.zeros((100, 40), np.float32)
    given[10] = 3e4
    seeds = {"seed": np.arange(3, dtype=np.uint32)}
    found = Lanes(net, 10.0, js.record.Spikes(), state=warm, inputs={"a": given}).run(arrays(seeds))
    for lane, sol in enumerate(found):
        one = js.network.with_parameters(net, {"seed": lane})
        alone = js.simulate(one, 10.0, record=js.record.Spikes(), state=warm, inputs={"a": given})
        assert same(records(sol), records(alone))
        assert sol.t_start_ms == 20.0
        assert len(sol.spikes["a"]) >= 40


def test_a_lane_that_is_not_finite_ends_alone() -> None:
    cells = js.Population(js.neurons.LIF(), 3, {"x": js.receptors.Current(js.receptors.Exponential(5.0))})
    kicks = js.stimuli.SpikeTimes("E", times_ms=[12.0, 12.5], neurons=1, weight_pA=1.0)
    net = js.Network({"E": cells}, stimuli={"kicks": kicks}, dt_ms=0.1)
    record = (js.record.SpikeCount("E"), js.record.Spikes())
    values = {"stimuli.kicks.weight_pA.x": np.asarray([3e3, 3e38, 4e3], np.float32)}
    lanes = Lanes(net, 50.0, record, chunk_ms=10.0)
    good, bad, other = lanes.run(arrays(values))
    assert (good.result, other.result) == ("done", "done")
    assert bad.result.startswith("population 'E'")
    assert "of neuron 1 is not finite by step 200 (t = 20 ms)" in bad.result
    assert bad.t_stop_ms == 10.0
    assert int(bad.final_state.tick) == 100
    assert len(good.spikes["E"]) > 0
    assert same(records(good), records(single(net, values, 0, record, 50.0)))
    with pytest.raises(js.SimulationError, match="of neuron 1 is not finite at step 12"):
        single(net, values, 1, (), 50.0)
    assert [s.result[:10] for s in lanes.run(arrays({p: v[1:2] for p, v in values.items()}))] == ["population"]


def test_memory_of_a_lane_grows_with_what_it_keeps() -> None:
    net = simple()
    one = {"seed": jnp.uint32(0)}
    bare = Lanes(net, 30.0).bytes_per_lane(one)
    assert bare > 4 * net.size()
    assert Lanes(net, 30.0, js.record.State("a.V_mV")).bytes_per_lane(one) >= bare + 300 * 40 * 8


def test_wrong_numbers_of_lanes_are_refused() -> None:
    with pytest.raises(ValueError, match="lanes: got 0; allowed: a multiple of 1"):
        Lanes(simple(), 1.0).run({})
    with pytest.raises(ValueError, match="multiple of dt_ms"):
        Lanes(simple(), 0.05)
