"""Compaction of spikes into the ring, in each form, against NumPy; and that nothing is copied in a loop."""

import re
from typing import Any

import hypothesis
import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxsyn import kernels
from jaxsyn.kernels._emit import _emit_parallel
from tests.kernels import reference as ref
from tests.kernels.reference import each_form

PEAK = 20


@st.composite
def emissions(draw: st.DrawFn) -> tuple[Any, ref.Ring]:
    """Spikes of populations around the sizes of blocks, few or all; rings of little capacity; steps of either sign."""
    n = draw(st.sampled_from([0, 1, 63, 64, 65, 200]))
    spikes = draw(st.one_of(hnp.arrays(bool, n), st.just(np.ones(n, bool)), st.just(np.zeros(n, bool))))
    ring = ref.random_ring(
        draw(st.integers(0, 99)), draw(st.sampled_from([1, 5])), draw(st.sampled_from([0, 3, 200])), 50
    )
    return spikes, ring._replace(tick=draw(st.integers(-(2**31), 2**31 - 1)))


@each_form
@hypothesis.given(emissions())
def test_writes_the_slot_of_the_step(native: bool, emission: tuple[Any, ref.Ring]) -> None:
    spikes, ring = emission
    got = kernels.emit(spikes, ring.ids, ring.counts, PEAK, ring.tick, native=native)
    for one, expected in zip(got, ref.emit(spikes, ring, PEAK), strict=True):
        assert one.dtype == np.int32
        np.testing.assert_array_equal(np.asarray(one), expected)


@hypothesis.given(emissions())
def test_parallel_form_for_accelerators(emission: tuple[Any, ref.Ring]) -> None:
    spikes, ring = emission
    got = jax.jit(_emit_parallel)(spikes, ring.ids, ring.counts, np.int32(PEAK), np.int32(ring.tick))
    for one, expected in zip(got, ref.emit(spikes, ring, PEAK), strict=True):
        np.testing.assert_array_equal(np.asarray(one), expected)


RNG = np.random.default_rng(4)
OPERANDS = (
    RNG.random((3, 130)) < 0.1,
    RNG.integers(0, 9, (3, 4, 6)).astype(np.int32),
    np.ones((3, 4), np.int32),
    np.array([7, 40, 13], np.int32),
)
TICKS = np.array([1, 6, 3], np.int32)


@each_form
@pytest.mark.parametrize(
    "axes",
    [
        (0,) * 5,
        (0, *(None,) * 4),
        (None, 0, 0, 0, None),
        (0, 0, 0, 0, None),
        (None,) * 3 + (0, None),
        (None,) * 4 + (0,),
    ],
)
def test_vmap_over_any_operand(native: bool, axes: tuple[int | None, ...]) -> None:
    operands = [o if axis == 0 else o[0] for o, axis in zip((*OPERANDS, TICKS), axes, strict=True)]
    emit = lambda *o: kernels.emit(*o, native=native)  # noqa: E731
    got = jax.jit(jax.vmap(emit, axes))(*operands)
    for lane in range(3):
        spikes, ids, counts, peak, tick = (o[lane] if axis == 0 else o for o, axis in zip(operands, axes, strict=True))
        expected = ref.emit(spikes, ref.Ring(ids, counts, int(tick)), int(peak))
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(one[lane]), other)


@each_form
def test_vmap_of_vmap_and_the_parallel_form_of_lanes(native: bool) -> None:
    spikes = np.stack([OPERANDS[0], ~OPERANDS[0]])
    ring = [o[0] for o in OPERANDS[1:]]
    emit = lambda s: kernels.emit(s, *ring, 5, native=native)  # noqa: E731
    got = jax.jit(jax.vmap(jax.vmap(emit)))(spikes)
    rings = [np.broadcast_to(o, (2, 3, *o.shape)) for o in ring]
    parallel = jax.jit(_emit_parallel)(spikes, *rings, np.full((1, 1), 5, np.int32))
    np.testing.assert_array_equal(np.asarray(got[1])[..., 1], spikes.sum(-1))
    for one, other in zip(got, parallel, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@each_form
def test_derivatives_pass_by(native: bool) -> None:
    """The ring holds integers: it stops no gradient and carries none, also where it waits for a float."""

    def f(x: jax.Array) -> jax.Array:
        ids, _, _ = kernels.emit(x > 0.5, *[o[0] for o in OPERANDS[1:]], 0, native=native, after=[x])
        return jnp.sum(x**2) + jnp.sum(ids).astype(x.dtype) * 0.0

    x = jnp.linspace(0.0, 1.0, 130)
    np.testing.assert_array_equal(np.asarray(jax.grad(f)(x)), np.asarray(2.0 * x))


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, np.zeros(3, np.float32), r"spikes: got float32\[3\], must be bool"),
        (0, np.zeros((2, 3), bool), r"spikes: got bool\[2, 3\]"),
        (1, np.zeros((2, 3), np.uint32), r"ids: got uint32\[2, 3\], must be int32"),
        (2, np.zeros(3, np.int32), "ids, counts: got shapes"),
        (3, np.uint32(3), r"peak: got uint32\[\], must be an int32 scalar"),
        (4, np.uint32(3), r"tick: got uint32\[\]"),
    ],
)
def test_bad_operands_are_named(position: int, value: Any, message: str) -> None:
    operands: list[Any] = [*(o[0] for o in OPERANDS), 5]
    operands[position] = value
    with pytest.raises(ValueError, match=message):
        kernels.emit(*operands, native=False)


def test_no_slot_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="D >= 1"):
        kernels.emit(np.zeros(3, bool), np.zeros((0, 3), np.int32), np.zeros(0, np.int32), 0, 0, native=False)


N, SLOTS, CAPACITY = 500, 33, 77


def network_step(carry: Any, tick: jax.Array, graph: Any, *, ordered: bool) -> tuple[Any, jax.Array]:
    """A population that decays, hears itself late and spikes: arrivals act one step later, as currents do."""
    V, current, ids, counts = carry
    V = 0.9 * V + jnp.sum(current, axis=0)
    row_ptr, post, weight, delays = graph
    operands = (row_ptr, post, weight, 1.0, delays, ids, counts, tick)
    current = jnp.stack(kernels.deliver(list(0.5 * current), *operands, first=0, n_sources=N, native=True))
    spikes = V > 1.0
    ids, counts, _ = kernels.emit(spikes, ids, counts, 0, tick, native=True, after=[current] if ordered else [])
    return (jnp.where(spikes, 0.0, V), current, ids, counts), kernels.pack(spikes, native=True)


def copies_in_loops(lanes: int | None, *, ordered: bool) -> list[str]:
    """The types of all arrays copied in a computation other than the entry of the compiled program."""
    graph = ref.random_graph(0, 2 * N, N)
    arrays = (graph.row_ptr, graph.post, np.ones((2, graph.post.size), np.float32), np.array([1, 20], np.int32))
    shapes: Any = [(N,), (2, N), (SLOTS, CAPACITY), (SLOTS,)]
    dtypes = [np.float32, np.float32, np.int32, np.int32]
    lead = () if lanes is None else (lanes,)
    carry = tuple(np.ones((*lead, *shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=True))

    def run(carry: Any, graph: Any) -> Any:
        ticks = jnp.arange(10, dtype=jnp.int32)
        return jax.lax.scan(lambda c, t: network_step(c, t, graph, ordered=ordered), carry, ticks)

    program = jax.jit(run if lanes is None else jax.vmap(run, (0, None)))
    text = program.lower(carry, arrays).compile().as_text()
    computations = re.split(r"\n(?=%|ENTRY)", text)
    assert any("while(" in computation for computation in computations)
    assert sum("jaxsyn_emit" in computation for computation in computations) == 1
    inner = [computation for computation in computations if not computation.startswith("ENTRY")]
    return [kind for computation in inner for kind in re.findall(r"= (\w+\[[\d,]*\])\S* copy\(", computation)]


@ref.needs_native
@pytest.mark.parametrize("lanes", [None, 3])
def test_the_ring_is_never_copied_in_a_scan(lanes: int | None) -> None:
    lead = "" if lanes is None else f"{lanes},"
    ring = {f"s32[{lead}{SLOTS},{CAPACITY}]", f"s32[{lead}{SLOTS}]"}
    assert not ring & set(copies_in_loops(lanes, ordered=True))
    # The test sees a copy where there is one: without `after` the compiler cannot know that delivery reads first.
    assert ring <= set(copies_in_loops(lanes, ordered=False))


@each_form
@pytest.mark.parametrize("lanes", [False, True])
def test_a_tally_counts_the_spikes_of_each_neuron(native: bool, lanes: bool) -> None:
    """Also where the ring holds fewer indices than there were spikes."""
    rng = np.random.default_rng(5)
    total, spikes = (
        rng.integers(0, 9, (3, 130)).astype(np.int32),
        rng.random((3, 130)) < np.array([[0.0], [0.02], [0.5]]),
    )

    def count(total: Any, spikes: Any) -> jax.Array:
        ring = (jnp.zeros((4, 6), jnp.int32), jnp.zeros(4, jnp.int32), 0)
        ids, counts, _ = kernels.emit(spikes, *ring, 5, native=native)
        return kernels.tally(total, spikes, ids, counts, 5, native=native)

    got = (
        jax.vmap(count)(total, spikes) if lanes else jnp.stack([count(*one) for one in zip(total, spikes, strict=True)])
    )
    np.testing.assert_array_equal(np.asarray(got), total + spikes)
    with pytest.raises(ValueError, match=r"total, spikes: got int32\[2\] and bool\[130\]"):
        count(total[0, :2], spikes[0])
