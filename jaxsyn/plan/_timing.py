"""Small timed loops: what one kind of work costs on this machine."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels

_ENOUGH_S = 0.02  # of one timed call
_REPEATS = 5


def seconds(run: Callable[[], Any]) -> float:
    """Seconds of a call that is ready to run: the least of some, since everything else on a machine only adds."""
    run()
    began = time.perf_counter()
    run()
    once = max(time.perf_counter() - began, 1e-7)
    many = max(1, round(_ENOUGH_S / once))
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        for _ in range(many):
            run()
        found.append((time.perf_counter() - began) / many)
    return min(found)


def loop_seconds(body: Callable[..., Any], carry: Any, *args: Any, length: int) -> float:
    """Seconds of one iteration of a compiled loop; `body(carry, i, *args)` gives the next carry."""

    @jax.jit
    def loop(carry: Any, *args: Any) -> Any:
        steps = jnp.arange(length, dtype=jnp.int32)
        return jax.lax.scan(lambda c, i: (body(c, i, *args), None), carry, steps)[0]

    wait: Any = jax.block_until_ready
    return seconds(lambda: wait(loop(carry, *args))) / length


def _halved(x: Any) -> tuple[Any, tuple[()]]:
    return x * jnp.float32(0.5) + jnp.float32(1.0), ()


def _programs_seconds(n: int) -> float:
    """An iteration of a loop with n small elementwise programs."""

    def body(state: Any, i: Any) -> Any:
        return [kernels.elementwise(_halved, 32, x, native=kernels.native_available())[0] for x in state]

    return loop_seconds(body, [jnp.full(32, float(k)) for k in range(n)], length=2000)


def call_seconds() -> float:
    """A call of a native kernel: the difference that more of them make."""
    return max((_programs_seconds(12) - _programs_seconds(4)) / 8, 1e-9)


def step_seconds(call_s: float) -> float:
    """An iteration of a loop without what its calls take."""
    return max(_programs_seconds(1) - call_s, 1e-9)


def emit_seconds(n: int = 1 << 17) -> float:
    """Looking whether one neuron spiked."""
    ring, spikes = (jnp.zeros((1, 64), jnp.int32), jnp.zeros(1, jnp.int32), jnp.int32(0)), jnp.zeros(n, bool)

    def body(state: Any, i: Any, spikes: Any) -> Any:
        ids, found, peak = state
        return kernels.emit(spikes, ids, found, peak, i, native=kernels.native_available())

    return loop_seconds(body, ring, spikes, length=200) / n


def element_seconds(n: int = 1 << 13, parts: int = 8) -> float:
    """An operation of XLA on an element: results of kernels put in their places and added, as where stimuli meet.

    XLA does not vectorize what reads the results of native calls; without them it would be several times faster.
    """
    size = n // parts

    def halves(state: Any) -> Any:
        return [kernels.elementwise(_halved, size, x, native=kernels.native_available())[0] for x in state[0]]

    def placed(state: Any, i: Any) -> Any:
        total = jnp.zeros(n)
        for k, x in enumerate(parts_now := halves(state)):
            total = total + jnp.pad(x * jnp.float32(k + 1), (k * size, n - (k + 1) * size))
        return parts_now, state[1] * jnp.float32(0.5) + total

    def alone(state: Any, i: Any) -> Any:
        return halves(state), state[1] * jnp.float32(0.5)

    start = ([jnp.full(size, float(k)) for k in range(parts)], jnp.zeros(n))
    difference = loop_seconds(placed, start, length=200) - loop_seconds(alone, start, length=200)
    return max(difference / (2 * parts * n), 1e-13)


def scatter_seconds(n: int = 1 << 16) -> float:
    """An element scattered by XLA."""
    where = jnp.asarray(np.random.default_rng(0).integers(0, n, n), jnp.int32)
    return loop_seconds(lambda x, i, w: x.at[w].add(x), jnp.ones(n), where, length=10) / n


def flop_seconds(n: int = 768) -> float:
    """An operation of the product of a vector and a matrix."""
    matrix = jnp.full((n, n), 1.0 / n)
    return loop_seconds(lambda x, i, w: x @ w, jnp.ones(n), matrix, length=50) / (2 * n * n)


def delivery_seconds(spikes: int, row: int, rows: int, targets: int, delays: int = 1) -> float:
    """A delivery of some spikes whose rows hold `row` synapses each, among `rows` rows."""
    generator = np.random.default_rng(0)
    steps, n_sources = 64, rows // delays
    pattern = np.sort(generator.integers(0, targets, row)).astype(np.int32)
    shift = generator.integers(0, targets, rows, dtype=np.int32)[:, None]
    post = ((pattern[None, :] + shift) % np.int32(targets)).reshape(-1)
    row_ptr = np.arange(0, rows * row + 1, row, dtype=np.int32)
    ids = np.sort(generator.integers(0, n_sources, (steps, spikes)), axis=1).astype(np.int32)
    graph = [
        jnp.asarray(a) for a in (row_ptr, post, np.ones((1, 1), np.float32), np.arange(1, delays + 1, dtype=np.int32))
    ]
    ring = (jnp.asarray(ids), jnp.full(steps, spikes, jnp.int32))

    def body(acc: Any, i: Any, *arrays: Any) -> Any:
        row_ptr, post, weight, delays, ids, counts = arrays
        operands = (row_ptr, post, weight, jnp.float32(1.0), delays, ids, counts, i)
        native = kernels.native_available()
        return kernels.deliver(acc, *operands, first=0, n_sources=n_sources, native=native)

    return loop_seconds(body, [jnp.zeros(targets)], *graph, *ring, length=256)
