"""smnist: handwritten digits pixel by pixel, 784 steps of one number each; 10,000 digits, memory bounded by remat.

Digits are shuffled by a fixed seed; the first 8000 are trained on and the last 2000 scored (with `mnist10k_eval.npz`
all are trained on and those scored). Shown are the digits and three copies of each, moved by up to two pixels. Three
layers of leaky neurons look back by fixed delays: over 5 pixels, over 5 rows, over 3 x 3 places 5 pixels and 4 rows
apart; a readout adds up. `temporaries_mib` is that of the gradient of a batch.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from ._data import Folder, Outcome

SIDE, BLANK, MOVED = 28, 56, 2
STEPS = SIDE * SIDE + BLANK
BATCH, RATE, VARIANTS, EPOCHS = 64, 6e-3, 4, 2
SHUFFLE, TRAINED = 0, 8000
LAYERS = {  # neurons, and steps that they look back
    "strokes": (32, [0, 1, 2, 3, 4]),
    "corners": (64, [SIDE * row for row in range(5)]),
    "shapes": (64, [SIDE * row + column for row in (0, 4, 8) for column in (0, 5, 10)]),
}

Floats = np.ndarray[Any, Any]


def run(seed: int, data: Folder) -> list[Outcome]:
    """Accuracy on the digits that were held out, and memory of a step."""
    x, y, x_test, y_test = digits(data)
    rng = np.random.default_rng(seed)
    shown = np.concatenate([x, *(moved(x, rng) for _ in range(VARIANTS - 1))])
    train = (sequences(shown), np.tile(y, VARIANTS))
    net, task = network(seed), js.train.Classification(n_steps=STEPS, loss=loss)
    mib = temporaries(net, task, (train[0][:BATCH], train[1][:BATCH]))
    steps = EPOCHS * -(-len(train[1]) // BATCH)
    rate = optax.warmup_cosine_decay_schedule(0.0, RATE, min(60, steps // 2), steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=1e-3))
    net, _ = js.train.fit(net, train, task, optimizer=optimizer, epochs=EPOCHS, batch_size=BATCH, seed=seed)
    _, accuracy = js.train.evaluate(net, (sequences(x_test), y_test), task)
    passes = EPOCHS * VARIANTS
    return [Outcome("test_accuracy", accuracy, passes), Outcome("temporaries_mib", mib, passes)]


def digits(data: Folder) -> tuple[Floats, ...]:
    """Images (n, 28, 28) in [0, 1] and labels, to train on and to score."""
    given, scored = data.load("mnist10k")

    def part(arrays: dict[str, Floats]) -> tuple[Floats, Floats]:
        return (arrays["x"].reshape(-1, SIDE, SIDE) / 255).astype(np.float32), arrays["y"].astype(np.int32)

    x, y = part(given)
    if scored is not None:
        return (x, y, *part(scored))
    order = np.random.default_rng(SHUFFLE).permutation(len(y))
    first, rest = order[:TRAINED], order[TRAINED:]
    return x[first], y[first], x[rest], y[rest]


def moved(x: Floats, rng: np.random.Generator) -> Floats:
    """The images, each moved by up to two pixels along both axes."""
    wide = np.pad(x, ((0, 0), (MOVED, MOVED), (MOVED, MOVED)))
    starts = rng.integers(0, 2 * MOVED + 1, (len(x), 2))
    return np.stack([image[a : a + SIDE, b : b + SIDE] for image, (a, b) in zip(wide, starts, strict=True)])


def sequences(x: Floats) -> Floats:
    """Pixel by pixel, and blank steps at the end: (n, steps, 1)."""
    return np.pad(x.reshape(len(x), -1), ((0, 0), (0, BLANK)))[:, :, None]


def network(seed: int) -> js.Network:
    """Three layers behind delays, and a readout that adds up."""
    cell = js.neurons.DiscreteLIF(decay=0.3, detach_reset=True)
    populations: dict[str, js.Population] = {"in": js.Population(js.neurons.Relay(), 1)}
    projections = {}
    source = "in"
    for name, (size, steps) in LAYERS.items():
        populations[name] = js.Population(cell, size, surrogate=js.surrogate.Triangle(k=1.0))
        spread = (0.18 * populations[source].size * len(steps)) ** -0.5
        for step in steps:
            weights = js.connect.Dense(weight=js.connect.Normal(0.0, spread), bias=step == 0)
            projections[f"{source}_{name}_{step}"] = js.Projection(source, name, weights, delay_ms=float(step))
        source = name
    populations["out"] = js.Population(js.neurons.LeakyIntegrator(decay=1.0), 10)
    projections["out"] = js.Projection(source, "out", js.connect.Dense(bias=True))
    return js.Network(populations, projections, dt_ms=1.0, seed=seed)


def loss(sums: Any, label: Any) -> Any:
    """Cross entropy of what the readout has added up in the end."""
    return optax.softmax_cross_entropy_with_integer_labels(sums[-1] / 20.0, label)


def temporaries(net: js.Network, task: js.train.Classification, batch: tuple[Floats, Floats]) -> float:
    """MiB of temporaries of the gradient of a batch."""
    weights, rest = eqx.partition(net, js.train.trainable(net))

    def mean(weights: Any, x: Any, y: Any) -> Any:
        return jnp.mean(jax.vmap(lambda x, y: task.evaluate(eqx.combine(weights, rest), x, y)[0])(x, y))

    compiled = jax.jit(jax.grad(mean)).lower(weights, *batch).compile()
    return float(compiled.memory_analysis().temp_size_in_bytes) / 2**20
