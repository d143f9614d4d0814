"""fashion_mlp, fashion_conv, fashion_transformer: spiking networks trained directly on Fashion-MNIST, 2 steps an image.

Each is a `js.Network` with batch normalization between its populations of leaky neurons, trained by surrogate gradient
with AdamW; the transformer, whose time is scarce, for one step first. Images are numbers that the first layer gets in
every step; half of them are shown mirrored, and to the network of convolutions moved by up to two pixels. The answer is
the sum of the readout over 3 steps, for the image and for its mirror image.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from ._data import Folder, Outcome, fashion

STEPS, STEPS_TO_ANSWER, BATCH, TESTED_TOGETHER = 2, 3, 64, 250
LIF = js.neurons.DiscreteLIF(decay=0.5, detach_reset=True)
SPIKE = js.surrogate.Triangle(k=1.0)


class Settings(NamedTuple):
    """How a network is trained: epochs of 60000 images (fewer where there are more), largest learning rate, by how many
    pixels images are moved, steps an image."""

    epochs: int
    rate: float
    moved: int
    steps: int = STEPS


def mlp(seed: int, data: Folder) -> list[Outcome]:
    """784-512-512-10."""
    return _run(layers([js.connect.Dense(512), js.connect.Dense(512)], (512, 512), seed), data, seed, [MLP])


def conv(seed: int, data: Folder) -> list[Outcome]:
    """Three convolutions to 7 x 7 pixels and the mean over these."""
    convolutions = [
        js.connect.Conv(32, (3, 3), stride=2, padding=1, input_shape=(1, 28, 28)),
        js.connect.Conv(64, (3, 3), padding=1, input_shape=(32, 14, 14)),
        js.connect.Conv(128, (3, 3), stride=2, padding=1, input_shape=(64, 14, 14)),
    ]
    return _run(layers(convolutions, (32 * 196, 64 * 196, 128 * 49), seed), data, seed, [CONV])


def transformer(seed: int, data: Folder) -> list[Outcome]:
    """Patches of 4 x 4 pixels, a block with query-key attention and one with self-attention."""
    return _run(js.circuits.spiking_transformer(channels=64, seed=seed), data, seed, TRANSFORMER)


MLP, CONV = Settings(20, 2e-3, 0), Settings(3, 3e-3, 2)
TRANSFORMER = [Settings(9, 4e-3, 0, steps=1), Settings(2, 1.5e-3, 0)]


def layers(transforms: list[js.connect.AbstractTransform], sizes: tuple[int, ...], seed: int) -> js.Network:
    """Leaky neurons behind each transform, and a readout that sums."""
    populations = {"in": js.Population(js.neurons.Relay(), 784)}
    projections = {}
    source = "in"
    for k, (transform, size) in enumerate(zip(transforms, sizes, strict=True)):
        name = f"hidden{k}"
        populations[name] = js.Population(LIF, size, surrogate=SPIKE)
        projections[name] = js.Projection(source, name, js.connect.Chain((transform, js.connect.BatchNorm())))
        source = name
    populations["out"] = js.Population(js.neurons.LeakyIntegrator(decay=1.0), 10)
    last: tuple[js.connect.AbstractTransform, ...] = (js.connect.Dense(bias=True),)
    if isinstance(transforms[-1], js.connect.Conv):
        last = (js.connect.AvgPool((7, 7), input_shape=(sizes[-1] // 49, 7, 7)), *last)
    projections["out"] = js.Projection(source, "out", js.connect.Chain(last))
    return js.Network(populations, projections, dt_ms=1.0, seed=seed)


def logits(net: js.Network, links: Any, x: Any, training: bool, steps: int) -> tuple[Any, Any]:
    """Sums of the readout for a batch, and the links with their running statistics."""

    def one(x: Any, links: Any) -> Any:
        state = eqx.tree_at(lambda s: s.links, net.init_state(), links)
        shown = {"in": jnp.broadcast_to(x.reshape(-1), (steps, 784))}
        options = {"training": training, "axis_name": "batch", "remat": False}  # of two steps all can be kept
        end, _ = js.run(net, steps, state=state, inputs=shown, **options)
        return net.view(end, "out").neuron.v / steps, end.links

    return jax.vmap(one, (0, None), (0, None), axis_name="batch")(x, links)


def moved(x: Any, key: Any, pixels: int) -> Any:
    """Images (n, 28, 28), half of them mirrored, each shifted by up to some pixels along both axes."""
    x = jnp.where(jax.random.bernoulli(key, 0.5, (len(x), 1, 1)), x[..., ::-1], x)
    if not pixels:
        return x
    start = jax.random.randint(jax.random.fold_in(key, 1), (len(x), 2), 0, 2 * pixels + 1)
    wide = jnp.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels)), mode="edge")
    return jax.vmap(lambda image, first: jax.lax.dynamic_slice(image, first, (28, 28)))(wide, start)


def train(net: js.Network, links: Any, x: Any, y: Any, seed: int, settings: Settings) -> tuple[js.Network, Any]:
    """The network after more training, and its links with running statistics."""
    weights, rest = eqx.partition(net, js.train.trainable(net))
    per_epoch = len(y) // BATCH
    rate = optax.warmup_cosine_decay_schedule(0.0, settings.rate, per_epoch // 2, settings.epochs * per_epoch)
    optimizer = optax.adamw(rate, weight_decay=2e-2)

    def loss(weights: Any, links: Any, x: Any, y: Any) -> Any:
        scores, links = logits(eqx.combine(weights, rest), links, x, training=True, steps=settings.steps)
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean(), links

    @eqx.filter_jit
    def step(carry: Any, batch: Any, key: Any) -> Any:
        weights, state, links = carry
        images = moved(batch[0], key, settings.moved)
        (_, links), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(weights, links, images, batch[1])
        changes, state = optimizer.update(gradient, state, weights)
        return eqx.apply_updates(weights, changes), state, links

    carry = (weights, optimizer.init(weights), links)
    for epoch in range(settings.epochs):
        order = np.random.default_rng([seed, settings.steps, epoch]).permutation(len(y))[: per_epoch * BATCH]
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), settings.steps), epoch)
        for k, batch in enumerate(order.reshape(per_epoch, BATCH)):
            carry = step(carry, (x[batch], y[batch]), jax.random.fold_in(key, k))
    return eqx.combine(carry[0], rest), carry[2]


def right(net: js.Network, links: Any, x: Any, y: Any) -> float:
    """Share of right answers."""
    scores_of = functools.partial(logits, training=False, steps=STEPS_TO_ANSWER)
    answer = eqx.filter_jit(lambda net, links, x: scores_of(net, links, x)[0] + scores_of(net, links, x[..., ::-1])[0])
    found = 0
    for first in range(0, len(y), TESTED_TOGETHER):
        batch = np.resize(np.arange(first, min(first + TESTED_TOGETHER, len(y))), TESTED_TOGETHER)
        scores = np.asarray(answer(net, links, x[batch]))[: len(y) - first]
        found += int((scores.argmax(1) == y[first : first + TESTED_TOGETHER]).sum())
    return found / len(y)


def _run(net: js.Network, data: Folder, seed: int, stages: list[Settings]) -> list[Outcome]:
    x, y, x_test, y_test = fashion(data)[:4]
    links, share = net.init_state().links, min(1.0, 60_000 / len(y))
    stages = [stage._replace(epochs=max(1, round(share * stage.epochs))) for stage in stages]
    epochs = sum(stage.epochs for stage in stages)
    for stage in stages:
        net, links = train(net, links, x, y, seed, stage)
    weights = jax.tree.leaves(eqx.filter(net, js.train.trainable(net)))
    return [
        Outcome("test_accuracy", right(net, links, x_test, y_test), epochs),
        Outcome("parameters", sum(w.size for w in weights), epochs),
    ]
