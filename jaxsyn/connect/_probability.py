"""Rules with one independent trial for each pair: fixed probability, block model."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from . import _checks as check
from ._draw import EdgeWriter, PairSpace, bernoulli, room_for, sorted_edges
from ._edges import AbstractRule, EdgeList, Expected
from ._key import GraphKey


@dataclasses.dataclass(frozen=True)
class FixedProbability(AbstractRule):
    """Each allowed pair is connected with probability p, independently.

    The number of edges is Binomial(pairs, p). Drawn by skipping from edge to edge, so that the cost grows with the
    edges and not with the pairs. An Erdos-Renyi graph; "pairwise Bernoulli" in NEST.

    Args:
        p: Probability of each pair, in [0, 1].
        autapses: Whether a neuron may reach itself (matters only within one population).
    Raises:
        ValueError: p outside [0, 1].
    Example:
        >>> rule = FixedProbability(0.1, autapses=False)
        >>> edges = rule.build(100, 100, key=GraphKey(0, "E_E"), same_population=True)
        >>> bool((edges.pre == edges.post).any())
        False
    """

    p: float
    autapses: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", check.probability("FixedProbability.p", self.p))
        check.flag("FixedProbability.autapses", self.autapses)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        mean, room, _ = self.expected(n_pre, n_post, same_population=same_population)
        check.synapses("FixedProbability", mean)
        space = PairSpace(n_pre, n_post, same_population and not self.autapses)
        writer = EdgeWriter(n_pre, room)
        for flat in bernoulli(key.generator("edges"), space.size, self.p):
            writer.pairs(space, flat)
        return writer.finish()

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        pairs = PairSpace(n_pre, n_post, same_population and not self.autapses).size
        mean = pairs * self.p
        return Expected(mean, min(pairs, room_for(mean, mean * (1.0 - self.p))))


@dataclasses.dataclass(frozen=True)
class BlockModel(AbstractRule):
    """Neurons fall into blocks; a pair is connected with the probability of its two blocks, independently.

    The first `sizes[0]` neurons are block 0, the next `sizes[1]` block 1, and so on. A stochastic block model: clusters
    where the diagonal of `probability` is large.

    Args:
        sizes: Number of source neurons in each block; they add up to the source population.
        probability: `probability[a][b]`, in [0, 1], from block a of the sources to block b of the targets.
        sizes_post: Number of target neurons in each block; None takes `sizes`.
        autapses: Whether a neuron may reach itself (matters only within one population).
    Raises:
        ValueError: sizes negative or no integers, probabilities outside [0, 1] or of a wrong shape; at build: sizes
            that do not add up to the population, or two partitions of one population.
    References:
        Holland, Laskey, Leinhardt (1983), Stochastic blockmodels: first steps, Social Networks 5:109.
    Example:
        >>> rule = BlockModel(sizes=(50, 50), probability=((0.3, 0.0), (0.0, 0.3)))
        >>> edges = rule.build(100, 100, key=GraphKey(0, "E_E"), same_population=True)
        >>> bool(((edges.pre < 50) == (edges.post < 50)).all())
        True
    """

    sizes: Sequence[int]
    probability: Sequence[Sequence[float]]
    sizes_post: Sequence[int] | None = None
    autapses: bool = True

    def __post_init__(self) -> None:
        sizes = tuple(check.count("BlockModel.sizes", n) for n in self.sizes)
        targets = sizes
        if self.sizes_post is not None:
            targets = tuple(check.count("BlockModel.sizes_post", n) for n in self.sizes_post)
        matrix = check.finite("BlockModel.probability", self.probability, (len(sizes), len(targets)))
        rows = tuple(tuple(check.probability("BlockModel.probability", p) for p in row) for row in matrix.tolist())
        check.flag("BlockModel.autapses", self.autapses)
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "sizes_post", targets)
        object.__setattr__(self, "probability", rows)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        mean, room, _ = self.expected(n_pre, n_post, same_population=same_population)
        check.synapses("BlockModel", mean)
        generator = key.generator("edges")
        pairs = []
        for space, p, first_pre, first_post in self._blocks(n_pre, n_post, same_population):
            for flat in bernoulli(generator, space.size, p):
                post = np.empty(flat.size, np.int32)
                pre = space.decode(flat, post)
                pairs.append((pre + first_pre) * n_post + (post + first_post))
        return sorted_edges(pairs, n_pre, n_post, room)

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        blocks = self._blocks(n_pre, n_post, same_population)
        mean = sum(space.size * p for space, p, _, _ in blocks)
        variance = sum(space.size * p * (1.0 - p) for space, p, _, _ in blocks)
        return Expected(mean, min(room_for(mean, variance), n_pre * n_post))

    def _blocks(self, n_pre: int, n_post: int, same_population: bool) -> list[tuple[PairSpace, float, int, int]]:
        """Pairs, probability, first source and first target of each pair of blocks."""
        sizes, targets = tuple(self.sizes), tuple(self.sizes_post or ())
        for field, given, n in (("sizes", sizes, n_pre), ("sizes_post", targets, n_post)):
            if sum(given) != n:
                raise check.refuse(f"BlockModel.{field}", f"{given}, {sum(given)} neurons", f"a sum of {n}", "Add up.")
        if same_population and sizes != targets:
            raise check.refuse(
                "BlockModel.sizes_post", targets, f"{sizes}, source and target are one population", "Leave it out."
            )
        skip_self = same_population and not self.autapses
        starts_pre, starts_post = np.cumsum((0, *sizes)), np.cumsum((0, *targets))
        return [
            (PairSpace(m, n, skip_self and a == b), self.probability[a][b], int(starts_pre[a]), int(starts_post[b]))
            for a, m in enumerate(sizes)
            for b, n in enumerate(targets)
        ]
