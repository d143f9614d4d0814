"""randman: ten smooth random manifolds (alpha 1, 5 dimensions) in the spike times of 100 units; no data file.

Unit i of a class fires once, at step 99 f_i(x), for a random place x on the manifold of the class:
f_i(x) = prod_d sum_k a_k s_k sin 2 pi (k x_d b_k + c_k), s_k = 1 / (k + 1), a, b, c random, each f_i stretched to
[0, 1] over all samples. Which class it is shows in when the units fire, never in how often. The seed draws manifolds,
samples, weights and order; 1000 samples of each class are trained on, 500 others are scored.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from ._data import Folder, Outcome

Floats = np.ndarray[Any, Any]

CLASSES, UNITS, STEPS, DIMENSIONS, ALPHA = 10, 100, 100, 5, 1.0
TRAINED, SCORED = 1000, 500  # samples of each class
EPOCHS, BATCH = 4, 100


def _sine(turns: jax.Array) -> jax.Array:
    """sin 2 pi u, |u| <= 1/2, within 4e-6, several times as fast as `jnp.sin`."""
    angle = 2 * jnp.pi * jnp.minimum(jnp.abs(turns), 0.5 - jnp.abs(turns))
    square = angle * angle
    series = 1.0 + square * (-1 / 6 + square * (1 / 120 + square * (-1 / 5040 + square * (1 / 362880))))
    return jnp.sign(turns) * angle * series


@functools.partial(jax.jit, static_argnames="alpha")
def _products(places: jax.Array, random: jax.Array, alpha: float) -> jax.Array:
    """prod_d sum_k a_k s_k sin 2 pi (k x_d b_k + c_k), of places (dimensions, samples), random (dimensions, 3, k)."""
    k = jnp.arange(random.shape[-1], dtype=jnp.float32)
    strength = 1.0 / (k**alpha + 1.0)

    def factor(x: jax.Array, one: jax.Array) -> jax.Array:
        a, b, c = one
        turns = x[:, None] * (k * b)[None, :] + c[None, :]
        return _sine(turns - jnp.round(turns)) @ (a * strength)

    return jnp.prod(jax.vmap(factor)(places, random), axis=0)


def manifold(places: Floats, rng: np.random.Generator, alpha: float = ALPHA) -> Floats:
    """Spike times in [0, 1], (samples, UNITS), of places (samples, dimensions) on one random manifold."""
    cutoff = min(int(np.ceil(1e-3 ** (-1.0 / alpha))), 1000)
    x = jnp.asarray(places.T, jnp.float32)
    random = rng.random((UNITS, places.shape[1], 3, cutoff), np.float32)
    times = np.stack([_products(x, one, alpha) for one in random], axis=1)
    low, high = times.min(axis=0), times.max(axis=0)
    return (times - low) / (high - low)


def samples(seed: int, dimensions: int = DIMENSIONS) -> tuple[Floats, Floats, Floats, Floats]:
    """Spikes, bool (samples, STEPS, UNITS), and classes: those to train on, and those to score."""
    rng = np.random.default_rng([seed, 7])
    parts: list[list[Floats]] = [[], [], [], []]
    for label in range(CLASSES):
        times = manifold(rng.random((TRAINED + SCORED, dimensions)), rng)
        spikes = np.floor(times * (STEPS - 1)).astype(int)[:, None] == np.arange(STEPS)[None, :, None]
        for part, one in zip(
            parts, (spikes[:TRAINED], [label] * TRAINED, spikes[TRAINED:], [label] * SCORED), strict=True
        ):
            part.append(np.asarray(one))
    x, y, x_scored, y_scored = (np.concatenate(part) for part in parts)
    return x, y, x_scored, y_scored


def network(seed: int) -> js.Network:
    """One hidden layer behind delays of up to half the sample."""
    populations = {
        "in": js.Population(js.neurons.Relay(), UNITS),
        "hidden": js.Population(js.neurons.DiscreteLIF(decay=0.9), 128, surrogate=js.surrogate.SuperSpike(k=5.0)),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.97), CLASSES),
    }
    first = js.connect.Dense(weight=js.connect.Normal(0.0, UNITS**-0.25))
    delay_ms = js.connect.TrainableDelay(max_ms=STEPS / 2)
    projections = {
        "in_hidden": js.Projection("in", "hidden", first, delay_ms=delay_ms),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense()),
    }
    return js.Network(populations, projections, dt_ms=1.0, seed=seed)


def run(seed: int, data: Folder) -> Outcome:
    """Accuracy of the network with rounded delays on new samples of the same manifolds."""
    x, y, *scored = samples(seed)
    net, task = network(seed), js.train.Classification(n_steps=STEPS)
    names = ["in_hidden.delay_ms"]
    optimizer = optax.chain(
        optax.adam(optax.cosine_decay_schedule(5e-3, EPOCHS * -(-len(y) // BATCH))),
        js.train.scaled(net, dict.fromkeys(names, 200.0)),
    )
    options = {"epochs": EPOCHS, "batch_size": BATCH, "seed": seed, "parameters": names}
    net, _ = js.train.fit(net, (x, y), task, optimizer=optimizer, **options)
    _, accuracy = js.train.evaluate(js.freeze(net), (scored[0], scored[1]), task)
    return Outcome("accuracy", accuracy, EPOCHS)
