"""Counter-based random numbers: what they are a function of, and that they look random in every direction."""

from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import strategies as st

from jaxsyn import kernels
from jaxsyn.kernels._random import _standard_normal
from tests.kernels.reference import each_precision

WORDS = ("seed", "stream", "index", "step")
BITS = jax.jit(jax.vmap(kernels.random_bits))
word = st.integers(0, 2**32 - 1)


def draw(**ranges: Any) -> Any:
    """Bits of a grid of coordinates; those not given are 0."""
    coordinates = np.broadcast_arrays(*(np.asarray(ranges.get(name, 0), np.uint32) for name in WORDS))
    return np.asarray(BITS(*(c.ravel() for c in coordinates))).reshape(coordinates[0].shape)


def test_values_are_frozen() -> None:
    """A change of these numbers changes every stochastic simulation: it needs a new major version."""
    assert kernels.stream_id("background") == 2077232736
    got = kernels.random_bits(2**32 - 1, kernels.stream_id("background"), np.arange(3), 7)
    assert np.asarray(got).tolist() == GOLDEN


GOLDEN = [4185282246, 2031425584, 2423815408]


@hypothesis.given(word, word, word, word)
def test_a_draw_depends_on_its_coordinates_only(seed: int, stream: int, index: int, step: int) -> None:
    """Not on the others drawn with it, on jit, on vmap, or on how the integers are typed."""
    indices = np.array([index, (index + 1) % 2**32, 5], np.uint32)
    together = draw(seed=seed, stream=stream, index=indices, step=step)
    alone = kernels.random_bits(seed, np.uint32(stream), np.uint32(index), jnp.uint32(step))
    signed = kernels.random_bits(np.uint32(seed).astype(np.int32), stream, indices.astype(np.int32), step)
    assert int(alone) == int(together[0])
    np.testing.assert_array_equal(np.asarray(signed), together)


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("largest", [1000, 2**32])
def test_every_bit_of_every_word_avalanches(name: str, largest: int) -> None:
    """Flipping one input bit flips each output bit in half of the cases, for small and for arbitrary coordinates."""
    n, rng = 20000, np.random.default_rng(0)
    coordinates = {key: rng.integers(0, largest, n, dtype=np.uint64).astype(np.uint32) for key in WORDS}
    base = draw(**coordinates)
    for bit in range(32):
        flipped = draw(**coordinates | {name: coordinates[name] ^ np.uint32(1 << bit)})
        rates = ((base ^ flipped)[:, None] >> np.arange(32, dtype=np.uint32) & 1).mean(0)
        assert np.abs(rates - 0.5).max() < 5.0 * 0.5 / np.sqrt(n), bit


def chi2(table: Any) -> float:
    """Chi-square of equal cells, as a standard normal deviate."""
    expected, freedom = table.sum() / table.size, table.size - 1
    return float((((table - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2.0 * freedom))


def pairs(one: Any, other: Any, shift: int) -> Any:
    """Joint histogram of 6 bits of each word."""
    low, high = (((bits >> np.uint32(shift)) & np.uint32(63)).astype(int) for bits in (one, other))
    return np.bincount(low * 64 + high, minlength=64 * 64)


@pytest.mark.parametrize("name", WORDS)
def test_runs_along_each_word_are_uniform_and_uncorrelated(name: str) -> None:
    n = 1 << 18
    bits = draw(**{name: np.arange(n)})
    assert abs(chi2(np.bincount(bits >> 22, minlength=1024))) < 4.0
    assert abs(chi2(np.bincount(bits & 1023, minlength=1024))) < 4.0
    centered = bits / 2.0**32 - 0.5
    for lag in (1, 2, 3, 16, 1000):
        assert abs(12.0 * np.mean(centered[:-lag] * centered[lag:]) * np.sqrt(n)) < 4.5, lag
        for shift in (0, 13, 26):
            assert abs(chi2(pairs(bits[:-lag], bits[lag:], shift))) < 4.5, (lag, shift)


@pytest.mark.parametrize("name", ["seed", "stream", "step"])
def test_neighboring_sequences_are_independent(name: str) -> None:
    """500 consecutive seeds, streams or steps, 500 neurons each: every pair of rows and of columns."""
    values = draw(**{name: np.arange(500)[:, None], "index": np.arange(500)[None, :]}) / 2.0**32 - 0.5
    for table in (values, values.T):
        correlations = 12.0 * (table @ table.T) / 500.0
        deviates = correlations[np.triu_indices(500, 1)] * np.sqrt(500.0)
        assert np.abs(deviates).max() < 6.0
        assert abs(np.mean(deviates**2) - 1.0) < 0.02
        assert abs((table.mean(1) * np.sqrt(12.0 * 500.0)).std() - 1.0) < 0.12


def test_exchanged_words_give_other_numbers() -> None:
    seen = [
        draw(**dict(zip(order, (3, 5, 7, 11), strict=True))) for order in (WORDS, WORDS[::-1], (*WORDS[2:], *WORDS[:2]))
    ]
    assert len({int(bits) for bits in seen}) == 3


def test_indices_of_one_step_never_collide() -> None:
    assert np.unique(draw(seed=3, stream=4, index=np.arange(1 << 18), step=5)).size == 1 << 18


def test_stream_ids_are_distinct_and_stable() -> None:
    ids = {kernels.stream_id(f"population {i}") for i in range(2000)}
    assert len(ids) == 2000
    assert all(0 <= i < 2**32 for i in ids)


@each_precision
def test_uniform_is_flat_in_its_type_and_its_range(dtype: str) -> None:
    with jax.enable_x64(dtype == "float64"):
        u = np.asarray(kernels.uniform(1, 2, np.arange(1 << 16), 3))
    assert u.dtype == dtype
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3
    bits = draw(seed=1, stream=2, index=np.arange(1 << 16), step=3)
    np.testing.assert_allclose(u, bits / 2.0**32, rtol=0.0, atol=2.0**-24)


@each_precision
def test_normal_quantiles_are_exact_to_the_last_word(dtype: str) -> None:
    """Against the inverse distribution function at the probability that each word stands for, both tails."""
    magnitudes = np.concatenate([np.arange(64), 2 ** np.arange(6, 31), 2**31 - 1 - np.arange(64)])
    magnitudes = np.concatenate([magnitudes, np.random.default_rng(0).integers(0, 2**31, 5000)]).astype(np.uint32)
    with jax.enable_x64(dtype == "float64"):
        positive = np.asarray(_standard_normal(jnp.asarray(magnitudes)))
        negative = np.asarray(_standard_normal(jnp.asarray(magnitudes | np.uint32(2**31))))
    expected = -scipy.special.ndtri((magnitudes + 0.5) * 2.0**-32)
    assert positive.dtype == dtype
    np.testing.assert_array_equal(negative, -positive)
    tolerance = {"rtol": 2e-6, "atol": 2e-7} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-15}
    np.testing.assert_allclose(positive, expected, **tolerance)


def test_normal_is_normal() -> None:
    z = np.asarray(kernels.normal(1, 2, np.arange(1 << 18), 3)).astype(float)
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert abs(scipy.stats.kurtosis(z)) < 0.05
    tail = 2.0 * scipy.stats.norm.sf(4.0) * z.size
    assert abs(np.sum(np.abs(z) > 4.0) - tail) < 5.0 * np.sqrt(tail)


def test_bernoulli_keeps_small_and_extreme_probabilities() -> None:
    index = np.arange(1 << 20)
    for p in (1e-4, 0.3, 0.999):
        hits = int(np.asarray(kernels.bernoulli(1, 2, index, 3, p)).sum())
        assert abs(hits - p * index.size) < 5.0 * np.sqrt(p * (1.0 - p) * index.size)
    assert not np.asarray(kernels.bernoulli(1, 2, index, 3, 0.0)).any()
    assert np.asarray(kernels.bernoulli(1, 2, index, 3, 1.0)).all()
    each = np.asarray(kernels.bernoulli(1, 2, np.arange(4), 3, np.array([0.0, 1.0, -1.0, 2.0], np.float32)))
    assert each.tolist() == [False, True, False, True]


@each_precision
@pytest.mark.parametrize("lam", [0.0, 1e-6, 1e-3, 0.2, 1.0, 5.0, 30.0, 100.0, 700.0])
def test_poisson_thresholds_are_the_survival_function(lam: float, dtype: str) -> None:
    terms = kernels.poisson_terms(lam)
    assert scipy.stats.poisson.sf(terms, lam) < 2.0**-32
    assert terms == 1 or scipy.stats.poisson.sf(terms - 2, lam) > 2.0**-32  # and hardly one more than it takes
    with jax.enable_x64(dtype == "float64"):
        survival = np.asarray(kernels.poisson_survival(lam, terms))
    assert survival.dtype == np.uint32
    expected = scipy.stats.poisson.sf(np.arange(terms), lam) * 2.0**32
    relative = 1e-9 if dtype == "float64" else 1e-6 + 3e-8 * lam
    assert np.all(
        np.abs(survival - expected)
        <= 0.51 + relative * expected + (256.0 if dtype == "float32" else 1.0) * (expected > 2**31)
    )


@pytest.mark.parametrize("lam", [0.01, 0.7, 4.0, 40.0])
def test_poisson_counts_are_distributed_so(lam: float) -> None:
    n = 1 << 18
    counts = np.asarray(
        kernels.poisson(1, 2, np.arange(n), 3, kernels.poisson_survival(lam, kernels.poisson_terms(lam)))
    )
    assert counts.dtype == np.int32
    assert abs(counts.mean() - lam) < 5.0 * np.sqrt(lam / n)
    observed = np.bincount(counts)
    expected = n * scipy.stats.poisson.pmf(np.arange(observed.size), lam)
    kept = expected > 5.0
    deviation = (((observed - expected) ** 2 / expected)[kept].sum() - kept.sum()) / np.sqrt(2.0 * kept.sum())
    assert abs(deviation) < 4.5


def test_poisson_rates_may_differ_between_neurons_and_be_traced() -> None:
    rates = np.array([0.0, 0.1, 2.0], np.float32)
    survival = jax.jit(lambda lam: kernels.poisson_survival(lam, kernels.poisson_terms(2.0)))(rates)
    draws = jax.vmap(lambda step: kernels.poisson(1, 2, np.arange(3), step, survival))(jnp.arange(20000))
    means = np.asarray(draws).mean(0)
    assert means[0] == 0.0
    np.testing.assert_allclose(means, rates, atol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.random_bits(-1, 0, 0, 0), r"seed: got -1, must lie in \[0, 2\*\*32\)"),
        (lambda: kernels.random_bits(0, 2**32, 0, 0), "stream: got 4294967296, must lie in"),
        (lambda: kernels.random_bits(0, 0, np.zeros(3, np.float32), 0), "index: got float32, must be an integer"),
        (lambda: kernels.poisson(0, 0, 0, 0, np.zeros((), np.uint32)), r"survival: got uint32\[\]"),
        (lambda: kernels.poisson(0, 0, 0, 0, np.zeros(3, np.int32)), r"survival: got int32\[3\]"),
        (lambda: kernels.poisson_terms(-1.0), "lam_max: got -1.0, must be finite and not negative"),
        (lambda: kernels.poisson_terms(float("nan")), "lam_max: got nan"),
        (lambda: kernels.poisson_survival(1.0, 0), "n_terms: got 0, must be at least 1"),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
