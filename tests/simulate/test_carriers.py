"""Gradients of sparse recurrent weights, which are added up from chunk to chunk, against those of plain stepping."""

import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

pytestmark = pytest.mark.usefixtures("short_chunks")

T = 23


class Soft(js.surrogate.AbstractSurrogate):
    """Spikes between 0 and 1, smooth, so that there are second derivatives."""

    def __call__(self, gap: Any) -> Any:
        return jax.nn.sigmoid(gap / 3.0)

    def derivative(self, gap: Any) -> Any:
        return jax.nn.sigmoid(gap / 3.0) * jax.nn.sigmoid(-gap / 3.0) / 3.0


def network(surrogate: Any, native: bool | None = None) -> js.Network:
    """Conductances of two receptors in one projection, delays, a gain, and discrete cells with sparse weights."""
    conductances = {name: js.receptors.Conductance(js.receptors.Exponential(tau), E_rev_mV=0.0)
                    for name, tau in (("fast", 2.0), ("slow", 8.0))}  # fmt: skip
    populations = {
        "E": js.Population(js.neurons.LIF(), 20, conductances, surrogate=surrogate),
        "I": js.Population(js.neurons.LIF(), 6, conductances, surrogate=surrogate),
        "d": js.Population(js.neurons.DiscreteLIF(threshold=0.5), 9, surrogate=surrogate),
    }
    some, spread = js.connect.FixedProbability(0.4), js.connect.Normal(3.0, 1.0)
    projections = {
        "E_E": js.Projection("E", "E", some, weight_nS={"fast": spread, "slow": spread}, delay_ms=1.0, gain=0.7),
        "E_I": js.Projection("E", "I", some, weight_nS={"fast": spread}, delay_ms=js.connect.Uniform(1.0, 4.0)),
        "I_E": js.Projection("I", "E", some, weight_nS={"slow": 2.0}, delay_ms=1.0, gain=-0.2),
        "d_d": js.Projection("d", "d", some, weight=js.connect.Normal(0.2, 0.5), delay_ms=2.0),
        "E_d": js.Projection("E", "d", some, weight=js.connect.Normal(0.2, 0.5), delay_ms=1.0),
    }
    stimuli = {"drive": js.stimuli.Constant("E", I_pA=400.0)}
    return js.Network(populations, projections, stimuli, dt_ms=1.0, native=native)


def weighted(spikes: dict[str, Any]) -> Any:
    return sum(jnp.sum(jnp.sin(1.0 + jnp.arange(float(v.size))).reshape(v.shape) * v) for v in spikes.values())


def by_chunks(net: js.Network, kick: Any, **how: Any) -> Any:
    return weighted(js.run(net, T, inputs={"d": kick}, record=[js.record.Spikes()], **how)[1]["spikes"])


def by_steps(net: js.Network, kick: Any) -> Any:
    prepared = js.network.prepare(net)

    def one(state: Any, x: Any) -> Any:
        state, emissions = js.network.step(net, prepared, state, {"d": x})
        members = ((e, member) for group, e in zip(net.groups, emissions, strict=True) for member in group.members)
        return state, {name: js.network.unmarked(e.values)[first : first + n] for e, (name, first, n) in members}

    return weighted(jax.lax.scan(one, net.init_state(), kick)[1])


def kicks(lanes: int = 2) -> Any:
    return jnp.asarray(np.random.default_rng(0).random((lanes, T, 9)) < 0.3, jnp.float32)


def trained(net: js.Network, *names: str) -> Any:
    return eqx.partition(net, js.train.trainable(net, parameters=list(names)))


def assert_close(own: Any, expected: Any, tolerance: float = 2e-5) -> None:
    scale = max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(expected))
    assert scale > 0
    for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(expected), strict=True):
        assert float(jnp.max(jnp.abs(a - b))) < tolerance * scale


def total(run: Any, rest: Any, **how: Any) -> Any:
    return lambda w, x: jnp.sum(jax.vmap(lambda x: run(eqx.combine(w, rest), x, **how))(x))


def test_what_is_carried() -> None:
    net = network(js.surrogate.Triangle(k=0.1))
    parts = js.network.components(net)
    held, carriers = js.network.carried(net, parts, js.network.SIMULATE)
    names = {net.links[i].name for i in carriers}
    assert names == {"E_E", "E_I", "I_E", "d_d"}  # not E_d, which is followed over a chunk at once
    assert all((x == 0).all() for x in carriers.values())
    jax.tree.map(np.testing.assert_array_equal, held, net)
    named = js.network.Mode(training=True, axis_name="batch")
    assert js.network.carried(net, parts, named)[1] == {}


@pytest.mark.parametrize(
    ("way", "native", "surrogate"),
    [
        ("plain", None, js.surrogate.Triangle(k=0.1)),
        ("remat", None, js.surrogate.SuperSpike(k=1.0)),
        ("nested", None, Soft()),
        ("remat", False, js.surrogate.Triangle(k=0.1)),
    ],
    ids=["plain", "remat", "nested", "pure JAX"],
)
def test_gradients_are_those_of_stepping(
    way: str, native: bool | None, surrogate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "plain":  # a scan over the steps; in the others they are written out
        monkeypatch.setattr(sys.modules["jaxsyn.network._chunk"], "_CALLS", 0)
    if way == "nested":
        monkeypatch.setattr(sys.modules["jaxsyn.simulate._chunks"], "_LONG", 0)
        monkeypatch.setattr(sys.modules["jaxsyn.simulate._chunks"], "chunk_length", lambda *_, **__: 4)
    weights, rest = trained(network(surrogate, native), "E_E.gain", "I_E.gain", "E.tau_m_ms", "I.tau_m_ms")
    own = jax.jit(jax.grad(total(by_chunks, rest, remat=way != "plain")))(weights, kicks())
    expected = jax.jit(jax.grad(total(by_steps, rest)))(weights, kicks())
    assert_close(own, expected)


def test_gradients_end_where_they_are_truncated() -> None:
    weights, rest = trained(network(js.surrogate.SuperSpike(k=1.0)))
    whole, cut = (
        jax.jit(jax.grad(total(by_chunks, rest, truncate=truncate)))(weights, kicks()) for truncate in (None, 8)
    )
    assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(cut))
    assert any(float(jnp.max(jnp.abs(a - b))) > 0 for a, b in zip(*map(jax.tree.leaves, (whole, cut)), strict=True))


def test_changes_forward_and_second_derivatives() -> None:
    weights, rest = trained(network(Soft()))
    way = jax.tree.map(lambda x: jnp.cos(jnp.arange(float(x.size))).reshape(x.shape), weights)

    def both(run: Any) -> Any:
        function = lambda w: total(run, rest)(w, kicks(1))  # noqa: E731
        return jax.jvp(function, (weights,), (way,))[1], jax.jvp(jax.grad(function), (weights,), (way,))[1]

    for own, expected in zip(jax.jit(lambda: both(by_chunks))(), jax.jit(lambda: both(by_steps))(), strict=True):
        assert_close(own, expected, 1e-4)


def test_lanes_with_weights_of_their_own() -> None:
    weights, rest = trained(network(js.surrogate.SuperSpike(k=1.0)))
    lanes = jax.tree.map(lambda x: jnp.stack([x, 1.1 * x, 0.9 * x]), weights)
    single = lambda run: jax.grad(lambda w, x: run(eqx.combine(w, rest), x))  # noqa: E731
    for axes, given in (((0, None), kicks()[0]), ((0, 0), kicks(3))):
        own = jax.jit(jax.vmap(single(by_chunks), axes))(lanes, given)
        assert_close(own, jax.jit(jax.vmap(single(by_steps), axes))(lanes, given))


def test_the_backward_pass_makes_no_second_array_of_all_weights() -> None:
    """Within the loop over chunks the gradient is one operation on what is carried."""
    net = network(js.surrogate.Triangle(k=0.1))
    weights, rest = trained(net)
    text = jax.jit(jax.grad(total(by_chunks, rest))).lower(weights, kicks(1)).as_text()
    assert "jaxsyn_outer" in text or not net.native
    carriers = js.network.carried(net, js.network.components(net), js.network.SIMULATE)[1]
    sizes = {f"tensor<{'x'.join(map(str, x.shape[k:]))}xf32>" for x in carriers.values() for k in (0, 1)}
    assert len(sizes) == 8
    adds = [line for line in text.splitlines() if "= stablehlo.add " in line and any(size in line for size in sizes)]
    assert not adds
