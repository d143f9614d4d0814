"""Delays that are trained: their gradient, their bounds, and what freezing leaves of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js
from jaxsyn.connect import Delays, TrainableDelay
from jaxsyn.train import Classification, fit, frozen, scaled, trainable

from .networks import blobs

pytestmark = pytest.mark.usefixtures("short_chunks")

T = 17
UP_TO_6 = TrainableDelay(max_ms=6.0)


def delayed(kind="dense", *, loop=False, seed=0, into=UP_TO_6, surrogate=True):
    """in -> hidden -> out, all but the readout with delays that are trained."""
    sparse = kind == "sparse"
    rule = js.connect.FixedProbability(0.6) if sparse else js.connect.Dense()
    weights = {"weight": js.connect.Normal(0.3, 0.4)} if sparse else {}
    projections = {
        "in_hidden": js.Projection("in", "hidden", rule, delay_ms=into, **weights),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense(), delay_ms=TrainableDelay(max_ms=3.0)),
    }
    if loop:
        own = TrainableDelay(min_ms=1.0, max_ms=4.0)
        projections["loop"] = js.Projection("hidden", "hidden", rule, delay_ms=own, **weights)
    return js.Network(
        {
            "in": js.Population(js.neurons.Relay(), 4),
            "hidden": js.Population(
                js.neurons.DiscreteLIF(), 6, surrogate=js.surrogate.SuperSpike(k=5.0) if surrogate else None
            ),
            "out": js.Population(js.neurons.LeakyIntegrator(), 3),
        },
        projections,
        dt_ms=1.0,
        seed=seed,
    )


def spikes(seed=0, steps=T):
    return jnp.asarray(np.random.default_rng(seed).random((steps, 4)) < 0.4)


def trace(net, x, **options):
    return js.run(net, x.shape[0], inputs={"in": x}, record=[js.record.State("out.v")], **options)[1]["out.v"]


def rounded(net):
    def whole(x):
        return Delays(jnp.round(x.ms), x.low, x.high, x.dt_ms) if isinstance(x, Delays) else x

    return jax.tree.map(whole, net, is_leaf=lambda x: isinstance(x, Delays))


def by_hand(net, x):
    """The interpolated model of the first projection, a loop over synapses."""
    synapses = net.links[0]
    weight, ms = (np.asarray(z, np.float64) for z in (synapses.transform.weight, synapses.transform.delays.ms))
    x, out = np.asarray(x, np.float64), np.zeros((x.shape[0], weight.shape[1]))
    for i, j in np.ndindex(weight.shape):
        k = int(np.floor(ms[i, j]))
        for t in range(x.shape[0]):
            near, far = (x[t - d, i] if t >= d else 0.0 for d in (k, k + 1))
            f = ms[i, j] - k
            out[t, j] += weight[i, j] * ((1 - f) * near + f * far)
    return out


def test_arrivals_are_interpolated_between_two_steps():
    with jax.enable_x64(True):
        w = js.Projection("in", "out", js.connect.Dense(), delay_ms=TrainableDelay(max_ms=6.0))
        cells = {"in": js.Population(js.neurons.Relay(), 4), "out": js.Population(js.neurons.Relay(), 3)}
        net, x = js.Network(cells, {"w": w}, dt_ms=1.0), spikes()
        got = js.run(net, T, inputs={"in": x}, record=[js.record.Spikes("out")])[1]["spikes"]["out"]
        assert np.allclose(got, by_hand(net, x), atol=1e-12)
        real = jnp.asarray(np.random.default_rng(1).normal(size=(T, 4)))
        got = js.run(net, T, inputs={"in": real}, record=[js.record.Spikes("out")])[1]["spikes"]["out"]
        assert np.allclose(got, by_hand(net, real), atol=1e-12)


@pytest.mark.parametrize(("kind", "loop"), [("dense", True), ("sparse", True)])
def test_step_by_step_gives_the_same_as_chunk_by_chunk(kind, loop):
    with jax.enable_x64(True):
        net, x = delayed(kind, loop=loop), spikes()
        prepared, state, rows = js.network.prepare(net), net.init_state(), []
        step = jax.jit(js.network.step)
        for now in x:
            state, _ = step(net, prepared, state, {"in": now.astype(jnp.float64)})
            rows.append(net.view(state, "out").neuron.v)
        assert np.allclose(trace(net, x), jnp.stack(rows), atol=1e-12)
        half, first = js.run(net, 9, inputs={"in": x[:9]}, record=[js.record.State("out.v")])
        _, second = js.run(net, T - 9, state=half, inputs={"in": x[9:]}, record=[js.record.State("out.v")])
        assert np.allclose(jnp.concatenate([first["out.v"], second["out.v"]]), jnp.stack(rows), atol=1e-12)


def without_spikes(kind, loop):
    """A network whose loss is smooth in its delays: leaky integrators in place of spiking neurons."""
    graded = js.Population(js.neurons.LeakyIntegrator(decay=0.7), 6)
    rule = js.connect.FixedProbability(0.6) if kind == "sparse" else js.connect.Dense()
    weights = {"weight": js.connect.Normal(0.3, 0.4)} if kind == "sparse" else {}
    projections = {
        "in_hidden": js.Projection("in", "hidden", rule, delay_ms=TrainableDelay(max_ms=6.0), **weights),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense(), delay_ms=TrainableDelay(max_ms=3.0)),
    }
    if loop:
        own = TrainableDelay(min_ms=1.0, max_ms=4.0)
        projections["loop"] = js.Projection("hidden", "hidden", rule, delay_ms=own, gain=0.5, **weights)
    cells = {
        "in": js.Population(js.neurons.Relay(), 4),
        "hidden": graded,
        "out": js.Population(js.neurons.LeakyIntegrator(), 3),
    }
    return js.Network(cells, projections, dt_ms=1.0)


@pytest.mark.parametrize(("kind", "loop"), [("dense", False), ("dense", True), ("sparse", True)])
def test_delay_gradients_are_finite_differences_of_the_interpolated_model(kind, loop):
    with jax.enable_x64(True):
        net, x = without_spikes(kind, loop), spikes()
        names = ["in_hidden.delay_ms", "hidden_out.delay_ms", *(["loop.delay_ms"] if loop else [])]
        moving, rest = eqx.partition(net, trainable(net, parameters=names))

        @jax.jit
        def loss(moving):
            return jnp.sum(trace(eqx.combine(moving, rest), x) ** 2)

        gradient = jax.grad(loss)(moving)
        rng, eps, seen = np.random.default_rng(0), 1e-6, 0
        leaves, tree = jax.tree.flatten(moving)
        for n, (leaf, g) in enumerate(zip(leaves, jax.tree.leaves(gradient), strict=True)):
            for place in rng.choice(leaf.size, 3, replace=False):
                unit = np.zeros(leaf.size)
                unit[place] = eps
                ends = []
                for sign in (1.0, -1.0):
                    moved = leaf + sign * unit.reshape(leaf.shape)
                    ends.append(float(loss(jax.tree.unflatten(tree, [*leaves[:n], moved, *leaves[n + 1 :]]))))
                want = (ends[0] - ends[1]) / (2 * eps)
                assert float(g.ravel()[place]) == pytest.approx(want, rel=1e-5, abs=1e-7)
                seen += abs(want) > 1e-3
        assert seen >= 6


def test_gradients_pass_up_to_the_bounds_and_end_beyond():
    def at(ms):
        return Delays(jnp.asarray([ms]), low=1, high=3, dt_ms=1.0)

    def weighted(ms):
        taps = Delays(jnp.asarray([0.0]) + ms, low=1, high=3, dt_ms=1.0).taps()[:, 0]
        return jnp.sum(taps * jnp.asarray([1.0, 3.0, 7.0]))

    assert at(0.2).taps()[:, 0].tolist() == at(1.0).taps()[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert at(9.0).taps()[:, 0].tolist() == at(3.0).taps()[:, 0].tolist() == [0.0, 0.0, 1.0]
    slopes = [float(jax.grad(weighted)(jnp.asarray(ms))) for ms in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)]
    assert slopes == [0.0, 2.0, 2.0, 4.0, 4.0, 4.0, 0.0]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_freezing_whole_delays_changes_nothing(kind):
    with jax.enable_x64(True):
        net, x = rounded(delayed(kind, loop=True)), spikes()
        plain = js.freeze(net)
        assert not any(isinstance(z, Delays) for z in jax.tree.leaves(plain, is_leaf=lambda z: isinstance(z, Delays)))
        assert np.allclose(trace(plain, x), trace(net, x), atol=1e-12)
        sol = js.simulate(plain, float(T), inputs={"in": x.astype(jnp.float64)}, record=js.record.State("out.v"))
        assert np.allclose(sol.states["out.v"].values, trace(net, x), atol=1e-12)
        assert js.freeze(plain).links[0] is plain.links[0]


def test_freezing_takes_the_nearest_step():
    net = delayed("sparse")
    before, after = (n.synapses("in_hidden") for n in (net, js.freeze(net)))
    order = np.lexsort((before["post"], before["pre"])), np.lexsort((after["post"], after["pre"]))
    for column in ("pre", "post", "weight"):
        assert np.array_equal(before[column][order[0]], after[column][order[1]])
    assert np.array_equal(np.rint(before["delay_ms"][order[0]]), after["delay_ms"][order[1]])
    with pytest.raises(ValueError, match="'in_hidden' are traced"):
        jax.jit(js.freeze)(net)


def test_a_source_without_surrogate_is_delivered_by_ids_when_frozen():
    net = delayed(surrogate=False)
    assert [link.form for link in js.freeze(net).links] == ["values", "ids"]
    assert np.allclose(trace(js.freeze(rounded(net)), spikes()), trace(rounded(net), spikes()), atol=1e-6)


def test_delays_move_where_they_are_named_and_stay_within_their_bounds():
    data, task = blobs(samples=30), Classification(n_steps=8)
    net = delayed()
    plain, _ = fit(net, data, task, optimizer=optax.sgd(0.1), epochs=1)
    assert np.array_equal(plain.links[0].transform.delays.ms, net.links[0].transform.delays.ms)
    factors = {"in_hidden.delay_ms": 1e4}
    optimizer = optax.chain(optax.sgd(0.1), scaled(net, factors))
    moved, _ = fit(net, data, task, optimizer=optimizer, epochs=2, parameters=list(factors))
    ms = np.asarray(moved.links[0].transform.delays.ms)
    assert not np.array_equal(ms, net.links[0].transform.delays.ms)
    assert ms.min() == 0.0
    assert ms.max() == 6.0
    found = frozen(moved, data, task)
    assert found.accuracy_before == js.train.evaluate(moved, data, task)[1]
    assert found.loss_after == js.train.evaluate(js.freeze(moved), data, task)[0]


def test_trained_delays_find_when_the_cue_came():
    """Two classes of equal counts: which of two inputs spikes first. Without delays a readout of sums cannot tell."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = np.zeros((60, 12, 2), bool)
    early = rng.integers(0, 3, 60)
    for k, (label, at) in enumerate(zip(y, early, strict=True)):
        x[k, at, label], x[k, at + 6, 1 - label] = True, True

    def learn(delay_ms):
        net = js.Network(
            {
                "in": js.Population(js.neurons.Relay(), 2),
                "hidden": js.Population(js.neurons.DiscreteLIF(decay=0.3), 8, surrogate=js.surrogate.SuperSpike(k=5.0)),
                "out": js.Population(js.neurons.LeakyIntegrator(decay=1.0), 2),
            },
            {
                "in_hidden": js.Projection(
                    "in", "hidden", js.connect.Dense(weight=js.connect.Uniform(0.4, 0.8)), delay_ms=delay_ms
                ),
                "hidden_out": js.Projection("hidden", "out", js.connect.Dense()),
            },
            dt_ms=1.0,
        )
        names = ["in_hidden.delay_ms"] if not isinstance(delay_ms, float) else []
        factors = dict.fromkeys(names, 20.0)
        optimizer = optax.chain(optax.sgd(0.2), scaled(net, factors))
        task = Classification(n_steps=12)
        net, _ = fit(net, (x, y), task, optimizer=optimizer, epochs=25, batch_size=20, parameters=names)
        return js.train.evaluate(js.freeze(net), (x, y), task)[1]

    assert learn(TrainableDelay(max_ms=8.0)) > 0.95
    assert learn(0.0) < 0.7


ALL = js.connect.AllToAll()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainableDelay(max_ms=0.0), r"max_ms: got 0; allowed: > min_ms=0"),
        (lambda: TrainableDelay(max_ms=1.0, min_ms=-1.0), r"min_ms: got -1; allowed: a finite number >= 0"),
        (lambda: TrainableDelay(max_ms=float("nan")), r"max_ms: got nan"),
        (lambda: delayed(into=TrainableDelay(max_ms=2.5)), r"'in_hidden'.*2.5 steps|2\.5.*whole steps"),
        (lambda: delayed(into=TrainableDelay(max_ms=3.0, initial_ms=4.0)), "initial_ms: got 4 to 4; allowed: 0 to 3"),
        (
            lambda: delayed(into=TrainableDelay(max_ms=3.0, initial_ms=js.connect.Normal(0.0, 1.0))),
            "Bound the distribution",
        ),
        (lambda: delayed(into=TrainableDelay(max_ms=3.0, initial_ms=np.ones((2, 2)))), "initial_ms"),
        (lambda: projected(js.connect.Dense(bias=True)), "trained delays need .* without bias"),
        (lambda: projected(ALL, propagation="bcoo", weight=1.0), "trained delays take no propagation='bcoo'"),
        (lambda: projected(ALL, storage="int8", weight=1.0), "trained delays take no storage='int8'"),
        (lambda: projected(ALL, short_term=js.plasticity.TsodyksMarkram(), weight=1.0), "take no short_term"),
        (lambda: projected(ALL, "out", weight=1.0), "zero-delay projections"),
        (lambda: scaled(delayed(), {"in_hidden.delay": 2.0}), r"unknown 'in_hidden\.delay'; the network has"),
        (lambda: scaled(delayed(), {"in_hidden.delay_ms": -1.0}), "got -1.0; allowed: a finite number >= 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def projected(connectivity, source="in", **options):
    """A projection with trained delays, onto a population of discrete neurons."""
    cells = {"in": js.Population(js.neurons.Relay(), 2), "out": js.Population(js.neurons.DiscreteLIF(), 2)}
    w = js.Projection(source, "out", connectivity, delay_ms=TrainableDelay(max_ms=2.0), **options)
    return js.Network(cells, {"w": w}, dt_ms=1.0)


def test_devices_take_frozen_networks_only():
    cells = {"E": js.Population(js.neurons.LIF(), 4, {"exc": js.receptors.AMPA()})}
    own = js.Projection("E", "E", ALL, weight_nS=1.0, delay_ms=TrainableDelay(min_ms=1.0, max_ms=2.0))
    net = js.Network(cells, {"E_E": own}, dt_ms=0.1)
    mesh = jax.make_mesh((1,), ("devices",))
    with pytest.raises(ValueError, match=r"'E_E': delays that are trained.*js\.freeze"):
        js.shard(net, mesh)
    js.shard(js.freeze(net), mesh)
