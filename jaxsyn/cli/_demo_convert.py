"""Part of the demo: a trained network becomes a spiking one, exactly, and then learns to do with two steps."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from .. import convert
from ..train import Digits

LEVELS, FEW = 4, 2
WIDTH, EPOCHS, TUNING, BATCH_SIZE = 128, 30, 6, 48
LEARNING_RATE, TUNING_RATE = 3e-3, 1e-3  # as the other numbers here, chosen on a part of the training set


class Conversion(NamedTuple):
    """What was found on the held-out digits."""

    model: float
    exact: float
    same_answers: bool
    largest_difference: float
    rate: float
    tuned: float
    report: convert.Report


def convert_digits(data: Digits, seed: int = 0) -> Conversion:
    """Train with quantized activations, convert exactly at T = levels, and train on at fewer steps."""
    model = _train(data, seed)
    exact = convert.from_equinox(model, data.x_train, "exact")
    want, own = convert.predict(exact.ann, data.x_test), convert.predict(exact, data.x_test)
    rate = convert.from_equinox(model, data.x_train, "rate", n_steps=FEW)
    assert isinstance(rate, convert.Converted)
    steps = TUNING * -(-len(data.y_train) // BATCH_SIZE)
    tuned, _ = convert.finetune(
        rate,
        (data.x_train, data.y_train),
        optimizer=optax.adam(optax.cosine_decay_schedule(TUNING_RATE, steps)),
        epochs=TUNING,
        batch_size=BATCH_SIZE,
        seed=seed,
    )
    return Conversion(
        model=_right(want, data),
        exact=_right(own, data),
        same_answers=bool((want.argmax(1) == own.argmax(1)).all()),
        largest_difference=float(np.abs(want - own).max()),
        rate=_right(convert.predict(rate, data.x_test), data),
        tuned=_right(convert.predict(tuned, data.x_test), data),
        report=convert.report(rate, data.x_test, data.y_test, steps=(1, 2, 4, 8, 16)),
    )


def _right(logits: np.ndarray[Any, Any], data: Digits) -> float:
    return float((logits.argmax(1) == data.y_test).mean())


def _train(data: Digits, seed: int) -> Any:
    """A network of two hidden layers with quantized activations."""
    keys = jax.random.split(jax.random.key(seed), 4)
    sizes = (64, WIDTH, WIDTH, 10)
    layers: list[Any] = []
    for n_in, n_out, key in zip(sizes, sizes[1:], keys[:3], strict=False):
        layers += [eqx.nn.Linear(n_in, n_out, key=key), convert.QCFS(threshold=2.0, levels=LEVELS)]
    model = eqx.nn.Sequential(layers[:-1])
    n = len(data.y_train) // BATCH_SIZE
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, EPOCHS * n))
    parameters, rest = eqx.partition(model, eqx.is_inexact_array)
    x, y = jnp.asarray(data.x_train), jnp.asarray(data.y_train)

    def loss(parameters: Any, batch: Any) -> Any:
        logits = jax.vmap(eqx.combine(parameters, rest))(x[batch])
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[batch]).mean()

    @jax.jit
    def epoch(parameters: Any, state: Any, order: Any) -> Any:
        def step(carry: Any, batch: Any) -> Any:
            parameters, state = carry
            changes, state = optimizer.update(jax.grad(loss)(parameters, batch), state)
            return (eqx.apply_updates(parameters, changes), state), None

        return jax.lax.scan(step, (parameters, state), order)[0]

    state = optimizer.init(parameters)
    for k in range(EPOCHS):
        order = jax.random.permutation(jax.random.fold_in(keys[3], k), len(y))[: n * BATCH_SIZE]
        parameters, state = epoch(parameters, state, order.reshape(n, BATCH_SIZE))
    return eqx.combine(parameters, rest)
