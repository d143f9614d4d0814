"""A graph cut by target: each part has the synapses onto its share of the target neurons."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ._edges import Int32s
from ._graph import SparseGraph, padded_size


class SplitGraph:
    """The synapses of a graph by the part that their target belongs to, on the host.

    Within a part they keep their order, so that each target sums its arrivals in the same order as before.

    Args:
        graph: The graph.
        owner: Part of each target neuron, shape (n_post,).
        place: Its index within the part, shape (n_post,), rising with the target within a part.
        n_parts: Number of parts.
        n_pre: Number of source neurons that the parts count, >= that of the graph: those beyond have empty rows.
    Example:
        >>> from jaxsyn.connect import EdgeList, build_graph
        >>> edges = EdgeList(np.array([0, 0, 1], np.int32), np.array([0, 1, 1], np.int32))
        >>> graph, _ = build_graph(edges, 1, n_pre=2, n_post=2)
        >>> split = SplitGraph(graph, owner=np.array([0, 1]), place=np.array([0, 0]), n_parts=2, n_pre=2)
        >>> split.row_ptr(1).tolist(), split.cut(np.array([5.0, 6.0, 7.0]), 1)[:2].tolist()
        ([0, 1, 2], [6.0, 7.0])
    """

    def __init__(
        self, graph: SparseGraph, owner: npt.NDArray[Any], place: npt.NDArray[Any], n_parts: int, n_pre: int
    ) -> None:
        n = graph.n_synapses
        self._graph, self._place, self._n_pre = graph, place, n_pre
        owners = owner.astype(np.uint16)[np.asarray(graph.post)[:n]]
        self._order = np.argsort(owners, kind="stable")  # linear time: a radix sort
        self._bounds = np.searchsorted(owners[self._order], np.arange(n_parts + 1))
        self.n_padded = padded_size(int(np.diff(self._bounds).max(initial=0)))

    def _synapses(self, part: int) -> npt.NDArray[Any]:
        return self._order[self._bounds[part] : self._bounds[part + 1]]

    def row_ptr(self, part: int) -> Int32s:
        """Start of each row of a part, int32 (n_delays * n_pre + 1,)."""
        graph, ends = self._graph, np.asarray(self._graph.row_ptr)
        counts = np.diff(np.searchsorted(self._synapses(part), ends)).reshape(graph.n_delays, graph.n_pre)
        row_ptr = np.zeros(graph.n_delays * self._n_pre + 1, np.int32)
        row_ptr[1:] = np.cumsum(np.pad(counts, ((0, 0), (0, self._n_pre - graph.n_pre))).ravel())
        return row_ptr

    def post(self, part: int) -> Int32s:
        """Target of each synapse of a part, within the part, int32 (n_padded,)."""
        return self.cut(self._place.astype(np.int32)[np.asarray(self._graph.post)], part)

    def cut(self, values: npt.NDArray[Any], part: int) -> npt.NDArray[Any]:
        """What goes by synapse, (..., n), for the synapses of a part, (..., n_padded); as it is where all share one."""
        if values.ndim and values.shape[-1] == 1 and self._graph.n_padded > 1:
            return values
        kept = values[..., self._synapses(part)]
        room = [(0, 0)] * (kept.ndim - 1) + [(0, self.n_padded - kept.shape[-1])]
        return np.pad(kept, room)
