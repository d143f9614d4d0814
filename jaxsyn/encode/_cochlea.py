"""A simple auditory front end: sound to the spikes of frequency channels."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype
from ._base import AbstractEncoder, flat, number, numbers, whole


@dataclasses.dataclass(frozen=True)
class Cochlea(AbstractEncoder):
    """Mel bands of the power spectrum, each driving a leaky integrate-and-fire channel, and one for its onsets.

    The power P of each band in windows of the sound becomes a level l = 1 + 10 log10(P / max P) / range_dB, at least
    0: loudness of the recording does not matter. Then u = exp(-hop/tau) v + gain l, s = [u >= 1], v = u - s; the onset
    channels get gain_onset max(l_t - l_{t-1}, 0) instead of gain l. One step is one hop. For research on coding, not a
    model of the inner ear.

    Args:
        audio_rate_Hz: Sampling rate of the sound, Hz.
        n_bands: Mel bands, >= 1; channels 0 to n_bands - 1 are theirs, from low to high, then those of the onsets.
        low_Hz: Lower edge of the lowest band, Hz, >= 0.
        high_Hz: Upper edge of the highest band, Hz, at most half the sampling rate, which is the default.
        window_ms: Length of a window (Hann), ms.
        hop_ms: Distance of windows, ms: the step of the spikes.
        range_dB: Level below the loudest band and window at which nothing is heard.
        tau_ms: Time constant of the channels, ms, > 0.
        gain: Drive of a channel at the loudest level.
        gain_onset: Drive of an onset channel for a rise over the whole range; 0 leaves these channels out.
    Raises:
        ValueError: A parameter is out of range, or a window is shorter than two samples; at encode: no sample, or
            samples that are not finite.
    References:
        O'Shaughnessy (1987), Speech Communication (mel scale, 2595 log10(1 + f/700)); Cramer, Stradmann, Schemmel and
        Zenke (2022), IEEE TNNLS 33:2744 (spikes of spoken digits, from a model of the inner ear).
    Example:
        >>> import jaxsyn as js, numpy as np
        >>> cochlea = js.encode.Cochlea(audio_rate_Hz=8000.0, n_bands=16)
        >>> tone = np.sin(2 * np.pi * 1000.0 * np.arange(4000) / 8000.0)
        >>> spikes = cochlea.encode(tone)
        >>> spikes.shape, int(spikes[:, :16].sum(0).argmax()) == int(abs(cochlea.centers_Hz - 1000.0).argmin())
        ((49, 32), True)
    """

    audio_rate_Hz: float
    n_bands: int = 64
    low_Hz: float = 60.0
    high_Hz: float | None = None
    window_ms: float = 25.0
    hop_ms: float = 10.0
    range_dB: Any = number(60.0, above=0.0)
    tau_ms: Any = number(20.0, above=0.0)
    gain: Any = number(1.0, above=0.0)
    gain_onset: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Cochlea", "n_bands", self.n_bands)
        for name, low in (("audio_rate_Hz", False), ("window_ms", False), ("hop_ms", False), ("gain_onset", True)):
            value = getattr(self, name)
            good = isinstance(value, float | int | np.number) and not isinstance(value, bool)
            if not good or not (0 < value < np.inf or (low and value == 0)):
                raise ValueError(f"Cochlea.{name}: got {value!r}; allowed: a finite number {'>=' if low else '>'} 0")
        if not 0 <= self.low_Hz < self._top_Hz <= self.audio_rate_Hz / 2:
            raise ValueError(
                f"Cochlea.low_Hz, high_Hz: got {self.low_Hz} and {self.high_Hz}; allowed: 0 <= low_Hz < high_Hz <= "
                f"{self.audio_rate_Hz / 2:g}, half the sampling rate"
            )
        if self._window < 2 or self._hop < 1:
            raise ValueError(
                f"Cochlea: a window has {self._window} samples and a hop {self._hop}; allowed: at least 2 and 1; "
                "lengthen window_ms or hop_ms"
            )

    @property
    def _top_Hz(self) -> float:
        return self.audio_rate_Hz / 2 if self.high_Hz is None else self.high_Hz

    @property
    def _window(self) -> int:
        return round(self.window_ms * self.audio_rate_Hz * 1e-3)

    @property
    def _hop(self) -> int:
        return round(self.hop_ms * self.audio_rate_Hz * 1e-3)

    @property
    def _edges_Hz(self) -> np.ndarray[Any, Any]:
        """Frequencies at which bands begin, peak and end: evenly spaced in mel."""
        low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (self.low_Hz, self._top_Hz))
        edges: np.ndarray[Any, Any] = 700.0 * (10.0 ** (np.linspace(low, high, self.n_bands + 2) / 2595.0) - 1.0)
        return edges

    @property
    def centers_Hz(self) -> np.ndarray[Any, Any]:
        """Frequency at which each band peaks, Hz, (n_bands,)."""
        return self._edges_Hz[1:-1]

    def levels(self, audio: Any) -> Array:
        """Level of each band in each window, in 0 to 1, (T, ..., n_bands), of sound (..., samples)."""
        sound = flat("Cochlea", numbers("Cochlea", "audio", audio))
        if not sound.ndim or not sound.shape[-1]:
            raise ValueError(f"Cochlea: audio has shape {sound.shape}; allowed: (..., samples), at least one sample")
        steps = 1 + max(0, -(-(sound.shape[-1] - self._window) // self._hop))
        missing = (steps - 1) * self._hop + self._window - sound.shape[-1]
        sound = jnp.pad(sound, [(0, 0)] * (sound.ndim - 1) + [(0, missing)])
        at = np.arange(steps)[:, None] * self._hop + np.arange(self._window)
        frames = sound[..., at] * jnp.asarray(np.hanning(self._window + 2)[1:-1], sound.dtype).reshape(
            (1,) * sound.ndim + (-1,)
        )
        length, bank = _mel_bank(tuple(self._edges_Hz), self._window, self.audio_rate_Hz)
        power = jnp.abs(jnp.fft.rfft(frames, n=length)) ** 2 @ jnp.asarray(bank, sound.dtype)
        most = jnp.max(power, axis=(-2, -1), keepdims=True)
        relative = power / jnp.where(most > 0, most, 1.0)
        level = jnp.clip(1.0 + 10.0 * jnp.log10(relative) / self.range_dB, 0.0, 1.0)
        return jnp.moveaxis(level, -2, 0)

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n_bands or 2 n_bands) of sound (..., samples).

        T is the number of windows that cover the sound, its end filled up with silence. Pad or cut recordings to one
        length to put them into one array.
        """
        level = self.levels(x)
        drive = self.gain * level
        if self.gain_onset:
            rise = jnp.maximum(jnp.diff(level, axis=0, prepend=jnp.zeros_like(level[:1])), 0.0)
            drive = jnp.concatenate([drive, self.gain_onset * rise], axis=-1)
        decay = jnp.exp(-self.hop_ms / jnp.asarray(self.tau_ms, float_dtype()))

        def step(v: Array, now: Array) -> tuple[Array, Array]:
            u = decay * v + now
            spikes = (u >= 1.0).astype(u.dtype)
            return u - spikes, spikes

        spikes: Array = jax.lax.scan(step, jnp.zeros_like(drive[0]), drive)[1]
        return spikes


@functools.lru_cache(maxsize=16)
def _mel_bank(edges_Hz: tuple[float, ...], window: int, audio_rate_Hz: float) -> tuple[int, np.ndarray[Any, Any]]:
    """Length of the transform, and triangular bands (frequencies, bands); none falls between two frequencies."""
    edges = np.asarray(edges_Hz)
    narrowest = np.diff(edges).min()
    length = 1 << (max(window, int(np.ceil(2.0 * audio_rate_Hz / narrowest))) - 1).bit_length()
    f = np.fft.rfftfreq(length, 1.0 / audio_rate_Hz)[:, None]
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    bank = np.maximum(0.0, np.minimum((f - low) / (peak - low), (high - f) / (high - peak)))
    return length, bank / bank.sum(axis=0)
