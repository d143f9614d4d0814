"""Late delivery in each form against NumPy."""

import functools
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxsyn import kernels
from jaxsyn.kernels._deliver import _deliver_parallel
from tests.kernels import reference as ref
from tests.kernels.reference import deliver_rows as deliver
from tests.kernels.reference import each_form, each_precision

GAIN = 0.5


def deliver_parallel(*operands: Any, **static: Any) -> jax.Array:
    """The parallel form, accumulators behind the other operands, with batch axes."""
    acc, *others = operands
    return jnp.stack(_deliver_parallel(*others, *jnp.unstack(acc, axis=-2), **static), axis=-2)


class Case:
    """Random operands of one delivery: `first` ids of other populations stand before the sources, some behind."""

    def __init__(self, seed: int, n_sources: int, n_post: int, n_delays: int, dtype: Any = "float32", **options: Any):
        rng = np.random.default_rng(seed)
        receptors, first = int(rng.integers(1, 4)), int(rng.integers(0, 4))
        self.graph = ref.random_graph(seed, n_delays * n_sources, n_post, **options)
        self.weight = ref.on_grid(rng, (receptors, 1 if rng.random() < 0.3 else self.graph.post.size), dtype)
        self.acc = ref.on_grid(rng, (receptors, n_post), dtype)
        self.delays = np.sort(rng.choice(40, n_delays, replace=False)).astype(np.int32)
        self.ring = ref.random_ring(seed, int(rng.integers(1, 9)), int(rng.integers(0, 12)), n_sources + first + 3)
        self.sources = range(first, first + n_sources)

    @property
    def operands(self) -> tuple[Any, ...]:
        graph, ring = (self.graph.row_ptr, self.graph.post), (self.ring.ids, self.ring.counts)
        gain = self.acc.dtype.type(GAIN)
        return (self.acc, *graph, self.weight, gain, self.delays, *ring, np.int32(self.ring.tick))

    @property
    def static(self) -> dict[str, int]:
        return {"first": self.sources.start, "n_sources": len(self.sources)}

    def expected(self) -> ref.Floats:
        return ref.deliver(self.acc, self.graph, self.weight, GAIN, self.delays, self.ring, self.sources)


@st.composite
def cases(draw: st.DrawFn, dtype: str = "float32") -> Case:
    n_sources, n_post = draw(st.sampled_from([0, 1, 7])), draw(st.sampled_from([0, 1, 9]))
    seed, n_delays = draw(st.integers(0, 2**16)), draw(st.sampled_from([0, 1, 3]))
    return Case(seed, n_sources, n_post, n_delays, dtype, most=draw(st.sampled_from([0, 4, 90])))


@each_form
@each_precision
@hypothesis.given(st.data())
def test_delivers_what_is_due(native: bool, dtype: str, data: st.DataObject) -> None:
    case = data.draw(cases(dtype))
    with jax.enable_x64(dtype == "float64"):
        got = deliver(*case.operands, **case.static, native=native)
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.asarray(got), case.expected())  # weights on a grid: equal to the last bit


@hypothesis.given(st.data())
def test_parallel_form_for_accelerators(data: st.DataObject) -> None:
    case = data.draw(cases())
    got = jax.jit(lambda *o: deliver_parallel(*o, **case.static))(*case.operands)
    np.testing.assert_array_equal(np.asarray(got), case.expected())


@each_form
def test_every_case_of_interest_occurs(native: bool) -> None:
    """A ring with more spikes than it holds, a row longer than a chunk, two receptors, many blocks of rows."""
    case = Case(5, n_sources=300, n_post=50, n_delays=3, most=700)
    case.weight = ref.on_grid(np.random.default_rng(0), (2, case.graph.post.size))
    case.acc = np.zeros((2, 50), np.float32)
    case.ring = ref.random_ring(1, 4, 600, 300)._replace(counts=np.array([700, 600, 599, 601], np.int32))
    case.sources = range(300)
    got = deliver(*case.operands, **case.static, native=native)
    np.testing.assert_array_equal(np.asarray(got), case.expected())
    assert np.abs(case.expected()).max() > 100


BASE = Case(11, n_sources=6, n_post=5, n_delays=2)
BATCHED = {"acc": 0, "weight": 3, "gain": 4, "ids": 6, "counts": 7, "tick": 8}


def lanes_of(operands: tuple[Any, ...], names: tuple[str, ...], lanes: int) -> tuple[Any, ...]:
    """Each named operand with a leading axis of different values."""
    rng, out = np.random.default_rng(2), list(operands)
    for name in names:
        old = np.asarray(out[BATCHED[name]])
        new = rng.integers(0, 9, (lanes, *old.shape)).astype(old.dtype)
        out[BATCHED[name]] = np.sort(new, axis=-1) if name == "ids" else new
    return tuple(out)


@each_form
@pytest.mark.parametrize("names", [*((name,) for name in BATCHED), ("acc", "gain"), ("ids", "counts"), tuple(BATCHED)])
def test_vmap_over_any_operand_but_the_graph(native: bool, names: tuple[str, ...]) -> None:
    here = functools.partial(deliver, **BASE.static, native=native)
    operands = lanes_of(BASE.operands, names, 3)
    axes = [0 if i in [BATCHED[name] for name in names] else None for i in range(9)]
    got = jax.jit(jax.vmap(here, axes))(*operands)
    for lane in range(3):
        one = [o if axis is None else o[lane] for o, axis in zip(operands, axes, strict=True)]
        np.testing.assert_array_equal(np.asarray(got[lane]), np.asarray(here(*one)))


@each_form
def test_vmap_of_vmap_and_the_parallel_form_of_lanes(native: bool) -> None:
    here = functools.partial(deliver, **BASE.static, native=native)
    gains, rings = np.array([1.0, 2.0, -1.0], np.float32), np.stack([BASE.ring.ids, BASE.ring.ids[::-1]])
    rings.sort(axis=-1)
    over_rings = jax.vmap(here, [None] * 6 + [0, None, None])
    both = jax.vmap(over_rings, [None] * 4 + [0] + [None] * 4)
    operands = list(BASE.operands)
    operands[4], operands[6] = gains, rings
    got = np.asarray(jax.jit(both)(*operands))
    for i, gain in enumerate(gains):
        for j, ids in enumerate(rings):
            operands[4], operands[6] = gain, ids
            np.testing.assert_array_equal(got[i, j], np.asarray(here(*operands)))
    operands[0], operands[4], operands[6] = np.tile(BASE.acc, (3, 2, 1, 1)), gains[:, None], rings[None]
    operands[3], operands[7] = BASE.weight[None, None], BASE.ring.counts[None, None]
    operands[8] = np.full((1, 1), BASE.ring.tick, np.int32)
    parallel = jax.jit(lambda *o: deliver_parallel(*o, **BASE.static))(*operands)
    np.testing.assert_array_equal(np.asarray(parallel), got)


N_FAR = 70_000  # targets: two blocks of two-byte indices
N_ROWS = 3 * 7


def in_blocks(graph: ref.Graph) -> tuple[ref.Graph, np.ndarray[Any, Any]]:
    """The same graph with targets of two bytes, and which synapse stands where."""
    block = graph.post[: graph.rows.size] >> 16
    order = np.lexsort((np.arange(graph.rows.size), graph.rows, block))
    counts = np.bincount((block * N_ROWS + graph.rows), minlength=2 * N_ROWS)
    row_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return ref.Graph(row_ptr, (graph.post[order] & 0xFFFF).astype(np.uint16), graph.n_post), order


def compact_case(kind: str, dtype: str, shared: bool) -> tuple[list[Any], ref.Floats]:
    """Operands with blocks of targets, weights of another type and a gain for each receptor; what they should give."""
    rng = np.random.default_rng(5)
    graph = ref.random_graph(5, N_ROWS, N_FAR, 300, padding=0)
    compact, order = in_blocks(graph)
    weight = rng.integers(-8, 9, (2, 1 if shared else graph.post.size)).astype(dtype)
    gain, acc = np.array([0.5, 0.25], dtype), ref.on_grid(rng, (2, N_FAR), dtype)
    delays, ring = np.array([0, 2, 5], np.int32), ref.random_ring(5, 6, 9, 9)
    expected = ref.deliver(acc, graph, weight * gain[:, None], 1.0, delays, ring, range(1, 8))
    stored = (weight if shared else weight[:, order]).astype(jnp.dtype(kind))
    arrays = (acc, compact.row_ptr, compact.post, stored, gain, delays, ring.ids, ring.counts, np.int32(ring.tick))
    return [jnp.asarray(a) for a in arrays], expected


@each_form
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "int8", "int16"])
def test_compact_synapses(native: bool, kind: str, shared: bool) -> None:
    operands, expected = compact_case(kind, "float32", shared)
    assert np.any(expected[:, N_FAR - 4000 :] != np.asarray(operands[0])[:, N_FAR - 4000 :])
    got = kernels.deliver(list(operands[0]), *operands[1:], first=1, n_sources=7, native=native)
    np.testing.assert_array_equal(np.stack(got), expected)
    if not native:
        parallel = jax.jit(lambda *o: _deliver_parallel(*o, first=1, n_sources=7))(*operands[1:], *operands[0])
        np.testing.assert_array_equal(np.stack(parallel), expected)


@ref.needs_native
def test_compact_synapses_in_double_precision_with_lanes_and_threads() -> None:
    with jax.enable_x64(True):
        operands, expected = compact_case("float16", "float64", False)
        operands[4] = jnp.stack([operands[4], operands[4]])
        deliver = lambda acc, *o: kernels.deliver(list(acc), *o, first=1, n_sources=7, native=True, threads=3)  # noqa: E731
        got = jax.jit(jax.vmap(deliver, [None] * 4 + [0] + [None] * 4))(*operands)
    for lane in np.stack(got, axis=1):
        np.testing.assert_array_equal(np.asarray(lane), expected)


@ref.needs_native
def test_every_float16_is_converted_as_numpy_does() -> None:
    half = np.arange(2**16, dtype=np.uint16).view(np.float16)
    half = half[np.isfinite(half)]
    operands = (
        [np.zeros(half.size, np.float32)],
        np.array([0, half.size], np.int32),
        *(np.arange(half.size, dtype=np.int32), half[None], np.float32(1.0), np.zeros(1, np.int32)),
        *(np.zeros((1, 1), np.int32), np.ones(1, np.int32), np.int32(0)),
    )
    (got,) = kernels.deliver(*operands, first=0, n_sources=1, native=True)
    np.testing.assert_array_equal(np.asarray(got), half.astype(np.float32))


@each_form
@pytest.mark.parametrize("operand", ["weight", "gain"])
def test_differentiating_raises(native: bool, operand: str) -> None:
    def f(value: jax.Array) -> jax.Array:
        operands = list(BASE.operands)
        operands[BATCHED[operand]] = value
        return jnp.sum(deliver(*operands, **BASE.static, native=native))

    value = jnp.asarray(BASE.operands[BATCHED[operand]])
    with pytest.raises(ValueError, match=r"deliver: spikes travel as integer indices.*surrogate"):
        jax.grad(f)(value)
    with pytest.raises(ValueError, match="deliver: spikes travel as integer indices"):
        jax.jvp(f, (value,), (value,))
    assert not np.any(np.asarray(jax.grad(lambda v: f(jax.lax.stop_gradient(v)))(value)))


@each_form
def test_what_moves_an_accumulator_moves_the_sum_alike(native: bool) -> None:
    f = lambda acc: deliver(acc, *BASE.operands[1:], **BASE.static, native=native)  # noqa: E731
    value, change = jax.jvp(f, (jnp.asarray(BASE.acc),), (jnp.asarray(2.0 * BASE.acc),))
    np.testing.assert_array_equal(np.asarray(value), BASE.expected())
    np.testing.assert_array_equal(np.asarray(change), 2.0 * BASE.acc)
    gradient = jax.grad(lambda acc: jnp.sum(f(acc) * f(jax.lax.stop_gradient(acc))))(jnp.asarray(BASE.acc))
    np.testing.assert_array_equal(np.asarray(gradient), BASE.expected())


def test_an_unrelated_derivative_passes() -> None:
    f = lambda x: x**2 * jnp.sum(deliver(*BASE.operands, **BASE.static, native=False))  # noqa: E731
    assert float(jax.grad(f)(3.0)) == pytest.approx(6.0 * float(np.sum(BASE.expected())))


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, BASE.acc[:, :, None], "acc, gain: got shapes"),
        (0, np.tile(BASE.acc, (7, 1)), "acc, gain: got shapes"),
        (0, BASE.acc.astype(np.float16), "must be one float dtype"),
        (1, BASE.graph.row_ptr[:-1], "delays: got int32.*one row of the graph for each block, delay and source"),
        (3, np.zeros((1, 2), np.float32), "weight: got shape"),
        (4, np.ones(3, np.float32), "acc, gain: got shapes"),
        (5, BASE.delays.astype(np.uint32), r"delays: got uint32\[2\]"),
        (6, BASE.ring.ids[0], "ids: got int32.*must be int32 with 2 axes"),
        (7, BASE.ring.counts[:-1], "ids, counts: got shapes"),
        (8, np.float32(1.0), r"tick: got float32\[\]"),
    ],
)
def test_bad_operands_are_named(position: int, value: Any, message: str) -> None:
    operands = list(BASE.operands)
    operands[position] = value
    with pytest.raises(ValueError, match=message):
        deliver(*operands, **BASE.static, native=False)


def test_a_missing_operand_is_told_by_the_list_of_all() -> None:
    with pytest.raises(
        ValueError, match="got 7 arrays, must be row_ptr, post, weight, gain, delays, ids, counts, tick"
    ):
        deliver(*BASE.operands[:-1], **BASE.static, native=False)


def test_python_numbers_are_scalars() -> None:
    operands = list(BASE.operands)
    operands[4], operands[8] = GAIN, BASE.ring.tick
    np.testing.assert_array_equal(np.asarray(deliver(*operands, **BASE.static, native=False)), BASE.expected())


@ref.needs_native
def test_a_graph_that_leaves_its_arrays_is_an_error_not_a_crash() -> None:
    operands = list(BASE.operands)
    operands[1] = np.full_like(BASE.graph.row_ptr, 2**30)
    operands[1][::2] = -5
    operands[7] = np.full_like(BASE.ring.counts, 9)
    operands[6] = np.full((BASE.ring.ids.shape[0], 9), BASE.sources.start, np.int32)
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match="row_ptr must ascend from 0 and end within"):
        jax.block_until_ready(deliver(*operands, **BASE.static, native=True))
