"""smnist: handwritten digits pixel by pixel, 784 steps of one number each; 10,000 digits, memory bounded by remat.

Digits are shuffled by a fixed seed; the first 8000 are trained on and the last 2000 scored (with `mnist10k_eval.npz`
all are trained on and those scored). The brightness of a pixel becomes spikes of 80 channels, a threshold crossed
upwards or downwards, into 256 recurrent neurons with an adaptive threshold, whose decays are spread and trained; a
leaky readout is averaged over 28 silent steps at the end. `temporaries_mib` is that of a training step.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from ._data import Folder, Outcome

PIXELS, THRESHOLDS, BLANK = 784, 40, 28
HIDDEN, EPOCHS, BATCH, RATE = 256, 15, 64, 5e-3
SHUFFLE, TRAINED = 0, 8000


def run(seed: int, data: Folder) -> list[Outcome]:
    """Accuracy on the digits that were held out, and memory of a step."""
    x, y, x_test, y_test = digits(data)
    net, mib = train(network(seed), x, y, seed, EPOCHS)
    accuracy = right(net, x_test, y_test)
    return [Outcome("test_accuracy", accuracy, EPOCHS), Outcome("temporaries_mib", mib, EPOCHS)]


def digits(data: Folder) -> tuple[np.ndarray[Any, Any], ...]:
    """Pixels (n, 784) in [0, 1] and labels, to train on and to score."""
    given, scored = data.load("mnist10k")
    x, y = given["x"].reshape(-1, PIXELS), given["y"].astype(np.int32)
    if scored is not None:
        return x, y, scored["x"].reshape(-1, PIXELS), scored["y"].astype(np.int32)
    order = np.random.default_rng(SHUFFLE).permutation(len(y))
    first, rest = order[:TRAINED], order[TRAINED:]
    return x[first], y[first], x[rest], y[rest]


def crossings(x: Any) -> Any:
    """Spikes of pixels (784,), 0 to 255: bool (784 + 28, 80), a channel for each threshold and direction."""
    x = x.astype(jnp.float32)
    levels = jnp.linspace(0.0, 255.0, THRESHOLDS + 2)[1:-1].astype(jnp.float32)
    above = jnp.concatenate([jnp.zeros(1, x.dtype), x, jnp.zeros(BLANK, x.dtype)])[:, None] > levels[None, :]
    return jnp.concatenate([above[1:] & ~above[:-1], above[:-1] & ~above[1:]], axis=1)


def network(seed: int, hidden: int = HIDDEN) -> js.Network:
    """A recurrent population of adaptive neurons between crossings and readout."""
    spread = np.random.default_rng(seed)
    decay = np.exp(-1.0 / np.exp(spread.uniform(np.log(5.0), np.log(100.0), hidden)))
    rho = np.exp(-1.0 / np.exp(spread.uniform(np.log(50.0), np.log(800.0), hidden)))
    neuron = js.neurons.DiscreteALIF(decay=decay, rho=rho, beta=0.1, detach_reset=True)
    populations = {
        "in": js.Population(js.neurons.Relay(), 2 * THRESHOLDS),
        "hidden": js.Population(neuron, hidden, surrogate=js.surrogate.Triangle(k=0.3)),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.97), 10),
    }
    projections = {
        "in_hidden": js.Projection("in", "hidden", js.connect.Dense(weight=js.connect.Normal(0.0, 0.3))),
        "loop": js.Projection("hidden", "hidden", js.connect.Dense(), delay_ms=1.0),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense(bias=True)),
    }
    return js.Network(populations, projections, dt_ms=1.0, seed=seed)


def scores(net: js.Network, x: Any) -> Any:
    """Mean of the readout over the blank steps, for a batch of images."""

    def one(x: Any) -> Any:
        spikes = crossings(x)
        _, out = js.run(net, len(spikes), inputs={"in": spikes}, record=[js.record.Spikes("out")])
        return out["spikes"]["out"][-BLANK:].mean(axis=0)

    return jax.vmap(one)(x)


def train(net: js.Network, x: Any, y: Any, seed: int, epochs: int) -> tuple[js.Network, float]:
    """The trained network, and MiB of temporaries of a training step."""
    wanted = js.train.trainable(net, parameters=["hidden.decay", "hidden.rho", "hidden.beta"])
    weights, rest = eqx.partition(net, wanted)
    size = min(BATCH, len(y))
    n = len(y) // size
    rate = optax.warmup_cosine_decay_schedule(0.0, RATE, n, epochs * n + 1)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-4))

    def loss(weights: Any, x: Any, y: Any) -> Any:
        found = scores(eqx.combine(weights, rest), x)
        return optax.softmax_cross_entropy_with_integer_labels(found, y).mean()

    @jax.jit
    def step(weights: Any, state: Any, x: Any, y: Any) -> Any:
        gradient = jax.grad(loss)(weights, x, y)
        changes, state = optimizer.update(gradient, state, weights)
        return within(optax.apply_updates(weights, changes)), state

    state = optimizer.init(weights)
    compiled = step.lower(weights, state, jnp.asarray(x[:size]), jnp.asarray(y[:size])).compile()
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(y))[: n * size]
        for batch in order.reshape(n, size):
            weights, state = compiled(weights, state, jnp.asarray(x[batch]), jnp.asarray(y[batch]))
    return eqx.combine(weights, rest), compiled.memory_analysis().temp_size_in_bytes / 2**20


def within(weights: Any) -> Any:
    """Decays of all neurons in [0, 1], where the model is defined."""

    def bounded(path: Any, leaf: Any) -> Any:
        return jnp.clip(leaf, 0.0, 1.0) if getattr(path[-1], "name", "") in ("decay", "rho") else leaf

    return jax.tree_util.tree_map_with_path(bounded, weights)


def right(net: js.Network, x: Any, y: Any) -> float:
    """Share of right answers."""
    answer = jax.jit(scores)
    found = 0
    for first in range(0, len(y), 200):
        batch = np.resize(np.arange(first, min(first + 200, len(y))), 200)
        found += int((np.asarray(answer(net, x[batch])).argmax(1)[: len(y) - first] == y[first : first + 200]).sum())
    return found / len(y)
