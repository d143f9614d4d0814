"""Threads change how long a kernel takes, and nothing else: the same bits for any number of them."""

import concurrent.futures
import functools
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxsyn import kernels
from tests.kernels import reference as ref
from tests.kernels.reference import each_precision, needs_native

pytestmark = needs_native
SEVERAL = (2, 3, 8)
LANES = 5


def many_due(seed: int, n_post: int, most: int, receptors: int, dtype: str) -> tuple[Any, ...]:
    """Operands with far more synapses due than are shared out; weights and sums that are rounded, repeated targets."""
    rng = np.random.default_rng(seed)
    n_sources, n_delays = 200, 3
    graph = ref.random_graph(seed, n_delays * n_sources, n_post, most)
    for begin, end in zip(graph.row_ptr[:-1], graph.row_ptr[1:], strict=True):
        graph.post[begin:end].sort()
    weight = rng.normal(size=(receptors, 1 if seed % 3 == 0 else graph.post.size)).astype(dtype)
    ids = np.sort(rng.integers(0, n_sources + 4, (LANES, 4, 180)), axis=-1).astype(np.int32)
    counts = rng.integers(0, 200, (LANES, 4)).astype(np.int32)
    acc = rng.normal(size=(LANES, receptors, n_post)).astype(dtype)
    gain, delays = rng.normal(size=LANES).astype(dtype), np.array([0, 1, 3], np.int32)
    return acc, graph.row_ptr, graph.post, weight, gain, delays, ids, counts, np.arange(LANES, dtype=np.int32)


BATCHED = (0, None, None, None, 0, None, 0, 0, 0)


@functools.cache
def delivery(threads: int, lanes: bool) -> Any:
    deliver = lambda *o: ref.deliver_rows(*o, first=2, n_sources=200, native=True, threads=threads)  # noqa: E731
    return jax.jit(jax.vmap(deliver, BATCHED) if lanes else deliver)


def one_lane(operands: tuple[Any, ...], lane: int) -> list[Any]:
    return [o if axis is None else o[lane] for o, axis in zip(operands, BATCHED, strict=True)]


@each_precision
@pytest.mark.parametrize("most", [90, 700])
@hypothesis.settings(max_examples=8)
@hypothesis.given(st.integers(0, 2**16), st.sampled_from([1, 17, 1000]))
def test_delivery_gives_the_same_bits(dtype: str, most: int, seed: int, n_post: int) -> None:
    with jax.enable_x64(dtype == "float64"):
        operands = many_due(seed, n_post, most, 1 + seed % 2, dtype)
        alone = [np.asarray(delivery(1, False)(*one_lane(operands, lane))) for lane in range(LANES)]
        assert np.abs(alone[0]).max() > 1.0
        for threads in SEVERAL:
            for lane in range(2):
                got = delivery(threads, False)(*one_lane(operands, lane))
                np.testing.assert_array_equal(np.asarray(got), alone[lane])
            np.testing.assert_array_equal(np.asarray(delivery(threads, True)(*operands)), np.stack(alone))


def test_delivery_to_targets_of_one_half() -> None:
    """All rows end in the last hundredth of the targets, where the mean target is a bad guess."""
    operands = list(one_lane(many_due(1, 1000, 700, 1, "float32"), 0))
    operands[0], operands[2] = np.zeros((1, 100_000), np.float32), operands[2] + 99_000
    alone = np.asarray(delivery(1, False)(*operands))
    assert np.count_nonzero(alone) > 900
    for threads in SEVERAL:
        np.testing.assert_array_equal(np.asarray(delivery(threads, False)(*operands)), alone)


def step(V: Any, current: Any, noise: Any) -> tuple[Any, Any]:
    index = jnp.arange(V.shape[0], dtype=jnp.int32)
    V = V + 0.1 * (current - V) + noise * jnp.exp(-jnp.abs(V)) + 1e-3 * index.astype(V.dtype)
    return jnp.where(V > 1.0, 0.0, V), V > 1.0


@pytest.mark.parametrize("size", [1, 31, 4096, 100_003])
def test_programs_give_the_same_bits(size: int) -> None:
    rng = np.random.default_rng(size)
    V, current = rng.normal(size=(2, LANES, size)).astype(np.float32)

    def run(threads: int) -> Any:
        def program(V: Any, current: Any, noise: Any) -> Any:
            return kernels.elementwise(step, size, V, current, noise, native=True, threads=threads)

        noise = jnp.float32(0.3)
        lanes = jax.jit(jax.vmap(program, (0, 0, None)))(V, current, noise)
        return jax.tree.map(np.asarray, (lanes, jax.jit(program)(V[0], current[0], noise)))

    alone = run(1)
    for threads in SEVERAL:
        for got, expected in zip(jax.tree.leaves(run(threads)), jax.tree.leaves(alone), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_two_callers_at_once() -> None:
    """Whoever finds the workers taken does all parts alone."""
    operands = [jax.device_put(o) for o in one_lane(many_due(7, 1000, 700, 1, "float32"), 0)]
    expected = np.asarray(delivery(1, False)(*operands))

    def again(_: int) -> bool:
        results = [delivery(2, False)(*operands) for _ in range(100)]
        return all(np.array_equal(np.asarray(result), expected) for result in results)

    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        assert all(callers.map(again, range(4)))


@pytest.mark.parametrize("threads", [0, 257, True, 2.0])
def test_bad_numbers_of_threads_are_refused(unchecked: None, threads: Any) -> None:
    operands = one_lane(many_due(0, 17, 4, 1, "float32"), 0)
    with pytest.raises(ValueError, match=r"threads: got .*whole number from 1 to 256"):
        ref.deliver_rows(*operands, first=0, n_sources=200, native=True, threads=threads)
    with pytest.raises(ValueError, match=r"threads: got .*whole number from 1 to 256"):
        jax.jit(lambda x: kernels.elementwise(lambda s: (s, s > 0), 3, x, native=True, threads=threads))(jnp.ones(3))
