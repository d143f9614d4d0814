"""Fashion-MNIST with a spiking perceptron, 784-512-512-10, four steps an image.

    python docs/examples/fashion_mnist.py DIR [EPOCHS]

DIR holds fashion_mnist.npz: x_train, y_train, x_test, y_test. An image is a current that the first layer gets in every
step; the answer is the readout's mean potential.
"""

import sys

import numpy as np
import optax

import jaxsyn as js

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
with np.load(f"{folder}/fashion_mnist.npz") as file:
    x, y = file["x_train"].reshape(-1, 784), file["y_train"].astype(np.int32)
    x_test, y_test = file["x_test"].reshape(-1, 784), file["y_test"].astype(np.int32)
mean, sd = x.mean(), x.std()
x, x_test = ((images.astype(np.float32) - mean) / sd for images in (x, x_test))

cell, surrogate = js.neurons.DiscreteLIF(decay=0.5), js.surrogate.Triangle(k=1.0)
net = js.Network(
    populations={
        "in": js.Population(js.neurons.Relay(), 784),
        "first": js.Population(cell, 512, surrogate=surrogate),
        "second": js.Population(cell, 512, surrogate=surrogate),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.9), 10),
    },
    projections={
        "in_first": js.Projection("in", "first", js.connect.Dense(bias=True)),
        "first_second": js.Projection("first", "second", js.connect.Dense(bias=True)),
        "second_out": js.Projection("second", "out", js.connect.Dense(bias=True)),
    },
    dt_ms=1.0,
)
task = js.train.Classification(n_steps=4)
steps = epochs * -(-len(y) // 128)
optimizer = optax.adamw(optax.cosine_decay_schedule(1e-3, steps), weight_decay=1e-2)
net, _ = js.train.fit(net, (x, y), task, optimizer=optimizer, epochs=epochs, batch_size=128, progress=True)
_, accuracy = js.train.evaluate(net, (x_test, y_test), task)
print(f"Fashion-MNIST: {accuracy:.1%} of {len(y_test)} test images")
