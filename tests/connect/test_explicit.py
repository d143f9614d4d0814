import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

from jaxsyn import connect

KEY = connect.GraphKey(0, "explicit")


def build(rule, n_pre, n_post):
    return rule.build(n_pre, n_post, key=KEY, same_population=False)


def test_edges_keep_the_order_given():
    edges = build(connect.Edges([2, 0, 2], [1, 1, 1], weight=[1.0, 2.0, 3.0]), 3, 2)
    assert edges.pre.tolist() == [2, 0, 2]
    assert edges.weight.tolist() == [1.0, 2.0, 3.0]
    assert len(build(connect.Edges([], []), 3, 2)) == 0


def test_all_to_all_and_one_to_one():
    edges = build(connect.AllToAll(), 2, 3)
    assert list(zip(edges.pre.tolist(), edges.post.tolist(), strict=True)) == [
        (i, j) for i in range(2) for j in range(3)
    ]
    assert build(connect.OneToOne(), 3, 3).post.tolist() == [0, 1, 2]


@pytest.mark.parametrize(("n_pre", "n_post"), [(1, 1), (7, 11)])
def test_scipy_and_bcoo_round_trip(n_pre, n_post):
    rng = np.random.default_rng(n_pre)
    dense = rng.normal(size=(n_pre, n_post)) * (rng.random((n_pre, n_post)) < 0.3)
    dense = dense.astype(np.float32)
    for rule in (
        connect.from_scipy(scipy.sparse.csr_array(dense)),
        connect.from_scipy(scipy.sparse.coo_matrix(dense)),
        connect.from_bcoo(BCOO.fromdense(dense)),
        connect.from_bcoo(BCOO.fromdense(dense, nse=dense.size)),
    ):
        edges = build(rule, n_pre, n_post)
        assert len(edges) == np.count_nonzero(dense)
        graph, order = connect.build_graph(edges, 1, n_pre, n_post)
        weight = connect.arrange([edges.weight], order, graph, np.float32)[0]
        matrix = graph.to_bcoo(weight)
        assert np.array_equal(matrix.todense(), dense)
        again = build(connect.from_bcoo(matrix), n_pre, n_post)
        assert np.array_equal(again.pre, np.nonzero(dense)[0])
        assert np.array_equal(again.weight, dense[np.nonzero(dense)])


def test_entries_stored_twice_are_two_synapses():
    matrix = scipy.sparse.coo_array((np.ones(2), ([0, 0], [1, 1])), shape=(2, 2))
    assert len(build(connect.from_scipy(matrix), 2, 2)) == 2
    twice = BCOO((jnp.ones(2), jnp.array([[0, 1], [0, 1]])), shape=(2, 2))
    assert len(build(connect.from_bcoo(twice), 2, 2)) == 2


BAD = {
    "float": (lambda: connect.Edges([0.0], [1]), r"Edges\.pre: got dtype float64; allowed: integers"),
    "negative": (lambda: connect.Edges([0], [-1]), r"Edges\.post: got -1 at place 0; allowed: indices >= 0"),
    "matrix": (lambda: connect.Edges([[0]], [[0]]), r"Edges\.pre: got shape \(1, 1\)"),
    "lengths": (lambda: connect.Edges([0], [0, 1]), "1 and 2 indices"),
    "nan": (lambda: connect.Edges([0, 1], [0, 1], [1.0, np.nan]), r"Edges\.weight: got nan at place \(1,\)"),
    "weights": (lambda: connect.Edges([0], [0], [1.0, 2.0]), r"Edges\.weight: got shape \(2,\); allowed: shape \(1,\)"),
    "text": (lambda: connect.Edges([0], [0], ["a"]), r"Edges\.weight: got dtype <U1"),
    "source": (lambda: build(connect.Edges([3], [0]), 3, 3), "index 3 at place 0; allowed: 0 to 2, the source"),
    "empty": (lambda: build(connect.Edges([0], [0]), 1, 0), "the target population is empty"),
    "shape": (lambda: build(connect.from_scipy(scipy.sparse.eye_array(3)), 3, 4), "for 3 source and 3 target"),
    "dense": (lambda: connect.from_scipy(np.eye(3)), "got ndarray; allowed: a scipy.sparse matrix"),
    "not bcoo": (lambda: connect.from_bcoo(np.eye(3)), r"from_bcoo: matrix: got ndarray of shape \(3, 3\)"),
    "batched": (lambda: connect.from_bcoo(BCOO.fromdense(np.ones((2, 2, 2)))), "two sparse dimensions"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()
