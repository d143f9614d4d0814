"""A sketch has the shapes of the network, and its numbers of synapses, without drawing it."""

import jax
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.network import sketch

LIF = js.neurons.LIF


def leaves(tree):
    return {jax.tree_util.keystr(path): x for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def recurrent(rule, **options):
    cells = {name: js.Population(LIF(), n, {"r": js.receptors.Delta()}) for name, n in (("E", 80), ("I", 20))}
    cells["X"] = js.Population(
        js.neurons.AdEx(), 30, {"r": js.receptors.Delta()}, initial={"V_mV": options.pop("V", -70.0)}
    )
    return cells, {"p": js.Projection("E", options.pop("target", ("E", "I")), rule, **{"delay_ms": 1.0, **options})}


CASES = {
    "probability": recurrent(js.connect.FixedProbability(0.2), weight_mV=0.1),
    "drawn": recurrent(
        js.connect.FixedInDegree(9), weight_mV=js.connect.Normal(1.0, 0.1), delay_ms=js.connect.Uniform(0.5, 2.0)
    ),
    "long_tail": recurrent(
        js.connect.FixedOutDegree(9),
        weight_mV=1.0,
        delay_ms=js.connect.LogNormal(2.0, 1.0),
        V=js.connect.Uniform(-70, -60),
    ),
    "several_rules": recurrent([js.connect.FixedTotal(100, multapses=True), js.connect.FixedTotal(200)], weight_mV=0.1),
    "two_groups": recurrent(js.connect.FixedTotal(400), target=("I", "X"), weight_mV=js.connect.Uniform(0.0, 1.0)),
    "distance": recurrent(js.connect.DistanceDependent(js.connect.GaussianKernel(0.5, 2.0)), target="E", weight_mV=1.0),
    "edges": recurrent(js.connect.Edges([0, 1], [2, 3], [0.5, 1.0]), delay_ms=[1.0, 3.0]),
    "bcoo": recurrent(js.connect.FixedTotal(64), weight_mV=0.1, propagation="bcoo"),
    "compact": recurrent(js.connect.FixedTotal(64), weight_mV=js.connect.Uniform(0.1, 0.2), storage="int16"),
    "compact_shared": recurrent(js.connect.FixedTotal(64), weight_mV=0.1, storage="float16"),
    "short_term": recurrent(js.connect.FixedTotal(64), weight_mV=0.1, short_term=js.plasticity.TsodyksMarkram()),
}


@pytest.mark.parametrize("name", CASES)
def test_shapes_are_those_of_the_network(name):
    populations, projections = CASES[name]
    stimuli = {"p": js.stimuli.Poisson(("E", "X"), rate_Hz=5.0, weight_mV=1.0)}
    net = js.Network(populations, projections, stimuli, dt_ms=0.1, seed=1)
    sketched = sketch(populations, projections, stimuli, dt_ms=0.1, seed=1)
    assert jax.tree.structure(sketched.network) == jax.tree.structure(net) or name == "long_tail"
    found, expected = leaves(sketched.network), leaves(net)
    assert list(found) == list(expected)
    for path, leaf in expected.items():
        same = found[path].shape == leaf.shape
        near = np.allclose(found[path].shape, leaf.shape, rtol=0.25)  # chance decides which delays there are
        assert near if name in ("long_tail", "two_groups") else same, path
        assert found[path].dtype == leaf.dtype, path
    for link, count in zip(net.links, sketched.synapses, strict=True):
        assert link.graph.n_synapses == pytest.approx(count, rel=0.2)
    assert sum(sketched.synapses) == pytest.approx(sketched.edges["p"])
    assert sketched.shortest_steps <= min(int(link.graph.delays[0]) for link in net.links)


def test_transforms_and_discrete_neurons_are_sketched():
    cells = {
        "in": js.Population(js.neurons.Relay(), 64),
        "out": js.Population(js.neurons.DiscreteLIF(), 10, surrogate=js.surrogate.SuperSpike()),
    }
    layers = (js.connect.Conv(4, (3, 3), input_shape=(1, 8, 8)), js.connect.BatchNorm(), js.connect.Dense(bias=True))
    parts = (cells, {"w": js.Projection("in", "out", js.connect.Chain(layers))})
    net, sketched = js.Network(*parts, dt_ms=1.0), sketch(*parts, dt_ms=1.0)
    assert sketched.synapses == (0.0,)
    found = jax.tree.map(lambda x: (x.shape, str(x.dtype)), sketched.network)
    assert jax.tree.leaves(found) == jax.tree.leaves(jax.tree.map(lambda x: (x.shape, str(x.dtype)), net))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_mV": 0.1, "delay_ms": 0.25}, "projection 'p': delay_ms: got 0.25"),
        ({"weight_mV": {"nobody": 1.0}}, "nobody"),
        ({}, "projection 'p'.*none given"),
        ({"weight_mV": np.ones(3)}, "projection 'p': weight of r: got shape"),
        ({"weight_nS": 0.1}, "projection 'p'"),
        ({"weight_mV": 0.1, "target": ("E", "Z")}, "unknown population 'Z'"),
    ],
    ids=["delay", "receptor", "no_weight", "weights", "unit", "target"],
)
def test_what_cannot_be_built_cannot_be_sketched(change, message):
    populations, projections = recurrent(js.connect.FixedTotal(64), **change)
    with pytest.raises(ValueError, match=message):
        sketch(populations, projections, dt_ms=0.1)
    with pytest.raises(ValueError, match=message):
        js.Network(populations, projections, dt_ms=0.1)


def test_bad_step_and_seed_are_refused():
    populations, projections = CASES["probability"]
    for options in ({"dt_ms": 0.0}, {"dt_ms": 0.1, "seed": -1}):
        with pytest.raises(ValueError, match="Network"):
            sketch(populations, projections, **options)
