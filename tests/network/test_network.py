"""The network object: places, views, synapses, summary; and networks at the edge of what there can be."""

import functools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import jaxsyn as js

CURRENT = {"x": js.receptors.Current(js.receptors.Exponential(2.0))}
EVERYTHING = [js.record.Spikes(), js.record.Rate("a"), js.record.SpikeCount("a"), js.record.State("a.V_mV")]


def cells(size: int, **options: Any) -> js.Population:
    return js.Population(options.pop("neuron", js.neurons.LIF()), size, options.pop("receptors", CURRENT), **options)


def small() -> js.Network:
    return js.Network(
        {"a": cells(3), "b": cells(2), "r": js.Population(js.neurons.Relay(), 4)},
        {
            "ab": js.Projection("a", "b", js.connect.AllToAll(), weight_pA=2.0, delay_ms=0.3, gain=0.5),
            "ra": js.Projection("r", "a", js.connect.Dense(), weight_pA=js.connect.Normal(1.0, 0.1)),
        },
        {"s": js.stimuli.Poisson("r", rate_Hz=10.0, weight=1.0)},
        dt_ms=0.1,
    )


def test_populations_are_found_by_name() -> None:
    net = small()
    assert sorted(net.populations()) == ["a", "b", "r"]
    assert (net.size(), net.size("b")) == (9, 2)
    g, first, size = net.place("b")
    assert net.groups[g].members[1] == ("b", first, size) == ("b", 3, 2)
    state = net.init_state()
    assert net.view(state, "b").receptors["x"].value.shape == (2,)
    for ask in (net.place, net.size, lambda name: net.view(state, name)):
        with pytest.raises(ValueError, match=r"unknown population 'c'; the network has \["):
            ask("c")


def test_synapses_are_listed() -> None:
    found = small().synapses("ab")
    assert found["pre"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found["post"].tolist() == [0, 1, 0, 1, 0, 1]
    assert set(found["post_population"]) == {"b"}
    assert found["weight x"].tolist() == [2.0] * 6
    assert found["delay_ms"].tolist() == pytest.approx([0.3] * 6)
    with pytest.raises(ValueError, match=r"unknown sparse projection 'ra'; the network has \['ab'\]"):
        small().synapses("ra")


def test_the_summary_names_everything_with_its_size() -> None:
    text = small().summary()
    for part in (
        "9 neurons",
        "a (3), b (2)",
        "LIF, Exact",
        "projection ab: 6 synapses, x, 1 delays",
        "s of computing if all fire at 10 Hz",
        "projection ra: BoundDense",
    ):
        assert part in text
    for part in ("stimulus s: Poisson to 4 neurons", "total: 6 sparse synapses, network", "KiB"):
        assert part in text


def test_an_empty_population_changes_nothing() -> None:
    """Alone in its group, or fused with others; as a source, as a target, as one of several targets."""
    nobody = {"none": cells(0), "alone": cells(0, refractory_ms=1.0)}
    rule = js.connect.AllToAll()

    def network(**populations: js.Population) -> js.Network:
        names = ("a", *populations)
        projections = {
            f"{s} to all": js.Projection(s, names, rule, weight_pA=30.0, delay_ms=0.2, propagation=p)
            for s, p in zip(names, ("auto", "bcoo", "auto"), strict=False)
        }
        drive = js.stimuli.Constant(names, I_pA=300.0)
        return js.Network({"a": cells(3), **populations}, projections, {"dc": drive}, dt_ms=0.1)

    without, net = network(), network(**nobody)
    with_nobody = js.simulate(net, 20.0, record=[*EVERYTHING, js.record.Rate("none"), js.record.State("alone.V_mV")])
    alone = js.simulate(without, 20.0, record=EVERYTHING)
    assert np.array_equal(with_nobody.spikes["a"].times_ms, alone.spikes["a"].times_ms)
    assert len(alone.spikes["a"]) > 3
    assert len(with_nobody.spikes["none"]) == len(with_nobody.spikes["alone"]) == 0
    assert with_nobody.spikes["none"].trains() == []
    assert with_nobody.spikes["none"].rate_Hz() == 0.0
    assert with_nobody.reductions["rate none"].values.tolist() == [0.0] * 20
    assert with_nobody.states["alone.V_mV"].values.shape == (200, 0)
    assert "none (0)" in net.summary()
    assert "0 neurons" in repr(with_nobody)
    _, out = js.run(net, 20, record=[js.record.Rate("none"), js.record.Spikes()])
    assert out["rate none"].tolist() == [0.0, 0.0]
    assert out["spikes"]["none"].shape == (20, 0)


def test_only_empty_populations() -> None:
    net = js.Network({"a": cells(0)}, dt_ms=0.1)
    sol = js.simulate(net, 1.0, record=EVERYTHING)
    assert sol.result == "done"
    assert len(sol.spikes["a"]) == 0


def test_one_neuron_that_excites_itself() -> None:
    loop = js.Projection("a", "a", js.connect.OneToOne(), weight_pA=5000.0, delay_ms=0.1)
    net = js.Network({"a": cells(1)}, {"loop": loop}, {"dc": js.stimuli.Constant("a", I_pA=300.0)}, dt_ms=0.1)
    assert js.simulate(net, 15.0, record=EVERYTHING).reductions["count a"][0] > 5


def test_nothing_happens_without_drive() -> None:
    loop = js.Projection("a", "a", js.connect.AllToAll(), weight_pA=100.0, delay_ms=0.1)
    sol = js.simulate(js.Network({"a": cells(5)}, {"loop": loop}, dt_ms=0.1), 10.0, record=EVERYTHING)
    assert len(sol.spikes["a"]) == 0
    assert sol.spikes["a"].rate_Hz() == 0.0
    assert np.array_equal(sol.states["a.V_mV"].values, np.full((100, 5), -60.0))


@pytest.mark.parametrize("weight", [1e30, -1e30])
def test_huge_weights_stay_finite_or_are_named(weight: float) -> None:
    """The current is finite, and so is V after the reset; inhibition drives V to where it overflows in the end."""
    loop = js.Projection("a", "a", js.connect.AllToAll(), weight_pA=weight, delay_ms=0.1)
    drive = js.stimuli.Constant("a", I_pA=300.0)
    net = js.Network({"a": cells(5)}, {"loop": loop}, {"dc": drive}, dt_ms=0.1)
    sol = js.simulate(net, 20.0, record=EVERYTHING, throw=False)
    assert sol.result == "done" or "is not finite at step" in sol.result
    assert np.isfinite(sol.states["a.V_mV"].values).all()


def test_a_source_that_is_one_of_several_targets_reaches_itself() -> None:
    weight = np.arange(1.0, 21.0)
    pair = js.Projection("b", ("a", "b"), js.connect.AllToAll(), weight_pA=weight, delay_ms=0.1)
    populations = {"a": cells(3), "b": cells(2, neuron=js.neurons.LIF(V_th_mV=[-60.0, -50.0], V_reset_mV=-70.0))}
    with pytest.raises(ValueError, match=r"weight of x: got shape \(20,\); allowed: shape \(10,\)"):
        js.Network(populations, {"p": pair}, dt_ms=0.1)
    pair = js.Projection("b", ("a", "b"), js.connect.AllToAll(), weight_pA=weight[:10], delay_ms=0.1)
    net = js.Network(populations, {"p": pair}, dt_ms=0.1)
    _, out = js.run(net, 2, record=[js.record.State("a.x.value"), js.record.State("b.x.value"), js.record.Spikes()])
    assert out["spikes"]["b"][0].tolist() == [True, False]
    assert [*out["a.x.value"][1].tolist(), *out["b.x.value"][1].tolist()] == weight[:5].tolist()


def test_a_population_without_receptors_cannot_be_a_target() -> None:
    projection = js.Projection("a", "a", js.connect.AllToAll(), weight_pA=1.0, delay_ms=0.1)
    with pytest.raises(ValueError, match=r"the target has receptors none; say which one gets the weight"):
        js.Network({"a": cells(3, receptors={})}, {"p": projection}, dt_ms=0.1)


def test_initial_states_are_drawn_or_given() -> None:
    start = {"V_mV": js.connect.Uniform(-60.0, -55.0), "x.value": 3.0}
    draw = functools.partial(
        js.Network, {"a": cells(50, initial=start), "b": cells(2, initial={"V_mV": [-51.0, -52.0]})}
    )
    net = draw(dt_ms=0.1, seed=1)
    a, b = (net.view(net.init_state(), name) for name in "ab")
    assert -60.0 <= a.neuron.V_mV.min() < -58.0 < -57.0 < a.neuron.V_mV.max() < -55.0
    assert set(a.receptors["x"].value.tolist()) == {3.0}
    assert b.neuron.V_mV.tolist() == [-51.0, -52.0]
    other, again = (draw(dt_ms=0.1, seed=seed) for seed in (2, 1))
    assert np.array_equal(again.view(again.init_state(), "a").neuron.V_mV, a.neuron.V_mV)
    assert not np.array_equal(other.view(other.init_state(), "a").neuron.V_mV, a.neuron.V_mV)


BIG = """
import resource, sys, time
import jax, numpy as np
import jaxsyn as js
jax.block_until_ready(jax.numpy.zeros(3) + 1.0)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**10 if sys.platform == "linux" else 2**20)
base = peak()
receptors = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A()}
cells = js.neurons.AdEx()
rule, normal = js.connect.FixedInDegree, js.connect.Normal
net = js.Network(
    {"E": js.Population(cells, 80_000, receptors), "I": js.Population(cells, 20_000, receptors)},
    {
        "E": js.Projection(
            "E", ("E", "I"), rule(80), weight_nS={"AMPA": normal(0.5, 0.1)}, delay_ms=js.connect.Uniform(0.5, 3.0)
        ),
        "I": js.Projection("I", ("E", "I"), rule(20), weight_nS={"GABA_A": normal(2.0, 0.3)}, delay_ms=0.8),
    },
    {"background": js.stimuli.Poisson(("E", "I"), rate_Hz=4000.0, weight_nS={"AMPA": 5.0})},
    dt_ms=0.1,
)
print(net.summary())
sol = js.simulate(net, 10.0, record=js.record.Spikes())
print("spikes", len(sol.spikes["E"]), "MB", peak() - base)
"""


def test_1e5_neurons_with_1e7_synapses_fit_in_a_gigabyte() -> None:
    done = subprocess.run([sys.executable, "-c", BIG], capture_output=True, text=True, check=True).stdout
    assert "projection E: 8000000 synapses, AMPA" in done
    assert "total: 10000000 sparse synapses, network" in done
    assert "MiB" in done
    spikes, megabytes = done.split("spikes ")[1].split(" MB ")
    assert int(spikes) > 1000
    assert float(megabytes) < 1000.0
