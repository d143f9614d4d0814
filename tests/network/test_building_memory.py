"""Building takes little more memory than what is built: synapses with a weight and a delay of their own."""

import gc
import tracemalloc

import jax
import pytest

import jaxsyn as js


def cells(n: int) -> js.Population:
    return js.Population(js.neurons.LIF(), n, {"syn": js.receptors.Current(js.receptors.Exponential(5.0))})


@pytest.mark.parametrize("delay_ms", [1.5, js.connect.Uniform(0.5, 3.0)], ids=["one delay", "delays"])
@pytest.mark.parametrize(
    "rule",
    [js.connect.FixedProbability(0.25), js.connect.FixedInDegree(1000), js.connect.FixedOutDegree(1000)],
    ids=lambda rule: type(rule).__name__,
)
def test_at_most_half_as_much_again(rule: js.connect.AbstractRule, delay_ms: float) -> None:
    jax.block_until_ready(jax.numpy.zeros(1))
    projection = js.Projection("E", ("E", "I"), rule, weight_pA=js.connect.Normal(10.0, 1.0), delay_ms=delay_ms)
    gc.collect()
    tracemalloc.start()
    try:
        net = js.Network({"E": cells(3000), "I": cells(1000)}, {"all": projection}, dt_ms=0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    final = sum(leaf.nbytes for leaf in jax.tree.leaves(net.links))
    assert net.links[0].graph.n_synapses >= 2_900_000
    assert final > 8 * net.links[0].graph.n_synapses
    assert peak < 1.5 * final + 30e6  # what does not grow: parts of values that are on their way, models
