"""Spoken digits: a cochlea, and two layers whose synapses learn weights and delays.

    python docs/examples/spoken_digits.py DIR [EPOCHS]

DIR holds fsdd.npz (Free Spoken Digit Dataset, doi 10.5281/zenodo.1342401, CC BY-SA 4.0): audio of all recordings one
after the other, their offsets, label and index. Recordings with index below 10 are held out; the others are learned
from as they are and at four other speeds.
"""

import itertools
import sys

import jax
import numpy as np
import optax

import jaxsyn as js

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8
STEPS, BANDS = 70, 48
cochlea = js.encode.Cochlea(audio_rate_Hz=8000.0, n_bands=BANDS, low_Hz=80.0, high_Hz=3800.0)
with np.load(f"{folder}/fsdd.npz") as file:
    audio, y, index = file["audio"].astype(np.float32), file["label"].astype(np.int32), file["index"]
    recordings = [audio[a:b] for a, b in itertools.pairwise(file["offsets"])]


def spikes(speed: float) -> np.ndarray:
    """All recordings at another speed, (recordings, steps, channels)."""
    sound = np.zeros((len(recordings), round((cochlea.window_ms + (STEPS - 1) * cochlea.hop_ms) * 8)), np.float32)
    for row, one in zip(sound, recordings, strict=True):
        one = np.interp(np.arange(0, len(one) - 1, speed), np.arange(len(one)), one)
        row[: len(one)] = one[: len(row)]
    encode = jax.jit(lambda sound: cochlea.encode(sound) > 0)
    return np.concatenate([np.asarray(encode(sound[k : k + 250])).swapaxes(0, 1) for k in range(0, len(sound), 250)])


shown, held = index >= 10, index < 10
slow_and_fast = [spikes(speed)[shown] for speed in (0.8, 0.9, 1.0, 1.1, 1.25)]
train = (np.concatenate(slow_and_fast), np.tile(y[shown], len(slow_and_fast)))
test = (spikes(1.0)[held], y[held])
channels = train[0].shape[2]

cell, surrogate = js.neurons.DiscreteLIF(decay=0.8), js.surrogate.SuperSpike(k=5.0)
delay_ms = js.connect.TrainableDelay(max_ms=150.0)
dense = {n: js.connect.Dense(weight=js.connect.Normal(0.0, (0.15 * n) ** -0.5)) for n in (channels, 128)}
net = js.Network(
    populations={
        "in": js.Population(js.neurons.Relay(), channels),
        "first": js.Population(cell, 128, surrogate=surrogate),
        "second": js.Population(cell, 128, surrogate=surrogate),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=0.95), 10),
    },
    projections={
        "in_first": js.Projection("in", "first", dense[channels], delay_ms=delay_ms),
        "first_second": js.Projection("first", "second", dense[128], delay_ms=delay_ms),
        "second_out": js.Projection("second", "out", js.connect.Dense()),
    },
    dt_ms=cochlea.hop_ms,
)
task = js.train.Classification(n_steps=STEPS)
names = ["in_first.delay_ms", "first_second.delay_ms"]
rate = optax.cosine_decay_schedule(3e-3, epochs * -(-len(train[1]) // 64), 0.1)
optimizer = optax.chain(optax.adam(rate), js.train.scaled(net, dict.fromkeys(names, 1000.0)))
options = {"epochs": epochs, "batch_size": 64, "parameters": names, "progress": True}
net, _ = js.train.fit(net, train, task, optimizer=optimizer, **options)
found = js.train.frozen(net, test, task)
print(f"spoken digits: {found.accuracy_before:.1%} of {len(test[1])}, {found.accuracy_after:.1%} with rounded delays")
