"""What a network refuses, each with its message; how populations are fused, ordered and connected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js

pytestmark = pytest.mark.usefixtures("unchecked")


LIF, ON_GRID, ALL = js.neurons.LIF, js.neurons.Exact(on_grid=True), js.connect.AllToAll()


def cells(size: int = 3, **options: Any) -> js.Population:
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(2.0)), "d": js.receptors.Delta()}
    return js.Population(options.pop("neuron", LIF()), size, options.pop("receptors", receptors), **options)


def discrete(size: int = 3, **options: Any) -> js.Population:
    return js.Population(js.neurons.DiscreteLIF(), size, **options)


def arrow(source: str = "a", target: Any = "a", rule: Any = ALL, **options: Any) -> js.Projection:
    return js.Projection(source, target, rule, **({"weight_pA": {"x": 1.0}, "delay_ms": 0.2} | options))


def net(projections: Any = None, stimuli: Any = None, **options: Any) -> js.Network:
    """Populations a and b (continuous, one group) and m (discrete)."""
    populations = {"a": cells(), "b": cells(2), "m": discrete(), **options.pop("populations", {})}
    return js.Network(populations, projections, stimuli, **({"dt_ms": 0.1} | options))


def one(*arguments: Any, **options: Any) -> Callable[[], js.Network]:
    return lambda: net({"p": arrow(*arguments, **options)})


def driven(stimulus: Callable[[], Any]) -> Callable[[], js.Network]:
    return lambda: net(stimuli={"s": stimulus()})


NEURON, STIMULI, CONNECT = js.neurons, js.stimuli, js.connect
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    # names
    "no populations": (lambda: js.Network({}, dt_ms=0.1), r"Network\.populations: got none; allowed: at least one"),
    "dot in a name": (lambda: net(populations={"a.b": cells()}), r"got name 'a\.b'; allowed: a non-empty text without"),
    "plus in a name": (lambda: net(populations={"a+b": cells()}), r"got name 'a\+b'"),
    "empty name": (lambda: net(populations={"": cells()}), r"got name ''"),
    "number as name": (lambda: net(populations={3: cells()}), r"got name 3"),
    "projection name": (lambda: net({"a.b": arrow()}), r"got name 'a\.b'"),
    "no population": (
        lambda: net(populations={"c": LIF()}),
        r"Network\.populations\['c'\]: got LIF; allowed: js\.Population",
    ),
    "no projection": (lambda: net({"p": ALL}), r"Network\.projections\['p'\]: got AllToAll; allowed: js\.Projection"),
    "no stimulus": (
        lambda: net(stimuli={"s": 1.0}),
        r"Network\.stimuli\['s'\]: got float; allowed: e\.g\. js\.stimuli",
    ),
    "unknown source": (one("c"), r"projection 'p': unknown population 'c'; the network has \['a', 'b', 'm'\]"),
    "unknown target": (one("a", ("b", "c")), r"projection 'p': unknown population 'c'"),
    "no target": (
        one("a", ()),
        r"Projection\('a' -> \(\)\): got target \(\); allowed: one population or several different",
    ),
    "target twice": (
        one("a", ("b", "b")),
        r"got target \('b', 'b'\); allowed: one population or several different ones",
    ),
    "driven twice": (
        driven(lambda: STIMULI.Constant(("a", "a"), I_pA=1.0)),
        r"target: got \('a', 'a'\); allowed: a population name, or several different ones",
    ),
    "unknown driven": (
        driven(lambda: STIMULI.Constant("c", I_pA=1.0)),
        r"stimulus 's': unknown population 'c'; the network has \['a', 'b', 'm'\]",
    ),
    "unknown receptor": (
        one(weight_pA={"y": 1.0}),
        r"projection 'p' -> 'a': unknown receptor 'y'; the target has \['d', 'x'\]",
    ),
    "unknown driven receptor": (
        driven(lambda: STIMULI.Poisson("a", rate_Hz=1.0, weight_pA={"y": 1.0})),
        r"stimulus 's': unknown receptor 'y'",
    ),
    "receptor of a discrete neuron": (
        one("a", "m", weight_pA={"x": 1.0}),
        r"unknown receptor 'x'; the target has \[''\]",
    ),
    # weights
    "wrong unit": (
        one(weight_pA=None, weight_nS={"x": 1.0}),
        r"'p' -> 'a': receptor 'x' takes weight_pA, got weight_nS",
    ),
    "unit of a jump": (one(weight_pA={"d": 1.0}), r"receptor 'd' takes weight_mV, got weight_pA"),
    "unit of a discrete neuron": (one("a", "m", weight_pA=1.0), r"receptor '' takes weight, got weight_pA"),
    "two units": (one(weight_mV={"d": 1.0}), r"got weights in pA and mV; allowed: one unit"),
    "no weight": (one(weight_pA=None), r"projection 'p': no weight given; 'a' has receptors \['d', 'x'\]"),
    "no weight for one": (
        lambda: net({"p": js.Projection("a", "m", ALL, delay_ms=0.1)}),
        r"projection 'p': weight: none given, and the connectivity brings none",
    ),
    "which receptor": (one(weight_pA=1.0), r"the target has receptors \['d', 'x'\]; say which one gets the weight"),
    "empty mapping": (one(weight_pA={}), r"got an empty weight mapping"),
    "unknown argument": (one(weights_pA=1.0), r"unknown argument 'weights_pA'; the weight is one of weight_nS"),
    "weight twice": (
        one(rule=CONNECT.Edges([0], [0], [1.0])),
        r"projection 'p': weight of x: given twice, by the connectivity and by the projection; drop one",
    ),
    "NaN weight": (one(weight_pA={"x": np.nan}), r"projection 'p': weight of x: got nan.*finite"),
    "NaN among weights": (one(weight_pA={"x": np.full(9, np.nan)}), r"got nan at place \(0,\)"),
    "number of weights": (one(weight_pA={"x": np.ones(4)}), r"weight of x: got shape \(4,\); allowed: shape \(9,\)"),
    "text as weight": (one(weight_pA={"x": "big"}), r"weight of x: got 'big'; allowed: a number"),
    "gain of each": (one(gain=[1.0, 2.0]), r"got gain of shape \(2,\); allowed: one number"),
    "NaN gain": (one(gain=np.nan), r"Projection\.gain: got nan"),
    "receptors of two kinds": (
        lambda: net(
            {"p": arrow(weight_pA={"x": 1.0, "now": 1.0})},
            populations={
                "a": cells(receptors={"x": js.receptors.Current(js.receptors.Exponential(2.0)), "now": AtOnce()})
            },
        ),
        r"projection 'p': \['now', 'x'\] mix receptors that act at once \(delta\) with kinetic ones",
    ),
    "targets of two kinds": (
        one("a", ("a", "m"), weight_pA=None, weight=1.0),
        r"projection 'p' -> 'a': the target has receptors \['d', 'x'\]; say which",
    ),
    # delays
    "delay off the grid": (one(delay_ms=0.25), r"projection 'p': delay_ms: got 0\.25, which is 2\.5 steps"),
    "a delay off the grid": (one(delay_ms=np.r_[0.15, np.full(8, 0.1)]), r"delay_ms: got 0\.15 at place \(0,\)"),
    "negative delay": (one(delay_ms=-0.1), r"delay_ms: got -0\.1; allowed: >= 0"),
    "NaN delay": (one(delay_ms=np.nan), r"delay_ms: got nan"),
    "number of delays": (one(delay_ms=np.ones(3)), r"delay_ms: got shape \(3,\); allowed: shape \(9,\)"),
    "text as delay": (one(delay_ms="long"), r"Projection\('a' -> 'a'\): got delay_ms 'long'; allowed: numbers, ms"),
    "delta loop": (
        lambda: net(
            {
                "ab": arrow("a", "b", weight_pA=None, weight_mV={"d": 1.0}, delay_ms=0.0),
                "ba": arrow("b", "a", weight_pA=None, weight_mV={"d": 1.0}, delay_ms=0.0),
            }
        ),
        r"populations (a -> b -> a|b -> a -> b) form a loop of zero-delay projections into delta receptors or discrete",
    ),
    "delta onto itself": (
        one(weight_pA=None, weight_mV={"d": 1.0}, delay_ms=0.0),
        r"populations a -> a form a loop of zero-delay projections.*give one of them a delay of at least one step",
    ),
    "one synapse of many closes a loop": (
        one("a", "a", weight_pA=None, weight_mV={"d": 1.0}, delay_ms=np.r_[np.ones(8), 0.0]),
        r"populations a -> a form a loop",
    ),
    "discrete loop": (
        one("m", "m", weight_pA=None, weight=1.0, delay_ms=0.0),
        r"populations m -> m form a loop of zero-delay projections into delta receptors or discrete neurons",
    ),
    "dense loop": (
        lambda: net({"p": js.Projection("m", "m", CONNECT.Dense())}),
        r"populations m -> m form a loop",
    ),
    # connectivity
    "no rule": (one(rule=0.1), r"Projection\('a' -> 'a'\): got connectivity 0\.1; allowed: e\.g\. js\.connect"),
    "unknown propagation": (one(propagation="fast"), r"got propagation 'fast'; allowed: auto, sparse, bcoo"),
    "sizes differ": (one("a", "b", CONNECT.OneToOne()), r"projection 'p': OneToOne: got .*3.*2"),
    "edge outside": (
        one(rule=CONNECT.Edges([0], [3])),
        r"projection 'p': Edges\.post: got index 3 at place 0; allowed: 0 to 2",
    ),
    "autapses over several targets": (
        one("a", ("a", "b"), CONNECT.AllToAll(autapses=False)),
        r"autapses=False with several targets is ambiguous; make one projection for each",
    ),
    "dense to several": (one("a", ("a", "b"), CONNECT.Dense()), r"a transform has one target and one receptor"),
    "dense of two sizes": (
        lambda: net({"p": js.Projection("a", "m", CONNECT.Dense(n_out=2), delay_ms=0.1)}),
        r"Dense: got a target population of 3 neurons; allowed: 2",
    ),
    "dense with plasticity": (
        one("a", "a", CONNECT.Dense(), short_term=js.plasticity.TsodyksMarkram()),
        r"projection 'p': short_term needs a sparse connectivity",
    ),
    "dense with delays": (one("a", "a", CONNECT.Dense(), delay_ms=np.ones(9)), r"a transform has one delay for all"),
    # the step
    "no step": (lambda: net(dt_ms=0.0), r"Network\.dt_ms: got 0\.0; allowed: a number > 0"),
    "negative step": (lambda: net(dt_ms=-0.1), r"Network\.dt_ms: got -0\.1"),
    "NaN step": (lambda: net(dt_ms=np.nan), r"Network\.dt_ms: got nan"),
    "infinite step": (lambda: net(dt_ms=np.inf), r"Network\.dt_ms: got inf"),
    "text as step": (lambda: net(dt_ms="0.1"), r"Network\.dt_ms: got '0\.1'"),
    "true as step": (lambda: net(dt_ms=True), r"Network\.dt_ms: got True"),
    "negative seed": (lambda: net(seed=-1), r"Network\.seed: got -1; allowed: a whole number from 0 to 2\^32 - 1"),
    "large seed": (lambda: net(seed=2**32), r"Network\.seed: got 4294967296"),
    "half a seed": (lambda: net(seed=0.5), r"Network\.seed: got 0\.5"),
    "refractory off the grid": (
        lambda: net(populations={"a": cells(refractory_ms=0.25, integrator=ON_GRID)}),
        r"population 'a': refractory_ms=0\.25 is not a multiple of dt_ms=0\.1",
    ),
    "refractory of one neuron off the grid": (
        lambda: net(populations={"a": cells(refractory_ms=[0.1, 0.2, 0.25], integrator=ON_GRID)}),
        r"population 'a': refractory_ms=\[0\.1 +0\.2 +0\.25\] is not a multiple",
    ),
    "published step": (
        lambda: net(populations={"i": js.Population(NEURON.IzhikevichPublished(dt_ms=1.0), 2)}),
        r"population 'i': IzhikevichPublished has dt_ms=1\.0, the network 0\.1",
    ),
    # stimuli
    "current into a discrete neuron": (
        driven(lambda: STIMULI.Constant("m", I_pA=1.0)),
        r"stimulus 's': population 'm' takes drive \(a pure number\)",
    ),
    "drive of a continuous neuron": (
        driven(lambda: STIMULI.Constant("a", drive=1.0)),
        r"stimulus 's': population 'a' takes I_pA",
    ),
    "number of currents": (
        driven(lambda: STIMULI.Constant(("a", "b"), I_pA=np.ones(4))),
        r"stimulus 's': Constant\.amplitude: got 4 values; allowed: a scalar or 5, one for each neuron of a \+ b",
    ),
    "number of event weights": (
        driven(lambda: STIMULI.Poisson("a", rate_Hz=1.0, weight_pA={"x": np.ones(2)})),
        r"stimulus 's': weight of x has shape \(2,\); allowed: \(\) or \(3,\)",
    ),
    "unit of an event": (
        driven(lambda: STIMULI.Poisson("a", rate_Hz=1.0, weight_nS={"x": 1.0})),
        r"stimulus 's': receptor 'x' takes weight_pA, got weight_nS",
    ),
    "listed neuron outside": (
        driven(lambda: STIMULI.SpikeTimes("a", times_ms=[1.0], neurons=3, weight_pA={"x": 1.0})),
        r"SpikeTimes\.neurons: got indices 3 to 3; allowed: 0 to 2",
    ),
    "traced rate": (
        lambda: STIMULI.Poisson("a", rate_Hz=-1.0, weight=1.0),
        r"Poisson\.rate_Hz: got -1\.0; allowed: finite and >= 0",
    ),
}


REFUSED |= {
    "one rule too few": (
        lambda: arrow("a", ("a", "b"), [js.connect.AllToAll()]),
        "got 1 rules .* for 2 targets; allowed: one rule of js.connect for each target",
    ),
    "weights of some rules": (
        lambda: pair([js.connect.AllToAll(), js.connect.Edges([0], [1], [2.0])]),
        "projection 'p': some rules bring weights and others do not",
    ),
}


class AtOnce(js.receptors.AbstractReceptor):
    """Acts at once, in pA: no receptor of the library is like that."""

    weight_unit = "pA"
    at_once = True

    def init_state(self, shape: tuple[int, ...]) -> Any:
        return js.receptors.Delta().init_state(shape)

    def arrive(self, state: Any, weight: Any) -> Any:
        return state

    def derivative(self, state: Any) -> Any:
        return state

    def current(self, state: Any, V_mV: Any) -> Any:
        return 0.0 * V_mV


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build()


def test_zero_delay_into_kinetic_receptors_is_legal_in_any_graph() -> None:
    loops = {f"{s}{t}": arrow(s, t, delay_ms=0.0) for s in "ab" for t in "ab"}
    assert len(net(loops).links) == 4


def test_equal_models_are_fused_and_keep_their_parameters() -> None:
    populations = {
        "a": cells(2, neuron=LIF(tau_m_ms=10.0)),
        "b": cells(3, neuron=LIF(tau_m_ms=[20.0, 21.0, 22.0]), refractory_ms=None),
        "c": cells(1, refractory_ms=2.0),
        "e": cells(2, surrogate=js.surrogate.SuperSpike()),
        "f": cells(1, surrogate=js.surrogate.SuperSpike(20.0)),
        "g": cells(2, surrogate=js.surrogate.SuperSpike([20.0, 30.0])),
        "h": cells(2, surrogate=js.surrogate.SuperSpike([20.0, 30.0])),
        "i": cells(2, integrator=js.neurons.RK4()),
        "j": cells(1, refractory_ms=3.0),
    }
    together = {group.name for group in js.Network(populations, dt_ms=0.1).groups}
    assert together == {"a+b", "c+j", "e", "f", "g", "h", "i"}
    group = js.Network({k: populations[k] for k in "ab"}, dt_ms=0.1).groups[0]
    assert group.neuron.tau_m_ms.tolist() == [10.0, 10.0, 20.0, 21.0, 22.0]
    assert group.neuron.C_pF.shape == ()
    pair = js.Network({k: populations[k] for k in "cj"}, dt_ms=0.1).groups[0]
    assert pair.refractory_ms.tolist() == [2.0, 3.0]


def test_targets_count_as_one_population_in_the_order_given() -> None:
    """Over two groups, against the order of definition; synapses, weights and delays stay with their pair."""
    populations = {"a": cells(3), "b": cells(2, refractory_ms=1.0), "c": cells(2)}
    pre, post = np.array([0, 1, 2, 0, 2, 1]), np.array([6, 0, 3, 2, 5, 4])  # c: 0-1, b: 2-3, a: 4-6
    rule, weight, delay_ms = js.connect.Edges(pre, post), np.arange(1.0, 7.0), np.array([1, 2, 3, 1, 2, 3]) * 0.1
    projection = arrow("a", ("c", "b", "a"), rule, weight_pA={"x": weight}, delay_ms=delay_ms)
    network = js.Network(populations, {"p": projection}, dt_ms=0.1)
    assert len(network.links) == 2
    found = network.synapses("p")
    names, offsets = np.array(["c", "c", "b", "b", "a", "a", "a"]), np.array([0, 1, 0, 1, 0, 1, 2])
    columns = ("pre", "post_population", "post", "weight x", "delay_ms")
    expected = zip(pre, names[post], offsets[post], weight, delay_ms, strict=True)
    got = zip(*(found[c] for c in columns), strict=True)
    assert sorted((*map(int, (i, j, w, 10 * d + 0.5)), n) for i, n, j, w, d in expected) == sorted(
        (*map(int, (i, j, w, 10 * d + 0.5)), n) for i, n, j, w, d in got
    )
    record = js.record.Weights("p", index=[5, 0, 2])
    _, out = js.run(network, 1, record=[record, js.record.SpikeCount("a")])
    assert out["weights p"][0, 0].tolist() == found["weight x"][[5, 0, 2]].tolist()
    whole = js.simulate(network, 0.1, record=js.record.Weights("p")).states["weights p"]
    assert whole.values[0].tolist() == found["weight x"].tolist()
    assert whole.unit == "pA"


def test_each_target_may_have_its_own_rule() -> None:
    """Each part is what the rule draws; a rule drops autapses where source and target are the same."""
    populations = {"a": cells(40), "b": cells(30, refractory_ms=1.0), "c": cells(20)}
    rules = [js.connect.FixedTotal(50), js.connect.FixedInDegree(7), js.connect.FixedOutDegree(5, autapses=False)]
    network = js.Network(populations, {"p": arrow("a", ("b", "c", "a"), rules)}, dt_ms=0.1, seed=4)
    found = network.synapses("p")
    parts = {name: found["post_population"] == name for name in "abc"}
    assert {name: int(part.sum()) for name, part in parts.items()} == {"a": 200, "b": 50, "c": 140}
    assert set(np.bincount(found["post"][parts["c"]], minlength=20)) == {7}
    assert set(np.bincount(found["pre"][parts["a"]], minlength=40)) == {5}
    assert not np.any(found["pre"][parts["a"]] == found["post"][parts["a"]])
    other = js.Network(populations, {"p": arrow("a", ("b", "c", "a"), rules)}, dt_ms=0.1, seed=5).synapses("p")
    assert not np.array_equal(other["pre"], found["pre"])


def pair(rules: Any) -> js.Network:
    """Three neurons to two of each of two groups, with the weights of the rules."""
    cell = {"x": js.receptors.Current(js.receptors.Exponential(2.0))}
    one, two = cells(2, receptors=cell), cells(2, receptors=cell, refractory_ms=1.0)
    projection = js.Projection("a", ("b", "c"), rules, delay_ms=0.1)
    return js.Network({"a": cells(3), "b": one, "c": two}, {"p": projection}, dt_ms=0.1)


def test_weights_that_rules_bring_stay_with_their_edges() -> None:
    matrix = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 4.0]])
    pre, post = np.nonzero(matrix)
    rules = [js.connect.Edges(pre, post, matrix[pre, post] * factor) for factor in (1.0, 10.0)]
    found = pair(rules).synapses("p")
    for i, name, j, w in zip(*(found[k] for k in ("pre", "post_population", "post", "weight x")), strict=True):
        assert w == matrix[i, j] * (10.0 if name == "c" else 1.0)
