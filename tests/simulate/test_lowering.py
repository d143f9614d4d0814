"""Programs for accelerators, made on a CPU: no native CPU call is left in them. They are not run here."""

import importlib.util
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import jaxsyn as js

PLATFORMS = ("cuda", "tpu")


def exported(function: Any, tree: Any, platform: str) -> jax.export.Exported:
    """A function of a tree with arrays in it, lowered for a platform."""
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return jax.export.export(jax.jit(lambda x: function(eqx.combine(x, rest))), platforms=[platform])(arrays)


def check(program: jax.export.Exported) -> None:
    """The program holds a loop and no call of ours, and can be stored. Its text names our primitives in places only."""
    text = program.mlir_module()
    assert "stablehlo.while" in text
    assert "custom_call @jaxsyn" not in text
    assert program.mlir_module_serialized
    if importlib.util.find_spec("flatbuffers"):
        assert jax.export.deserialize(program.serialize()).in_avals == program.in_avals


CIRCUITS = {
    "coba": lambda: js.circuits.coba(100),
    "microcircuit": lambda: js.circuits.potjans_diesmann(0.01, 0.01),
    "adex with NMDA": lambda: js.circuits.cortical_adex(100),
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", CIRCUITS)
def test_a_run_lowers(name: str, platform: str) -> None:
    net = CIRCUITS[name]()
    assert net.native == js.kernels.native_available()
    population = next(iter(net.populations()))
    record = [js.record.Spikes(), js.record.SpikeCount(population)]

    def simulate(both: Any) -> Any:
        final, out = js.run(both[0], 20, state=both[1], record=record)
        return final.tick, out

    check(exported(simulate, (net, net.init_state(32)), platform))


def trained(connectivity: Any) -> js.Network:
    """Input, a recurrent population with surrogate, and a readout."""
    hidden = js.Population(js.neurons.DiscreteLIF(), 12, surrogate=js.surrogate.SuperSpike())
    weight = {} if isinstance(connectivity, js.connect.Dense) else {"weight": js.connect.Normal(0.0, 0.5)}
    return js.Network(
        {
            "in": js.Population(js.neurons.Relay(), 5),
            "E": hidden,
            "out": js.Population(js.neurons.LeakyIntegrator(), 3),
        },
        {
            "in_E": js.Projection("in", "E", js.connect.Dense()),
            "E_E": js.Projection("E", "E", connectivity, delay_ms=1.0, **weight),
            "E_out": js.Projection("E", "out", js.connect.Dense()),
        },
        dt_ms=1.0,
    )


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rule", [js.connect.Dense(), js.connect.FixedProbability(0.3)], ids=["dense", "sparse"])
def test_a_training_step_lowers(rule: Any, platform: str) -> None:
    def loss(net: Any, x: Any) -> Any:
        def one(x: Any) -> Any:
            return js.run(net, 10, inputs={"in": x}, record=[js.record.State("out.v")])[1]["out.v"]

        return jnp.mean(jnp.square(jax.vmap(one)(x)))

    both = trained(rule), jnp.ones((4, 10, 5))
    check(exported(lambda both: eqx.filter_value_and_grad(loss)(*both), both, platform))


def test_the_program_for_a_cpu_holds_native_calls() -> None:
    net = js.circuits.coba(100)
    if not net.native:
        pytest.skip("the native kernels are not built")
    arrays, rest = eqx.partition(net, eqx.is_array)
    lowered = jax.jit(lambda x: js.run(eqx.combine(x, rest), 20, record=[js.record.Spikes()])[1]).lower(arrays)
    assert "custom_call @jaxsyn" in lowered.as_text()
