"""Numbers by path: the network with another number is the one that would have been built with it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.network import addresses, uniform, with_parameters

RECORD = (js.record.Spikes(), js.record.State("E.V_mV", every_ms=1.0))


def built(**p: Any) -> js.Network:
    """Two fused populations, every kind of number."""
    receptors = {
        "x": js.receptors.Current(js.receptors.Exponential(p.get("tau_ms", 3.0))),
        "d": js.receptors.Delta(),
    }
    excitatory = js.neurons.LIF(C_pF=p.get("C_pF", 200.0), E_L_mV=p.get("E_L_mV", -60.0))
    cells = {
        "E": js.Population(excitatory, 20, receptors, refractory_ms=p.get("refractory_ms", 0.75)),
        "I": js.Population(js.neurons.LIF(V_th_mV=-52.0), 8, receptors, refractory_ms=0.5, initial={"V_mV": -57.0}),
    }
    rule = js.connect.FixedProbability(0.3)
    short_term = js.plasticity.TsodyksMarkram(U=p.get("U", 0.5))
    projections = {
        "E_all": js.Projection("E", ("E", "I"), rule, weight_pA={"x": p.get("w", 40.0)}, gain=p.get("gain", 1.0)),
        "I_E": js.Projection("I", "E", rule, weight_mV={"d": -0.5}, delay_ms=0.3, short_term=short_term),
    }
    stimuli = {
        "noise": js.stimuli.OrnsteinUhlenbeck(("E", "I"), mean_pA=p.get("mean_pA", 100.0), sd_pA=60.0, tau_ms=3.0),
        "p": js.stimuli.Poisson("E", rate_Hz=p.get("rate_Hz", 2000.0), weight_pA={"x": p.get("kick", 50.0)}),
        "dc": js.stimuli.Constant("I", I_pA=p.get("I_pA", 150.0)),
    }
    return js.Network(cells, projections, stimuli, dt_ms=0.1, seed=1)


PATHS = {
    "tau_ms": ("populations.E.receptors.x.kinetics.tau_ms", 2.0),
    "C_pF": ("populations.E.neuron.C_pF", 140.0),
    "E_L_mV": ("populations.E.neuron.E_L_mV", -55.0),
    "refractory_ms": ("populations.E.refractory_ms", 1.5),
    "U": ("projections.I_E.short_term.U", 0.9),
    "w": ("projections.E_all.weight_pA.x", 90.0),
    "gain": ("projections.E_all.gain", 2.5),
    "mean_pA": ("stimuli.noise.mean_pA", 160.0),
    "rate_Hz": ("stimuli.p.rate_Hz", 5000.0),
    "kick": ("stimuli.p.weight_pA.x", 80.0),
    "I_pA": ("stimuli.dc.I_pA", 300.0),
}
OTHER = {"tau_ms": "populations.I.receptors.x.kinetics.tau_ms"}  # built shares the receptors of both populations


def outcome(net: js.Network) -> tuple[Any, ...]:
    sol = js.simulate(net, 30.0, record=RECORD)
    return *((s.times_ms, s.neurons) for s in sol.spikes.values()), sol.states["E.V_mV"].values


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


BASE = built()
BEFORE = outcome(BASE)


@pytest.mark.parametrize("name", sorted(set(PATHS) - set(OTHER)))
def test_another_number_is_that_of_another_network(name: str) -> None:
    path, value = PATHS[name]
    assert path in addresses(BASE)
    after = outcome(with_parameters(BASE, {path: value}))
    assert same(after, outcome(built(**{name: value})))
    assert not same(after, BEFORE)


def test_every_listed_number_can_be_replaced_by_itself() -> None:
    known = addresses(BASE)
    leaves = jax.tree.leaves(BASE)
    own = {path: np.asarray(leaves[a.leaves[0]]) for path, a in known.items()}
    own = {p: (v if known[p].place is None else np.broadcast_to(v, (28,))[known[p].place]
               if isinstance(known[p].place, slice) else v[known[p].place]) for p, v in own.items()}  # fmt: skip
    assert same(outcome(with_parameters(BASE, own)), BEFORE)


def test_populations_that_come_to_agree_share_one_number() -> None:
    """As in a network that is built so; one number for each neuron is rounded in another way."""
    path = "populations.I.neuron.V_th_mV"
    agree = with_parameters(BASE, {path: -50.0})
    assert BASE.groups[0].neuron.V_th_mV.shape == (28,)
    assert agree.groups[0].neuron.V_th_mV.shape == ()
    known = addresses(BASE)
    masks = uniform(BASE, known, {path: np.asarray([-50.0, -51.0]), "seed": np.arange(2)}, lead=1)
    assert [mask.tolist() for mask in masks.values()] == [[True, False]]
    each = np.stack([np.full(8, -50.0), np.linspace(-50.0, -51.0, 8)])
    assert [mask.tolist() for mask in uniform(BASE, known, {path: each}, lead=1).values()] == [[True, False]]


def test_given_initial_values_stay_and_others_follow() -> None:
    moved = with_parameters(BASE, {"populations.E.neuron.E_L_mV": -55.0, "populations.I.neuron.E_L_mV": -50.0})
    start = moved.init_state()
    assert set(np.asarray(moved.view(start, "E").neuron.V_mV)) == {-55.0}
    assert set(np.asarray(moved.view(start, "I").neuron.V_mV)) == {-57.0}
    ramp = np.linspace(-60.0, -52.0, 20, dtype=np.float32)
    set_first = with_parameters(BASE, {"populations.E.initial.V_mV": ramp})
    kept = with_parameters(set_first, {"populations.E.neuron.E_L_mV": -55.0})
    assert np.array_equal(kept.view(kept.init_state(), "E").neuron.V_mV, ramp)
    both = with_parameters(BASE, {"populations.E.initial.V_mV": -51.0, "populations.E.neuron.E_L_mV": -55.0})
    assert set(np.asarray(both.view(both.init_state(), "E").neuron.V_mV)) == {-51.0}


def test_the_seed_is_that_of_the_run_and_not_of_the_graph() -> None:
    other = with_parameters(BASE, {"seed": 5})
    assert int(other.seed) == 5
    assert other.links[0].graph.post is BASE.links[0].graph.post
    assert not same(outcome(other), BEFORE)


def test_traced_values_pass_and_carry_a_gradient() -> None:
    def voltage(current: jax.Array) -> jax.Array:
        cells = js.Population(js.neurons.LIF(), 2, surrogate=js.surrogate.SuperSpike())
        drive = js.stimuli.Constant("I", I_pA=0.0)
        net = js.Network({"I": cells}, stimuli={"dc": drive}, dt_ms=0.1)
        net = with_parameters(net, {"stimuli.dc.I_pA": current})
        return js.run(net, 3, record=[js.record.State("I.V_mV")])[1]["I.V_mV"].sum()

    slope = jax.jvp(voltage, (jnp.float32(10.0),), (jnp.float32(1.0),))[1]
    assert slope > 0.0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"populations.E.neuron.C_pf": 1.0}, "did you mean 'populations.E.neuron.C_pF'"),
        ({"populations.X.neuron.C_pF": 1.0}, "got unknown path 'populations.X.neuron.C_pF'"),
        ({"nothing": 1.0}, "allowed: populations.E"),
        ({"populations.E.neuron.C_pF": -1.0}, "got -1.0; allowed: finite and > 0"),
        ({"populations.E.neuron.C_pF": float("nan")}, "got nan; allowed: finite and > 0"),
        ({"populations.E.neuron.C_pF": np.ones(3)}, r"got shape \(3,\); allowed: one number, or 20"),
        ({"projections.E_all.gain": np.ones(20)}, r"got shape \(20,\); allowed: one number"),
        ({"projections.E_all.gain": "1"}, "got '1'; allowed: finite"),
        ({"projections.E_all.gain": True}, "got True; allowed: finite"),
        ({"projections.E_all.gain": [1.0, [2.0]]}, "allowed: finite"),
        ({"seed": 1.5}, r"got 1.5; allowed: whole numbers from 0 to 2\^32 - 1"),
        ({"seed": -1}, "got -1; allowed: whole numbers"),
    ],
)
def test_wrong_paths_and_values_are_named(values: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        with_parameters(BASE, values)


def test_a_refractory_time_on_the_grid_stays_there() -> None:
    cells = js.Population(js.neurons.LIF(), 2, integrator=js.neurons.Exact(on_grid=True), refractory_ms=1.0)
    net = js.Network({"E": cells}, dt_ms=0.1)
    assert float(with_parameters(net, {"populations.E.refractory_ms": 2.0}).groups[0].refractory_ms) == 2.0
    with pytest.raises(ValueError, match=r"got 0\.25; allowed: finite and >= 0 and a multiple of dt_ms = 0\.1"):
        with_parameters(net, {"populations.E.refractory_ms": 0.25})


def test_weights_that_were_drawn_have_no_path() -> None:
    cells = js.Population(js.neurons.LIF(), 5, {"d": js.receptors.Delta()})
    loop = js.Projection("E", "E", js.connect.AllToAll(), weight_mV=js.connect.Normal(0.1, 0.01), delay_ms=1.0)
    net = js.Network({"E": cells}, {"loop": loop}, dt_ms=0.1)
    assert [p for p in addresses(net) if p.startswith("projections")] == ["projections.loop.gain"]
