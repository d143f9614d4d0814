"""Projections with several sources: what they deliver, when their sources are stepped, what is refused."""

import jax
import numpy as np
import pytest

import jaxsyn as js

SHAPE, N = (4, 3), 12


def cells(n=N, **options):
    return js.Population(js.neurons.DiscreteLIF(**options), n, surrogate=js.surrogate.Triangle())


def attention(delay_ms=0.0):
    """Query-key attention in two steps of one moment, with a readout of what it gives."""
    populations = {
        "in": js.Population(js.neurons.Relay(), N),
        "q": cells(),
        "chosen": cells(6),
        "k": cells(),
        "a": js.Population(js.neurons.Relay(), N),
    }
    projections = {
        "q": js.Projection("in", "q", js.connect.Dense()),
        "k": js.Projection("in", "k", js.connect.Dense()),
        "chosen": js.Projection("q", "chosen", js.connect.QuerySum(SHAPE, heads=2)),
        "a": js.Projection(("chosen", "k"), "a", js.connect.QueryKeyAttention(SHAPE, heads=2), delay_ms=delay_ms),
    }
    return js.Network(populations, projections, dt_ms=1.0)


@pytest.mark.parametrize("delay", [0, 2])
def test_sources_are_read_in_their_order(delay):
    net = attention(float(delay))
    drive = 6.0 * jax.random.normal(jax.random.key(0), (9, N))
    _, out = js.run(net, 9, inputs={"in": drive}, record=[js.record.Spikes()])
    chosen, k, a = (np.asarray(out["spikes"][name], float) for name in ("chosen", "k", "a"))
    want = chosen.reshape(9, 2, 1, 3) * k.reshape(9, 2, 2, 3)
    assert want.sum() > 3
    np.testing.assert_array_equal(a[delay:], want.reshape(9, N)[: 9 - delay])


def test_gradient_reaches_all_sources():
    net = attention()
    drive = 6.0 * jax.random.normal(jax.random.key(0), (9, N))

    def total(net):
        return js.run(net, 9, inputs={"in": drive}, record=[js.record.Spikes("a")])[1]["spikes"]["a"].sum()

    gradient = jax.grad(total, allow_int=True)(net)
    for link in gradient.links[:2]:
        assert np.isfinite(link.transform.weight).all()
        assert np.abs(link.transform.weight).sum() > 0


def network(order=("chosen", "k"), **change):
    populations = {name: cells(6 if name == "chosen" else N) for name in order} | {"a": cells()}
    populations |= change.pop("populations", {})
    projection = js.Projection(("chosen", "k"), "a", change.pop("rule", js.connect.QueryKeyAttention(SHAPE, heads=2)))
    return js.Network(populations, {"a": projection, **change}, dt_ms=1.0)


BAD = {
    "order": (lambda: network(("k", "chosen")), "define 'k' right behind the one before it|define 'chosen' right"),
    "model": (lambda: network(populations={"k": js.Population(js.neurons.Relay(), N)}), "same neuron model"),
    "loop": (
        lambda: network(x=js.Projection("chosen", "k", js.connect.Dense())),
        "sources of one projection are stepped",
    ),
    "rule": (lambda: network(rule=js.connect.AllToAll()), "several sources need a transform"),
    "twice": (lambda: js.Projection(("q", "q"), "a", js.connect.Dense()), "several different ones"),
    "none": (lambda: js.Projection((), "a", js.connect.Dense()), "one population or several different ones"),
    "unknown": (
        lambda: js.Network({"k": cells()}, {"a": js.Projection(("k", "x"), "k", js.connect.Dense())}, dt_ms=1.0),
        "unknown population 'x'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sources_are_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_online_rules_refuse_them():
    populations = {"in": js.Population(js.neurons.Relay(), 4), "more": js.Population(js.neurons.Relay(), 4)}
    populations |= {"out": js.Population(js.neurons.LeakyIntegrator(), 2)}
    net = js.Network(populations, {"w": js.Projection(("in", "more"), "out", js.connect.Dense())}, dt_ms=1.0)
    drive = {"in": np.ones((3, 4), np.float32), "more": np.zeros((3, 4), np.float32)}
    _, out = js.run(net, 3, inputs=drive, record=[js.record.State("out.v")])
    want = np.asarray(net.links[0].transform.weight)[:4].sum(0)
    np.testing.assert_allclose(out["out.v"][0], want, rtol=1e-6)
    with pytest.raises(ValueError, match="projection 'w' has several sources"):
        js.train.online(net, js.train.EProp(), drive, np.ones((3, 2), np.float32), lambda y, t: (y - t).sum())
