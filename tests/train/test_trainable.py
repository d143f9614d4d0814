"""What is trained, and what is not."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import jaxsyn as js
from jaxsyn.train import trainable

from .networks import small


def chosen(net, **options):
    leaves = jax.tree_util.tree_leaves_with_path(eqx.partition(net, trainable(net, **options))[0])
    return {jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves}


def cortical():
    receptors = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A()}
    return js.Network(
        {name: js.Population(js.neurons.LIF(), 5, receptors) for name in ("E", "I")},
        {
            "E_all": js.Projection("E", ("E", "I"), js.connect.FixedProbability(0.5), weight_nS={"AMPA": 1.0}),
            "I_E": js.Projection(
                *("I", "E", js.connect.AllToAll()), weight_nS={"GABA_A": 1.0}, short_term=js.plasticity.TsodyksMarkram()
            ),
        },
        {"noise": js.stimuli.Poisson("E", rate_Hz=10.0, weight_nS={"AMPA": 1.0})},
        dt_ms=0.1,
    )


def test_weights_and_biases_by_default():
    assert chosen(small()) == {f"links.{i}.transform.{w}" for i in (0, 1) for w in ("weight", "bias")}
    assert chosen(cortical()) == {"links.0.weight", "links.1.weight"}


def test_every_array_of_a_chain():
    chain = js.connect.Chain((js.connect.Conv(2, (3,), input_shape=(1, 6), bias=True), js.connect.Dense()))
    net = js.Network(
        {"in": js.Population(js.neurons.Relay(), 6), "out": js.Population(js.neurons.LeakyIntegrator(), 2)},
        {"chain": js.Projection("in", "out", chain)},
        dt_ms=1.0,
    )
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(eqx.partition(net, trainable(net))[0]))
    assert shapes == [(2,), (2, 1, 3), (8, 2)]


def test_other_parameters_when_they_are_named():
    extra = chosen(small(), parameters=["hidden.threshold", "hidden_out.gain"]) - chosen(small())
    assert len(extra) == 2
    assert {path.rpartition(".")[2] for path in extra} == {"threshold", "gain"}
    assert chosen(small(), parameters="hidden.decay") - chosen(small()) == {"groups.1.neuron.decay"}


def test_receptors_and_short_term_plasticity_have_names():
    named = ["E.AMPA.kinetics.tau_ms", "I.AMPA.kinetics.tau_ms", "I_E.gain"]
    extra = chosen(cortical(), parameters=named) - chosen(cortical())
    assert extra == {"groups.0.receptors.AMPA.kinetics.tau_ms", "links.1.gain"}
    with pytest.raises(ValueError, match=r"I_E\.short_term\.") as error:
        trainable(cortical(), parameters=["I_E.short_term"])
    name = next(n for n in str(error.value).replace(",", "").split() if n.startswith("I_E.short_term."))
    assert len(chosen(cortical(), parameters=[name]) - chosen(cortical())) == 1


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"unknown 'hidden\.treshold'; the network has .*hidden\.threshold"):
        trainable(small(), parameters=["hidden.treshold"])


def test_a_parameter_that_populations_share_has_to_be_named_for_each():
    with pytest.raises(ValueError, match=r"'E\.tau_m_ms' is one array together with 'I\.tau_m_ms'.*name them all"):
        trainable(cortical(), parameters=["E.tau_m_ms"])
    assert "groups.0.neuron.tau_m_ms" in chosen(cortical(), parameters=["E.tau_m_ms", "I.tau_m_ms"])


def test_nothing_else_moves():
    net = small()
    weights, rest = eqx.partition(net, trainable(net))
    moved = eqx.combine(jax.tree.map(lambda w: w + 1.0, weights), rest)
    assert float(moved.groups[1].neuron.threshold) == float(net.groups[1].neuron.threshold)
    assert bool(jnp.all(moved.links[0].transform.bias == net.links[0].transform.bias + 1.0))
