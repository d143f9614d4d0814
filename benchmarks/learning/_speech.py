"""Spoken digits as spikes: recordings, many variants of each, and the front end."""

import dataclasses
import itertools
from typing import Any

import jax
import numpy as np

import jaxsyn as js

Floats = np.ndarray[Any, Any]

STEPS = 70
COCHLEA = js.encode.Cochlea(audio_rate_Hz=8000.0, n_bands=48, low_Hz=80.0, high_Hz=3800.0)


@dataclasses.dataclass(frozen=True)
class Recordings:
    """Recordings of spoken digits.

    Attributes:
        audio: Sound of each, a float array of its own length.
        label: Digit of each.
        speaker: Name of the speaker of each.
        index: Number of each within its speaker and digit.
    """

    audio: list[Floats]
    label: Floats
    speaker: Floats
    index: Floats

    def those(self, which: Floats) -> "Recordings":
        """Some of them, by truth."""
        audio = [sound for sound, one in zip(self.audio, which, strict=True) if one]
        return Recordings(audio, self.label[which], self.speaker[which], self.index[which])


def recordings(arrays: dict[str, Floats]) -> Recordings:
    """What a data file holds."""
    ends = arrays["offsets"]
    audio = [arrays["audio"][a:b].astype(np.float32) for a, b in itertools.pairwise(ends)]
    speaker = arrays["speaker_names"][arrays["speaker"]]
    return Recordings(audio, arrays["label"].astype(np.int32), speaker, arrays["index"])


def at_speed(audio: Floats, speed: float) -> Floats:
    """The recording played faster or slower: all its frequencies are multiplied by the speed."""
    played: Floats = np.interp(np.arange(0.0, len(audio) - 1.0, speed), np.arange(len(audio)), audio)
    return played


def varied(audio: Floats, rng: np.random.Generator) -> Floats:
    """The recording as somebody else might have made it: another speed and pitch, another microphone, some noise."""
    sound = at_speed(audio, 2.0 ** rng.uniform(-0.4, 0.4))
    sound = np.convolve(sound, [1.0, *rng.normal(0.0, 0.4, 3)], "same")
    sound += rng.normal(0.0, 10.0 ** rng.uniform(-4.0, -2.0) * np.abs(sound).max() + 1e-6, len(sound))
    return np.pad(sound, (int(rng.integers(0, 1200)), 0))


def _level(sound: Floats) -> Floats:
    """The recording without the tilt of its spectrum: each sample without what the one before tells of it."""
    before = np.concatenate([[0.0], sound[:-1]])
    flat: Floats = sound - (sound @ before) / max(sound @ sound, 1e-9) * before
    return flat


@jax.jit
def _encode(sound: jax.Array) -> jax.Array:
    return COCHLEA.encode(sound) > 0


def spikes(audio: list[Floats]) -> Floats:
    """Spikes of each recording, bool (recordings, STEPS, channels); what is longer is cut off."""
    samples = round((COCHLEA.window_ms + (STEPS - 1) * COCHLEA.hop_ms) * 1e-3 * COCHLEA.audio_rate_Hz)
    rows = np.zeros((len(audio), samples), np.float32)
    for row, sound in zip(rows, audio, strict=True):
        row[: min(len(sound), samples)] = _level(sound)[:samples]
    parts = [np.asarray(_encode(np.resize(rows[k : k + 250], (250, samples)))) for k in range(0, len(rows), 250)]
    return np.concatenate([part.swapaxes(0, 1) for part in parts])[: len(rows)]
