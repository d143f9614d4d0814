"""Drawing pairs: Bernoulli trials by skipping, bounded integers, subsets without replacement. Integers decide.

All take raw 64-bit words of a generator, whose stream NumPy keeps for ever (unlike that of its distributions).
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ._edges import EdgeList, Int32s, Int64s
from ._exact import log, log1p_negative

CHUNK = 1 << 16  # these many words at a time: what is worked on stays in the second-level cache


def raw(generator: np.random.Generator, n: int) -> npt.NDArray[np.uint64]:
    """The next n words of 64 random bits."""
    words: npt.NDArray[np.uint64] = generator.bit_generator.random_raw(n)
    return words


def below(generator: np.random.Generator, n: int, limit: int) -> Int64s:
    """n integers uniform in [0, limit), limit < 2^32: the high part of word times limit, unequal by less than 2^-32."""
    words = raw(generator, n)
    low = words & np.uint64(0xFFFFFFFF)
    low *= np.uint64(limit)
    low >>= np.uint64(32)
    words >>= np.uint64(32)
    words *= np.uint64(limit)
    words += low
    words >>= np.uint64(32)
    return words.view(np.int64)


@dataclasses.dataclass(frozen=True)
class PairSpace:
    """The allowed pairs of a projection, numbered row by row from 0 to `size`.

    Args:
        n_pre: Number of source neurons.
        n_post: Number of target neurons.
        skip_self: Pairs i -> i are left out.
    """

    n_pre: int
    n_post: int
    skip_self: bool

    @property
    def columns(self) -> int:
        """Number of allowed targets of one source."""
        return max(self.n_post - 1, 0) if self.skip_self else self.n_post

    @property
    def size(self) -> int:
        """Number of allowed pairs."""
        return self.n_pre * self.columns

    def decode(self, flat: Int64s, post: Int32s) -> Int64s:
        """Write the targets of the numbered pairs into `post`; their sources are returned."""
        rows = flat // self.columns
        columns = flat - rows * self.columns
        if self.skip_self:
            columns += columns >= rows
        post[:] = columns
        return rows


def bernoulli(generator: np.random.Generator, n: int, p: float) -> Iterator[Int64s]:
    """The successes among n independent trials of probability p, in rising order, chunk by chunk.

    The gap before the next success is geometric, floor(log(u) / log(1 - p)): work for successes, not for trials.
    """
    if p <= 0.0 or n <= 0:
        return
    if p >= 1.0:
        for start in range(0, n, CHUNK):
            yield np.arange(start, min(start + CHUNK, n))
        return
    scale = max(1.0 / log1p_negative(p), -1e290)  # a gap beyond any number of trials, still a finite one
    last = -1
    while last < n:
        expected = int(min((n - last) * p * 1.1 + 64, CHUNK, max(1, 2**62 // (n + 1))))
        words = raw(generator, expected) >> np.uint64(11)
        gaps = log((words + np.uint64(1)).astype(np.float64) * 2.0**-53)
        gaps *= scale
        flat = np.minimum(gaps, float(n)).astype(np.int64)
        flat += 1
        np.cumsum(flat, out=flat)
        flat += last
        last = int(flat[-1])
        yield flat if last < n else flat[: np.searchsorted(flat, n)]


def room_for(mean: float, variance: float) -> int:
    """A number of edges that a graph of this mean and variance exceeds about once in 1e9 seeds."""
    return math.ceil(mean + 6.0 * math.sqrt(variance) + (6.0 if variance > 0.0 else 0.0))


class EdgeWriter:
    """Collects chunks of pairs that come in the order (pre, post): an array of targets, and where each source starts.

    Args:
        n_pre: Number of source neurons.
        room: Expected upper bound of the number of edges; more are taken, at the price of a copy.
    """

    def __init__(self, n_pre: int, room: int) -> None:
        self.room = room
        self._starts = np.zeros(n_pre + 1, np.int64)
        self._post = np.empty(room, np.int32)
        self._n = 0

    def pairs(self, space: PairSpace, flat: Int64s) -> None:
        """Append numbered pairs."""
        if not flat.size:
            return
        begin, self._n = self._n, self._n + flat.size
        if self._n > self._post.size:
            self._post = np.concatenate([self._post, np.empty(max(flat.size, self._post.size // 8), np.int32)])
        pre = space.decode(flat, self._post[begin : self._n])
        first, last = int(pre[0]), int(pre[-1])
        self._starts[first + 1 : last + 2] += np.bincount(pre - first)

    def finish(self) -> EdgeList:
        """The edges."""
        np.cumsum(self._starts, out=self._starts)
        return EdgeList.of_rows(self._starts, self._post[: self._n], room=self.room)


def sorted_edges(pairs: list[Int64s], n_pre: int, n_post: int, room: int) -> EdgeList:
    """The edges of numbered pairs `pre * n_post + post` that came in any order."""
    flat = np.concatenate(pairs) if pairs else np.zeros(0, np.int64)
    flat.sort()
    space = PairSpace(n_pre, n_post, skip_self=False)
    writer = EdgeWriter(n_pre, max(room, flat.size))
    for start in range(0, flat.size, CHUNK):
        writer.pairs(space, flat[start : start + CHUNK])
    return writer.finish()


def distinct_rows(generator: np.random.Generator, n_rows: int, k: int, limit: int) -> Int64s:
    """For each row k distinct integers of [0, limit), rising; shape (n_rows, k). All subsets are equally likely.

    Draws with replacement and draws again what came twice; above limit/2 it draws the complement instead.
    """
    if 2 * k > limit:
        kept = np.ones((n_rows, limit), bool)
        np.put_along_axis(kept, distinct_rows(generator, n_rows, limit - k, limit), False, axis=1)
        return np.nonzero(kept)[1].reshape(n_rows, k)
    values = below(generator, n_rows * k, limit).reshape(n_rows, k)
    values.sort(axis=1)
    todo = np.arange(n_rows)
    rows = values
    while k > 1:
        twice = rows[:, 1:] == rows[:, :-1]
        open_rows = twice.any(axis=1)
        if not open_rows.any():
            break
        todo, rows, twice = todo[open_rows], rows[open_rows], twice[open_rows]
        rows[:, 1:][twice] = below(generator, int(twice.sum()), limit)
        rows.sort(axis=1)
        values[todo] = rows
    return values


def distinct_pairs(generator: np.random.Generator, space: PairSpace, n: int) -> Iterator[Int64s]:
    """n distinct numbered pairs, rising, chunk by chunk. All subsets are equally likely."""
    if 2 * n > space.size:
        kept = np.ones(space.size, bool)
        for chunk in distinct_pairs(generator, space, space.size - n):
            kept[chunk] = False
        for start in range(0, space.size, CHUNK):
            yield np.flatnonzero(kept[start : start + CHUNK]) + start
        return
    flat = any_pairs(generator, space, n)
    while True:
        twice = np.flatnonzero(flat[1:] == flat[:-1]) + 1
        if not twice.size:
            break
        fresh = any_pairs(generator, space, twice.size)
        place = np.minimum(np.searchsorted(flat, fresh), n - 1)
        flat[twice] = np.where(flat[place] == fresh, flat[twice], fresh)
        flat.sort()
    for start in range(0, n, CHUNK):
        yield flat[start : start + CHUNK]


def any_pairs(generator: np.random.Generator, space: PairSpace, n: int) -> Int64s:
    """n numbered pairs drawn with replacement, sorted."""
    flat = np.empty(n, np.int64)
    for start in range(0, n, CHUNK):
        m = min(CHUNK, n - start)
        part = below(generator, m, space.n_pre)
        part *= space.columns
        part += below(generator, m, space.columns)
        flat[start : start + m] = part
    flat.sort()
    return flat
