"""Every rule: what it promises for any sizes, that graphs are repeatable, and that bad input is named."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn import connect
from jaxsyn.connect import _draw

KEY = connect.GraphKey(0, "test")

RULES = {
    "one_to_one": connect.OneToOne(),
    "all_to_all": connect.AllToAll(autapses=False),
    "probability": connect.FixedProbability(0.1, autapses=False),
    "certain": connect.FixedProbability(1.0),
    "in_degree": connect.FixedInDegree(7, autapses=False),
    "in_degree_dense": connect.FixedInDegree(50),
    "in_degree_multapses": connect.FixedInDegree(70, multapses=True),
    "out_degree": connect.FixedOutDegree(7),
    "total": connect.FixedTotal(300, autapses=False),
    "total_dense": connect.FixedTotal(3000, autapses=False),
    "total_multapses": connect.FixedTotal(300, multapses=True),
    "distance": connect.DistanceDependent(connect.GaussianKernel(0.9, 1.5), d_max=2.5, box=8.0),
    "small_world": connect.SmallWorld(6, 0.2),
    "small_world_undirected": connect.SmallWorld(6, 0.2, directed=False),
    "blocks": connect.BlockModel((20, 44), ((0.5, 0.1), (0.0, 0.2)), autapses=False),
    "edges": connect.Edges([0, 5, 5], [63, 0, 1]),
}
# BLAKE2b of (pre, post) of each rule on 64 neurons. Any machine and any NumPy must give these.
PINNED = {
    "one_to_one": "06e46029a2118001",
    "all_to_all": "c695730088517d89",
    "probability": "22f4be2ad2a0fe19",
    "certain": "e7e41bc29206a639",
    "in_degree": "d0b7cd89dddd5a40",
    "in_degree_dense": "405231730a3be6aa",
    "in_degree_multapses": "4d7bf47cc1ea9b0f",
    "out_degree": "96ee2f2c9b502759",
    "total": "73f3d32060c7c860",
    "total_dense": "05c222c4288010d8",
    "total_multapses": "845189dc66cec2e3",
    "distance": "174720afbc629f0c",
    "small_world": "63e4ea1983b0ddea",
    "small_world_undirected": "b6cbe54ecd1ec19a",
    "blocks": "74a17d937c602f9c",
    "edges": "aa331e93a1781d4e",
}


def built(rule, n_pre=64, n_post=64, *, key=KEY, same=True):
    return rule.build(n_pre, n_post, key=key, same_population=same)


def digest(edges):
    data = edges.pre.astype("<i4").tobytes() + edges.post.astype("<i4").tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def pairs(edges, n_post):
    return edges.pre.astype(np.int64) * n_post + edges.post


@pytest.mark.parametrize("name", RULES)
def test_same_key_same_graph_on_any_machine(name):
    assert digest(built(RULES[name])) == PINNED[name]


@pytest.mark.parametrize("name", RULES)
def test_edges_are_int32_and_sorted_where_they_say_so(name):
    edges = built(RULES[name])
    assert edges.pre.dtype == edges.post.dtype == np.int32
    if edges.is_sorted:
        assert (np.diff(pairs(edges, 64)) >= 0).all()
    assert edges.room == 0 or edges.room >= len(edges)


def test_graph_does_not_depend_on_the_process():
    code = "import sys; sys.path.insert(0, '.'); from jaxsyn import connect as c; import numpy as np;"
    code += "e = c.FixedProbability(0.1).build(64, 64, key=c.GraphKey(3, 'x'), same_population=True);"
    code += "print(int(e.pre.sum()), int(e.post.sum()))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    edges = built(connect.FixedProbability(0.1), key=connect.GraphKey(3, "x"))
    assert out.stdout.split() == [str(int(edges.pre.sum())), str(int(edges.post.sum()))]


sizes = st.integers(0, 40)
seeds = st.integers(0, 2**32)


@given(n_pre=sizes, n_post=sizes, p=st.floats(0.0, 1.0), autapses=st.booleans(), same=st.booleans(), seed=seeds)
def test_fixed_probability(n_pre, n_post, p, autapses, same, seed):
    n_post = n_pre if same else n_post
    rule = connect.FixedProbability(p, autapses=autapses)
    edges = built(rule, n_pre, n_post, key=connect.GraphKey(seed, "h"), same=same)
    distinct(edges, n_pre, n_post)
    if same and not autapses:
        assert not (edges.pre == edges.post).any()
    if p == 1.0:
        assert len(edges) == n_pre * n_post - (n_pre if same and not autapses else 0)


def distinct(edges, n_pre, n_post):
    in_range(edges, n_pre, n_post)
    assert np.unique(pairs(edges, n_post)).size == len(edges)


def in_range(edges, n_pre, n_post):
    if len(edges):
        assert 0 <= edges.pre.min() <= edges.pre.max() < n_pre
        assert 0 <= edges.post.min() <= edges.post.max() < n_post


@given(
    n_pre=st.integers(1, 40),
    n_post=st.integers(1, 40),
    share=st.floats(0.0, 1.0),
    autapses=st.booleans(),
    multapses=st.booleans(),
    same=st.booleans(),
    seed=seeds,
)
def test_fixed_numbers(n_pre, n_post, share, autapses, multapses, same, seed):
    n_post = n_pre if same else n_post
    key = connect.GraphKey(seed, "h")
    options = {"autapses": autapses, "multapses": multapses}
    skip = same and not autapses
    k_in, k_out = round(share * (n_pre - skip)), round(share * (n_post - skip))
    total = round(share * n_pre * (n_post - skip))
    inward = built(connect.FixedInDegree(k_in, **options), n_pre, n_post, key=key, same=same)
    outward = built(connect.FixedOutDegree(k_out, **options), n_pre, n_post, key=key, same=same)
    either = built(connect.FixedTotal(total, **options), n_pre, n_post, key=key, same=same)
    assert (np.bincount(inward.post, minlength=n_post) == k_in).all()
    assert (np.bincount(outward.pre, minlength=n_pre) == k_out).all()
    assert len(either) == total
    for edges in (inward, outward, either):
        in_range(edges, n_pre, n_post)
        assert (np.diff(pairs(edges, n_post)) >= 0).all()
        if not multapses:
            distinct(edges, n_pre, n_post)
        if skip:
            assert not (edges.pre == edges.post).any()


@given(n=st.integers(1, 40), share=st.floats(0.0, 1.0), p=st.floats(0.0, 1.0), directed=st.booleans(), seed=seeds)
def test_small_world(n, share, p, directed, seed):
    k = 2 * int(share * ((n - 1) // 2))
    edges = built(connect.SmallWorld(k, p, directed=directed), n, n, key=connect.GraphKey(seed, "h"))
    distinct(edges, n, n)
    assert len(edges) == n * k
    assert not (edges.pre == edges.post).any()
    if directed:
        assert (np.bincount(edges.pre, minlength=n) == k).all()
    else:
        assert set(pairs(edges, n)) == set(edges.post.astype(np.int64) * n + edges.pre)


@given(
    n_pre=sizes,
    n_post=sizes,
    d_max=st.one_of(st.floats(0.0, 3.0), st.just(np.inf)),
    dimensions=st.integers(1, 3),
    periodic=st.booleans(),
    seed=seeds,
)
def test_every_pair_within_reach_is_found(n_pre, n_post, d_max, dimensions, periodic, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0.0, 5.0, (n_pre, dimensions)), rng.uniform(0.0, 5.0, (n_post, dimensions))
    rule = connect.DistanceDependent(
        connect.ConstantKernel(1.0), d_max, connect.Positions(x, y), box=5.0 if periodic else None
    )
    edges = built(rule, n_pre, n_post, same=False)
    d = np.abs(x[:, None] - y[None])
    d = np.minimum(d, 5.0 - d) if periodic else d
    d = np.sqrt((d * d).sum(-1))
    distinct(edges, n_pre, n_post)
    assert set(pairs(edges, n_post).tolist()) >= set(np.flatnonzero((d < d_max - 1e-9).ravel()).tolist())
    assert (d[edges.pre, edges.post] <= d_max + 1e-9).all()


@pytest.mark.parametrize("directed", [True, False])
def test_a_full_ring_has_no_place_to_rewire_to(directed):
    edges = built(connect.SmallWorld(4, 1.0, directed=directed), 5, 5)
    assert len(edges) == 20
    distinct(edges, 5, 5)


def test_distance_without_extent():
    rule = connect.DistanceDependent(connect.ConstantKernel(1.0), 0.0, connect.Positions(np.ones((5, 2))))
    assert len(built(rule, 5, 5)) == 25
    assert len(built(connect.DistanceDependent(connect.ConstantKernel(1.0), autapses=False), 4, 4)) == 12


def test_block_model_probabilities():
    rule = connect.BlockModel((300, 100), ((0.0, 0.5), (1.0, 0.1)), sizes_post=(50, 250), autapses=False)
    edges = built(rule, 400, 300, same=False)
    counts = np.zeros((2, 2))
    np.add.at(counts, ((edges.pre >= 300).astype(int), (edges.post >= 50).astype(int)), 1)
    assert counts[0, 0] == 0
    assert counts[1, 0] == 100 * 50
    for (a, b), n, p in (((0, 1), 300 * 250, 0.5), ((1, 1), 100 * 250, 0.1)):
        assert abs(counts[a, b] - n * p) < 5 * np.sqrt(n * p * (1 - p))
    own = connect.BlockModel((30, 20), ((1.0, 0.0), (0.0, 1.0)), autapses=False)
    assert len(built(own, 50, 50)) == 30 * 29 + 20 * 19


@pytest.mark.parametrize("name", ["probability", "in_degree_multapses", "total_multapses", "out_degree"])
def test_empty_populations(name):
    rule = {"probability": RULES["probability"], "out_degree": connect.FixedOutDegree(0)}.get(name)
    for n_pre, n_post in ((0, 0), (0, 5), (5, 0)):
        if rule is not None:
            assert len(built(rule, n_pre, n_post, same=False)) == 0
        elif n_pre == 0 and n_post:
            with pytest.raises(ValueError, match="there are no allowed"):
                built(RULES[name], n_pre, n_post, same=False)
    assert len(built(connect.AllToAll(), 0, 5, same=False)) == 0
    assert len(built(connect.FixedInDegree(3), 5, 0, same=False)) == 0


def test_another_seed_gives_arrays_of_the_same_shape():
    for rule, n in (
        (connect.FixedProbability(0.1), 300),
        (connect.FixedProbability(0.02), 63),
        (connect.BlockModel((30, 33), ((0.2, 0.05), (0.05, 0.2))), 63),
        (connect.DistanceDependent(connect.GaussianKernel(0.5, 1.0), d_max=3.0), 100),
    ):
        shapes = set()
        for seed in range(40):
            edges = built(rule, n, n, key=connect.GraphKey(seed, "s"))
            shapes.add(connect.build_graph(edges, 3, n, n)[0].post.shape)
        assert len(shapes) == 1


def test_more_edges_than_room_are_kept():
    writer, space = _draw.EdgeWriter(4, 2), _draw.PairSpace(4, 3, skip_self=False)
    writer.pairs(space, np.array([1, 2, 3]))
    writer.pairs(space, np.array([], np.int64))
    writer.pairs(space, np.array([8]))
    edges = writer.finish()
    assert edges.pre.tolist() == [0, 0, 1, 2]
    assert edges.post.tolist() == [1, 2, 0, 2]


def test_bernoulli_over_more_pairs_than_fit_a_float():
    hits = np.concatenate(list(_draw.bernoulli(KEY.generator("edges"), 2**61, 1e-17)))
    assert (np.diff(hits) > 0).all()
    assert abs(hits.size - 2**61 * 1e-17) < 5 * np.sqrt(2**61 * 1e-17)


BAD = {
    "p above 1": (lambda: connect.FixedProbability(1.5), r"FixedProbability\.p: got 1\.5; allowed: .*<= 1"),
    "p nan": (lambda: connect.FixedProbability(float("nan")), r"FixedProbability\.p: got nan"),
    "negative k": (lambda: connect.FixedOutDegree(-1), r"FixedOutDegree\.k: got -1"),
    "k too large": (lambda: built(connect.FixedInDegree(64, autapses=False)), r"at most 63.*multapses=True"),
    "no partner": (lambda: built(connect.FixedInDegree(1, False, True), 1, 1), "there are no allowed partners"),
    "n too large": (lambda: built(connect.FixedTotal(64**2 + 1)), r"FixedTotal\.n: got 4097; allowed: at most 4096"),
    "too many": (
        lambda: built(connect.AllToAll(), 10**5, 10**5),
        "about 1e\\+10 synapses; allowed: at most 2147483646",
    ),
    "too many by chance": (lambda: built(connect.FixedProbability(0.5), 10**5, 10**5), "about 5e\\+09 synapses"),
    "unequal": (lambda: built(connect.OneToOne(), 3, 4, same=False), "3 source and 4 target neurons"),
    "odd ring": (lambda: connect.SmallWorld(3, 0.1), r"SmallWorld\.k: got 3; allowed: an even number"),
    "ring too small": (lambda: built(connect.SmallWorld(64, 0.1)), r"SmallWorld\.k: got 64; allowed: below 64"),
    "two rings": (lambda: built(connect.SmallWorld(2, 0.1), same=False), "one population that is source and target"),
    "block p": (lambda: connect.BlockModel((1,), ((1.5,),)), r"BlockModel\.probability: got 1\.5"),
    "block shape": (lambda: connect.BlockModel((1, 2), ((0.5,),)), r"BlockModel\.probability: got shape \(1, 1\)"),
    "block sum": (lambda: built(connect.BlockModel((1, 2), ((0.5, 0.5),) * 2)), "3 neurons; allowed: a sum of 64"),
    "two partitions": (
        lambda: built(connect.BlockModel((4, 60), ((0.5, 0.5),) * 2, (60, 4))),
        "source and target are one population",
    ),
    "scale": (lambda: connect.GaussianKernel(0.5, 0.0), r"GaussianKernel\.scale: got 0\.0; allowed: > 0"),
    "kernel p0": (lambda: connect.ExponentialKernel(-0.5, 1.0), r"ExponentialKernel\.p0: got -0\.5"),
    "spacing": (lambda: connect.Grid(0.0), r"Grid\.spacing: got 0\.0"),
    "side": (lambda: connect.Grid(side=0), r"Grid\.side: got 0; allowed: a whole number >= 1"),
    "d_max": (lambda: connect.DistanceDependent(connect.ConstantKernel(1.0), -1.0), r"d_max: got -1"),
    "box": (lambda: connect.DistanceDependent(connect.ConstantKernel(1.0), box=0.0), r"box: got 0\.0; allowed: > 0"),
    "box too small": (
        lambda: built(connect.DistanceDependent(connect.ConstantKernel(1.0), box=3.0)),
        "the extent of the positions",
    ),
    "box dimensions": (
        lambda: built(connect.DistanceDependent(connect.ConstantKernel(1.0), box=(9.0, 9.0, 9.0))),
        "1 or 2 lengths",
    ),
    "positions": (
        lambda: built(
            connect.DistanceDependent(connect.ConstantKernel(1.0), layout=connect.Positions(np.ones((3, 2))))
        ),
        r"Positions\.pre: got 3 positions; allowed: 64",
    ),
    "flat positions": (lambda: connect.Positions(np.ones(3)), r"Positions\.pre: got shape \(3,\)"),
    "nan position": (lambda: connect.Positions([[np.nan]]), r"Positions\.pre: got nan at place \(0, 0\)"),
    "dimensions": (lambda: connect.Positions([[0.0]], [[0.0, 1.0]]), "1 and 2 dimensions"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("p", [5e-324, 1.1125369292536007e-308, 1e-300, 1e-40])
def test_a_probability_next_to_zero_gives_no_synapse(p):
    edges = connect.FixedProbability(p).build(100, 100, key=connect.GraphKey(0, "p"), same_population=False)
    assert len(edges) == 0
