"""The order of a step, against a simulator in NumPy; zero-delay chains; refractoriness; arrivals at once and later."""

from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import jaxsyn as js
from tests.network import reference as ref

DT_MS, N_STEPS = 0.5, 70


def spike_set(array: Any) -> set[tuple[int, int]]:
    """Spikes of `js.run`, (steps, n), as (step, neuron) with steps counted from 1."""
    return {(int(k) + 1, int(i)) for k, i in np.argwhere(np.asarray(array))}


@st.composite
def values(draw: st.DrawFn, n: int, low: float, high: float) -> Any:
    """One number, or one for each of n."""
    seed = draw(st.integers(0, 2**16))
    numbers = np.random.default_rng(seed).uniform(low, high, n)
    return numbers if draw(st.booleans()) else float(numbers[0]) if n else low


@st.composite
def populations(draw: st.DrawFn) -> dict[str, ref.Cells]:
    out = {}
    for name in "abcd"[: draw(st.integers(1, 4))]:
        n = draw(st.integers(1, 4))
        ranges = {"tau_m_ms": (5, 30), "C_pF": (100, 300), "E_L_mV": (-70, -60)}
        ranges |= {"V_th_mV": (-52, -48), "V_reset_mV": (-65, -58)}
        model = {k: draw(values(n, *r)) for k, r in ranges.items()}
        taus = {r: {"x": 2.0, "y": 7.0}[r] for r in draw(st.sampled_from(["", "x", "y", "xy"]))}
        held = draw(st.sampled_from([None, 0, 3, np.arange(n)]))
        start = draw(values(n, -65.0, -51.0))
        out[name] = ref.Cells(n, model, taus, draw(st.booleans()), held, draw(values(n, 0.0, 600.0)), start)
    return out


@st.composite
def projections(draw: st.DrawFn, cells: dict[str, ref.Cells]) -> list[ref.Synapses]:
    out = []
    for _ in range(draw(st.integers(1, 5))):
        targets = tuple(draw(st.lists(st.sampled_from(sorted(cells)), min_size=1, max_size=3, unique=True)))
        source = draw(st.sampled_from(sorted(cells)))
        common = set.intersection(*(set(cells[t].taus) for t in targets))
        kinds = [{r} for r in sorted(common)] + [common] * (len(common) > 1)
        kinds += [{"j"}] * all(cells[t].jumps for t in targets)
        if not kinds:
            continue
        kind = sorted(draw(st.sampled_from(kinds)))
        n = draw(st.sampled_from([0, 1, 5, 9]))
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        pre = rng.integers(0, cells[source].n, n)
        post = rng.integers(0, sum(cells[t].n for t in targets), n)
        shortest = int(kind == ["j"] and source >= min(targets))  # along the alphabet there is no loop
        steps = rng.integers(shortest, 4, n)
        high = 12.0 if kind == ["j"] else 900.0
        weights = {r: rng.uniform(-0.3 * high, high, n) for r in kind}
        if draw(st.booleans()):
            steps, weights = shortest, dict.fromkeys(kind, 0.7 * high)
        out.append(ref.Synapses(source, targets, pre, post, weights, steps))
    return out


@st.composite
def models(draw: st.DrawFn) -> tuple[dict[str, ref.Cells], list[ref.Synapses]]:
    cells = draw(populations())
    return cells, draw(projections(cells))


@hypothesis.settings(max_examples=12)
@hypothesis.given(models(), st.sampled_from(["auto", "bcoo"]), st.sampled_from([False, None]))
def test_a_step_is_what_the_description_says(model: Any, propagation: str, native: bool | None) -> None:
    cells, synapses = model
    expected, V = ref.simulate(cells, synapses, DT_MS, N_STEPS)
    with jax.enable_x64(True):
        net = ref.network(cells, synapses, DT_MS, propagation=propagation, native=native)
        state, out = jax.jit(lambda net: js.run(net, N_STEPS, record=[js.record.Spikes()]))(net)
        for name in cells:
            assert spike_set(out["spikes"][name]) == expected[name]
            np.testing.assert_allclose(net.view(state, name).neuron.V_mV, V[name], rtol=0, atol=1e-9)


def test_when_an_arrival_acts() -> None:
    """A spike stamped 3 arrives at 3 + d: a delta receptor moves V there, a kinetic one the current, V a step on."""
    delays = np.array([0, 1, 4])
    silent = js.neurons.LIF(V_th_mV=0.0)
    receptors = {"now": js.receptors.Delta(), "later": js.receptors.Current(js.receptors.Exponential(5.0))}
    rule, delay_ms = js.connect.Edges([0, 0, 0], [0, 1, 2]), delays * 0.1
    net = js.Network(
        {"b": js.Population(silent, 3, receptors), "a": js.Population(js.neurons.Relay(), 1)},
        {
            "at once": js.Projection("a", "b", rule, weight_mV={"now": 2.0}, delay_ms=delay_ms),
            "current": js.Projection("a", "b", rule, weight_pA={"later": 7.0}, delay_ms=delay_ms),
        },
        dt_ms=0.1,
    )
    spike = np.zeros((10, 1))
    spike[2] = 1.0
    record = [js.record.State("b.V_mV"), js.record.State("b.later.value")]
    _, out = js.run(net, 10, inputs={"a": spike}, record=record)
    V, current = np.asarray(out["b.V_mV"]) + 60.0, np.asarray(out["b.later.value"])
    for i, when in enumerate(2 + delays):  # row k is the end of step k, time k + 1
        assert not V[:when, i].any()
        assert not current[:when, i].any()
        assert V[when, i] == 2.0
        assert current[when, i] == 7.0
        decay = np.exp(-0.1 / 20.0) * 2.0
        np.testing.assert_allclose(V[when + 1, i] - decay, 7.0 / 200.0 * 0.1, rtol=0.03)


def test_inputs_are_currents_during_a_step_and_arrivals_at_its_end() -> None:
    receptors = {"d": js.receptors.Delta(), "x": js.receptors.Current(js.receptors.Exponential(5.0))}
    pair = {name: js.Population(js.neurons.LIF(V_th_mV=0.0), 2, receptors) for name in "ab"}  # one group
    net = js.Network(pair, dt_ms=0.1)
    inputs = {key: np.zeros((4, 2)) for key in ("b", "b.d", "b.x")}
    inputs["b"][1, 0], inputs["b.d"][1, 1], inputs["b.x"][2, 0] = 200.0, 3.0, 9.0
    record = [js.record.State(v) for v in ("a.V_mV", "b.V_mV", "b.x.value")]
    _, out = js.run(net, 4, inputs=inputs, record=record)
    V = np.asarray(out["b.V_mV"]) + 60.0
    assert not np.any(np.asarray(out["a.V_mV"]) + 60.0)
    assert not V[0].any()
    np.testing.assert_allclose(V[1], [0.1, 3.0], rtol=3e-3)
    assert np.asarray(out["b.x.value"])[2].tolist() == [9.0, 0.0]
    whole, parts = {"a": np.full((4, 2), 50.0)}, {"a": np.full((4, 2), 50, np.int64)}  # any real numbers
    for one, two in zip(*(jax.tree.leaves(js.run(net, 4, inputs=x)[0]) for x in (whole, parts)), strict=True):
        assert np.array_equal(one, two)


def test_targets_of_a_stimulus_count_in_the_order_given() -> None:
    """Whatever groups they stand in: currents and listed spikes over three populations, a and c fused."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(5.0))}
    cells = {
        name: js.Population(js.neurons.LIF(), n, receptors, refractory_ms=held)
        for name, n, held in (("a", 2, None), ("b", 3, 1.0), ("c", 1, None))
    }
    currents = js.stimuli.Constant(("c", "b", "a"), I_pA=np.arange(6.0) * 200.0)
    numbers = np.arange(6)
    events = js.stimuli.SpikeTimes(
        ("b", "a", "c"), times_ms=[0.1] * 6, neurons=numbers, amplitudes=numbers, weight_pA={"x": 1.0}
    )
    net = js.Network(cells, stimuli={"dc": currents, "list": events}, dt_ms=0.1)
    state, _ = js.run(net, 1)
    rise = [net.view(state, name).neuron.V_mV + 60.0 for name in "cba"]
    np.testing.assert_allclose(np.concatenate(rise), np.arange(6) * 0.1, rtol=5e-3, atol=1e-6)
    came = [net.view(state, name).receptors["x"].value for name in "bac"]
    assert np.concatenate(came).tolist() == numbers.tolist()


def sparse_and_dense(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Random edges with weights in eighths, and the same as a matrix."""
    pre, post = (rng.integers(0, size, 9) for size in shape)
    weight = rng.integers(-2, 9, 9) / 8
    matrix = np.zeros(shape)
    np.add.at(matrix, (pre, post), weight)
    return js.connect.Edges(pre, post), weight, matrix


def test_discrete_populations_follow_one_another_within_a_step() -> None:
    """A chain without delay, defined in the wrong order, with a loop of delay 1; weights in eighths, so exact."""
    rng = np.random.default_rng(3)
    sizes = {"out": 2, "g": 3, "h": 5, "in": 4}
    decay = {"out": 0.5, "g": np.array([0.5, 0.25, 1.0]), "h": 0.75}
    cells = {
        "out": js.Population(js.neurons.LeakyIntegrator(decay["out"]), 2),
        "g": js.Population(js.neurons.DiscreteLIF(decay["g"], reset="zero"), 3),
        "h": js.Population(js.neurons.DiscreteLIF(decay["h"], 0.75), 5),
        "in": js.Population(js.neurons.Relay(), 4),
    }
    arrows = [("in", "h", 0), ("h", "g", 0), ("g", "out", 0), ("in", "out", 2), ("g", "h", 1), ("h", "h", 1)]
    projections, matrices = {}, []
    for i, (a, b, delay) in enumerate(arrows):
        rule, weight, matrix = sparse_and_dense(rng, (sizes[a], sizes[b]))
        if i % 2:
            projections[f"p{i}"] = js.Projection(a, b, js.connect.Dense(), weight=matrix, delay_ms=delay)
        else:
            projections[f"p{i}"] = js.Projection(a, b, rule, weight=weight, delay_ms=delay)
        matrices.append(matrix)
    net = js.Network(cells, projections, dt_ms=1.0)
    drive = rng.integers(0, 2, (40, 4)).astype(float)
    _, got = js.run(net, 40, inputs={"in": drive}, record=[js.record.Spikes()])
    emitted = {name: [np.zeros(n)] * 3 for name, n in sizes.items()}
    v = {name: np.zeros(n) for name, n in sizes.items()}
    for x in drive:
        emitted["in"].append(x)
        for name in ("h", "g", "out"):
            total = 0.0
            for (a, b, delay), matrix in zip(arrows, matrices, strict=True):
                if b == name:
                    at = len(emitted["in"]) - 1 - delay
                    total = total + emitted[a][at] @ matrix
            u = decay[name] * v[name] + total
            spikes = u >= {"h": 0.75, "g": 1.0, "out": np.inf}[name]
            v[name] = np.where(spikes, u - 0.75 if name == "h" else 0.0, u)
            emitted[name].append(u if name == "out" else spikes.astype(float))
    assert 5 < np.sum(emitted["g"]) < 100
    for name, expected in emitted.items():
        np.testing.assert_allclose(got["spikes"][name], expected[3:], rtol=0, atol=1e-5 if name == "out" else 0)


@pytest.mark.parametrize("on_grid", [True, False])
def test_a_refractory_neuron_ignores_jumps_and_holds_its_voltage(on_grid: bool) -> None:
    integrator = js.neurons.Exact(on_grid)
    cell = js.Population(js.neurons.LIF(), 1, {"d": js.receptors.Delta()}, integrator=integrator, refractory_ms=0.5)
    net = js.Network({"a": cell}, dt_ms=0.1)
    jumps = np.zeros((12, 1))
    jumps[[1, 3, 5, 9], 0] = [15.0, 15.0, 15.0, 15.0]
    _, out = js.run(net, 12, inputs={"a.d": jumps}, record=[js.record.Spikes(), js.record.State("a.V_mV")])
    assert np.flatnonzero(out["spikes"]["a"]).tolist() == [1, 9]
    assert np.asarray(out["a.V_mV"])[1:7].tolist() == [[-60.0]] * 6


def test_a_projection_without_synapses_changes_nothing() -> None:
    none = js.connect.Edges(np.zeros(0, int), np.zeros(0, int))
    for options in ({"propagation": "bcoo"}, {}, {"short_term": js.plasticity.TsodyksMarkram()}):
        for delay_ms in (np.zeros(0), 0.1, js.connect.Uniform(0.5, 1.0)):
            for surrogate in (None, js.surrogate.SuperSpike()):
                cells = js.Population(js.neurons.LIF(), 2, {"d": js.receptors.Delta()}, surrogate=surrogate)
                empty = js.Projection("a", "a", none, weight_mV=1.0, delay_ms=delay_ms, **options)
                net = js.Network({"a": cells}, {"loop": empty}, dt_ms=0.1)
                shapes = jax.eval_shape(lambda net: js.run(net, 2)[0], net)
                assert shapes.groups[0].membrane.neuron.V_mV.shape == (2,)


def test_a_delay_that_rounds_to_zero_is_zero() -> None:
    """0.1 * 3 - 0.3 is 5.6e-17, not 0; the target must still be stepped after its source."""
    cells = js.Population(js.neurons.DiscreteLIF(), 1)
    net = js.Network(
        {"b": cells, "a": js.Population(js.neurons.Relay(), 1)},
        {"p": js.Projection("a", "b", js.connect.OneToOne(), weight=1.0, delay_ms=0.1 * 3 - 0.3)},
        dt_ms=0.1,
    )
    _, out = js.run(net, 2, inputs={"a": jnp.ones((2, 1))}, record=[js.record.Spikes()])
    assert out["spikes"]["b"].ravel().tolist() == [1.0, 1.0]
