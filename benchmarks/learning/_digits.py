"""digits: 1797 handwritten digits of 8 x 8 pixels that come with the package; every fifth is held out.

64 relays, 256 spiking neurons, 10 leaky readouts, 10 steps; the network and settings of `jaxsyn demo`.
"""

import optax

import jaxsyn as js

from ._data import Folder, Outcome

EPOCHS, BATCH = 20, 32


def run(seed: int, data: Folder) -> Outcome:
    """Accuracy on the held-out digits."""
    digits = js.train.digits()
    populations = {
        "in": js.Population(js.neurons.Relay(), 64),
        "hidden": js.Population(js.neurons.DiscreteLIF(decay=0.8), 256, surrogate=js.surrogate.SuperSpike(k=5.0)),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.9), 10),
    }
    projections = {
        "in_hidden": js.Projection("in", "hidden", js.connect.Dense(bias=True)),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense(bias=True)),
    }
    net = js.Network(populations, projections, dt_ms=1.0, seed=seed)
    task = js.train.Classification(n_steps=10)
    steps = EPOCHS * -(-len(digits.y_train) // BATCH)
    optimizer = optax.adam(optax.cosine_decay_schedule(5e-3, steps))
    train = (digits.x_train, digits.y_train)
    net, _ = js.train.fit(net, train, task, optimizer=optimizer, epochs=EPOCHS, batch_size=BATCH, seed=seed)
    _, accuracy = js.train.evaluate(net, (digits.x_test, digits.y_test), task)
    return Outcome("test_accuracy", accuracy, EPOCHS)
