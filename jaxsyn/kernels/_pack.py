"""Spikes as bits: 32 neurons in a word, neuron 32 w + b in bit b of word w."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .._core import Array, ArrayLike
from ._library import require_native
from ._primitive import Operand, batch_rows, define_kernel

WORD = 32


def _bits(shape: tuple[int, ...]) -> Array:
    """0 .. 31 along a new last axis."""
    return jax.lax.broadcasted_iota(jnp.uint32, (*shape, WORD), len(shape))


def _pack(spikes: Any) -> list[Array]:
    lead, n = spikes.shape[:-1], spikes.shape[-1]
    width = -(-n // WORD)
    padded = jnp.pad(spikes, [(0, 0)] * len(lead) + [(0, width * WORD - n)]).reshape(*lead, width, WORD)
    return [jnp.sum(padded.astype(jnp.uint32) << _bits((*lead, width)), axis=-1, dtype=jnp.uint32)]


def _infer(spikes: Any) -> list[jax.core.ShapedArray]:
    return [jax.core.ShapedArray((*spikes.shape[:-1], -(-spikes.shape[-1] // WORD)), jnp.uint32)]


_pack_p = define_kernel("pack", (Operand.LANES,), _infer, _pack)
batch_rows(_pack_p)


def pack(spikes: ArrayLike, *, native: bool) -> Array:
    """Spikes as bits, 32 to a word: an eighth of the memory of booleans, and faster to record.

    Args:
        spikes: Bool (..., n).
        native: Use the native CPU kernel where the computation runs on a CPU.
    Returns:
        Words, uint32 (..., ceil(n / 32)); bit b of word w is neuron 32 w + b, bits beyond n are 0.
    Raises:
        ValueError: spikes is not bool or has no axis; native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.pack(jnp.array([True, False, True]), native=False).tolist()
        [5]
    """
    spikes = jnp.asarray(spikes)
    if spikes.ndim == 0 or spikes.dtype != jnp.bool_:
        raise ValueError(f"spikes: got {spikes.dtype}{list(spikes.shape)}, must be bool with an axis; pass spikes > 0")
    results: list[Array] = _pack_p.bind(spikes, native=require_native(native))
    return results[0]


def unpack(words: ArrayLike, n: int) -> Array:
    """Bits back to spikes: the inverse of `pack`.

    Args:
        words: uint32 (..., ceil(n / 32)).
        n: Number of neurons.
    Returns:
        Bool (..., n).
    Raises:
        ValueError: words is not uint32, or its last axis does not hold n bits.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.unpack(jnp.array([5], jnp.uint32), 3).tolist()
        [True, False, True]
    """
    words = jnp.asarray(words)
    _check_words(words, n)
    bits: Array = (words[..., None] >> _bits(words.shape)) & jnp.uint32(1)
    return bits.reshape(*words.shape[:-1], words.shape[-1] * WORD)[..., :n].astype(jnp.bool_)


def unpack_events(words: NDArray[np.uint32], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Packed spikes of many steps as a list of events, on the host; cost goes with the words that hold a spike.

    Args:
        words: uint32 (steps, ceil(n / 32)).
        n: Number of neurons.
    Returns:
        Steps and neurons, int64 (events,) each, ascending by (step, neuron).
    Raises:
        ValueError: words is not uint32 with two axes, or its last axis does not hold n bits.
    Example:
        >>> import numpy as np
        >>> from jaxsyn import kernels
        >>> steps, neurons = kernels.unpack_events(np.array([[5], [0], [2]], np.uint32), 3)
        >>> steps.tolist(), neurons.tolist()
        ([0, 0, 2], [0, 2, 1])
    """
    words = np.asarray(words)
    _check_words(words, n)
    if words.ndim != 2:
        raise ValueError(f"words: got shape {words.shape}, must be (steps, words)")
    steps, places = np.nonzero(words)
    octets = words[steps, places].astype("<u4").view(np.uint8).reshape(-1, 4)
    entry, bit = np.nonzero(np.unpackbits(octets, axis=1, bitorder="little"))
    neurons = places[entry].astype(np.int64) * WORD + bit
    inside = neurons < n
    return steps[entry][inside].astype(np.int64), neurons[inside]


def _check_words(words: Any, n: int) -> None:
    width = math.ceil(n / WORD)
    if words.dtype != np.uint32 or words.ndim == 0 or words.shape[-1] != width:
        raise ValueError(f"words: got {words.dtype}{list(words.shape)}, must be uint32 (..., {width}) for n = {n}")
