"""Rules with a fixed number of synapses: for each target, for each source, or in total."""

import dataclasses

import numpy as np

from . import _checks as check
from ._draw import CHUNK, EdgeWriter, PairSpace, any_pairs, below, distinct_pairs, distinct_rows
from ._edges import AbstractRule, EdgeList, Expected, Int32s, Int64s, empty_edges
from ._key import GraphKey

_ENOUGH = "Choose a smaller number, or allow multapses=True."


@dataclasses.dataclass(frozen=True)
class FixedInDegree(AbstractRule):
    """Each target neuron receives exactly k synapses from sources drawn uniformly.

    Args:
        k: Synapses onto each target neuron.
        autapses: Whether a neuron may reach itself (matters only within one population).
        multapses: Whether a pair may have several synapses: sources are then drawn with replacement.
    Raises:
        ValueError: k negative or no integer; at build: more than the allowed sources while multapses is False.
    Example:
        >>> edges = FixedInDegree(10).build(100, 50, key=GraphKey(0, "E_I"), same_population=False)
        >>> set(np.bincount(edges.post).tolist())
        {10}
    """

    k: int
    autapses: bool = True
    multapses: bool = False

    def __post_init__(self) -> None:
        _check_degree(self)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        skip_self = same_population and not self.autapses
        sources = _partners(self, key, n_post, n_pre, skip_self)
        if not sources.size:
            return empty_edges()
        return _by_source(sources, self.k, n_pre)

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        _check_partners(self, n_post, n_pre, same_population)
        return Expected(n_post * self.k)


@dataclasses.dataclass(frozen=True)
class FixedOutDegree(AbstractRule):
    """Each source neuron sends exactly k synapses to targets drawn uniformly.

    Args:
        k: Synapses from each source neuron.
        autapses: Whether a neuron may reach itself (matters only within one population).
        multapses: Whether a pair may have several synapses: targets are then drawn with replacement.
    Raises:
        ValueError: k negative or no integer; at build: more than the allowed targets while multapses is False.
    Example:
        >>> edges = FixedOutDegree(10).build(50, 100, key=GraphKey(0, "E_I"), same_population=False)
        >>> set(np.bincount(edges.pre).tolist())
        {10}
    """

    k: int
    autapses: bool = True
    multapses: bool = False

    def __post_init__(self) -> None:
        _check_degree(self)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        skip_self = same_population and not self.autapses
        targets = _partners(self, key, n_pre, n_post, skip_self)
        return EdgeList.of_rows(np.arange(n_pre + 1) * self.k, targets)

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        _check_partners(self, n_pre, n_post, same_population)
        return Expected(n_pre * self.k)


@dataclasses.dataclass(frozen=True)
class FixedTotal(AbstractRule):
    """Exactly n synapses over all allowed pairs, drawn uniformly.

    Args:
        n: Number of synapses.
        autapses: Whether a neuron may reach itself (matters only within one population).
        multapses: Whether a pair may have several synapses: pairs are then drawn with replacement.
    Raises:
        ValueError: n negative or no integer; at build: more than the allowed pairs while multapses is False.
    Example:
        >>> len(FixedTotal(123).build(50, 100, key=GraphKey(0, "E_I"), same_population=False))
        123
    """

    n: int
    autapses: bool = True
    multapses: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", check.count("FixedTotal.n", self.n))
        check.flag("FixedTotal.autapses", self.autapses)
        check.flag("FixedTotal.multapses", self.multapses)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        check.synapses("FixedTotal", self.n)
        self.expected(n_pre, n_post, same_population=same_population)
        space = PairSpace(n_pre, n_post, same_population and not self.autapses)
        if not self.n:
            return empty_edges()
        generator = key.generator("edges")
        writer = EdgeWriter(n_pre, self.n)
        if self.multapses:
            flat = any_pairs(generator, space, self.n)
            for start in range(0, self.n, CHUNK):
                writer.pairs(space, flat[start : start + CHUNK])
        else:
            for chunk in distinct_pairs(generator, space, self.n):
                writer.pairs(space, chunk)
        return writer.finish()

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        space = PairSpace(n_pre, n_post, same_population and not self.autapses)
        _check_enough("FixedTotal.n", self.n, space.size, self.multapses, "pairs")
        return Expected(self.n, self.n)


def _check_degree(rule: FixedInDegree | FixedOutDegree) -> None:
    name = type(rule).__name__
    object.__setattr__(rule, "k", check.count(f"{name}.k", rule.k))
    check.flag(f"{name}.autapses", rule.autapses)
    check.flag(f"{name}.multapses", rule.multapses)


def _check_enough(field: str, n: int, allowed: int, multapses: bool, what: str) -> None:
    if n > allowed and not multapses:
        raise check.refuse(field, n, f"at most {allowed}, the number of allowed {what}", _ENOUGH)
    if n and not allowed:
        raise check.refuse(field, n, f"0, there are no allowed {what}", "Enlarge the population or allow autapses.")


def _check_partners(rule: FixedInDegree | FixedOutDegree, n_rows: int, n_partners: int, same_population: bool) -> int:
    """The number of allowed partners of a neuron, which has to suffice."""
    limit = max(n_partners - 1, 0) if same_population and not rule.autapses else n_partners
    if n_rows:
        _check_enough(f"{type(rule).__name__}.k", rule.k, limit, rule.multapses, "partners of a neuron")
    return limit


def _partners(
    rule: FixedInDegree | FixedOutDegree, key: GraphKey, n_rows: int, n_partners: int, skip_self: bool
) -> Int32s:
    """k partners for each row, rising within a row where they are distinct; shape (n_rows * k,)."""
    k = rule.k
    check.synapses(type(rule).__name__, n_rows * k)
    limit = _check_partners(rule, n_rows, n_partners, skip_self)
    partners = np.empty((n_rows, k), np.int32)
    generator = key.generator("edges")
    step = max(1, CHUNK // max(k, 1)) if rule.multapses else max(1, CHUNK // max(limit if 2 * k > limit else k, 1))
    for start in range(0, n_rows if k else 0, step):
        m = min(step, n_rows - start)
        if rule.multapses:
            part: Int64s = below(generator, m * k, limit).reshape(m, k)
            part.sort(axis=1)
        else:
            part = distinct_rows(generator, m, k, limit)
        if skip_self:
            part += part >= np.arange(start, start + m)[:, None]
        partners[start : start + m] = part
    return partners.reshape(-1)


def _by_source(sources: Int32s, k: int, n_pre: int) -> EdgeList:
    """Edges sorted by (pre, post) from the k sources of each target: a transposition in linear time."""
    from scipy.sparse import csr_array

    n_post = sources.size // k
    row_ptr = np.arange(0, sources.size + 1, k, dtype=np.int32)
    by_target = csr_array((np.ones(sources.size, np.int8), sources, row_ptr), shape=(n_post, n_pre))
    by_source = by_target.tocsc()
    return EdgeList.of_rows(by_source.indptr, np.asarray(by_source.indices, np.int32))
