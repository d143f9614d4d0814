"""Random manifolds: what class a sample is shows only in when its 100 units fire, once each. No data needed.

    python docs/examples/randman.py [SAMPLES] [EPOCHS]

Each class is a smooth random map from 2 dimensions to the times of all units (Zenke and Vogels 2021, alpha 1). Synapses
learn weights and delays; then delays are rounded to whole steps and the network is scored on new samples.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

samples, epochs = (int(n) for n in (sys.argv[1:] + ["200", "6"][len(sys.argv) - 1 :]))
CLASSES, UNITS, STEPS, WAVES = 10, 100, 100, 100


@jax.jit
def times(key: jax.Array, places: jax.Array) -> jax.Array:
    """Spike times in [0, 1], (samples, units), of places (samples, dimensions) on a manifold."""
    a, b, c = jax.random.uniform(key, (3, UNITS, places.shape[1], WAVES))
    k = jnp.arange(WAVES)
    angles = k * b * places[:, None, :, None] + c
    found = jnp.prod(jnp.sum(a / (k + 1) * jnp.sin(2 * jnp.pi * angles), axis=3), axis=2)
    return (found - found.min(axis=0)) / (found.max(axis=0) - found.min(axis=0))


keys = jax.random.split(jax.random.key(0), (CLASSES, 2))
found = [np.asarray(times(one, jax.random.uniform(other, (2 * samples, 2)))) for one, other in keys]
spikes = np.stack([np.floor(t * (STEPS - 1))[:, None] == np.arange(STEPS)[:, None] for t in found])
train, test = (part.reshape(-1, STEPS, UNITS) for part in (spikes[:, :samples], spikes[:, samples:]))
labels = np.repeat(np.arange(CLASSES), samples)

delay_ms = js.connect.TrainableDelay(max_ms=50.0)
first = js.connect.Dense(weight=js.connect.Normal(0.0, UNITS**-0.25))
net = js.Network(
    populations={
        "in": js.Population(js.neurons.Relay(), UNITS),
        "hidden": js.Population(js.neurons.DiscreteLIF(decay=0.9), 128, surrogate=js.surrogate.SuperSpike(k=5.0)),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.97), CLASSES),
    },
    projections={
        "in_hidden": js.Projection("in", "hidden", first, delay_ms=delay_ms),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense()),
    },
    dt_ms=1.0,
)
task = js.train.Classification(n_steps=STEPS)
optimizer = optax.chain(optax.adam(5e-3), js.train.scaled(net, {"in_hidden.delay_ms": 200.0}))
options = {"epochs": epochs, "batch_size": 50, "parameters": ["in_hidden.delay_ms"], "progress": True}
net, _ = js.train.fit(net, (train, labels), task, optimizer=optimizer, **options)
_, accuracy = js.train.evaluate(js.freeze(net), (test, labels), task)
print(f"random manifolds: {accuracy:.1%} of {len(labels)} new samples, delays rounded")
