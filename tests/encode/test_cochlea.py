"""The auditory front end: the right channel for a tone, against NumPy, whatever the loudness."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

RATE = 8000.0
EAR = js.encode.Cochlea(RATE, 32)


def tone(f_Hz, ms=500, amplitude=1.0):
    return (amplitude * np.sin(2 * np.pi * f_Hz * np.arange(int(ms * RATE / 1000)) / RATE)).astype(np.float32)


@pytest.mark.parametrize("channel", [0, 3, 10, 20, 31])
@pytest.mark.parametrize("amplitude", [1e-3, 1.0, 3e4])
def test_a_tone_at_the_center_of_a_channel_fires_it_most(channel, amplitude):
    spikes = np.asarray(EAR.encode(tone(EAR.centers_Hz[channel], amplitude=amplitude)))
    counts = spikes[:, :32].sum(axis=0)
    assert counts[channel] == counts.max() > 0.3 * len(spikes)
    assert (counts == counts.max()).sum() <= 2  # neighbors share a bin where bands are narrow
    level = np.asarray(EAR.levels(tone(EAR.centers_Hz[channel], amplitude=amplitude)))
    assert int(level.mean(axis=0).argmax()) == channel
    assert counts[np.abs(np.arange(32) - channel) > 8].sum() < counts[channel]


def test_levels_against_numpy():
    sound = np.random.default_rng(0).normal(size=1234).astype(np.float32) * np.linspace(0, 1, 1234, dtype=np.float32)
    steps = 1 + -(-(1234 - 200) // 80)
    padded = np.zeros((steps - 1) * 80 + 200)
    padded[:1234] = sound
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, 201) / 201)
    mel = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (60.0, 4000.0)), 34)
    edges = 700 * (10 ** (mel / 2595) - 1)
    power = np.zeros((steps, 32))
    for t in range(steps):
        spectrum = np.abs(np.fft.rfft(padded[80 * t : 80 * t + 200] * window, 512)) ** 2
        f = np.arange(257) * RATE / 512
        for b in range(32):
            weight = np.interp(f, edges[b : b + 3], [0, 1, 0], left=0, right=0)
            power[t, b] = (spectrum * weight).sum() / weight.sum()
    want = np.clip(1 + 10 * np.log10(power / power.max() + 1e-30) / 60, 0, 1)
    np.testing.assert_allclose(EAR.levels(sound), want, atol=2e-5)


def test_loudness_and_batches_change_nothing():
    sounds = np.stack([tone(500.0), tone(2000.0), np.random.default_rng(1).normal(size=4000).astype(np.float32)])
    spikes = EAR.encode(sounds)
    assert spikes.shape == (49, 3, 64)
    np.testing.assert_array_equal(spikes, jax.jit(EAR.encode)(sounds * np.float32(4.0)))
    np.testing.assert_array_equal(spikes, jnp.swapaxes(jax.vmap(EAR.encode)(jnp.asarray(sounds)), 0, 1))
    np.testing.assert_array_equal(spikes[:, 2], EAR.encode(sounds[2]))
    np.testing.assert_array_equal(spikes, EAR.encode(sounds))
    assert EAR.encode((tone(500.0) * 3e4).astype(np.int16)).shape == (49, 64)


def test_silence_and_short_sounds():
    assert EAR.encode(np.zeros(4000, np.float32)).sum() == 0
    assert EAR.encode(np.ones(1, np.float32)).shape == (1, 64)
    assert EAR.encode(tone(500.0, ms=25)).shape[0] == 1
    assert EAR.encode(tone(500.0, ms=26)).shape[0] == 2


def test_onset_channels_fire_at_onsets_alone():
    sound = np.concatenate([np.zeros(2000, np.float32), tone(1000.0, 500), np.zeros(2000, np.float32)])
    spikes = np.asarray(EAR.encode(sound))
    band = int(np.argmin(np.abs(EAR.centers_Hz - 1000.0)))
    steady, onset = np.flatnonzero(spikes[:, band]), np.flatnonzero(spikes[:, 32 + band])
    assert onset.size
    assert onset.max() <= 30
    assert steady.max() > 60
    assert spikes[:20].sum() == 0
    assert js.encode.Cochlea(RATE, 32, gain_onset=0.0).encode(sound).shape == (99, 32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: js.encode.Cochlea(0.0), "audio_rate_Hz: got 0.0"),
        (lambda: js.encode.Cochlea(RATE, 0), "n_bands: got 0"),
        (lambda: js.encode.Cochlea(RATE, high_Hz=4001.0), "half the sampling rate"),
        (lambda: js.encode.Cochlea(RATE, low_Hz=4000.0), "low_Hz < high_Hz"),
        (lambda: js.encode.Cochlea(RATE, window_ms=0.1), "a window has 1 samples"),
        (lambda: js.encode.Cochlea(RATE, gain=0.0), "gain: got 0.0"),
        (lambda: EAR.encode(np.zeros((2, 0), np.float32)), "at least one sample"),
        (lambda: EAR.encode(np.array([0.0, np.nan], np.float32)), r"audio\[1\] is nan"),
    ],
)
def test_wrong_parameters_and_sounds(make, message):
    with pytest.raises(ValueError, match=message):
        make()
