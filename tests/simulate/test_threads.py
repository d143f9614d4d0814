"""The number of threads is no property of the model: same spikes, same checkpoints."""

import pathlib
from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js


def circuit(threads: int) -> js.Network:
    """Long rows with weights that round, many neurons, Poisson input: enough for every kernel to share its work."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(2.0))}
    cells = {"a": js.Population(js.neurons.LIF(), 3000, receptors, initial={"V_mV": js.connect.Uniform(-70.0, -50.0)})}
    weight_pA, delay_ms = js.connect.Normal(10.0, 3.0), js.connect.Uniform(0.1, 0.5)
    projection = js.Projection(
        *("a", "a", js.connect.FixedInDegree(600, multapses=True)), weight_pA=weight_pA, delay_ms=delay_ms
    )
    stimuli = {"p": js.stimuli.Poisson("a", rate_Hz=3000.0, weight_pA=60.0)}
    return js.Network(cells, {"a_a": projection}, stimuli, dt_ms=0.1, seed=3, threads=threads)


def final(net: js.Network) -> list[Any]:
    return [np.asarray(x) for x in jax.tree.leaves(js.simulate(net, 20.0).final_state)]


def test_any_number_of_threads_gives_the_same_state() -> None:
    net = circuit(1)
    alone = final(net)
    assert int(js.simulate(net, 20.0, record=[js.record.SpikeCount("a")]).reductions["count a"].sum()) > 1000
    for threads in (2, 3):
        for got, expected in zip(final(circuit(threads)), alone, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_run_goes_on_with_another_number(tmp_path: pathlib.Path) -> None:
    state = js.simulate(circuit(2), 5.0).final_state
    js.checkpoint.save(tmp_path / "c", circuit(2), state)
    restored = js.checkpoint.restore(tmp_path / "c", circuit(1))
    for got, expected in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


@pytest.mark.parametrize("threads", [0, -1, 257, 1.5, True, "2"])
def test_bad_numbers_are_refused(unchecked: None, threads: Any) -> None:
    with pytest.raises(ValueError, match=r"Network\.threads: got .*allowed: a whole number from 1 to 256"):
        js.Network({"a": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1, threads=threads)
