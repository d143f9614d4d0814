"""Random graphs as they stand in a built network: degrees, doubles, blocks, distances, small worlds."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._random_sources import below, within
from ._report import Figure

Case = dict[str, Any]
Ints = np.ndarray[Any, Any]


def _edges(rule: js.connect.AbstractRule, n_pre: int, n_post: int, same: bool, seed: int) -> tuple[Ints, Ints]:
    """Source and target of each synapse of a network with this one projection."""
    populations = {"pre": js.Population(js.neurons.Relay(), n_pre)}
    target = "pre" if same else "post"
    if not same:
        populations["post"] = js.Population(js.neurons.LeakyIntegrator(), n_post)
    projection = js.Projection("pre", target, rule, weight=1.0, delay_ms=1.0)
    net = js.Network(populations, {"p": projection}, dt_ms=1.0, seed=seed)
    synapses = net.synapses("p")
    return synapses["pre"].astype(np.int64), synapses["post"].astype(np.int64)


def _rule(case: Case) -> js.connect.AbstractRule:
    autapses, multapses = case["autapses"], case["multapses"]
    kind = case["rule"]
    if kind == "fixed_probability":
        return js.connect.FixedProbability(case["p"], autapses=autapses)
    if kind == "fixed_in_degree":
        return js.connect.FixedInDegree(case["K"], autapses=autapses, multapses=multapses)
    if kind == "fixed_out_degree":
        return js.connect.FixedOutDegree(case["K"], autapses=autapses, multapses=multapses)
    if kind == "fixed_total":
        return js.connect.FixedTotal(case["M"], autapses=autapses, multapses=multapses)
    raise ValueError(f"unknown rule {kind!r}")


def random_rule(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Edge number, degrees, autapses, doubles, reciprocal pairs and 8 x 8 blocks of one graph."""
    n_pre, n_post, same, e = case["n_pre"], case["n_post"], case["same_population"], case["expected"]
    pre, post = _edges(_rule(case), n_pre, n_post, same, seed=1)
    yield within("edges", pre.size, e["edges"]["mean"], e["edges"]["sd"], tolerance)
    for key, ends, n in (("in_degree", post, n_post), ("out_degree", pre, n_pre)):
        want, degree = e[key], np.bincount(ends, minlength=n)
        spread = float(np.mean((degree - want["mean"]) ** 2))
        yield within(f"variance of {key}", spread, want["variance"], want["sd_of_sample_variance"], tolerance)
        low, high = want["range"]
        outside = max(low - int(degree.min()), int(degree.max()) - high, 0)
        yield Figure(f"{key} {degree.min()} to {degree.max()}, range {low} to {high}", float(outside), 0.0)
    own = int((pre == post).sum()) if same else 0
    yield within("autapses", own, e["autapses"]["mean"], e["autapses"]["sd"], tolerance)
    pairs = pre * n_post + post
    doubles = pairs.size - np.unique(pairs).size
    yield within("duplicate edges", doubles, e["duplicate_edges"]["mean"], e["duplicate_edges"]["sd"], tolerance)
    yield below("chi2 of the blocks", _block_chi2(pre, post, case), e["block_chi2_limit"])
    if e.get("reciprocal_pairs") is not None:
        forward = np.unique(pairs[pre != post])
        both = float(np.isin(forward % n_post * n_post + forward // n_post, forward).sum() / 2)
        want = e["reciprocal_pairs"]
        yield within("reciprocal pairs", both, want["mean"], want["sd"], tolerance)


def _block_chi2(pre: Ints, post: Ints, case: Case) -> float:
    block_pre, block_post = (np.arange(case[k]) * 8 // case[k] for k in ("n_pre", "n_post"))
    allowed = np.outer(np.bincount(block_pre, minlength=8), np.bincount(block_post, minlength=8)).astype(float)
    if case["same_population"] and not case["autapses"]:
        allowed -= np.diag(np.bincount(block_pre, minlength=8))
    expected = allowed / allowed.sum() * pre.size
    counts = np.zeros((8, 8))
    np.add.at(counts, (block_pre[pre], block_post[post]), 1)
    possible = expected > 0
    return float(((counts - expected)[possible] ** 2 / expected[possible]).sum())


_KERNELS = {"gaussian": js.connect.GaussianKernel, "exponential": js.connect.ExponentialKernel}


def distance_dependent(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Connection probability in bins of distance."""
    if case["kernel"] not in _KERNELS:
        raise ValueError(f"unknown kernel {case['kernel']!r}")
    n_pre, n_post, same = case["side_pre"] ** 2, case["side_post"] ** 2, case["same_population"]
    rule = js.connect.DistanceDependent(
        _KERNELS[case["kernel"]](case["p0"], case["scale"]),
        d_max=case["d_max"],
        layout=js.connect.Grid(case["spacing"]),
        box=case["box"] if case["periodic"] else None,
        autapses=case["autapses"],
    )
    pre, post = _edges(rule, n_pre, n_post, same, seed=1)
    e = case["expected"]
    x, y = (_sheet(case[side], case["spacing"]) for side in ("side_pre", "side_post"))
    d = np.abs(x[:, None] - y[None])
    if case["periodic"]:
        d = np.minimum(d, case["box"] - d)
    distance = np.hypot(d[..., 0], d[..., 1])
    allowed = np.ones(distance.shape, bool)
    if same and not case["autapses"]:
        np.fill_diagonal(allowed, False)
    yield within("edges", pre.size, e["edges_mean"], e["edges_sd"], tolerance)
    yield Figure("forbidden edges", float((~allowed[pre, post]).sum()), 0.0)
    yield Figure("doubles", float(pre.size - np.unique(pre * n_post + post).size), 0.0)
    yield Figure("edges beyond d_max", float((distance[pre, post] > case["d_max"]).sum()), 0.0)
    for row in e["bins"]:
        inside = (distance >= row["from"]) & (distance < row["to"])
        what = f"bin {row['from']} to {row['to']}"
        yield Figure(f"pairs of {what}", float(abs(int((inside & allowed).sum()) - row["pairs"])), 0.0)
        if row["pairs"]:
            own = float(inside[pre, post].sum() / row["pairs"])
            yield within(f"probability of {what}", own, row["probability"], row["se"], tolerance)


def _sheet(side: int, spacing: float) -> np.ndarray[Any, Any]:
    i = np.arange(side * side)
    return np.stack([i % side, i // side], axis=1) * spacing


def small_world(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Clustering, path length and degrees, directed and undirected, over ten graphs for each p."""
    n, k = case["N"], case["k"]
    for row in case["by_p"]:
        for kind in ("undirected", "directed"):
            if kind not in row:
                continue
            rule = js.connect.SmallWorld(k, row["p"], directed=kind == "directed")
            graphs = [_edges(rule, n, n, True, seed) for seed in range(1 if row["p"] == 0 else 10)]
            listed = case["edges_directed"] if kind == "directed" else 2 * case["edges_undirected"]
            worst = max(abs(pre.size - listed) for pre, _ in graphs)
            yield Figure(f"edges, {kind}", float(worst), 0.0)
            own = [_figures(pre, post, n, directed=kind == "directed") for pre, post in graphs]
            for key, want in row[kind].items():
                mean = float(np.mean([figures[key] for figures in own]))
                se = want["sd"] * math.sqrt(1 / len(graphs) + 1 / row["graphs"])
                limit = tolerance["n_standard_errors"] * se + tolerance["small_world_abs"]
                yield Figure(f"{key}, p {row['p']}, {kind}", abs(mean - want["mean"]), limit)


def _figures(pre: Ints, post: Ints, n: int, *, directed: bool) -> dict[str, float]:
    """Mean clustering, mean path length and degree variance, as networkx defines them."""
    from scipy.sparse.csgraph import shortest_path

    adjacency = np.zeros((n, n))
    np.add.at(adjacency, (pre, post), 1)
    if adjacency.max() > 1 or adjacency.diagonal().any():
        raise ValueError("the graph has doubles or loops")
    if directed:
        both = adjacency + adjacency.T
        triangles = np.einsum("ij,ij->i", both @ both, both)
        total, mutual = both.sum(1), (adjacency * adjacency.T).sum(1)
        pairs = 2 * (total * (total - 1) - 2 * mutual)
    else:
        if (adjacency != adjacency.T).any():
            raise ValueError("the undirected graph has an edge in one direction only")
        degree = adjacency.sum(0)
        triangles = np.einsum("ij,ij->i", adjacency @ adjacency, adjacency)
        pairs = degree * (degree - 1)
    clustering = np.divide(triangles, pairs, out=np.zeros(n), where=pairs > 0)
    lengths = shortest_path(adjacency, unweighted=True)
    finite = np.isfinite(lengths)
    variance = float(adjacency.sum(0).var())
    return {
        "clustering": float(clustering.mean()),
        "path_length": float(lengths[finite].sum() / (finite.sum() - n)),
        "degree_variance": variance,
        "in_degree_variance": variance,
    }
