"""How many synapses a rule says it gives, against how many it gives."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn import connect

KEY = connect.GraphKey(0, "expected")
sizes = st.integers(1, 40)


def scattered(n, shift):
    """Points that fill a square."""
    return np.stack([(np.arange(n) + shift) * 0.618 % 1.0, (np.arange(n) + shift) * 0.755 % 1.0], axis=1) * 6.0


def layouts(n_pre, n_post):
    points = connect.Positions(scattered(n_pre, 0), scattered(n_post, 7))
    return {"grid": connect.Grid(), "narrow": connect.Grid(0.5, side=3), "points": points}


@st.composite
def drawn(draw):
    """A rule, sizes, whether source and target are the same."""
    n_pre, n_post, same = draw(sizes), draw(sizes), draw(st.booleans())
    n_post = n_pre if same else n_post
    autapses, p = draw(st.booleans()), draw(st.floats(0, 1))
    partners = max(n_pre - 1, 0) if same and not autapses else n_pre
    targets = max(n_post - 1, 0) if same and not autapses else n_post
    layout = draw(st.sampled_from(["grid", "narrow", "points"] if not same else ["grid", "narrow"]))
    kernel = draw(st.sampled_from([connect.GaussianKernel, connect.ExponentialKernel]))
    half = n_pre // 2
    blocks = ((half, n_pre - half), ((p, 1 - p), (p / 2, 1.0)), None if same else (n_post,))
    blocks = blocks if same else (blocks[0], ((p,), (1.0,)), blocks[2])
    d_max, box = draw(st.sampled_from([math.inf, 3.0])), draw(st.sampled_from([None, 40.0]))
    degrees = [draw(st.integers(0, most)) for most in (partners, targets, n_pre * targets)]
    rules = [
        lambda: connect.FixedProbability(p, autapses=autapses),
        lambda: connect.FixedInDegree(degrees[0], autapses=autapses),
        lambda: connect.FixedOutDegree(degrees[1], autapses=autapses),
        lambda: connect.FixedTotal(degrees[2], autapses=autapses),
        lambda: connect.AllToAll(autapses=autapses),
        lambda: connect.BlockModel(*blocks, autapses=autapses),
        lambda: connect.Edges([0, 0], [n_post - 1, 0]),
        lambda: connect.DistanceDependent(kernel(p, 2.0), d_max, layouts(n_pre, n_post)[layout], box, autapses),
        *([connect.OneToOne] if n_pre == n_post else []),
        *([lambda: connect.SmallWorld(2, p)] if same and n_pre > 2 else []),
        *([lambda: connect.SmallWorld(2, p, directed=False)] if same and n_pre > 3 else []),
    ]
    return draw(st.sampled_from(rules)), n_pre, n_post, same  # made in the test: the type checks draw random numbers


@given(drawn())
def test_expected_and_built_numbers_agree(case):
    make, n_pre, n_post, same = case
    rule = make()
    expected = rule.expected(n_pre, n_post, same_population=same)
    edges = rule.build(n_pre, n_post, key=KEY, same_population=same)
    assert (edges.weight is not None) == expected.weighted
    assert edges.room == pytest.approx(expected.room, rel=1e-9, abs=1.0)
    if edges.room == 0 or isinstance(rule, connect.FixedTotal | connect.SmallWorld):
        assert len(edges) == expected.mean
    else:
        assert abs(len(edges) - expected.mean) <= 6.0 * math.sqrt(expected.mean) + 6.0


@pytest.mark.parametrize(
    "rule",
    [
        connect.FixedProbability(0.3),
        connect.BlockModel((100, 100), ((0.5, 0.1), (0.2, 0.4))),
        connect.DistanceDependent(connect.GaussianKernel(0.7, 2.0), d_max=6.0, box=16.0),
        connect.DistanceDependent(connect.ExponentialKernel(0.7, 2.0), layout=connect.Grid(side=7), autapses=False),
    ],
    ids=["probability", "blocks", "torus", "strip"],
)
def test_the_mean_over_seeds_is_the_expected_number(rule):
    counts = [len(rule.build(200, 200, key=connect.GraphKey(seed, "mean"), same_population=True)) for seed in range(30)]
    expected = rule.expected(200, 200, same_population=True).mean
    error = np.std(counts) / math.sqrt(len(counts))
    assert abs(np.mean(counts) - expected) <= 4.0 * error + 1e-9 * expected


@pytest.mark.parametrize(
    ("rule", "mean"),
    [
        (connect.FixedInDegree(1000), 1e12),
        (connect.FixedProbability(1e-6), 1e12),
        (connect.AllToAll(), 1e18),
        (connect.DistanceDependent(connect.GaussianKernel(0.5, 50.0)), 0.5 * 2 * math.pi * 50.0**2 * 1e9),
        (connect.DistanceDependent(connect.ConstantKernel(1.0), d_max=20.0, box=31623.0), math.pi * 400.0 * 1e9),
    ],
    ids=["in_degree", "probability", "all_to_all", "gaussian", "disc"],
)
def test_a_billion_neurons_are_counted_at_once(rule, mean):
    began = time.perf_counter()
    assert rule.expected(10**9, 10**9, same_population=True).mean == pytest.approx(mean, rel=0.01)
    assert time.perf_counter() - began < 5.0  # 1e9 positions alone would take longer, and 16 GB


def test_a_sheet_is_counted_exactly_and_in_bins_alike():
    kernel = connect.GaussianKernel(0.5, 60.0)
    rule = connect.DistanceDependent(kernel, layout=connect.Grid(side=400))
    x, _ = connect.Grid(side=400).positions(1200, 1200, True)
    distance = np.sqrt(((x[:, None] - x[None, :]) ** 2).sum(-1))
    exact = kernel.probability(distance).sum()
    assert rule.expected(1200, 1200, same_population=True).mean == pytest.approx(exact, rel=1e-3)


def test_a_rule_without_the_method_says_so():
    class Own(connect.AbstractRule):
        def build(self, n_pre, n_post, *, key, same_population):
            return connect.EdgeList(np.zeros(0, np.int32), np.zeros(0, np.int32))

    with pytest.raises(ValueError, match=r"Own: got a rule without `expected`; .*plan the network after building"):
        Own().expected(1, 1, same_population=True)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (connect.FixedInDegree(11), "FixedInDegree.k: got 11"),
        (connect.OneToOne(), "OneToOne: got 10 source and 20 target"),
        (connect.SmallWorld(2, 0.1), "SmallWorld: got two populations"),
        (connect.BlockModel((1, 2), ((0.1, 0.1), (0.1, 0.1))), "BlockModel.sizes: got"),
        (connect.Edges([10], [0]), "Edges.pre: got index 10"),
        (connect.FixedTotal(201), "FixedTotal.n: got 201"),
        (connect.DistanceDependent(connect.ConstantKernel(1.0), box=2.0), "DistanceDependent.box"),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, str) else "",
)
def test_what_cannot_be_built_cannot_be_expected(rule, message):
    with pytest.raises(ValueError, match=message):
        rule.expected(10, 20, same_population=False)
