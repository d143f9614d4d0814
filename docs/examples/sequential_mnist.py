"""Handwritten digits pixel by pixel: 784 steps of one number each, seen by neurons that look back through delays.

    python docs/examples/sequential_mnist.py DIR [EPOCHS]

DIR holds mnist10k.npz: x (n, 28, 28), y. A pixel of the row above was there 28 steps ago, so that fixed delays show a
neuron what lies around each pixel. Every fifth digit is held out. Memory is bounded: gradients recompute chunks.
"""

import sys

import numpy as np
import optax

import jaxsyn as js

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6
STEPS = 840  # 784 pixels, and two rows of silence
with np.load(f"{folder}/mnist10k.npz") as file:
    x, y = file["x"].reshape(-1, 784, 1).astype(np.float32) / 255, file["y"].astype(np.int32)
x, held = np.pad(x, ((0, 0), (0, STEPS - 784), (0, 0))), np.arange(len(y)) % 5 == 0

look_back = {
    "strokes": (32, [0, 1, 2, 3, 4]),
    "corners": (64, [0, 28, 56, 84, 112]),
    "shapes": (64, [28 * row + column for row in (0, 4, 8) for column in (0, 5, 10)]),
}
cell = js.neurons.DiscreteLIF(decay=0.3, detach_reset=True)
populations, projections = {"in": js.Population(js.neurons.Relay(), 1)}, {}
source = "in"
for name, (size, delays) in look_back.items():
    populations[name] = js.Population(cell, size, surrogate=js.surrogate.Triangle(k=1.0))
    spread = (0.18 * populations[source].size * len(delays)) ** -0.5
    for ms in delays:
        weights = js.connect.Dense(weight=js.connect.Normal(0.0, spread), bias=ms == 0)
        projections[f"{name}_{ms}"] = js.Projection(source, name, weights, delay_ms=float(ms))
    source = name
populations["out"] = js.Population(js.neurons.LeakyIntegrator(decay=1.0), 10)
projections["out"] = js.Projection(source, "out", js.connect.Dense(bias=True))
net = js.Network(populations, projections, dt_ms=1.0)


def loss(sums, label):
    """Cross entropy of what the readout has added up in the end."""
    return optax.softmax_cross_entropy_with_integer_labels(sums[-1] / 20, label)


task = js.train.Classification(n_steps=STEPS, loss=loss)
steps = epochs * -(-int((~held).sum()) // 64)
rate = optax.warmup_cosine_decay_schedule(0.0, 6e-3, min(60, steps // 2), steps)
optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-3))
options = {"optimizer": optimizer, "epochs": epochs, "batch_size": 64, "progress": True}
net, _ = js.train.fit(net, (x[~held], y[~held]), task, **options)
_, accuracy = js.train.evaluate(net, (x[held], y[held]), task)
print(f"sequential MNIST: {accuracy:.1%} of {held.sum()} held-out digits")
