"""Last part of the demo: the same network class learns to read handwritten digits."""

from collections.abc import Callable

import optax

from ..connect import Dense
from ..network import Network, Population, Projection
from ..neurons import DiscreteLIF, LeakyIntegrator, Relay
from ..surrogate import SuperSpike
from ..train import Classification, Digits, History, fit

N_STEPS = 10
EPOCHS = 20
BATCH_SIZE = 32
LEARNING_RATE = 5e-3  # as the other numbers here, chosen on a part of the training set


def classifier(seed: int = 0) -> Network:
    """64 pixels as constant input, 256 spiking neurons, 10 leaky integrators to read out."""
    return Network(
        populations={
            "in": Population(Relay(), 64),
            "hidden": Population(DiscreteLIF(decay=0.8), 256, surrogate=SuperSpike(k=5.0)),
            "out": Population(LeakyIntegrator(decay=0.9), 10),
        },
        projections={
            "in_hidden": Projection("in", "hidden", Dense(bias=True)),
            "hidden_out": Projection("hidden", "out", Dense(bias=True)),
        },
        dt_ms=1.0,
        seed=seed,
    )


def learn(data: Digits, report: Callable[[dict[str, float]], None], seed: int = 0) -> tuple[Network, History]:
    """Train by surrogate gradient; the held-out digits are scored after each epoch and decide nothing."""
    steps = EPOCHS * -(-len(data.y_train) // BATCH_SIZE)
    return fit(
        classifier(seed),
        (data.x_train, data.y_train),
        Classification(N_STEPS),
        optimizer=optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps)),
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        seed=seed,
        test=(data.x_test, data.y_test),
        report=report,
    )
