"""What a rule gives: a list of edges. And what every rule promises."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._key import GraphKey

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class EdgeList:
    """The synapses of one projection: edge e goes from neuron `pre[e]` to neuron `post[e]`.

    Per-synapse weights and delays stand in the order of this list. Rules that draw give it sorted by (pre, post); of a
    sorted list only where the edges of each source start is kept, not the source of each edge.

    Args:
        pre: Source neuron of each edge, int32, shape (edges,).
        post: Target neuron of each edge, int32, shape (edges,).
        weight: Weight of each edge where the rule brings its own, shape (edges,), in the unit of the projection.
        is_sorted: The edges are known to be sorted by (pre, post).
        room: Number of edges that storage must have room for. A rule whose number of edges is random gives a bound
            that (almost) no seed exceeds, so that another seed gives arrays of the same shape and recompiles nothing.
    Raises:
        ValueError: pre, post and weight differ in shape, or the edges are said to be sorted and are not.
    Example:
        >>> edges = EdgeList(np.array([0, 1], np.int32), np.array([2, 0], np.int32))
        >>> len(edges)
        2
    """

    def __init__(
        self, pre: Int32s, post: Int32s, weight: Floats | None = None, *, is_sorted: bool = False, room: int = 0
    ) -> None:
        shapes = [a.shape for a in (pre, post, weight) if a is not None]
        if any(shape != (pre.size,) for shape in shapes):
            raise ValueError(f"EdgeList: got arrays of shapes {shapes}; allowed: flat arrays of one length.")
        self.post, self.weight, self.room = post, weight, room
        self.starts: Int64s | None = None
        self._pre = pre
        if is_sorted:
            if pre.size and (pre[0] < 0 or (pre[1:] < pre[:-1]).any()):
                raise ValueError("EdgeList: got sources that fall, with is_sorted=True; sort the edges, or drop it.")
            self.starts = np.searchsorted(pre, np.arange(int(pre[-1]) + 2 if pre.size else 1))
            self._pre = pre[:0]

    @classmethod
    def of_rows(cls, starts: npt.ArrayLike, post: Int32s, *, room: int = 0) -> Self:
        """The edges of each source, one source after the other.

        Args:
            starts: Where the edges of each source start, and the number of edges, shape (sources + 1,).
            post: Target neuron of each edge, rising for each source.
            room: As for the list.
        Returns:
            A sorted list.
        Raises:
            ValueError: starts do not rise from 0 to the number of edges.
        Example:
            >>> EdgeList.of_rows(np.array([0, 2, 3]), np.array([0, 1, 0], np.int32)).pre.tolist()
            [0, 0, 1]
        """
        edges, found = cls(post[:0], post[:0], room=room), np.asarray(starts, np.int64)
        if found.ndim != 1 or not found.size or found[0] != 0 or found[-1] != post.size or (np.diff(found) < 0).any():
            raise ValueError(f"EdgeList.of_rows: got starts {found}; allowed: rising from 0 to {post.size}, the edges.")
        edges.starts, edges.post = found, post
        return edges

    @property
    def is_sorted(self) -> bool:
        """Whether the edges are known to be sorted by (pre, post)."""
        return self.starts is not None

    @property
    def pre(self) -> Int32s:
        """Source neuron of each edge, int32, shape (edges,)."""
        return self.sources(slice(0, len(self)))

    def sources(self, where: slice | npt.NDArray[Any]) -> Int32s:
        """Source neurons of some edges: a slice with both ends, or indices."""
        if self.starts is None:
            some: Int32s = self._pre[where]
            return some
        if not isinstance(where, slice):
            return (np.searchsorted(self.starts, where, side="right") - 1).astype(np.int32)
        begin, end = where.start, min(where.stop, len(self))
        if end <= begin:
            return np.zeros(0, np.int32)
        first, last = np.searchsorted(self.starts, [begin, end - 1], side="right") - 1
        ends = np.clip(self.starts[first : last + 2], begin, end)
        return np.repeat(np.arange(first, last + 1, dtype=np.int32), ends[1:] - ends[:-1])

    def onto(self, post: Int32s, *, is_sorted: bool) -> "EdgeList":
        """The same edges with other targets; `is_sorted`: the order is still that of (pre, post)."""
        if self.starts is not None and is_sorted:
            moved = EdgeList.of_rows(self.starts, post, room=self.room)
            moved.weight = self.weight
            return moved
        return EdgeList(self.pre, post, self.weight, room=self.room)

    def __len__(self) -> int:
        return self.post.size


class Expected(NamedTuple):
    """How many edges a rule gives between two populations, known without drawing them.

    Args:
        mean: Expected number of edges; the number itself where it is no matter of chance.
        room: That of the `EdgeList`; 0: storage for as many as there are.
        weighted: Whether the edges bring their weights.
    Example:
        >>> from jaxsyn.connect import FixedProbability
        >>> FixedProbability(0.1).expected(100, 50, same_population=False).mean
        500.0
    """

    mean: float
    room: int = 0
    weighted: bool = False


class AbstractRule(abc.ABC):
    """Who reaches whom: a plain, unchanging object that draws the edges of a projection once, at build.

    A rule is a frozen dataclass without traced numbers; it never enters jit. One more rule is one more subclass with
    `build`; take integers from the bits of `key.generator("edges")` (see `_draw.py`), so that the graph is the same
    on every machine. With `expected` it can be planned without being drawn.
    """

    @abc.abstractmethod
    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges.

        Args:
            n_pre: Number of source neurons.
            n_post: Number of target neurons.
            key: Names the random numbers.
            same_population: Source and target are the same neurons, so that edge i -> i is an autapse.
        Returns:
            The edges.
        Raises:
            ValueError: the rule cannot be met by populations of these sizes.
        """

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """How many edges `build` gives; the work does not grow with them.

        Args:
            n_pre: Number of source neurons.
            n_post: Number of target neurons.
            same_population: Source and target are the same neurons.
        Returns:
            The expected number, and the room for it.
        Raises:
            ValueError: as `build`; or the rule does not say.
        """
        raise check.refuse(
            type(self).__name__,
            "a rule without `expected`",
            "rules that say how many synapses they give",
            "Write `expected(n_pre, n_post, same_population)`, or plan the network after building it.",
        )


def join_edges(parts: Sequence[EdgeList], sizes: Sequence[int]) -> EdgeList:
    """Edges to several populations as edges to one that holds them one after the other.

    Args:
        parts: Edges to each population.
        sizes: Number of neurons of each.
    Returns:
        All edges; their weights, where every part brings its own.
    Raises:
        ValueError: only some of the parts bring weights.
    Example:
        >>> one = EdgeList(np.array([0], np.int32), np.array([2], np.int32))
        >>> join_edges([one, one], [3, 3]).post.tolist()
        [2, 5]
    """
    weighted = [part.weight is not None for part in parts if len(part)]
    if any(weighted) and not all(weighted):
        raise ValueError("some rules bring weights and others do not; give all of them, or none")
    n, end = sum(len(part) for part in parts), 0
    pre, post = np.empty(n, np.int32), np.empty(n, np.int32)
    weight = np.empty(n, np.float64) if any(weighted) else None
    for part, start in zip(parts, np.cumsum([0, *sizes[:-1]]), strict=True):
        where = slice(end, end + len(part))
        pre[where] = part.pre
        np.add(part.post, np.int32(start), out=post[where])
        if weight is not None and part.weight is not None:
            weight[where] = part.weight
        end += len(part)
    return EdgeList(pre, post, weight, room=sum(max(part.room, len(part)) for part in parts))


def empty_edges(*, room: int = 0) -> EdgeList:
    """An edge list without edges."""
    return EdgeList.of_rows(np.zeros(1, np.int64), np.zeros(0, np.int32), room=room)
