"""Random graphs against closed-form statistics (data/stimuli_stats.json: scipy, networkx, 5 standard errors)."""

import json
import pathlib

import numpy as np
import pytest
from scipy.sparse.csgraph import shortest_path

from jaxsyn import connect

PATH = pathlib.Path(__file__).parents[1] / "reference" / "data" / "stimuli_stats.json"
STATS = json.loads(PATH.read_text())
ERRORS = STATS["tolerance"]["n_standard_errors"]


def named(cases):
    return [pytest.param(case, id=case["name"]) for case in cases]


def near(got, expected, sd):
    assert abs(got - expected) <= ERRORS * sd, (got, expected, sd)


def rule_of(case):
    options = {"autapses": case["autapses"]}
    if case["rule"] == "fixed_probability":
        return connect.FixedProbability(case["p"], **options)
    options["multapses"] = case["multapses"]
    if case["rule"] == "fixed_in_degree":
        return connect.FixedInDegree(case["K"], **options)
    if case["rule"] == "fixed_out_degree":
        return connect.FixedOutDegree(case["K"], **options)
    return connect.FixedTotal(case["M"], **options)


def block_chi2(pre, post, case):
    a, b = case["n_pre"], case["n_post"]
    block_pre, block_post = np.arange(a) * 8 // a, np.arange(b) * 8 // b
    allowed = np.outer(np.bincount(block_pre), np.bincount(block_post)).astype(float)
    if case["same_population"] and not case["autapses"]:
        allowed -= np.diag(np.bincount(block_pre))
    expected = allowed / allowed.sum() * pre.size
    counts = np.zeros((8, 8))
    np.add.at(counts, (block_pre[pre], block_post[post]), 1)
    return ((counts - expected) ** 2 / expected).sum()


@pytest.mark.parametrize("case", named(STATS["connectivity"]))
@pytest.mark.parametrize("seed", [0, 1])
def test_random_rules(case, seed):
    a, b, same, expected = case["n_pre"], case["n_post"], case["same_population"], case["expected"]
    edges = rule_of(case).build(a, b, key=connect.GraphKey(seed, case["name"]), same_population=same)
    pre, post = edges.pre, edges.post
    near(pre.size, expected["edges"]["mean"], expected["edges"]["sd"])
    for degree, key in ((np.bincount(post, minlength=b), "in_degree"), (np.bincount(pre, minlength=a), "out_degree")):
        want = expected[key]
        near(np.mean((degree - want["mean"]) ** 2), want["variance"], want["sd_of_sample_variance"])
        assert want["range"][0] <= degree.min() <= degree.max() <= want["range"][1]
    near(int((pre == post).sum()) if same else 0, expected["autapses"]["mean"], expected["autapses"]["sd"])
    pairs = pre.astype(np.int64) * b + post
    duplicates = pairs.size - np.unique(pairs).size
    near(duplicates, expected["duplicate_edges"]["mean"], expected["duplicate_edges"]["sd"])
    assert block_chi2(pre, post, case) < expected["block_chi2_limit"]
    if expected["reciprocal_pairs"] is not None:
        forward = np.unique(pairs[pre != post])
        both = np.isin(forward % b * b + forward // b, forward).sum() / 2
        near(both, expected["reciprocal_pairs"]["mean"], expected["reciprocal_pairs"]["sd"])


@pytest.mark.parametrize("case", named(STATS["distance_dependent"]))
@pytest.mark.parametrize("layout", ["grid", "positions"])
def test_distance_dependent(case, layout):
    kernels = {"gaussian": connect.GaussianKernel, "exponential": connect.ExponentialKernel}
    n_pre, n_post = case["side_pre"] ** 2, case["side_post"] ** 2
    grid = connect.Grid(case["spacing"])
    x, y = grid.positions(n_pre, n_post, case["same_population"])
    rule = connect.DistanceDependent(
        kernels[case["kernel"]](case["p0"], case["scale"]),
        d_max=case["d_max"],
        layout=grid if layout == "grid" else connect.Positions(x, y),
        box=case["box"] if case["periodic"] else None,
        autapses=case["autapses"],
    )
    key = connect.GraphKey(3, case["name"] + layout)
    edges = rule.build(n_pre, n_post, key=key, same_population=case["same_population"])
    near(len(edges), case["expected"]["edges_mean"], case["expected"]["edges_sd"])
    d = np.abs(x[:, None] - y[None])
    d = np.hypot(*np.moveaxis(np.minimum(d, case["box"] - d) if case["periodic"] else d, -1, 0))
    allowed = np.ones(d.shape, bool)
    if case["same_population"] and not case["autapses"]:
        np.fill_diagonal(allowed, False)
    assert allowed[edges.pre, edges.post].all()
    assert np.unique(edges.pre.astype(np.int64) * n_post + edges.post).size == len(edges)
    for row in case["expected"]["bins"]:
        inside = (d >= row["from"]) & (d < row["to"])
        assert (inside & allowed).sum() == row["pairs"]
        if row["pairs"]:
            near(inside[edges.pre, edges.post].sum() / row["pairs"], row["probability"], row["se"])
    assert d[edges.pre, edges.post].max() <= case["d_max"]


def graph_figures(edges, n, *, directed):
    """Mean clustering, mean path length and degree variance, as networkx defines them."""
    adjacency = np.zeros((n, n))
    adjacency[edges.pre, edges.post] = 1
    assert adjacency.sum() == len(edges)
    assert not adjacency.diagonal().any()
    if directed:
        both = adjacency + adjacency.T
        triangles = np.einsum("ij,ij->i", both @ both, both)
        total, mutual = both.sum(1), (adjacency * adjacency.T).sum(1)
        clustering = triangles / (2 * (total * (total - 1) - 2 * mutual))
        degree = adjacency.sum(0)
    else:
        assert (adjacency == adjacency.T).all()
        degree = adjacency.sum(0)
        triangles = np.einsum("ij,ij->i", adjacency @ adjacency, adjacency)
        clustering = triangles / np.maximum(degree * (degree - 1), 1)
    lengths = shortest_path(adjacency, unweighted=True)
    finite = np.isfinite(lengths)
    return clustering.mean(), lengths[finite].sum() / (finite.sum() - n), degree.var()


@pytest.mark.parametrize("case", named(STATS["small_world"]))
@pytest.mark.parametrize("directed", [True, False])
def test_small_world(case, directed):
    n, k = case["N"], case["k"]
    for row in case["by_p"]:
        n_graphs = 1 if row["p"] == 0.0 else 10
        figures = []
        for seed in range(n_graphs):
            rule = connect.SmallWorld(k, row["p"], directed=directed)
            edges = rule.build(n, n, key=connect.GraphKey(seed, case["name"]), same_population=True)
            assert len(edges) == case["edges_directed"] == 2 * case["edges_undirected"]
            figures.append(graph_figures(edges, n, directed=directed))
        expected = row["directed" if directed else "undirected"]
        spread = np.sqrt(1 / n_graphs + 1 / row["graphs"])
        for got, want in zip(np.mean(figures, axis=0), expected.values(), strict=True):
            limit = ERRORS * want["sd"] * spread + STATS["tolerance"]["small_world_abs"]
            assert abs(got - want["mean"]) <= limit, (row["p"], got, want)
