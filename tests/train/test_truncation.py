"""Gradients that end after some steps, and states at the start that are trained."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js
from jaxsyn.train import Classification, fit, trainable

from .networks import blobs, small

T, DECAY, OUT, K_SURROGATE = 24, 0.9, 0.8, 5.0


def recurrent():
    """in -> hidden (in a loop) -> out."""
    return js.Network(
        {
            "in": js.Population(js.neurons.Relay(), 3),
            "hidden": js.Population(
                js.neurons.DiscreteLIF(decay=DECAY), 5, surrogate=js.surrogate.SuperSpike(k=K_SURROGATE)
            ),
            "out": js.Population(js.neurons.LeakyIntegrator(decay=OUT), 2),
        },
        {
            "in_hidden": js.Projection("in", "hidden", js.connect.Dense(weight=js.connect.Uniform(0.0, 0.8))),
            "loop": js.Projection("hidden", "hidden", js.connect.Dense(), delay_ms=1.0),
            "hidden_out": js.Projection("hidden", "out", js.connect.Dense()),
        },
        dt_ms=1.0,
    )


X = np.random.default_rng(0).random((T, 3)) < 0.5
TARGET = np.random.default_rng(1).normal(size=(T, 2))


def gradients(net, truncate, record_every=1):
    names = ["hidden.start.v"]
    moving, rest = eqx.partition(net, trainable(net, parameters=names))

    def loss(moving):
        record = [js.record.State("out.v", every_ms=float(record_every))]
        net = eqx.combine(moving, rest)
        _, out = js.run(net, T, inputs={"in": jnp.asarray(X)}, record=record, truncate=truncate)
        return jnp.sum((out["out.v"] - TARGET[record_every - 1 :: record_every]) ** 2)

    value, found = jax.jit(jax.value_and_grad(loss))(moving)
    matrices = {link.name: np.asarray(link.transform.weight) for link in found.links}
    g, first, size = net.place("hidden")
    return float(value), matrices | {"start": np.asarray(found.groups[g].start.neuron.v)[first : first + size]}


def by_hand(net, truncate):
    """The same as one scan over the steps, whose state loses its gradient at every `truncate`-th of them."""
    weights = {link.name: link.transform.weight for link in net.links}

    @jax.custom_jvp
    def spike(x):
        return (x >= 0).astype(x.dtype)

    @spike.defjvp
    def _(primals, tangents):
        return spike(primals[0]), tangents[0] / (1.0 + K_SURROGATE * jnp.abs(primals[0])) ** 2

    def loss(weights, start):
        def step(carry, now):
            t, x, target = now
            cut = jax.tree.map(jax.lax.stop_gradient, carry)
            v, s, y = jax.tree.map(lambda a, b: jnp.where((t > 0) & (t % truncate == 0), a, b), cut, carry)
            u = DECAY * v + x @ weights["in_hidden"] + s @ weights["loop"]
            s = spike(u - 1.0)
            y = OUT * y + s @ weights["hidden_out"]
            return (u - s, s, y), jnp.sum((y - target) ** 2)

        carry = (start, jnp.zeros(5), jnp.zeros(2))
        return jnp.sum(jax.lax.scan(step, carry, (jnp.arange(T), jnp.asarray(X, float), jnp.asarray(TARGET)))[1])

    value, (found, start) = jax.jit(jax.value_and_grad(loss, (0, 1)))(weights, jnp.zeros(5))
    return float(value), {k: np.asarray(z) for k, z in found.items()} | {"start": np.asarray(start)}


@pytest.mark.parametrize("truncate", [1, 5, 8])
def test_truncated_gradients_are_those_of_a_scan_that_is_cut(truncate):
    with jax.enable_x64(True):
        net = recurrent()
        got, want, full = gradients(net, truncate), by_hand(net, truncate), gradients(net, None)
        assert got[0] == pytest.approx(want[0], rel=1e-12)
        assert got[0] == pytest.approx(full[0], rel=1e-12)
        for name, value in want[1].items():
            assert np.allclose(got[1][name], value, rtol=1e-10, atol=1e-12), name
        assert not np.allclose(got[1]["loop"], full[1]["loop"], rtol=1e-2)
        assert np.any(got[1]["start"] != 0.0)


@pytest.mark.parametrize("truncate", [T, T + 1])
def test_a_run_that_is_not_longer_keeps_the_whole_gradient(truncate):
    with jax.enable_x64(True):
        got, full = gradients(recurrent(), truncate), gradients(recurrent(), None)
        for name, value in full[1].items():
            assert np.allclose(got[1][name], value, rtol=1e-12, atol=1e-14), name


def test_sampling_periods_and_truncation_go_together():
    with jax.enable_x64(True):
        assert gradients(recurrent(), 6, record_every=3)[0] == pytest.approx(gradients(recurrent(), None, 3)[0])
        with pytest.raises(
            ValueError, match=r"truncate: got 7; allowed: a whole number >= 1 \(steps\), a multiple of 3"
        ):
            gradients(recurrent(), 7, record_every=3)


@pytest.mark.parametrize("truncate", [0, -3, 2.0, True])
def test_bad_truncation_is_named(truncate):
    with pytest.raises(ValueError, match=r"run\.truncate: got"):
        js.run(recurrent(), 4, truncate=truncate)


def test_a_network_without_gradient_is_refused():
    net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
    with pytest.raises(ValueError, match="no gradient travels through spikes"):
        js.run(net, 4, truncate=2)


def test_fit_trains_the_state_at_the_start_and_truncates(capsys):
    net, data = small(), blobs(samples=12)
    task = Classification(n_steps=9, truncate=3)
    options = {"optimizer": optax.sgd(0.1), "epochs": 1, "parameters": ["hidden.start.v"]}
    cut, _ = fit(net, data, task, progress=True, **options)
    whole, _ = fit(net, data, Classification(n_steps=9), **options)
    g = net.place("hidden")[0]
    for trained in (cut, whole):
        assert not np.array_equal(trained.groups[g].start.neuron.v, net.groups[g].start.neuron.v)
    assert not np.array_equal(cut.links[0].transform.weight, whole.links[0].transform.weight)
    assert "train_loss" in capsys.readouterr().err
