"""fsdd, fsdd_speaker: spoken digits (Free Spoken Digit Dataset), read by a network whose delays are trained.

Recordings go through `js.encode.Cochlea` (48 mel bands and their onsets, 70 steps of 10 ms) into two layers of 128
spiking neurons and a leaky readout; each synapse before a spiking neuron has a delay of up to 150 ms that is trained.
Trained on are the recordings and variants of them (`_speech.varied`), first all numbers, then, with the delays rounded
by `js.freeze`, the weights alone. A recording is heard at five speeds, as speakers differ in speed and pitch, and the
answer is the digit with the smallest mean loss of all five. `accuracy` is that of the frozen network for each recording
by itself, `accuracy_no_delays` that of the same network with delay 0 everywhere, trained as long, `margin` their
difference. `accuracy_adapted` is that of the frozen network when it has heard all scored recordings of a speaker,
without their digits: what a voice adds to some digits in each of its recordings is taken off, so that in the mean all
digits are equally likely. It counts on digits that are about equally frequent.

Scored: fsdd, recordings with index below 10, the others are trained on; fsdd_speaker, all recordings of one speaker
(number `seed` of the names, modulo their count), the other speakers are trained on. Of fsdd_eval.npz, fsdd scores the
speakers that fsdd.npz has, fsdd_speaker those that it has not.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from . import _speech as speech
from ._data import Folder, Outcome

HIDDEN, LONGEST_MS, BATCH, RATE = 128, 150.0, 64, 3e-3
VARIANTS, EPOCHS = 11, 2
SPEEDS = (0.81, 0.9, 1.0, 1.11, 1.23)
DELAYED = ("in_hidden", "hidden_second")
CITATION = "Jackson et al., Free Spoken Digit Dataset, doi 10.5281/zenodo.1342401, CC BY-SA 4.0"

Spikes = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def fsdd(seed: int, data: Folder) -> list[Outcome]:
    """Accuracy on other recordings of the same speakers."""
    given, scored = (None if part is None else speech.recordings(part) for part in data.load("fsdd"))
    assert given is not None
    if scored is None:
        return compare(seed, given.those(given.index >= 10), given.those(given.index < 10))
    known = np.isin(scored.speaker, given.speaker)
    return compare(seed, given, scored.those(known) if known.any() else scored)


def fsdd_speaker(seed: int, data: Folder) -> list[Outcome]:
    """Accuracy on a speaker who was not heard in training."""
    given, scored = (None if part is None else speech.recordings(part) for part in data.load("fsdd"))
    assert given is not None
    if scored is not None and not np.isin(scored.speaker, given.speaker).all():
        return compare(seed, given, scored.those(~np.isin(scored.speaker, given.speaker)))
    names = np.unique(given.speaker)
    other = given.speaker == names[seed % len(names)]
    return compare(seed, given.those(~other), given.those(other))


def compare(seed: int, given: speech.Recordings, scored: speech.Recordings) -> list[Outcome]:
    """Train with and without delays, score each once."""
    print(CITATION, file=sys.stderr)
    rng = np.random.default_rng(seed)
    variants = [[speech.varied(sound, rng) for sound in given.audio] for _ in range(VARIANTS)]
    shown = np.concatenate([speech.spikes(audio) for audio in (given.audio, *variants)])
    train = (shown, np.tile(given.label, 1 + VARIANTS))
    heard = [speech.spikes([speech.at_speed(sound, speed) for sound in scored.audio]) for speed in SPEEDS]
    task = js.train.Classification(n_steps=speech.STEPS)
    right = {}
    for kind in ("", "_no_delays"):
        net = learn(network(seed, shown.shape[2], delays=not kind), train, task, seed)
        found = losses(net, heard, task)
        right[f"accuracy{kind}"] = float((found.argmin(axis=1) == scored.label).mean())
        if not kind:
            right["accuracy_adapted"] = float((adapted(found, scored.speaker).argmin(axis=1) == scored.label).mean())
    right["margin"] = right["accuracy"] - right["accuracy_no_delays"]
    return [Outcome(name, value, (EPOCHS + 1) * (1 + VARIANTS)) for name, value in right.items()]


def losses(net: js.Network, heard: list[Any], task: js.train.Classification) -> Any:
    """Mean loss of each digit, (recordings, 10); the spikes of a recording are heard several times."""

    @jax.jit
    def each(x: jax.Array) -> jax.Array:
        one = lambda x: jax.vmap(task.loss, (None, 0))(task.trace(net, x), jnp.arange(10))  # noqa: E731
        return jax.vmap(one)(x)

    n = len(heard[0])
    parts = [np.arange(k, min(k + 250, n)) for k in range(0, n, 250)]
    return sum(np.concatenate([np.asarray(each(x[part])) for part in parts]) for x in heard) / len(heard)


def adapted(losses: Any, speaker: Any) -> Any:
    """Losses and a number for each speaker and digit, with which the digits are equally likely in the mean."""
    losses = np.array(losses, float)
    for name in np.unique(speaker):
        own = losses[speaker == name]
        for _ in range(200):
            chance = np.exp(own.min(axis=1, keepdims=True) - own)
            chance /= chance.sum(axis=1, keepdims=True)
            own += np.log(np.maximum(chance.mean(axis=0), 1e-9) * own.shape[1])
        losses[speaker == name] = own
    return losses


def network(seed: int, channels: int, *, delays: bool) -> js.Network:
    """Two hidden layers, with trained delays before them or with none."""
    cell, surrogate = js.neurons.DiscreteLIF(decay=0.8), js.surrogate.SuperSpike(k=5.0)
    populations = {
        "in": js.Population(js.neurons.Relay(), channels),
        "hidden": js.Population(cell, HIDDEN, surrogate=surrogate),
        "second": js.Population(cell, HIDDEN, surrogate=surrogate),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.95), 10),
    }
    delay_ms = js.connect.TrainableDelay(max_ms=LONGEST_MS) if delays else 0.0

    def spread(inputs: int) -> js.connect.Dense:
        return js.connect.Dense(weight=js.connect.Normal(0.0, (0.15 * inputs) ** -0.5))

    projections = {
        "in_hidden": js.Projection("in", "hidden", spread(channels), delay_ms=delay_ms),
        "hidden_second": js.Projection("hidden", "second", spread(HIDDEN), delay_ms=delay_ms),
        "second_out": js.Projection("second", "out", js.connect.Dense()),
    }
    return js.Network(populations, projections, dt_ms=speech.COCHLEA.hop_ms, seed=seed)


def learn(net: js.Network, data: Spikes, task: js.train.Classification, seed: int) -> js.Network:
    """Weights and delays, then the weights with rounded delays."""
    steps = -(-len(data[1]) // BATCH)
    names = [f"{name}.delay_ms" for name in DELAYED if net.links[0].delays is not None]
    options: dict[str, Any] = {"batch_size": BATCH, "seed": seed}
    optimizer = optax.chain(
        optax.adam(optax.cosine_decay_schedule(RATE, EPOCHS * steps, 0.1)),
        js.train.scaled(net, dict.fromkeys(names, 1000.0)),
    )
    net, _ = js.train.fit(net, data, task, optimizer=optimizer, epochs=EPOCHS, parameters=names, **options)
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1 * RATE, steps))
    net, _ = js.train.fit(js.freeze(net), data, task, optimizer=optimizer, epochs=1, **options)
    return net
