"""What every form of a kernel is compared with: plain NumPy versions, and random inputs that hold every corner."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from jaxsyn import kernels

Floats = NDArray[Any]

_built = pytest.mark.skipif(not kernels.native_available(), reason="the native kernels are not built")
needs_native = _built
each_form = pytest.mark.parametrize(
    "native", [pytest.param(True, marks=_built, id="native"), pytest.param(False, id="pure")]
)
each_precision = pytest.mark.parametrize("dtype", ["float32", "float64"])


class Graph(NamedTuple):
    """A stacked CSR graph with some entries of padding."""

    row_ptr: NDArray[np.int32]
    post: NDArray[np.int32]
    n_post: int

    @property
    def n_rows(self) -> int:
        return self.row_ptr.size - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.n_rows), np.diff(self.row_ptr))


def random_graph(seed: int, n_rows: int, n_post: int, most: int = 6, padding: int = 3) -> Graph:
    """Rows of 0 to `most` synapses; targets repeat within a row."""
    rng = np.random.default_rng(seed)
    degree = rng.integers(0, most + 1, n_rows) if n_post else np.zeros(n_rows, int)
    row_ptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int32)
    post = rng.integers(0, max(n_post, 1), row_ptr[-1] + padding).astype(np.int32)
    return Graph(row_ptr, post, n_post)


def on_grid(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float32) -> Floats:
    """Multiples of 1/4 in [-2, 2]: their sums are exact in any order."""
    return (rng.integers(-8, 9, shape) / 4.0).astype(dtype)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs with empty rows, no synapses, no rows, no targets, one neuron; few sizes, so that programs are reused."""
    n_rows, n_post = draw(st.sampled_from([0, 1, 12])), draw(st.sampled_from([0, 1, 9]))
    most = draw(st.sampled_from([0, 2, 40]))
    graph = random_graph(draw(st.integers(0, 2**16)), n_rows, n_post, most, padding=0)
    bucket = draw(st.sampled_from([1, 600]))
    padding = np.zeros(-graph.post.size % bucket, np.int32)
    return graph._replace(post=np.concatenate([graph.post, padding]))


def push(graph: Graph, weight: Floats, source: Floats) -> Floats:
    y = np.zeros((weight.shape[0], graph.n_post), weight.dtype)
    weight = np.broadcast_to(weight, (weight.shape[0], graph.post.size))
    for s, row in enumerate(graph.rows):
        y[:, graph.post[s]] += weight[:, s] * source[row]
    return y


def pull(graph: Graph, weight: Floats, target: Floats) -> Floats:
    x = np.zeros(graph.n_rows, weight.dtype)
    weight = np.broadcast_to(weight, (weight.shape[0], graph.post.size))
    for s, row in enumerate(graph.rows):
        x[row] += weight[:, s] @ target[:, graph.post[s]]
    return x


def outer(graph: Graph, source: Floats, target: Floats, width: int) -> Floats:
    w = np.zeros((target.shape[0], graph.post.size), source.dtype)
    for s, row in enumerate(graph.rows):
        w[:, s] = source[row] * target[:, graph.post[s]]
    return w.sum(1, keepdims=True) if width == 1 else w


class Ring(NamedTuple):
    """Emitted ids, their true counts, and the present step."""

    ids: NDArray[np.int32]
    counts: NDArray[np.int32]
    tick: int


def random_ring(seed: int, n_slots: int, capacity: int, n: int) -> Ring:
    """Ids of a population larger than the source, some slots empty, some beyond their capacity."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, max(n, 1), (n_slots, capacity)).astype(np.int32)
    counts = rng.integers(0, capacity + 4, n_slots).astype(np.int32) * rng.integers(0, 2, n_slots).astype(np.int32)
    for row, count in zip(ids, counts, strict=True):  # ascending as `emit` writes them; behind them what was there
        row[:count].sort()
    return Ring(ids, counts, int(rng.integers(0, 100)))


def deliver(
    acc: Floats, graph: Graph, weight: Floats, gain: float, delays: NDArray[np.int32], ring: Ring, sources: range
) -> Floats:
    acc = acc.copy()
    n_slots, capacity = ring.ids.shape
    weight = np.broadcast_to(weight, (weight.shape[0], graph.post.size))
    for k, delay in enumerate(delays):
        slot = (ring.tick - delay) % n_slots
        for neuron in ring.ids[slot, : min(ring.counts[slot], capacity)]:
            if neuron not in sources:
                continue
            row = k * len(sources) + neuron - sources.start
            for s in range(graph.row_ptr[row], graph.row_ptr[row + 1]):
                acc[:, graph.post[s]] += acc.dtype.type(gain) * weight[:, s]
    return acc


def deliver_rows(acc: Any, *operands: Any, **options: Any) -> jax.Array:
    """The kernel with its accumulators as one array (receptors, n_post)."""
    return jnp.stack(kernels.deliver(list(acc), *operands, **options))


def emit(spikes: NDArray[np.bool_], ring: Ring, peak: int) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    ids, counts = ring.ids.copy(), ring.counts.copy()
    (found,) = np.nonzero(spikes)
    slot, kept = ring.tick % ring.counts.size, found[: ids.shape[1]]
    ids[slot, : kept.size], counts[slot] = kept, found.size
    return ids, counts, max(peak, found.size)
