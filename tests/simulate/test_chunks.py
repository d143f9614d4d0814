"""Runs chunk by chunk: what one gets is what stepping gives, for any length, part and delay, and in little memory."""

import itertools
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.kernels._library import elementwise_supported
from jaxsyn.network import components, written_out
from jaxsyn.simulate._chunks import _history, chunk_length

T = 23


def network(native: bool | None = None) -> js.Network:
    """Bits in, a recurrent layer, a loop of two with delays, sparse projections, continuous cells, noise."""
    surrogate = js.surrogate.SuperSpike(k=5.0)
    cell = js.neurons.DiscreteLIF(decay=0.8, threshold=0.5)
    current = {"x": js.receptors.Current(js.receptors.Exponential(3.0)), "d": js.receptors.Delta()}
    populations = {
        "in": js.Population(js.neurons.Relay(), 33),
        "a": js.Population(cell, 12, surrogate=surrogate),
        "b": js.Population(js.neurons.DiscreteALIF(threshold=0.5), 9, surrogate=surrogate),
        "c": js.Population(js.neurons.DiscreteCuBaLIF(threshold=0.4), 7, surrogate=surrogate),
        "lif": js.Population(js.neurons.LIF(), 6, current, surrogate=js.surrogate.SuperSpike(k=1.0), refractory_ms=2.0),
        "out": js.Population(js.neurons.LeakyIntegrator(), 4),
    }
    dense, some = js.connect.Dense, js.connect.FixedProbability(0.5)
    spread = js.connect.Normal(0.3, 0.4)
    projections = {
        "in_a": js.Projection("in", "a", dense(bias=True)),
        "a_a": js.Projection("a", "a", dense(), delay_ms=1.0, gain=0.7),
        "a_b": js.Projection("a", "b", some, weight=spread, delay_ms=2.0),
        "b_c": js.Projection("b", "c", dense(weight=spread)),
        "c_b": js.Projection("c", "b", dense(weight=spread), delay_ms=3.0),
        "in_lif": js.Projection("in", "lif", dense(), weight_mV={"d": js.connect.Normal(1.0, 2.0)}, delay_ms=1.0),
        "a_lif": js.Projection("a", "lif", some, weight_pA={"x": js.connect.Normal(90.0, 9.0)}, delay_ms=2.0),
        "lif_out": js.Projection("lif", "out", dense(), delay_ms=4.0),
        "c_out": js.Projection("c", "out", dense()),
    }
    stimuli = {
        "noise": js.stimuli.Poisson("a", rate_Hz=100.0, weight=0.5),
        "drive": js.stimuli.Constant("lif", I_pA=150.0),
    }
    return js.Network(populations, projections, stimuli, dt_ms=1.0, native=native)


RECORDS = [js.record.Spikes(), js.record.State("out.v"), js.record.State("lif.V_mV"), js.record.SpikeCount("b")]
RECORDS += [js.record.Rate("c", every_ms=5.0), js.record.Mean("a.v")]


def inputs(kind: Any = bool) -> dict[str, Any]:
    return {"in": jnp.asarray((np.random.default_rng(5).random((T, 33)) < 0.2).astype(kind))}


def stepped(net: js.Network, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The same by `js.network.step`, one step after the other."""
    prepared = js.network.prepare(net)

    def one(state: Any, x: Any) -> Any:
        state, emissions = js.network.step(net, prepared, state, x)
        return state, {net.groups[g].name: e.values for g, e in enumerate(emissions)}

    return jax.jit(lambda given: jax.lax.scan(one, net.init_state(), given))(given)


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("kind", [bool, np.float32])
def test_chunks_give_what_steps_give(kind: Any) -> None:
    net = network()
    assert [[net.groups[g].name for g in part.groups] for part in components(net)][:2] == [["in"], ["a"]]
    assert sorted(len(part.groups) for part in components(net)) == [1, 1, 1, 1, 2]  # b and c form a loop
    state, out = jax.jit(lambda x: js.run(net, T, inputs=x, record=RECORDS[:1]))(inputs(kind))
    expected, emitted = stepped(net, {"in": inputs(np.float32)["in"]})
    for name, values in emitted.items():
        np.testing.assert_allclose(out["spikes"][name], values, rtol=1e-4, atol=1e-4, err_msg=name)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), state, expected)
    assert all(float(jnp.mean(out["spikes"][name])) > 0.01 for name in ("a", "b", "c", "lif"))


@pytest.mark.usefixtures("short_chunks")
def test_a_current_for_all_leaves_the_neurons_in_one_call() -> None:
    cells = js.Population(js.neurons.DiscreteLIF(), 6, surrogate=js.surrogate.SuperSpike())
    net = js.Network({"h": cells}, stimuli={"dc": js.stimuli.Constant("h", drive=0.2)}, dt_ms=1.0)
    text = jax.jit(lambda x: js.run(net, T, inputs={"h": x}, record=[js.record.Spikes()])).lower(jnp.ones((T, 6)))
    assert "jaxsyn_recurrence" in text.as_text() or not elementwise_supported()


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("order", [("same", "own"), ("own", "same"), ("same", "input"), ("own", "same", "input")])
def test_currents_for_all_and_for_each_neuron_add_up(order: tuple[str, ...]) -> None:
    """A current that all neurons get beside one that differs between them."""
    each = {"same": 300.0, "own": np.linspace(50.0, 400.0, 6), "input": 90.0}
    cells = js.Population(js.neurons.LIF(), 6, surrogate=js.surrogate.SuperSpike())

    def trace(stimuli: dict[str, Any], given: dict[str, Any]) -> Any:
        net = js.Network({"E": cells}, stimuli=stimuli, dt_ms=1.0)
        return js.run(net, T, inputs=given, record=[js.record.State("E.V_mV")])[1]["E.V_mV"]

    stimuli = {name: js.stimuli.Constant("E", I_pA=each[name]) for name in order if name != "input"}
    together = trace(stimuli, {"E": jnp.full((T, 6), 90.0)} if "input" in order else {})
    total = np.zeros(6) + sum(each[name] for name in order)
    np.testing.assert_allclose(together, trace({"all": js.stimuli.Constant("E", I_pA=total)}, {}), rtol=1e-5)


@pytest.mark.usefixtures("short_chunks")
def test_populations_that_reach_each_other_run_in_one_call() -> None:
    """Four dense projections between two populations of one group, with a readout: values and all gradients."""
    surrogate, spread = js.surrogate.SuperSpike(k=5.0), js.connect.Normal(0.1, 0.4)
    cell = js.neurons.DiscreteLIF(decay=0.8, threshold=0.6)
    cells = {"e": js.Population(cell, 9, surrogate=surrogate), "i": js.Population(cell, 5, surrogate=surrogate)}
    pairs = [(a, b) for a in cells for b in cells]
    links = {
        f"{a}_{b}": js.Projection(a, b, js.connect.Dense(weight=spread, bias=a == "i"), delay_ms=1.0) for a, b in pairs
    }
    links["out"] = js.Projection("i", "out", js.connect.Dense(weight=spread), delay_ms=1.0)
    net = js.Network(cells | {"out": js.Population(js.neurons.LeakyIntegrator(), 3)}, links, dt_ms=1.0)
    batch = jnp.asarray(np.random.default_rng(3).normal(0.3, 0.5, (20, T, 9)), jnp.float32)
    weights, rest = eqx.partition(net, js.train.trainable(net, parameters=["e.decay", "i.decay", "out.decay"]))

    def loss(weights: Any, run: Any, batch: Any) -> Any:
        return jnp.sum(jax.vmap(lambda x: run(eqx.combine(weights, rest), {"e": x}))(batch) ** 2)

    def history(state: Any) -> jax.Array:
        """A number made of all emissions that the state at the end holds."""
        rings = [g.values for g in state.groups if g.values is not None]
        return sum(jnp.sum(jnp.cos(1.0 + jnp.arange(float(r.size))).reshape(r.shape) * r) for r in rings)

    def by_chunks(net: js.Network, given: dict[str, Any]) -> jax.Array:
        record, state, total = [js.record.State("out.v"), js.record.Spikes("e")], None, []
        for part in (slice(0, 14), slice(14, T)):  # derivatives go through the state in between
            x = given["e"][part]
            state, out = js.run(net, x.shape[0], state=state, inputs={"e": x}, record=record)
            total.append(jnp.sum(out["out.v"], axis=1) + jnp.sum(out["spikes"]["e"], axis=1))
        return jnp.concatenate(total) + history(state)

    def by_steps(net: js.Network, given: dict[str, Any]) -> jax.Array:
        state, out = stepped(net, given)
        name = next(name for name in out if "e" in name.split("+"))
        return jnp.sum(out["out"], axis=1) + jnp.sum(out[name][:, :9], axis=1) + history(state)

    chunks = jax.jit(jax.value_and_grad(lambda w, x: loss(w, by_chunks, x)))
    text = chunks.lower(weights, batch).as_text()
    assert ("jaxsyn_recurrence" in text and "jaxsyn_spike_outer" in text) or not elementwise_supported()
    (value, own), (wanted, expected) = (
        jax.jit(jax.value_and_grad(lambda w, x, run=run: loss(w, run, x)))(weights, batch)
        for run in (by_chunks, by_steps)
    )
    np.testing.assert_allclose(value, wanted, rtol=1e-4)
    scale = max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(expected), strict=True):
        assert float(jnp.max(jnp.abs(a - b))) < 1e-4 * scale
        assert float(jnp.max(jnp.abs(b))) > 0


@pytest.mark.usefixtures("short_chunks")
def test_a_run_in_two_parts_is_the_run_in_one() -> None:
    net = network()
    given = inputs()
    state, whole = js.run(net, T, inputs=given, record=RECORDS[:3])
    middle, first = js.run(net, 9, inputs={"in": given["in"][:9]}, record=RECORDS[:3])
    end, second = js.run(net, T - 9, state=middle, inputs={"in": given["in"][9:]}, record=RECORDS[:3])
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)  # noqa: E731
    jax.tree.map(close, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second), whole)
    jax.tree.map(close, end, state)


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("way", ["plain", "chunks", "nested"])
def test_gradients_are_those_of_stepping(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every float of the network at once, through a loss of everything that can be recorded, in a batch."""
    net, remat = network(), way != "plain"
    if way == "nested":  # as for many steps: 23 are 5 chunks of 4, two blocks of two and one more, and a rest
        monkeypatch.setattr(sys.modules["jaxsyn.simulate._chunks"], "_LONG", 0)
        monkeypatch.setattr(sys.modules["jaxsyn.simulate._chunks"], "chunk_length", lambda *_, **__: 4)
    chosen = js.train.trainable(net, parameters=["b.beta", "a.threshold", "a_a.gain", "out.decay", "lif.tau_m_ms"])
    weights, rest = eqx.partition(net, chosen)
    batch = jnp.stack([inputs()["in"], inputs()["in"][::-1]])

    def loss(weights: Any, run: Any) -> jax.Array:
        return jnp.mean(jax.vmap(lambda x: run(eqx.combine(weights, rest), {"in": x}))(batch))

    def weighted(spikes: dict[str, jax.Array]) -> jax.Array:
        return sum(jnp.sum(jnp.sin(1.0 + jnp.arange(float(v.size))).reshape(v.shape) * v) for v in spikes.values())

    def by_chunks(net: js.Network, given: dict[str, Any]) -> jax.Array:
        _, out = js.run(net, T, inputs=given, record=RECORDS[:1], remat=remat)
        return weighted(out["spikes"])

    def by_steps(net: js.Network, given: dict[str, Any]) -> jax.Array:
        _, out = stepped(net, {"in": given["in"].astype(jnp.float32)})
        return weighted(out)

    own, expected = (jax.jit(jax.grad(lambda w, run=run: loss(w, run)))(weights) for run in (by_chunks, by_steps))
    scale = max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(expected), strict=True):
        assert float(jnp.max(jnp.abs(a - b))) < 1e-5 * scale
        assert float(jnp.max(jnp.abs(b))) > 0


def test_memory_grows_with_the_root_of_the_steps() -> None:
    cell = js.Population(js.neurons.DiscreteALIF(), 64, surrogate=js.surrogate.SuperSpike())
    populations = {"in": js.Population(js.neurons.Relay(), 4), "h": cell}
    net = js.Network(populations, {"w": js.Projection("in", "h", js.connect.Dense())}, dt_ms=1.0)
    weights, rest = eqx.partition(net, js.train.trainable(net))

    def temporaries(n_steps: int, remat: bool) -> int:
        def loss(weights: Any, x: jax.Array) -> jax.Array:
            records = [js.record.SpikeCount("h")]
            _, out = js.run(eqx.combine(weights, rest), n_steps, inputs={"in": x}, record=records, remat=remat)
            return jnp.sum(out["count h"] ** 2)

        batched = jax.jit(jax.grad(lambda w, x: jnp.sum(jax.vmap(loss, (None, 0))(w, x))))
        memory = batched.lower(weights, jax.ShapeDtypeStruct((8, n_steps, 4), jnp.bool_)).compile().memory_analysis()
        return int(memory.temp_size_in_bytes)

    assert temporaries(4096, remat=True) < 5 * temporaries(256, remat=True)
    assert temporaries(4096, remat=True) * 10 < temporaries(4096, remat=False)


def test_chunk_lengths_fit() -> None:
    for n_steps in (1, 7, 100, 250, 1000, 4096):
        for stride in (1, 3, 20):
            assert chunk_length(n_steps, stride) % stride == 0
    assert chunk_length(100, 1) == 20  # no shorter, whatever the root
    assert chunk_length(250, 1) == 25
    assert chunk_length(4096, 1) == 32
    assert chunk_length(100, 1, remat=False) == 100
    assert chunk_length(1000, 3, remat=False) <= 2 * 128
    assert chunk_length(1000, 1, None, 15.0) == 100  # four times as long, where the state is 16 times as large
    assert chunk_length(10, 1, None, 1e6) == 10
    assert chunk_length(1000, 1, most=16) == 10  # as many as are written out, or the next fewer that divide
    assert chunk_length(1000, 1, 40, most=16) == 10
    assert chunk_length(997, 1, most=16) == 16
    assert chunk_length(5, 1, most=16) == 5
    assert chunk_length(1000, 50, most=16) == 50
    assert chunk_length(1000, 1, None, 15.0, most=16) == 100  # the state at the start of many chunks would be too much
    assert chunk_length(1000, 1, remat=False, most=16) == chunk_length(1000, 1, remat=False)


def test_steps_of_few_native_calls_are_written_out() -> None:
    def loops(n_receptors: int, **options: Any) -> js.Network:
        receptors = {f"r{k}": js.receptors.Current(js.receptors.Exponential(3.0)) for k in range(n_receptors)}
        cells = js.Population(js.neurons.LIF(), 9, receptors, surrogate=js.surrogate.SuperSpike())
        rule, names = js.connect.FixedProbability(0.5), list(receptors)
        links = {name: js.Projection("E", "E", rule, weight_pA={name: 9.0}, delay_ms=0.1) for name in names}
        return js.Network({"E": cells}, links, dt_ms=0.1, **options)

    def most(net: js.Network) -> int:
        return max(written_out(net, part) for part in components(net))

    programs = loops(1).native and elementwise_supported()
    assert most(loops(2)) == (16 if programs else 0)
    assert most(loops(6)) == (64 // 7 if programs else 0)
    assert most(loops(9)) == 0  # too much to compile
    assert most(loops(2, native=False)) == 0
    assert most(network()) == 0  # XLA makes loops of its recurrent part


def test_a_chunk_ends_where_a_sample_is_due() -> None:
    for n_steps, stride, truncate, most in itertools.product((1, 6, 60, 997), (1, 6, 30), (None, 30, 60), (0, 8, 16)):
        length = chunk_length(n_steps, stride, truncate, most=most)
        assert length >= 1
        assert length % stride == 0
        assert truncate is None or truncate >= n_steps or truncate % length == 0


def test_only_long_delays_lengthen_chunks() -> None:
    """The last emission of a loop is small beside the state; with it chunks, and so memory, are as without delays."""
    cell, dense = js.neurons.DiscreteALIF(), js.connect.Dense()

    def history(delay_ms: float) -> float:
        populations = {"a": js.Population(cell, 8, surrogate=js.surrogate.Triangle())}
        net = js.Network(populations, {"loop": js.Projection("a", "a", dense, delay_ms=delay_ms)}, dt_ms=1.0)
        return _history(net, net.init_state())

    assert history(1.0) == 0.0
    assert history(100.0) > 20.0
