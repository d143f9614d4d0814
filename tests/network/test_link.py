"""The forms of propagation agree: native and pure JAX, ids and numbers, BCOO; on grid weights to the last bit."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

PULSE = np.linspace(100.0, 260.0, 60)


def circuit(propagation: str = "auto", native: bool | None = None, surrogate: Any = None, **options: Any) -> js.Network:
    """80:20 cells with conductances, weights in sixteenths, several projections and receptors between the same."""
    receptors = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A(), "d": js.receptors.Delta()}
    integrator = js.neurons.ExponentialEuler(on_grid=True)
    cells = functools.partial(
        js.Population,
        js.neurons.LIF(),
        receptors=receptors,
        integrator=integrator,
        refractory_ms=1.0,
        surrogate=surrogate,
    )
    rule, steps = js.connect.FixedProbability, js.connect.Uniform(0.5, 3.0)
    grid = np.random.default_rng(0).integers(1, 33, 60 * 60) / 16
    project = functools.partial(js.Projection, propagation=propagation, **options)
    return js.Network(
        {"E": cells(60), "I": cells(15)},
        {
            "E": project("E", ("E", "I"), rule(0.2), weight_nS={"AMPA": 0.75}, delay_ms=steps),
            "EE": project(
                "E", "E", js.connect.AllToAll(), weight_nS={"AMPA": grid / 4, "GABA_A": grid / 8}, delay_ms=1.5
            ),
            "I": project("I", ("I", "E"), rule(0.3), weight_nS={"GABA_A": 4.0}, delay_ms=steps),
            "kick": project("I", "E", rule(0.1), weight_mV={"d": -0.5}, delay_ms=0.5),
            "now": project("I", "I", rule(0.1), weight_nS={"AMPA": 0.5}, delay_ms=0.0),
        },
        {
            "dc": js.stimuli.Constant("E", I_pA=PULSE),
            "noise": js.stimuli.Poisson("I", rate_Hz=800.0, weight_nS={"AMPA": 1.0}),
        },
        dt_ms=0.5,
        native=native,
    )


@functools.partial(jax.jit, static_argnums=1)
def spikes(net: js.Network, n_steps: int = 200) -> Any:
    return js.run(net, n_steps, record=[js.record.Spikes()])[1]["spikes"]


@functools.cache
def expected() -> Any:
    return spikes(circuit(native=False))


def test_the_circuit_spikes() -> None:
    for name, some in (("E", 100), ("I", 20)):
        assert some < expected()[name].sum() < 40 * some


@pytest.mark.parametrize(
    "options",
    [
        {"native": None},
        {"propagation": "bcoo"},
        {"surrogate": js.surrogate.SuperSpike()},
        {"surrogate": js.surrogate.SuperSpike(), "native": False},
        {"short_term": js.plasticity.TsodyksMarkram(U=1.0, tau_rec_ms=1e-6)},  # always whole: numbers that are all 1
    ],
    ids=["ids", "bcoo", "numbers", "numbers in JAX", "amplitudes"],
)
def test_every_form_gives_the_same_spikes(options: dict[str, Any]) -> None:
    found = spikes(circuit(**options))
    for name, those in expected().items():
        assert np.array_equal(found[name].astype(bool), those), name


@pytest.mark.parametrize("options", [{}, {"propagation": "bcoo"}, {"surrogate": js.surrogate.SuperSpike()}])
def test_a_gain_scales_every_form(options: dict[str, Any]) -> None:
    """A gain of a power of two is the same as weights times it, to the last bit."""
    net = circuit(**options)
    links = range(len(net.links))
    doubled = eqx.tree_at(lambda n: [n.links[i].gain for i in links], net, [jnp.asarray(2.0)] * len(links))
    heavier = eqx.tree_at(lambda n: [n.links[i].weight for i in links], net, [2.0 * k.weight for k in net.links])
    for a, b in zip(spikes(doubled).values(), spikes(heavier).values(), strict=True):
        assert np.array_equal(a, b)
        assert a.sum() > 0


def test_derivatives_of_every_form_agree() -> None:
    """Two groups that read each other's history before and after it is written; native, pure JAX, sparse, BCOO."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0)), "d": js.receptors.Delta()}
    gradients = []
    look = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)  # terms of one sign would cancel in sums
    for options in ({"native": None}, {"native": False}, {"propagation": "bcoo"}):
        project = functools.partial(js.Projection, propagation=options.pop("propagation", "auto"))
        surrogate = js.surrogate.SuperSpike()
        net = js.Network(
            {
                "a": js.Population(js.neurons.LIF(), 8, receptors, surrogate=surrogate),
                "b": js.Population(js.neurons.LIF(), 5, receptors, surrogate=surrogate, refractory_ms=1.0),
            },
            {
                "ab": project("a", "b", js.connect.AllToAll(), weight_mV={"d": 2.0}, delay_ms=0.5),
                "ba": project("b", "a", js.connect.AllToAll(), weight_mV={"d": np.linspace(-2, 3, 40)}, delay_ms=1.0),
                "ba later": project("b", "a", js.connect.AllToAll(), weight_pA={"x": 20.0}, delay_ms=0.0),
            },
            {"dc": js.stimuli.Constant("a", I_pA=np.linspace(90.0, 400.0, 8))},
            dt_ms=0.5,
            **options,
        )

        def loss(weights: Any, net: js.Network = net) -> jax.Array:
            changed = eqx.tree_at(lambda n: [k.weight for k in n.links], net, weights)
            _, out = js.run(changed, 60, record=[js.record.State("a.V_mV")])
            return jnp.mean((out["a.V_mV"] + 60.0) ** 2 * look)

        gradients.append(jax.jit(jax.grad(loss))([k.weight for k in net.links]))
    for other in gradients[1:]:
        for a, b in zip(gradients[0], other, strict=True):
            assert np.abs(a).max() > 0
            np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-5 * float(np.abs(a).max()))
