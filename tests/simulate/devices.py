"""Sharded networks against one device; run by test_devices.py in a process with eight simulated devices."""

import functools
import re
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.simulate._devices import Devices, program_text
from jaxsyn.simulate._plan import make_plan
from tests.simulate.zoo import network, records, simple

DT_MS = 0.1


def mesh(n: int = 8) -> jax.sharding.Mesh:
    return jax.sharding.Mesh(np.array(jax.devices()[:n]), ("devices",))


@functools.cache
def circuit(native: bool | None = None, seed: int = 3) -> js.Network:
    """Two groups of two models, uneven populations, several receptors and delays from 0.5 ms, every kind of drive."""
    receptors = {"AMPA": js.receptors.AMPA(), "NMDA": js.receptors.NMDA(), "GABA_A": js.receptors.GABA_A()}
    start = js.connect.Uniform(-70.0, -51.0)
    adex = functools.partial(js.Population, js.neurons.AdEx(), receptors=receptors, initial={"V_mV": start})
    spread, probability = js.connect.Uniform(0.5, 2.0), js.connect.FixedProbability
    return js.Network(
        {
            "E": adex(31),
            "I": adex(9),
            "T": js.Population(
                js.neurons.LIF(tau_m_ms=js.connect.Uniform(10.0, 20.0).sample(np.random.default_rng(0), (13,))),
                *(13, {"x": js.receptors.Current(js.receptors.Exponential(2.0))}),
                refractory_ms=1.0,
            ),
        },
        {
            "E_all": js.Projection(
                "E", ("E", "I"), probability(0.3), weight_nS={"AMPA": 2.7, "NMDA": 0.31}, delay_ms=spread
            ),
            "I_all": js.Projection("I", ("E", "I"), probability(0.4), weight_nS={"GABA_A": 3.3}, delay_ms=0.8),
            "T_E": js.Projection(
                "T", "E", probability(0.2), weight_nS={"AMPA": js.connect.Normal(3.0, 0.3)}, delay_ms=spread
            ),
            "E_T": js.Projection("E", "T", probability(0.2), weight_pA=17.3, delay_ms=1.1),
        },
        {
            "background": js.stimuli.Poisson(
                ("I", "E"), rate_Hz=np.linspace(6000.0, 4000.0, 40), weight_nS={"AMPA": 1.9}
            ),
            "noise": js.stimuli.OrnsteinUhlenbeck(("E", "T"), mean_pA=200.0, sd_pA=90.0, tau_ms=4.0),
            "steps": js.stimuli.Constant("T", I_pA=np.linspace(100.0, 500.0, 13)),
            "listed": js.stimuli.SpikeTimes(
                "T", times_ms=np.round(np.arange(1, 40) * 0.7, 1), neurons=(5 * np.arange(39)) % 13, weight_pA=300.0
            ),
        },
        dt_ms=DT_MS,
        seed=seed,
        native=native,
    )


NETWORKS = {"simple": simple, "zoo": network, "circuit": circuit}
RECORD = {
    "simple": [js.record.Spikes(), js.record.SpikeCount("a")],
    "zoo": [js.record.Spikes(), js.record.Rate("E", 2.0)],
    "circuit": [
        js.record.Spikes(),
        js.record.State("E.V_mV", every_ms=1.5, index=[0, 17, 30, 4]),
        js.record.State("I.NMDA.value", every_ms=3.0),
        js.record.Mean("T.V_mV", every_ms=1.5),
        js.record.Rate("I", 3.0),
        js.record.SpikeCount("T"),
    ],
}


@functools.cache
def sharded(name: str, n: int = 8) -> js.ShardedNetwork:
    return js.shard(NETWORKS[name](), mesh(n))


@functools.cache
def reference(name: str) -> js.Solution:
    return js.simulate(NETWORKS[name](), 30.0, record=RECORD[name])


def comparable(state: js.NetworkState) -> list[Any]:
    """Leaves of a state, its lists of spikes without what stands behind their end."""
    groups = []
    for g in state.groups:
        if g.ids is not None:
            listed = np.arange(g.ids.shape[1]) < np.asarray(g.counts)[:, None]
            ids = np.where(listed, np.asarray(g.ids), 0)[:, : max(int(np.asarray(g.counts).max()), 1)]
            g = eqx.tree_at(lambda s: s.ids, g, ids)
        groups.append(g)
    return jax.tree.leaves((tuple(groups), state.links, state.stimuli, state.tick))


def agree(a: js.Solution, b: js.Solution) -> None:
    """Spikes and counts agree exactly; other numbers up to the rounding of sums and of XLA's functions."""
    wanted, got = records(a), records(b)
    assert wanted.keys() == got.keys()
    for name in wanted:
        exact = not name.startswith("mean") and "." not in name
        for x, y in zip(jax.tree.leaves(wanted[name]), jax.tree.leaves(got[name]), strict=True):
            np.testing.assert_allclose(y, x, rtol=0 if exact else 2e-6, atol=0 if exact else 1e-5, err_msg=name)
    for x, y in zip(comparable(a.final_state), comparable(b.final_state), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(y, x, rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize(("name", "n"), [("simple", 8), ("zoo", 8), ("circuit", 8), ("circuit", 3)])
def test_spikes_are_those_of_one_device(name: str, n: int) -> None:
    one = reference(name)
    assert all(len(one.spikes[p]) > 3 for p in one.spikes)
    agree(one, js.simulate(sharded(name, n), 30.0, record=RECORD[name]))


def test_without_native_kernels_too() -> None:
    net = simple(native=False)
    one, many = (js.simulate(x, 15.0, record=js.record.Spikes()) for x in (net, js.shard(net, mesh(4))))
    assert len(one.spikes["a"]) > 50
    agree(one, many)


def test_too_little_room_is_seen_and_made() -> None:
    one = js.simulate(simple(), 15.0, record=js.record.Spikes())
    many = js.shard(simple(), mesh(2))
    plan = make_plan(simple(), [js.record.Spikes()], packed=True, capacity=1)
    machine = Devices(many, plan)
    machine._rooms = (2,)
    state, rooms = machine.load(simple().init_state(1)), []
    while True:
        chunk = machine.run(state, {}, plan, (150, 0))
        wider = machine.make_room(state, plan, chunk)
        if wider is None:
            break
        (state, plan), _ = wider, rooms.append(machine._rooms[0])
    steps, neurons, _ = machine.harvest(plan, chunk).events[0]
    assert max(rooms) > 2
    np.testing.assert_allclose((steps + 1) * DT_MS, one.spikes["a"].times_ms, rtol=1e-12)
    np.testing.assert_array_equal(neurons, one.spikes["a"].neurons)


def test_inputs_resume_and_another_number_of_devices(tmp_path: Path) -> None:
    net, quarter, chunk = circuit(), 7.3, {"record": js.record.Spikes(), "chunk_ms": 7.3}
    drive = np.random.default_rng(1).uniform(0.0, 400.0, (292, 31)).astype(np.float32)
    one = js.simulate(net, 4 * quarter, inputs={"E": drive}, **chunk)
    saver = js.checkpoint.Checkpoints(tmp_path, every_ms=quarter, keep=9)
    half = {"inputs": {"E": drive[:146]}, "continued": True}
    first = js.simulate(sharded("circuit", 3), 2 * quarter, checkpoint=saver, **half, **chunk)
    state = js.checkpoint.restore(tmp_path, net, step=73)
    rest = js.simulate(sharded("circuit"), 3 * quarter, state=state, inputs={"E": drive[73:]}, **chunk)
    for p in one.spikes:
        times = np.concatenate([first.spikes[p].between(0.0, quarter).times_ms, rest.spikes[p].times_ms])
        np.testing.assert_allclose(times, one.spikes[p].times_ms, rtol=1e-12)
    alone = js.simulate(net, 2 * quarter, state=first.final_state, inputs={"E": drive[146:]}, **chunk)
    for x, y in zip(comparable(one.final_state), comparable(alone.final_state), strict=True):
        np.testing.assert_allclose(y, x, rtol=2e-6, atol=1e-5)


KINDS = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter|collective-broadcast"
COLLECTIVE = rf"= \S+ ({KINDS})(?:-start)?\("


@pytest.mark.parametrize(("name", "window"), [("simple", 3), ("zoo", 0), ("circuit", 5)])
def test_one_collective_for_each_exchange(name: str, window: int) -> None:
    assert sharded(name).window_steps == window
    text = program_text(sharded(name), 60)
    assert re.findall(COLLECTIVE, text) == ["all-gather"]
    bodies = set(re.findall(r"body=%?([\w.\-]+)", text))
    at = text[: re.search(COLLECTIVE, text).start()]
    owner = [line for line in at.splitlines() if line and not line.startswith((" ", "}"))][-1].lstrip("%").split(" ")[0]
    assert owner in bodies  # of the loop over windows; the loop over the steps of a window has none


def test_what_cannot_be_sharded_is_refused_by_name() -> None:
    cells = js.Population(js.neurons.LIF(), 4, {"d": js.receptors.Delta()})
    now = js.Network(
        {"a": cells, "b": cells}, {"a_b": js.Projection("a", "b", js.connect.OneToOne(), weight_mV=1.0)}, dt_ms=DT_MS
    )
    with pytest.raises(ValueError, match=r"projection 'a_b': delay 0 into delta receptors .* at least one step"):
        js.shard(now, mesh())
    relay = js.Population(js.neurons.Relay(), 16)
    pool = js.connect.AvgPool((2, 2), input_shape=(1, 4, 4))
    pooled = js.Network(
        {"a": relay, "b": js.Population(js.neurons.DiscreteLIF(), 4)},
        {"pool": js.Projection("a", "b", pool, delay_ms=DT_MS)},
        dt_ms=DT_MS,
    )
    with pytest.raises(ValueError, match="projection 'pool': Pool cannot be cut by target"):
        js.shard(pooled, mesh())
    with pytest.raises(ValueError, match="weights are not recorded on several devices"):
        js.simulate(sharded("simple"), 1.0, record=js.record.Weights("loop"))


def test_a_state_that_is_not_finite_is_located() -> None:
    V_mV = jnp.full(40, -60.0).at[23].set(jnp.nan)
    bad = eqx.tree_at(lambda s: s.groups[0].membrane.neuron.V_mV, simple().init_state(), V_mV)
    with pytest.raises(js.SimulationError, match="population 'a': V_mV of neuron 23 is not finite at step 1 "):
        js.simulate(sharded("simple"), 2.0, state=bad)
