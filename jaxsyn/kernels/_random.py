"""Random numbers that are a function of (seed, stream, index, step) and of nothing else.

Each draw is a hash of its four coordinates, in integers only. So the same neuron draws the same number at the same
step whatever the chunking, batch, sharding, device or subset that computes it; there is no generator state to carry.
Seed, stream and step are folded into two key words once; three rounds of mixing are left for each index.
"""

import hashlib
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, ArrayLike, float_dtype

_ODD = tuple(np.uint32(word) for word in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))
# sqrt(2) erfinv(x) / x in f32, as a polynomial of w - 2.5 for w = -log(1 - x^2) < 5, and of sqrt(w) - 3.5 beyond;
# minimax fits of the relative error (1e-7 and 4e-7), highest power first.
_CENTER = (4.0305736e-08, 4.8601242e-07, -4.9900755e-06, -6.2171443e-06, 3.0914877e-04, -1.7730123e-03, -5.9081698e-03,
           3.4880266e-01, 2.1233137)  # fmt: skip
_TAIL = (-2.3912563e-04, 7.9856382e-04, -1.0976969e-03, 1.4115465e-03, -2.8491102e-03, 4.6694847e-03, 1.4246262,
         4.7170877)  # fmt: skip


def stream_id(name: str) -> int:
    """A number in [0, 2^32) for the name of a random stream, the same in every process and version.

    Args:
        name: For instance the path of a stimulus.
    Returns:
        A hash of the name (not Python's, which is salted).
    Example:
        >>> from jaxsyn import kernels
        >>> kernels.stream_id("background")
        2077232736
    """
    return int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest(), "little")


def _word(value: ArrayLike, name: str) -> Array:
    """A coordinate as uint32; int32 keeps its bits."""
    if isinstance(value, int | np.int64 | np.uint64):
        if not 0 <= value < 2**32:
            raise ValueError(f"{name}: got {value}, must lie in [0, 2**32)")
        return jnp.asarray(value, dtype=jnp.uint32)
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"{name}: got {array.dtype}, must be an integer; cast with astype")
    return array.astype(jnp.uint32)


def _mix(word: Array, key: Array | np.uint32 = _ODD[0]) -> Array:
    """A bijection of words in which each input bit flips each output bit with probability one half."""
    word = (word ^ (word >> 17)) * np.uint32(0xED5AD4BB)
    word = (word ^ (word >> 11) ^ key) * np.uint32(0xAC4C1B51)
    word = (word ^ (word >> 15)) * np.uint32(0x31848BAB)
    return word ^ (word >> 14)


def random_bits(seed: ArrayLike, stream: ArrayLike, index: ArrayLike, step: ArrayLike) -> Array:
    """32 random bits for each coordinate (seed, stream, index, step).

    Two key words are chained from seed, stream and step, in two orders, by full mixes (64 bits, so that two steps or
    streams do not meet). Each index then passes one mix of three multiply-xorshift rounds, the first key word before
    it and the second inside. For a given seed, stream and step the map of the index is one to one.

    Args:
        seed: Integer scalar (traced or not), uint32 or int32, or a Python int in [0, 2^32).
        stream: As seed; see `stream_id`.
        index: Integer array of any shape, such as the indices of neurons.
        step: As seed.
    Returns:
        uint32, the shape of index.
    Raises:
        ValueError: a coordinate is not an integer, or a Python int out of range.
    References:
        Wellons, hash-prospector (public domain): the shifts and multipliers of triple32.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.random_bits(0, kernels.stream_id("background"), jnp.arange(3), 7).tolist()
        [2578348387, 1000427769, 2689818995]
    """
    seed, stream, step = _word(seed, "seed"), _word(stream, "stream"), _word(step, "step")
    low = _mix(_mix(_mix(seed) + stream) + step)  # the step last: all before it leaves the loop over steps
    high = _mix(_mix(_mix(stream + _ODD[1]) + seed) ^ step)
    return _mix(_word(index, "index") * _ODD[2] + low, high)


def uniform(seed: ArrayLike, stream: ArrayLike, index: ArrayLike, step: ArrayLike) -> Array:
    """Uniform numbers in [0, 1): multiples of 2^-24 in float32, of 2^-32 in float64 (the same draws, cut later).

    Args:
        seed: As for `random_bits`.
        stream: As for `random_bits`.
        index: Integer array of any shape.
        step: As for `random_bits`.
    Returns:
        Float of the type in force, the shape of index.
    Raises:
        ValueError: as `random_bits`.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> u = kernels.uniform(0, 1, jnp.arange(1000), 0)
        >>> bool((u >= 0).all() & (u < 1).all())
        True
    """
    bits, dtype = random_bits(seed, stream, index, step), float_dtype()
    kept = 32 if dtype == jnp.float64 else 24
    high = bits >> (32 - kept)
    # Converting a signed number is several times faster than an unsigned one.
    number = high.astype(jnp.int32).astype(dtype) if kept < 32 else high.astype(dtype)
    return number * 2.0**-kept


def normal(seed: ArrayLike, stream: ArrayLike, index: ArrayLike, step: ArrayLike) -> Array:
    """Standard normal numbers, by the inverse distribution function of one word: |z| reaches 6.3.

    One bit is the sign, the others the tail probability p = (m + 1/2) 2^-32 in (0, 1/2), so that both tails are as
    accurate as the center (float32: relative error of z below 2e-6 for a given p).

    Args:
        seed: As for `random_bits`.
        stream: As for `random_bits`.
        index: Integer array of any shape.
        step: As for `random_bits`.
    Returns:
        Float of the type in force, the shape of index.
    Raises:
        ValueError: as `random_bits`.
    References:
        Giles (2012), Approximating the erfinv function, for the change of variable.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> z = kernels.normal(0, 1, jnp.arange(100000), 0)
        >>> bool(abs(z.mean()) < 0.01) and bool(abs(z.std() - 1.0) < 0.01)
        True
    """
    return _standard_normal(random_bits(seed, stream, index, step))


def _standard_normal(bits: Array) -> Array:
    """The quantile of one word: its sign, and the tail probability of the others."""
    dtype = float_dtype()
    p = ((bits & np.uint32(0x7FFFFFFF)).astype(jnp.int32).astype(dtype) + 0.5) * 2.0**-32
    x = 1.0 - 2.0 * p
    z = math.sqrt(2.0) * jax.lax.erf_inv(x) if dtype == jnp.float64 else x * _stretch(-jnp.log(4.0 * p * (1.0 - p)))
    return jnp.where(bits >> 31 == 1, -z, z)


def _stretch(w: Array) -> Array:
    """sqrt(2) erfinv(x) / x as a function of w = -log(1 - x^2), up to w = 22.3."""
    center, tail = jnp.zeros_like(w), jnp.zeros_like(w)
    for coefficient in _CENTER:
        center = center * (w - 2.5) + coefficient
    root = jnp.sqrt(w) - 3.5
    for coefficient in _TAIL:
        tail = tail * root + coefficient
    return jnp.where(w < 5.0, center, tail)


def bernoulli(seed: ArrayLike, stream: ArrayLike, index: ArrayLike, step: ArrayLike, p: ArrayLike) -> Array:
    """True with probability p.

    Args:
        seed: As for `random_bits`.
        stream: As for `random_bits`.
        index: Integer array of any shape.
        step: As for `random_bits`.
        p: Probability, scalar or the shape of index; resolved to 2^-32 absolute and the float's precision relative.
    Returns:
        Bool, the shape of index; never True for p <= 0, always for p >= 1.
    Raises:
        ValueError: as `random_bits`.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.bernoulli(0, 1, jnp.arange(4), 0, 1.0).tolist()
        [True, True, True, True]
    """
    p = jnp.asarray(p, dtype=float_dtype())
    return (random_bits(seed, stream, index, step) < _threshold(p)) | (p >= 1.0)


def poisson(
    seed: ArrayLike, stream: ArrayLike, index: ArrayLike, step: ArrayLike, survival: ArrayLike | Sequence[Array]
) -> Array:
    """Poisson counts, by the inverse distribution function of one word.

    The count is the number of k with u < P(X > k) 2^32: one comparison for each tabulated k, no loop, no logarithm.

    Args:
        seed: As for `random_bits`.
        stream: As for `random_bits`.
        index: Integer array (n,) or of any shape.
        step: As for `random_bits`.
        survival: Thresholds P(X > k) 2^32 from `poisson_survival`, uint32 (K,), or (K, n) for a rate of each neuron; or
            a list of its rows, which a loop over steps reads where they are instead of cutting them out each time.
    Returns:
        int32, the shape of index; at most K.
    Raises:
        ValueError: survival is not uint32 with a leading axis of thresholds.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> survival = kernels.poisson_survival(0.5, kernels.poisson_terms(0.5))
        >>> counts = kernels.poisson(0, 1, jnp.arange(100000), 0, survival)
        >>> bool(abs(counts.mean() - 0.5) < 0.01)
        True
    """
    if not isinstance(survival, list | tuple):
        table = jnp.asarray(survival)
        if table.ndim == 0 or table.dtype != jnp.uint32:
            raise ValueError(
                f"survival: got {table.dtype}{list(table.shape)}, must be uint32 (K,) or (K, n); see poisson_survival"
            )
        survival = list(table)
    bits = random_bits(seed, stream, index, step)
    count = jnp.zeros(bits.shape, jnp.int32)
    for threshold in survival:
        count = count + (bits < threshold).astype(jnp.int32)
    return count


def poisson_terms(lam_max: float) -> int:
    """How many thresholds a Poisson table needs: the least K with P(X > K) < 2^-32 at the largest mean.

    Args:
        lam_max: Largest mean count of a step.
    Returns:
        Static number of terms, at least 1.
    Raises:
        ValueError: lam_max is negative or not finite.
    Example:
        >>> from jaxsyn import kernels
        >>> kernels.poisson_terms(0.2), kernels.poisson_terms(10.0)
        (7, 35)
    """
    if not (math.isfinite(lam_max) and lam_max >= 0.0):
        raise ValueError(f"lam_max: got {lam_max}, must be finite and not negative")
    terms = max(1, math.floor(lam_max))
    while lam_max > 0.0:
        ratio = lam_max / (terms + 2)  # the tail is at most its first term, P(X = K + 1), over 1 - ratio
        first = (terms + 1) * math.log(lam_max) - lam_max - math.lgamma(terms + 2)
        if ratio < 1.0 and first - math.log1p(-ratio) < -32.0 * math.log(2.0):
            break
        terms += 1
    return terms


def poisson_survival(lam: ArrayLike, n_terms: int) -> Array:
    """Thresholds P(X > k) 2^32 of a Poisson count, k = 0 .. n_terms - 1, for `poisson`.

    Each probability from log P(X = j) = j (log q - q + 1) - log(j! e^j / j^j), q = lam / j, whose terms do not cancel;
    added up as whole numbers of 2^-48, so that a threshold does not depend on how many others there are.

    Args:
        lam: Mean count, not negative; scalar or (n,). May be traced.
        n_terms: Static number of thresholds, from `poisson_terms` of the largest mean.
    Returns:
        uint32 (n_terms,) or (n_terms, n).
    Raises:
        ValueError: n_terms is less than 1.
    Example:
        >>> from jaxsyn import kernels
        >>> [round(s / 2**32, 4) for s in kernels.poisson_survival(1.0, 3).tolist()]
        [0.6321, 0.2642, 0.0803]
    """
    if n_terms < 1:
        raise ValueError(f"n_terms: got {n_terms}, must be at least 1; see poisson_terms")
    lam = jnp.asarray(lam, dtype=float_dtype())
    beyond = 8 + n_terms // 2  # the sum behind the last threshold: terms down to 2^-48
    counts = np.arange(1, n_terms + beyond + 1, dtype=np.float64)
    log_peak = np.array([j * math.log(j) - j - math.lgamma(j + 1.0) for j in counts])
    shape = (-1,) + (1,) * lam.ndim
    j, peak = jnp.asarray(counts.reshape(shape), lam.dtype), jnp.asarray(log_peak.reshape(shape), lam.dtype)
    q = lam[None] / j
    distance = jnp.where(q < 0.5, jnp.log(q) - q + 1.0, jnp.log1p(q - 1.0) - (q - 1.0))
    return _sum_from_end(jnp.exp(j * distance + peak))[:n_terms]


def _sum_from_end(probability: Array) -> Array:
    """Sums of probabilities from each to the last, times 2^32, rounded; the largest number where it would not fit.

    The sums are of whole numbers, 31 bits before the point and 17 behind, so that their order does not matter.
    """
    scaled = probability * 2.0**31
    high = jnp.floor(scaled)
    words = jnp.stack([high, jnp.floor((scaled - high) * 2.0**17)]).astype(jnp.uint32)
    high_sum, low_sum = jnp.cumsum(words[:, ::-1], axis=1, dtype=jnp.uint32)[:, ::-1]
    low_sum = low_sum + jnp.uint32(2**15)
    total = 2 * high_sum + (low_sum >> 16)
    return jnp.where(high_sum + (low_sum >> 17) >= jnp.uint32(2**31), jnp.uint32(2**32 - 1), total)


def _threshold(probability: Array) -> Array:
    """probability * 2^32 as uint32, the largest float below 2^32 where it would not fit."""
    largest = 2.0**32 - (1.0 if probability.dtype == jnp.float64 else 2.0**8)
    return jnp.clip(jnp.round(probability * 2.0**32), 0.0, largest).astype(jnp.uint32)
