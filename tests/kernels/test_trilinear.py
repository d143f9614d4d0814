"""Push, pull and outer in each form against NumPy, and all their derivatives against a dense product."""

import functools
from collections.abc import Callable
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxsyn import kernels
from tests.kernels import reference as ref
from tests.kernels.reference import each_form, each_precision

Function = Callable[..., Any]


def pushed(graph: Any, weight: Any, source: Any, *, n_post: int, **how: Any) -> jax.Array:
    """What `push` adds to zeros, (receptors, n_post)."""
    zero = jnp.zeros(n_post, jnp.asarray(weight).dtype)
    return jnp.stack(kernels.push([zero] * weight.shape[0], *graph[:2], weight, source, **how))


@each_form
@each_precision
@hypothesis.given(ref.graphs(), st.sampled_from([1, 3]), st.booleans(), st.integers(0, 99))
def test_all_three_are_the_sums_they_claim(
    native: bool, dtype: str, graph: ref.Graph, receptors: int, one_weight: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    width = 1 if one_weight else graph.post.size
    weight = ref.on_grid(rng, (receptors, width), dtype)
    source, target = ref.on_grid(rng, (graph.n_rows,), dtype), ref.on_grid(rng, (receptors, graph.n_post), dtype)
    source *= rng.random(graph.n_rows) < 0.5  # most rows are silent
    with jax.enable_x64(dtype == "float64"):
        y = pushed(graph, weight, source, n_post=graph.n_post, native=native)
        x = kernels.pull(graph.row_ptr, graph.post, weight, target, native=native)
        w = kernels.outer(graph.row_ptr, graph.post, source, target, width=width, native=native)
    for got, expected in (
        (y, ref.push(graph, weight, source)),
        (x, ref.pull(graph, weight, target)),
        (w, ref.outer(graph, source, target, width)),
    ):
        assert got.dtype == dtype
        np.testing.assert_array_equal(np.asarray(got), expected)  # weights on a grid: equal to the last bit


@each_form
def test_outer_sums_over_leading_axes(native: bool) -> None:
    graph, rng = ref.random_graph(3, 6, 5), np.random.default_rng(0)
    source, target = ref.on_grid(rng, (4, 2, 6)), ref.on_grid(rng, (4, 2, 3, 5))
    for width in (1, graph.post.size):
        got = kernels.outer(graph.row_ptr, graph.post, source, target, width=width, native=native)
        lanes = [ref.outer(graph, source[i, j], target[i, j], width) for i in range(4) for j in range(2)]
        np.testing.assert_array_equal(np.asarray(got), sum(lanes))


@each_form
@each_precision
@pytest.mark.parametrize("n_rows", [1024, 2500])
def test_many_rows_of_which_few_take_part(native: bool, dtype: str, n_rows: int) -> None:
    """Rows are looked through by blocks; to those that are marked nothing is carried back."""
    graph, rng = ref.random_graph(3, n_rows, 300, most=60), np.random.default_rng(n_rows)
    weight, target = ref.on_grid(rng, (2, graph.post.size), dtype), ref.on_grid(rng, (2, 300), dtype)
    source = ref.on_grid(rng, (n_rows,), dtype) * (rng.random(n_rows) < 0.02)
    source[rng.random(n_rows) < 0.9] = -0.0
    silent = (source == 0) & np.signbit(source)
    source[-1], silent[-1] = 1.0, False
    with jax.enable_x64(dtype == "float64"):

        def push(weight: Any, source: Any) -> Any:
            zero, marks = [jnp.zeros(300, dtype)] * 2, jax.lax.stop_gradient(source)
            return jnp.stack(kernels.push(zero, *graph[:2], weight, source, native=native, marks=marks))

        y, pull = jax.jit(lambda w, x: jax.vjp(push, w, x))(weight, source)
        d_weight, d_source = jax.jit(lambda pull, t: pull(t))(pull, target)
    np.testing.assert_array_equal(np.asarray(y), ref.push(graph, weight, source))
    np.testing.assert_array_equal(np.asarray(d_weight), ref.outer(graph, source, target, graph.post.size))
    np.testing.assert_array_equal(np.asarray(d_source), np.where(silent, 0.0, ref.pull(graph, weight, target)))


GRAPH = ref.random_graph(7, 5, 4, most=4)
RNG = np.random.default_rng(1)
NNZ = GRAPH.post.size
X, XS, XSS = (
    jnp.asarray(np.where(RNG.random((*lead, 5)) < 0.3, np.float32(-0.0), ref.on_grid(RNG, (*lead, 5))))
    for lead in ((), (3,), (2, 3))
)
WEIGHTS = {
    width: tuple(jnp.asarray(ref.on_grid(RNG, (*lead, 2, width))) for lead in ((), (3,), (2, 3))) for width in (1, NNZ)
}


def dense_push(weight: jax.Array, source: jax.Array) -> jax.Array:
    """The same product through a dense matrix: JAX's own derivatives."""
    values = jnp.broadcast_to(weight, (2, NNZ))[:, : GRAPH.rows.size]
    matrix = jnp.zeros((2, 5, 4)).at[:, GRAPH.rows, GRAPH.post[: GRAPH.rows.size]].add(values)
    return jnp.einsum("rij,i->rj", matrix, source)


def dense_push_marked(weight: jax.Array, source: jax.Array) -> jax.Array:
    """The same where a source of -0.0 has no derivative."""
    return dense_push(weight, jnp.where((source == 0) & jnp.signbit(source), 0.0, source))


def energy(push: Function) -> Function:
    """A cubic scalar, so that second derivatives are not constant."""
    return lambda w, x: jnp.sum(push(w, x) ** 2) + jnp.sum(push(w, x)[0] * jnp.arange(4.0)) * x[0]


def chain(push: Function) -> Function:
    """Five steps of a recurrence through the graph, as a network unrolled in time."""

    def step(carry: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        y = push(carry[0], carry[1])
        return (carry[0], jnp.clip(jnp.concatenate([y[0], y[1, :1]]), -1.0, 1.0)), jnp.sum(y)

    return lambda w, x: jnp.sum(jax.lax.scan(step, (w, x), None, length=5)[1])


def total(f: Function, *axes: Any) -> Function:
    return lambda *args: jnp.sum(jax.vmap(f, axes)(*args))


TRANSFORMS: dict[str, Callable[[Function, Any], Any]] = {
    "jit": lambda push, w: jax.jit(push)(w[0], X),
    "grad": lambda push, w: jax.grad(energy(push), (0, 1))(w[0], X),
    "jvp": lambda push, w: jax.jvp(push, (w[0], X), (w[1][0], XS[0])),
    "jacfwd": lambda push, w: jax.jacfwd(push, (0, 1))(w[0], X),
    "jacrev": lambda push, w: jax.jacrev(push, (0, 1))(w[0], X),
    "hessian": lambda push, w: jax.hessian(energy(push), (0, 1))(w[0], X),
    "vmap source": lambda push, w: jax.vmap(push, (None, 0))(w[0], XS),
    "vmap source from the last axis": lambda push, w: jax.vmap(push, (None, 1), 2)(w[0], XS.T),
    "vmap weight": lambda push, w: jax.vmap(push, (0, None))(w[1], X),
    "vmap both": lambda push, w: jax.vmap(push)(w[1], XS),
    "vmap of vmap": lambda push, w: jax.vmap(jax.vmap(push, (0, None)), (None, 0))(w[1], XS),
    "vmap of vmap of both": lambda push, w: jax.vmap(jax.vmap(push))(w[2], XSS),
    "vmap of grad": lambda push, w: jax.vmap(jax.grad(energy(push), (0, 1)), (None, 0))(w[0], XS),
    "grad of vmap, weight shared": lambda push, w: jax.grad(total(energy(push), None, 0), (0, 1))(w[0], XS),
    "grad of vmap, source shared": lambda push, w: jax.grad(total(energy(push), 0, None), (0, 1))(w[1], X),
    "grad of vmap of vmap": lambda push, w: jax.grad(total(total(energy(push), 0, None), None, 0), (0, 1))(w[1], XS),
    "hessian of vmap": lambda push, w: jax.hessian(total(energy(push), None, 0), (0, 1))(w[0], XS),
    "vmap of hessian": lambda push, w: jax.vmap(jax.hessian(energy(push), (0, 1)), (None, 0))(w[0], XS),
    "scan": lambda push, w: jax.grad(chain(push), (0, 1))(w[0], X),
    "vmap of scan": lambda push, w: jax.vmap(jax.grad(chain(push), (0, 1)), (None, 0))(w[0], XS),
    "remat": lambda push, w: jax.grad(jax.checkpoint(chain(push)), (0, 1))(w[0], X),
    "cond": lambda push, w: jax.grad(lambda w: jax.lax.cond(X[0] < 9.0, energy(push), lambda w, x: 0.0, w, X))(w[0]),
}


FORMS = {"plain": dense_push, "marked": dense_push_marked, "twice": lambda w, x: dense_push(w, x) + dense_push(w, x)}


@functools.cache
def by_dense_product(name: str, width: int, form: str) -> list[jax.Array]:
    return jax.tree.leaves(jax.jit(lambda weights: TRANSFORMS[name](FORMS[form], weights))(WEIGHTS[width]))


@each_form
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "width"),
    [(name, NNZ) for name in TRANSFORMS] + [(name, 1) for name in ("grad", "grad of vmap, weight shared", "hessian")],
)
def test_transformations_agree_with_a_dense_product(native: bool, name: str, width: int, form: str) -> None:
    def push(weight: jax.Array, source: jax.Array) -> jax.Array:
        graph, marks = (GRAPH.row_ptr, GRAPH.post), source if form == "marked" else None
        sums = kernels.push([jnp.zeros(4)] * 2, *graph, weight, source, native=native, marks=marks)
        if form == "twice":
            sums = kernels.push(sums, *graph, weight, source, native=native)
        return jnp.stack(sums)

    expected = by_dense_product(name, width, form)
    got = jax.tree.leaves(jax.jit(lambda weights: TRANSFORMS[name](push, weights))(WEIGHTS[width]))
    assert any(np.any(np.asarray(leaf) != 0) for leaf in expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6, atol=2e-6)


@each_form
def test_pull_and_outer_are_differentiable_too(native: bool) -> None:
    weight, target = WEIGHTS[NNZ][0], jnp.asarray(ref.on_grid(RNG, (2, 4)))
    graph = (GRAPH.row_ptr, GRAPH.post)

    def pull(w: jax.Array, y: jax.Array) -> jax.Array:
        return kernels.pull(*graph, w, y, native=native)

    def outer(x: jax.Array, y: jax.Array) -> jax.Array:
        return kernels.outer(*graph, x, y, native=native)

    there = pushed(graph, weight, X, n_post=4, native=native)
    for gradient, expected in zip(jax.vjp(pull, weight, target)[1](X), (outer(X, target), there), strict=True):
        np.testing.assert_array_equal(np.asarray(gradient), np.asarray(expected))
    for gradient, expected in zip(jax.vjp(outer, X, target)[1](weight), (pull(weight, target), there), strict=True):
        np.testing.assert_array_equal(np.asarray(gradient), np.asarray(expected))


@each_form
def test_shared_weight_gradient_never_holds_one_copy_for_each_lane(native: bool) -> None:
    lanes = jnp.ones((64, 5))
    push = jax.vmap(lambda w, x: pushed((GRAPH.row_ptr, GRAPH.post), w, x, n_post=4, native=native), (None, 0))
    gradient = jax.make_jaxpr(jax.grad(lambda w: jnp.sum(push(w, lanes) ** 2)))(WEIGHTS[NNZ][0])
    sizes = [v.aval.size for eqn in gradient.jaxpr.eqns for v in eqn.outvars]
    assert max(sizes) < 64 * 2 * NNZ


GOOD = {
    "row_ptr": GRAPH.row_ptr,
    "post": GRAPH.post,
    "weight": np.zeros((2, NNZ), np.float32),
    "source": np.zeros(5, np.float32),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row_ptr": GRAPH.row_ptr.astype(np.uint32)}, r"row_ptr: got uint32\[6\], must be int32"),
        ({"row_ptr": np.zeros(0, np.int32)}, "row_ptr: got no entry"),
        ({"post": GRAPH.post[None]}, "post: got int32.*one axis"),
        ({"weight": np.zeros((2, 3), np.float32)}, r"weight: got shape \(2, 3\), must be \(receptors, "),
        ({"weight": np.zeros(NNZ, np.float32)}, "weight: got shape"),
        ({"weight": np.zeros((2, NNZ), np.float16)}, "got weight float16, source float32, .*must be one"),
        ({"source": np.zeros(4, np.float32)}, r"source, marks: got shapes \(4,\) and \(0,\), must be \(5,\)"),
        ({"source": np.zeros(5, np.int32)}, "must be one float dtype"),
    ],
)
def test_bad_operands_of_push_are_named(change: dict[str, Any], message: str) -> None:
    operands = GOOD | change
    with pytest.raises(ValueError, match=message):
        kernels.push([np.zeros(4, np.float32)] * 2, *operands.values(), native=False)


@pytest.mark.parametrize("shapes", [[(4,)], [(4,), (5,)], [(1, 4), (1, 4)], []])
def test_bad_sums_of_push_are_named(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"onto: got shapes .*, must be 2 times \(n_post,\), one for each receptor"):
        kernels.push([np.zeros(shape, np.float32) for shape in shapes], *GOOD.values(), native=False)


@ref.needs_native
def test_more_receptors_than_native_kernels_take_are_refused() -> None:
    sums, weight = [np.zeros(4, np.float32)] * 65, np.ones((65, 1), np.float32)
    graph = (GRAPH.row_ptr, GRAPH.post)
    with pytest.raises(ValueError, match="onto: got 65 rows, native kernels take at most 64; pass native=False"):
        kernels.push(sums, *graph, weight, GOOD["source"], native=True)
    assert len(kernels.push(sums, *graph, weight, GOOD["source"], native=False)) == 65


def test_bad_marks_of_push_are_named() -> None:
    sums = [np.zeros(4, np.float32)] * 2
    with pytest.raises(ValueError, match=r"source, marks: got shapes \(5,\) and \(3,\), must be \(5,\)"):
        kernels.push(sums, *GOOD.values(), native=False, marks=np.zeros(3, np.float32))


def test_bad_operands_of_pull_and_outer_are_named() -> None:
    graph, weight = (GRAPH.row_ptr, GRAPH.post), GOOD["weight"]
    target = np.zeros((2, 4), np.float32)
    with pytest.raises(ValueError, match=r"target: got shape \(1, 4\), must be \(2, n_post\)"):
        kernels.pull(*graph, weight, target[:1], native=False)
    with pytest.raises(ValueError, match=r"source, target: got shapes \(3, 5\) and \(2, 2, 4\)"):
        kernels.outer(*graph, np.zeros((3, 5), np.float32), np.zeros((2, 2, 4), np.float32), native=False)
    with pytest.raises(ValueError, match="width: got 2, must be 1 or the number of synapse entries"):
        kernels.outer(*graph, GOOD["source"], target, width=2, native=False)


@ref.needs_native
def test_native_kernels_refuse_half_precision_and_pure_ones_take_it() -> None:
    half = [np.asarray(array, np.float16) for array in (GOOD["weight"], GOOD["source"])]
    with pytest.raises(ValueError, match="native kernels take float32 or float64; pass native=False"):
        pushed((GRAPH.row_ptr, GRAPH.post), *half, n_post=4, native=True)
    assert pushed((GRAPH.row_ptr, GRAPH.post), *half, n_post=4, native=False).dtype == np.float16


@ref.needs_native
def test_a_graph_that_leaves_its_arrays_is_an_error_not_a_crash() -> None:
    row_ptr = np.array([0, 2, 4, 6, 8, 2**30], np.int32)
    source = np.ones(5, np.float32)
    with pytest.raises((ValueError, jax.errors.JaxRuntimeError), match="row_ptr must ascend from 0 and end within"):
        jax.block_until_ready(pushed((row_ptr, GRAPH.post), GOOD["weight"], source, n_post=4, native=True))


def test_vmap_over_graphs_is_refused_by_name() -> None:
    graphs = np.stack([GRAPH.post, GRAPH.post])
    push = lambda post: pushed((GRAPH.row_ptr, post), GOOD["weight"], GOOD["source"], n_post=4, native=False)  # noqa: E731
    with pytest.raises(ValueError, match="lanes share one graph; map over graphs with"):
        jax.vmap(push)(graphs)
