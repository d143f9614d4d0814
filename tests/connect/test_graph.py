import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn import connect
from jaxsyn.connect import _graph, _order


def random_edges(rng, n, n_pre, n_post, *, is_sorted):
    pre, post = rng.integers(0, n_pre, n).astype(np.int32), rng.integers(0, n_post, n).astype(np.int32)
    if is_sorted:
        order = np.lexsort((post, pre))
        pre, post = pre[order], post[order]
    return connect.EdgeList(pre, post, is_sorted=is_sorted)


@given(
    n=st.integers(0, 200),
    n_pre=st.integers(1, 30),
    n_post=st.integers(1, 30),
    largest=st.sampled_from([0, 3, 300]),
    is_sorted=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_synapses_are_sorted_by_delay_source_target(n, n_pre, n_post, largest, is_sorted, seed):
    rng = np.random.default_rng(seed)
    edges = random_edges(rng, n, n_pre, n_post, is_sorted=is_sorted)
    steps = rng.integers(0, largest, n, endpoint=True)
    graph, order = connect.build_graph(edges, steps, n_pre, n_post)
    expected = np.lexsort((np.arange(n), edges.post, edges.pre, steps))
    pre, post, delay = graph.edges()
    assert np.array_equal(pre, edges.pre[expected])
    assert np.array_equal(post, edges.post[expected])
    assert np.array_equal(delay, steps[expected])
    assert np.array_equal(order.indices(), expected)
    assert graph.n_synapses == n
    assert graph.n_rows == graph.n_delays * n_pre
    assert np.array_equal(graph.delays, np.unique(steps) if n else [0])
    assert {leaf.dtype for leaf in jax.tree.leaves(graph)} == {jnp.dtype(jnp.int32)}


@pytest.mark.parametrize("chunk", [64, 2**18])
def test_more_rows_than_parts(chunk, monkeypatch):
    monkeypatch.setattr(_graph, "CHUNK", chunk)
    monkeypatch.setattr(_order, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    n_pre = 70_000
    edges = random_edges(rng, 5000, n_pre, 100_000, is_sorted=False)
    steps = rng.integers(1, 4, 5000)
    graph, order = connect.build_graph(edges, steps, n_pre, 100_000)
    assert np.array_equal(order.indices(), np.lexsort((edges.post, edges.pre, steps)))
    assert np.array_equal(np.diff(graph.row_ptr), np.bincount((steps - 1) * n_pre + edges.pre, minlength=3 * n_pre))


def test_more_delays_than_classes(monkeypatch):
    monkeypatch.setattr(_graph, "_MOST_CLASSES", 10)
    rng = np.random.default_rng(0)
    edges = random_edges(rng, 500, 20, 20, is_sorted=True)
    steps = rng.integers(1, 300, 500)
    order = connect.build_graph(edges, steps, 20, 20)[1]
    assert np.array_equal(order.indices(), np.lexsort((edges.post, edges.pre, steps)))


def test_long_delays():
    edges = connect.EdgeList(np.zeros(3, np.int32), np.arange(3, dtype=np.int32), is_sorted=True)
    graph, order = connect.build_graph(edges, [2**24 + 5, 1, 2**24 + 5], 1, 3)
    assert graph.delays.tolist() == [1, 2**24 + 5]
    assert order.indices().tolist() == [1, 0, 2]


def test_one_delay_of_sorted_edges_needs_no_order():
    edges = connect.EdgeList(np.array([0, 0, 1], np.int32), np.array([0, 2, 1], np.int32))
    graph, order = connect.build_graph(edges, 4, 2, 3)
    assert order.indices().tolist() == [0, 1, 2]
    assert graph.row_ptr.tolist() == [0, 2, 3]
    assert graph.post[:3].tolist() == [0, 2, 1]
    assert graph.delays.tolist() == [4]
    assert graph.nbytes == 4 * (3 + graph.n_padded + 1)


@pytest.mark.parametrize("n", [0, 1, 16, 17, 255, 256, 1000, 12_345, 10**8, 2**31 - 2])
def test_padding_wastes_little(n):
    size = _graph.padded_size(n)
    assert n <= size <= 2**31 - 1
    assert size > 0
    assert size <= max(n * 17 / 16, n + 16)


def test_values_follow_the_synapses():
    edges = connect.EdgeList(np.array([1, 0, 1], np.int32), np.array([0, 2, 1], np.int32))
    graph, order = connect.build_graph(edges, np.array([2, 2, 1]), 2, 3)
    weight = connect.arrange([np.array([10.0, 20.0, 30.0])], order, graph, np.float32)[0]
    assert weight.dtype == jnp.float32
    assert weight.tolist() == [30.0, 20.0, 10.0] + [0.0] * 13


@pytest.mark.parametrize("steps", [3, [1, 2, 1, 2, 2]])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_values_that_are_drawn_into_place_are_those_drawn_before(is_sorted, steps, monkeypatch):
    monkeypatch.setattr(_order, "CHUNK", 2)
    pre, post = (np.array(x, np.int32) for x in ([0, 0, 1, 2, 2], [0, 2, 1, 0, 1]))
    edges = connect.EdgeList(*(x if is_sorted else x[::-1].copy() for x in (pre, post)), is_sorted=is_sorted)
    graph, order = connect.build_graph(edges, steps, 3, 3)
    draws = connect.Draws(connect.Normal(1.0, 0.5), 5, lambda: np.random.default_rng(7), np.float32)
    for dtype, scale in ((np.float32, 1.0), (np.int16, 0.25)):
        drawn, held = (connect.arrange([x], order, graph, dtype, [scale]) for x in (draws, draws.all()))
        assert np.array_equal(drawn, held)
    assert np.array_equal(connect.arrange([draws], order, graph, np.float32)[0, :5], draws.all()[order.indices()])


def test_a_distribution_gives_a_value_for_each_uniform_number():
    class Two(connect.AbstractDistribution):
        def transform(self, uniform):
            return np.float64(2.0)

        def sample(self, generator, shape, dtype=np.float64):
            return np.full(shape, 7.0, dtype)

    draws = connect.Draws(Two(), 5, lambda: np.random.default_rng(0), np.float32)
    assert draws.all().tolist() == [2.0] * 5
    for is_sorted in (True, False):
        edges = connect.EdgeList(np.array([0, 1], np.int32), np.array([2, 0], np.int32), is_sorted=is_sorted)
        graph, order = connect.build_graph(edges, [1, 2], 2, 3)
        draws = connect.Draws(Two(), 2, lambda: np.random.default_rng(0), np.float32)
        assert connect.arrange([draws], order, graph, np.float32)[0, :2].tolist() == [2.0, 2.0]


def test_a_graph_without_edges_has_the_delays_of_one_with_them():
    none, span = connect.EdgeList.of_rows([0, 0], np.zeros(0, np.int32)), (2, 4)
    assert connect.build_graph(none, np.zeros(0, np.uint8), 1, 3, span=span)[0].delays.tolist() == [2, 3, 4]
    some = connect.EdgeList(np.zeros(2, np.int32), np.arange(2, dtype=np.int32))
    graph, _ = connect.build_graph(some, 3, 1, 3, span=span)
    assert graph.row_ptr.tolist() == [0, 0, 2, 2]


def test_weights_go_along_when_edges_get_other_targets():
    post, weight = np.array([2, 0], np.int32), np.array([1.0, 2.0])
    edges = connect.EdgeList(np.array([0, 1], np.int32), post, weight, is_sorted=True)
    for is_sorted in (True, False):
        assert edges.onto(post + np.int32(1), is_sorted=is_sorted).weight is weight


@given(counts=st.lists(st.integers(0, 4), max_size=12), ends=st.tuples(st.integers(0, 50), st.integers(0, 50)))
def test_sources_of_a_sorted_list_are_found_from_where_they_start(counts, ends):
    pre = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    for edges in (connect.EdgeList(pre, pre, is_sorted=True), connect.EdgeList.of_rows(starts, pre)):
        assert edges.is_sorted
        assert np.array_equal(edges.pre, pre)
        assert np.array_equal(edges.sources(slice(*ends)), pre[slice(*ends)])
        some = np.arange(pre.size)[::-2]
        assert np.array_equal(edges.sources(some), pre[some])


def test_another_graph_of_the_same_sizes_compiles_nothing():
    traces = []

    @eqx.filter_jit
    def total(graph):
        traces.append(1)
        return graph.post.sum()

    for seed in range(3):
        key = connect.GraphKey(seed, "trace")
        edges = connect.FixedProbability(0.1).build(100, 100, key=key, same_population=True)
        steps = connect.sample_delays(connect.Uniform(0.5, 1.5), len(edges), 0.1, key.generator("delay"))
        total(connect.build_graph(edges, steps, 100, 100)[0])
    assert len(traces) == 1


def test_a_cpu_takes_the_arrays_over_without_a_copy():
    array = _graph.aligned_empty(1000, np.int32)
    array[:] = 7
    device = _graph.to_device(array)
    assert device.unsafe_buffer_pointer() == array.ctypes.data
    assert device.tolist() == [7] * 1000


def test_empty_populations():
    graph, _ = connect.build_graph(connect.EdgeList(np.zeros(0, np.int32), np.zeros(0, np.int32)), 1, 0, 0)
    assert graph.n_synapses == graph.n_rows == 0
    assert graph.edges()[0].size == 0


EDGES = connect.EdgeList(np.array([0, 1], np.int32), np.array([2, 0], np.int32))
BAD = {
    "float delays": (lambda: connect.build_graph(EDGES, 1.5, 2, 3), "dtype float64; allowed: whole steps"),
    "negative": (lambda: connect.build_graph(EDGES, -1, 2, 3), "delay_steps: got -1 to -1"),
    "shape": (lambda: connect.build_graph(EDGES, [1, 2, 3], 2, 3), r"shape \(3,\); allowed: \(\) or \(2,\)"),
    "source": (lambda: connect.build_graph(EDGES, 1, 1, 3), "source neurons: got 0 to 1; allowed: 0 to 0"),
    "target": (lambda: connect.build_graph(EDGES, 1, 2, 2), "target neurons: got 0 to 2; allowed: 0 to 1"),
    "rows": (lambda: connect.build_graph(EDGES, [1, 2], 2**30, 3), "delays x source neurons: got about 2.147e"),
    "order": (lambda: connect.EdgeList(EDGES.pre[::-1], EDGES.post, is_sorted=True), "sources that fall"),
    "starts": (lambda: connect.EdgeList.of_rows([0, 3], EDGES.post), "allowed: rising from 0 to 2"),
    "first": (lambda: connect.EdgeList.of_rows([1, 2], EDGES.post), "allowed: rising from 0 to 2"),
    "falling": (lambda: connect.EdgeList.of_rows([0, 2, 1, 2], EDGES.post), "allowed: rising from 0 to 2"),
    "lists": (lambda: connect.EdgeList(EDGES.pre, EDGES.post[:1]), r"arrays of shapes \[\(2,\), \(1,\)\]"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("n_post", [0, 1, 2**16, 2**16 + 1, 200_000])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_a_compact_graph_holds_the_same_synapses(n_post, is_sorted):
    rng = np.random.default_rng(n_post)
    n = 500 if n_post else 0
    pairs = np.stack([rng.integers(0, 20, n), rng.integers(0, max(n_post, 1), n)])
    pairs = pairs[:, np.lexsort(pairs[::-1])] if is_sorted else pairs
    edges = connect.EdgeList(*pairs.astype(np.int32), is_sorted=is_sorted)
    for steps in (3, rng.integers(1, 9, n)):
        full, _ = connect.build_graph(edges, steps, 20, n_post)
        compact, compact_order = connect.build_graph(edges, steps, 20, n_post, compact=True)
        assert (compact.post.dtype, compact.n_blocks) == (np.uint16, max(1, -(-n_post // 2**16)))
        assert compact.n_rows == compact.n_blocks * full.n_rows
        assert sorted(zip(*compact.edges(), strict=True)) == sorted(zip(*full.edges(), strict=True))
        listed = compact_order.indices()
        np.testing.assert_array_equal(compact.edges()[1], edges.post[listed])
        rows = np.repeat(np.arange(compact.n_rows), np.diff(np.asarray(compact.row_ptr)))
        posts = np.asarray(compact.post)[: rows.size].astype(int)
        assert np.array_equal(np.lexsort((posts, rows)), np.arange(rows.size))
