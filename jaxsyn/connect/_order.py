"""In which order a graph holds the edges of a list, and moving values there part by part."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._distributions import Draws, parts_of
from ._edges import Int32s, Int64s

CHUNK = 1 << 16  # edges of a part: what is worked on stays in the second-level cache


class Partition:
    """The stable order of n edges by class: each chunk is sorted, its runs are put behind those of the chunks before.

    Args:
        classes: Class of the edges of a slice.
        n: Number of edges.
        n_classes: Number of classes, at most 2^16.
    """

    def __init__(self, classes: Callable[[slice], npt.NDArray[Any]], n: int, n_classes: int) -> None:
        self._classes, self._n, self._n_classes = classes, n, n_classes
        self._small = np.uint8 if n_classes <= 1 << 8 else np.uint16
        counts = np.zeros(n_classes, np.int64)
        for _, chunk in self._chunks():
            counts += np.bincount(chunk, minlength=n_classes)
        self.starts: Int64s = np.concatenate([[0], np.cumsum(counts)])

    def _chunks(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        for start in range(0, self._n, CHUNK):
            yield start, self._classes(slice(start, min(start + CHUNK, self._n))).astype(self._small)

    def moves(self) -> Iterator[tuple[int, Int64s, Int64s]]:
        """For each chunk its first edge, its edges in the order of their classes, and their places."""
        place = self.starts[:-1].copy()
        for start, chunk in self._chunks():
            local = np.argsort(chunk, kind="stable")
            lengths = np.bincount(chunk, minlength=self._n_classes)
            target = np.repeat(place - (np.cumsum(lengths) - lengths), lengths)
            target += np.arange(target.size)
            place += lengths
            yield start, local, target

    def indices(self) -> Int32s:
        """The edge at each place, int32 (n,)."""
        order = np.empty(self._n, np.int32)
        for start, local, target in self.moves():
            order[target] = local + start
        return order


class Order:
    """In which order a graph holds the edges of a list: theirs, one by class, or any.

    An order by class holds no place of an edge: it is found anew each time.

    Args:
        n: Number of edges.
        by: None for the order of the list, a partition, or the edge at each place, int32 (n,).
    Example:
        >>> order = Order(2, np.array([1, 0], np.int32))
        >>> out = np.zeros(3)
        >>> order.put(np.array([5.0, 7.0]), out, lambda part: part)
        >>> out.tolist(), order.indices().tolist()
        ([7.0, 5.0, 0.0], [1, 0])
    """

    def __init__(self, n: int, by: Partition | Int32s | None = None) -> None:
        self._n, self._by = n, by

    def indices(self) -> Int32s:
        """The edge that is synapse s, int32 (n,)."""
        if self._by is None:
            return np.arange(self._n, dtype=np.int32)
        return self._by.indices() if isinstance(self._by, Partition) else self._by

    def put(
        self,
        values: npt.NDArray[Any] | Draws,
        out: npt.NDArray[Any],
        convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    ) -> None:
        """Write one value for each edge to where the graph has it; `convert` is applied to parts of them.

        Args:
            values: One for each edge of the list, (n,).
            out: Where they go; from its n-th entry on it becomes 0.
            convert: To the type of `out`.
        """
        out[self._n :] = 0
        if isinstance(self._by, Partition):
            for (_, local, target), part in zip(self._by.moves(), parts_of(values, CHUNK), strict=True):
                out[target] = convert(part)[local]
            return
        if self._by is not None:
            held = values.all() if isinstance(values, Draws) else values
            for start in range(0, self._n, CHUNK):
                out[start : start + CHUNK][: self._n - start] = convert(held[self._by[start : start + CHUNK]])
            return
        for start, part in zip(range(0, self._n, CHUNK), parts_of(values, CHUNK), strict=True):
            out[start : start + part.size] = convert(part)
