import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import connect

N_PRE, N_POST = 7, 5


@pytest.fixture(scope="module", name="graph")
def make_graph():
    key = connect.GraphKey(0, "bcoo")
    edges = connect.FixedTotal(40, multapses=True).build(N_PRE, N_POST, key=key, same_population=False)
    steps = np.arange(40) % 3 + 1
    return connect.build_graph(edges, steps, N_PRE, N_POST)[0]


def dense_push(graph, weight, source):
    rows = np.repeat(np.arange(graph.n_rows), np.diff(graph.row_ptr))
    post = graph.post[: graph.n_synapses]
    weight = jnp.broadcast_to(weight, (weight.shape[0], graph.n_padded))[:, : graph.n_synapses]
    return jnp.zeros((weight.shape[0], N_POST)).at[:, post].add(weight * source[rows][None])


def inputs(graph, *, homogeneous):
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.normal(size=(2, 1 if homogeneous else graph.n_padded)), jnp.float32)
    return weight, jnp.asarray(rng.normal(size=graph.n_rows), jnp.float32)


@pytest.mark.parametrize("homogeneous", [True, False])
def test_push_and_its_derivatives(graph, homogeneous):
    weight, source = inputs(graph, homogeneous=homogeneous)

    def push(weight, source):
        return connect.bcoo_push(graph.row_ptr, graph.post, weight, source, n_post=N_POST)

    np.testing.assert_allclose(push(weight, source), dense_push(graph, weight, source), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(jax.jit(push)(weight, source), dense_push(graph, weight, source), rtol=1e-5, atol=1e-5)
    if homogeneous:
        return
    got = jax.grad(lambda w, x: (push(w, x) ** 2).sum(), argnums=(0, 1))(weight, source)
    want = jax.grad(lambda w, x: (dense_push(graph, w, x) ** 2).sum(), argnums=(0, 1))(weight, source)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, want)
    scales = jnp.array([1.0, 2.0])
    for order in ("vmap of grad", "grad of vmap"):
        np.testing.assert_allclose(
            batched_gradient(push, weight, source, scales, order),
            batched_gradient(lambda w, x: dense_push(graph, w, x), weight, source, scales, order),
            rtol=1e-4,
            atol=1e-4,
        )
    batch = jnp.stack([source, 2.0 * source])
    np.testing.assert_allclose(
        jax.vmap(push, in_axes=(None, 0))(weight, batch)[1], 2.0 * push(weight, source), rtol=1e-5, atol=1e-5
    )


def batched_gradient(push, weight, source, scales, order):
    """Gradient with respect to the weights of lanes that scale weights and sources."""

    def loss(weight, scale):
        return (push(scale * weight, scale * source) ** 2).sum()

    if order == "vmap of grad":
        return jax.vmap(jax.grad(loss), in_axes=(None, 0))(weight, scales)
    return jax.grad(lambda w: jax.vmap(loss, in_axes=(None, 0))(w, scales).sum())(weight)


def test_rows_may_be_computed_once(graph):
    weight, source = inputs(graph, homogeneous=True)
    rows = connect.bcoo_rows(graph.row_ptr, graph.n_padded)
    assert (rows[graph.n_synapses :] == graph.n_rows).all()
    once = connect.bcoo_push(graph.row_ptr, graph.post, weight, source, n_post=N_POST, rows=rows)
    assert jnp.array_equal(once, connect.bcoo_push(graph.row_ptr, graph.post, weight, source, n_post=N_POST))


def test_to_bcoo(graph):
    weight, source = inputs(graph, homogeneous=False)
    pre, post, delay = graph.edges()
    for steps in (None, 2):
        matrix = graph.to_bcoo(weight[0], delay_steps=steps)
        kept = np.ones(40, bool) if steps is None else delay == steps
        dense = np.zeros((N_PRE, N_POST), np.float32)
        np.add.at(dense, (pre[kept], post[kept]), np.asarray(weight[0])[:40][kept])
        np.testing.assert_allclose(matrix.todense(), dense, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(source[:N_PRE] @ matrix, source[:N_PRE] @ dense, rtol=1e-5, atol=1e-5)
    assert not graph.to_bcoo(weight[0]).unique_indices
    assert graph.to_bcoo(jnp.ones(())).todense().sum() == 40
    total = jax.grad(lambda w: graph.to_bcoo(w).todense().sum())(weight[0])
    assert total.sum() == 40


def test_no_neurons():
    row_ptr, post = jnp.zeros(1, jnp.int32), jnp.zeros(16, jnp.int32)
    assert connect.bcoo_push(row_ptr, post, jnp.ones((1, 1)), jnp.ones(0), n_post=3).tolist() == [[0.0] * 3]


def test_bad_shapes(graph):
    weight, source = inputs(graph, homogeneous=True)
    with pytest.raises(ValueError, match=r"source: got shape \(20,\); allowed: \(21,\)"):
        connect.bcoo_push(graph.row_ptr, graph.post, weight, source[1:], n_post=N_POST)
    with pytest.raises(ValueError, match=r"weight: got shape \(2,\)"):
        connect.bcoo_push(graph.row_ptr, graph.post, weight[:, 0], source, n_post=N_POST)
    with pytest.raises(ValueError, match=r"to_bcoo: weight: got shape \(3,\)"):
        graph.to_bcoo(jnp.ones(3))
