"""The ring with shortcuts."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._draw import below, raw, sorted_edges
from ._edges import AbstractRule, EdgeList, Expected, Int64s
from ._key import GraphKey

_ENTRIES = 1 << 22


@dataclasses.dataclass(frozen=True)
class SmallWorld(AbstractRule):
    """A ring in which each neuron reaches its k nearest, with a fraction p of the edges rewired.

    Directed: each of the n k edges keeps its source and is rewired with probability p to a uniform target, so that the
    out-degree stays k. Undirected: the graph of Watts and Strogatz; each of its n k / 2 edges keeps one end, the far
    end is rewired with probability p, and each edge gives a synapse in either direction. Neither has autapses or
    multapses.

    Args:
        k: Neighbors on the ring, an even number: k/2 on each side.
        p: Probability that an edge is rewired, in [0, 1].
        directed: Which of the two graphs.
    Raises:
        ValueError: k odd or negative, p outside [0, 1]; at build: k not below the number of neurons, or two
            populations.
    References:
        Watts, Strogatz (1998), Collective dynamics of 'small-world' networks, Nature 393:440; rewired in the order of
        networkx.watts_strogatz_graph.
    Example:
        >>> edges = SmallWorld(k=10, p=0.1).build(100, 100, key=GraphKey(0, "E_E"), same_population=True)
        >>> set(np.bincount(edges.pre).tolist())
        {10}
    """

    k: int
    p: float
    directed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check.count("SmallWorld.k", self.k))
        object.__setattr__(self, "p", check.probability("SmallWorld.p", self.p))
        check.flag("SmallWorld.directed", self.directed)
        if self.k % 2:
            raise check.refuse("SmallWorld.k", self.k, "an even number", "Half of the neighbors lie on each side.")

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        self.expected(n_pre, n_post, same_population=same_population)
        check.synapses("SmallWorld", n_pre * self.k)
        generator = key.generator("edges")
        draw = _directed if self.directed else _undirected
        return sorted_edges(list(draw(generator, n_pre, self.k, self.p)), n_pre, n_pre, n_pre * self.k)

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`."""
        if not same_population:
            raise check.refuse(
                "SmallWorld", "two populations", "one population that is source and target", "Use FixedOutDegree."
            )
        if n_pre and self.k >= n_pre:
            raise check.refuse("SmallWorld.k", self.k, f"below {n_pre}, the number of neurons", "Choose a smaller k.")
        return Expected(n_pre * self.k, n_pre * self.k)


def _chosen(generator: np.random.Generator, n: int, p: float) -> npt.NDArray[np.bool_]:
    return (raw(generator, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53 < p


def _directed(generator: np.random.Generator, n: int, k: int, p: float) -> Iterator[Int64s]:
    """Numbered pairs source * n + target: column by column, all sources of a chunk at once."""
    ring = np.concatenate([np.arange(1, k // 2 + 1), -np.arange(1, k // 2 + 1)])
    step = max(1, _ENTRIES // max(k, 1))
    for start in range(0, n, step):
        sources = np.arange(start, min(start + step, n))
        targets = (sources[:, None] + ring) % n
        rewired = _chosen(generator, targets.size, p).reshape(targets.shape)
        for column in range(k if k < n - 1 else 0):  # a full row has no place to go
            rows = np.flatnonzero(rewired[:, column])
            while rows.size:
                new = below(generator, rows.size, n)
                free = (new != sources[rows]) & (targets[rows] != new[:, None]).all(axis=1)
                targets[rows[free], column] = new[free]
                rows = rows[~free]
        yield (sources[:, None] * n + targets).reshape(-1)


def _undirected(generator: np.random.Generator, n: int, k: int, p: float) -> Iterator[Int64s]:
    """Numbered pairs in both directions. What is rewired depends on what was: edge by edge, but only the rewired."""
    half = k // 2
    rewired = np.flatnonzero(_chosen(generator, n * half, p))
    on_ring = np.ones(n * half, bool)
    shortcuts: set[int] = set()
    degree = [k] * n
    candidates = _endless(generator, n)
    for edge in rewired.tolist():
        u = edge % n
        if degree[u] >= n - 1:
            continue
        w = next(w for w in candidates if w != u and not _connected(u, w, n, half, on_ring, shortcuts))
        on_ring[edge] = False
        shortcuts.add(min(u, w) * n + max(u, w))
        degree[(u + edge // n + 1) % n] -= 1
        degree[w] += 1
    kept = np.flatnonzero(on_ring).astype(np.int64)
    far = np.fromiter(shortcuts, np.int64, len(shortcuts))
    one = np.concatenate([kept % n, far // n])
    other = np.concatenate([(kept + kept // n + 1) % n, far % n])
    yield one * n + other
    yield other * n + one


def _connected(u: int, w: int, n: int, half: int, on_ring: npt.NDArray[np.bool_], shortcuts: set[int]) -> bool:
    """Whether u and w share an edge: one of the ring that is still there, or a shortcut."""
    ahead, behind = (w - u) % n, (u - w) % n
    if ahead <= half and on_ring[(ahead - 1) * n + u]:
        return True
    if behind <= half and on_ring[(behind - 1) * n + w]:
        return True
    return min(u, w) * n + max(u, w) in shortcuts


def _endless(generator: np.random.Generator, n: int) -> Iterator[int]:
    while True:
        yield from below(generator, 4096, n).tolist()
