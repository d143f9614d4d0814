"""Spikes as bits: pack, unpack, and events on the host."""

from typing import Any

import hypothesis
import hypothesis.extra.numpy as hnp
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxsyn import kernels
from tests.kernels.reference import each_form

SPIKES = hnp.arrays(
    bool, st.sampled_from([(0,), (1,), (31,), (32,), (33,), (100,), (3, 70), (2, 2, 64), (0, 5), (4, 0)])
)


@each_form
@hypothesis.given(SPIKES)
def test_bits_are_those_of_numpy_and_come_back(native: bool, spikes: Any) -> None:
    n = spikes.shape[-1]
    words = kernels.pack(spikes, native=native)
    padded = np.zeros((*spikes.shape[:-1], -(-n // 32) * 32), bool)
    padded[..., :n] = spikes
    octets = np.packbits(padded, axis=-1, bitorder="little")
    expected = octets.view("<u4") if octets.size else np.zeros((*octets.shape[:-1], octets.shape[-1] // 4), np.uint32)
    assert words.dtype == np.uint32
    np.testing.assert_array_equal(np.asarray(words), expected)
    np.testing.assert_array_equal(np.asarray(kernels.unpack(words, n)), spikes)


@each_form
def test_vmap_over_any_axis(native: bool) -> None:
    spikes = np.random.default_rng(0).random((40, 3)) < 0.5
    words = jax.jit(jax.vmap(lambda s: kernels.pack(s, native=native), 1))(spikes)
    np.testing.assert_array_equal(np.asarray(words), np.asarray(kernels.pack(spikes.T, native=native)))


@hypothesis.given(hnp.arrays(bool, st.tuples(st.integers(0, 5), st.integers(0, 70))))
def test_events_are_the_set_bits_in_order(spikes: Any) -> None:
    words = np.asarray(kernels.pack(spikes, native=False))
    steps, neurons = kernels.unpack_events(words, spikes.shape[1])
    assert steps.dtype == neurons.dtype == np.int64
    np.testing.assert_array_equal(np.stack([steps, neurons]), np.stack(np.nonzero(spikes)))


def test_events_beyond_the_population_are_left_out() -> None:
    steps, neurons = kernels.unpack_events(np.array([[0xFFFFFFFF]], np.uint32), 3)
    assert (steps.tolist(), neurons.tolist()) == ([0, 0, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.pack(np.ones(3, np.float32), native=False), r"spikes: got float32\[3\], must be bool"),
        (lambda: kernels.pack(np.bool_(True), native=False), r"spikes: got bool\[\]"),
        (
            lambda: kernels.unpack(np.zeros(2, np.uint32), 32),
            r"words: got uint32\[2\], must be uint32 \(\.\.\., 1\) for",
        ),
        (lambda: kernels.unpack(np.zeros(1, np.int32), 32), r"words: got int32\[1\]"),
        (
            lambda: kernels.unpack_events(np.zeros(1, np.uint32), 32),
            r"words: got shape \(1,\), must be \(steps, words\)",
        ),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
