"""Compact synapses: as small and as exact as they claim, the same bits where weights are on a grid."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js

CURRENT = {
    "x": js.receptors.Current(js.receptors.Exponential(2.0)),
    "y": js.receptors.Current(js.receptors.Exponential(5.0)),
}
ERROR = {"float16": 2**-11, "bfloat16": 2**-8, "int16": 1 / 32767, "int8": 1 / 127}
COMPACT = list(ERROR)


def circuit(storage: str, weight_pA: Any, *, size: int = 300, native: bool | None = None, **options: Any) -> js.Network:
    cells = {
        name: js.Population(js.neurons.LIF(), size, CURRENT, initial={"V_mV": js.connect.Uniform(-70.0, -50.0)})
        for name in ("a", "b")
    }
    rule, delay_ms = js.connect.FixedInDegree(40), js.connect.Uniform(0.1, 1.0)
    out = js.Projection("a", ("a", "b"), rule, weight_pA=weight_pA, delay_ms=delay_ms, storage=storage, **options)
    return js.Network(
        cells, {"out": out}, {"p": js.stimuli.Constant("a", I_pA=400.0)}, dt_ms=0.1, seed=3, native=native
    )


def grid() -> dict[str, np.ndarray[Any, Any]]:
    """Weights in quarters that each type holds, for two receptors."""
    rng = np.random.default_rng(0)
    return {r: rng.integers(-20, 101, 600 * 40) / 4.0 for r in ("x", "y")}


def final(net: js.Network) -> list[Any]:
    return [np.asarray(x) for x in jax.tree.leaves(js.simulate(net, 30.0).final_state)]


@pytest.mark.parametrize("storage", COMPACT)
def test_the_error_is_what_the_description_says(storage: str) -> None:
    weight_pA = {"x": js.connect.Normal(10.0, 2.0), "y": js.connect.LogNormal(1.0, 0.5)}
    full, compact = (circuit(s, weight_pA).synapses("out") for s in ("full", storage))
    order = [
        np.lexsort((s["weight x"], s["delay_ms"], s["post"], s["post_population"], s["pre"])) for s in (full, compact)
    ]
    for key in full:
        one, other = full[key][order[0]], compact[key][order[1]]
        if not key.startswith("weight"):
            np.testing.assert_array_equal(one, other)
            continue
        relative = np.abs(other - one) / (np.abs(one).max() if "int" in storage else np.abs(one))
        assert ERROR[storage] / 8 < relative.max() <= ERROR[storage] * 1.000001


@pytest.mark.parametrize("native", [None, False])
@pytest.mark.parametrize("storage", COMPACT)
def test_weights_on_a_grid_give_the_same_spikes(storage: str, native: bool | None) -> None:
    weights = grid()
    full = circuit("full", weights, native=native)
    assert js.simulate(full, 30.0, record=[js.record.SpikeCount("b")]).reductions["count b"].sum() > 100
    expected = final(full)
    for one, other in zip(final(circuit(storage, weights, native=native)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_targets_than_two_bytes_count() -> None:
    weights = {"x": js.connect.Uniform(50.0, 60.0)}
    full, compact = (circuit(s, weights, size=40_000) for s in ("full", "int16"))
    assert compact.links[0].graph.n_blocks == 2
    counts = [js.simulate(net, 3.0, record=[js.record.Mean("b.V_mV")]) for net in (full, compact)]
    one, other = (c.reductions["mean b.V_mV"].values for c in counts)
    assert np.ptp(one) > 1e-3
    np.testing.assert_allclose(other, one, rtol=1e-5)


@pytest.mark.parametrize(("storage", "most"), [("full", 8), ("float16", 4), ("int8", 3)])
def test_bytes_of_a_synapse(storage: str, most: int) -> None:
    link = circuit(storage, {"x": js.connect.Normal(10.0, 1.0)}).links[0]
    assert link.weight.nbytes + link.graph.post.nbytes == most * link.graph.n_padded
    shared = circuit(storage, {"x": 10.0}).links[0]
    assert shared.weight.size == 1
    assert shared.weight.dtype == np.float32
    assert shared.graph.post.itemsize == (4 if storage == "full" else 2)


def test_a_shared_weight_beside_others_is_stored_like_them() -> None:
    net = circuit("int16", {"x": js.connect.Normal(10.0, 1.0), "y": 3.25})
    assert net.links[0].weight.dtype == np.int16
    np.testing.assert_array_equal(net.synapses("out")["weight y"], 3.25)


@pytest.mark.parametrize("storage", ["float16", "int16"])
def test_no_gradient_passes_unseen(storage: str) -> None:
    net = circuit(storage, {"x": js.connect.Normal(10.0, 1.0)})

    def loss(gain: Any) -> Any:
        import equinox as eqx

        scaled = eqx.tree_at(lambda n: n.links[0].gain, net, gain)
        return js.run(scaled, 5)[0].groups[0].membrane.neuron.V_mV.sum()

    with pytest.raises(ValueError, match=rf"'out': a weight stored as {storage} has no gradient, drop storage"):
        jax.grad(loss)(net.links[0].gain)


@pytest.mark.parametrize(
    ("storage", "weight_pA", "options", "message"),
    [
        ("half", {"x": 1.0}, {}, "got storage 'half'; allowed: full, float16, bfloat16, int16, int8"),
        ("float16", {"x": js.connect.Normal(1e6, 1.0)}, {}, r"got 1e\+06; storage='float16' holds 0 and 6.1e-05 to"),
        ("float16", {"x": js.connect.Uniform(1e-7, 1e-6)}, {}, "storage='float16' holds 0 and 6.1e-05 to"),
        ("int8", {"x": 1.0}, {"propagation": "bcoo"}, "storage='int8' is for spikes without gradient and amplitude"),
        ("int8", {"x": 1.0}, {"short_term": js.plasticity.TsodyksMarkram()}, "storage='int8' is for spikes without"),
    ],
)
def test_what_cannot_be_stored_is_refused(storage: str, weight_pA: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        circuit(storage, weight_pA, **options)


def test_a_transform_is_not_sparse() -> None:
    cells = {"r": js.Population(js.neurons.Relay(), 4), "a": js.Population(js.neurons.LIF(), 3, {"x": CURRENT["x"]})}
    dense = js.Projection("r", "a", js.connect.Dense(), weight_pA=js.connect.Normal(1.0, 0.1), storage="int8")
    with pytest.raises(ValueError, match="storage='int8' is for sparse connectivity; drop it"):
        js.Network(cells, {"ra": dense}, dt_ms=0.1)
