"""Who reaches whom: the connection matrix and the degrees."""

import dataclasses
import math
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from ._style import EXCITATORY, INHIBITORY, Axes, Figure, color_bar, despine, new_figure, note, style, whole_numbers

Integers: TypeAlias = npt.NDArray[np.int64]

# A graph, a matrix (dense, SciPy, BCOO), a list of edges, or (pre, post, n_pre, n_post).
Connections: TypeAlias = Any
# The picture of a large matrix has cells of about this many synapses, so that chance alone varies them by 10 %.
_SYNAPSES_PER_CELL = 100
# A matrix of at most this many neurons on a side is shown pair by pair.
_PAIRWISE = 120


@dataclasses.dataclass(frozen=True, eq=False)
class _Edges:
    """Synapses as pairs (pre, post), shape (synapses,)."""

    pre: Integers
    post: Integers
    n_pre: int
    n_post: int


def _edges(graph: Connections) -> _Edges:
    """The synapses of any accepted form; a synapse of weight 0 in a dense matrix does not exist."""
    if isinstance(graph, tuple) and len(graph) == 4:
        pre, post, n_pre, n_post = graph
    elif hasattr(graph, "row_ptr"):  # stacked CSR: row = delay * n_pre + pre, entries behind the last row are padding
        n_pre, n_post = graph.n_pre, graph.n_post
        per_row: Integers = np.diff(np.asarray(graph.row_ptr)).astype(np.int64)
        pre = np.repeat(np.arange(len(per_row)) % max(int(n_pre), 1), per_row)
        post = np.asarray(graph.post)[: len(pre)]
    elif hasattr(graph, "pre") and hasattr(graph, "post"):
        pre, post = graph.pre, graph.post
        n_pre, n_post = (
            getattr(graph, n, int(np.max(e, initial=-1)) + 1) for n, e in (("n_pre", pre), ("n_post", post))
        )
    elif hasattr(graph, "tocoo"):
        matrix = graph.tocoo()
        (n_pre, n_post), pre, post = matrix.shape, matrix.row, matrix.col
    elif hasattr(graph, "indices") and hasattr(graph, "shape"):
        pairs = np.asarray(graph.indices)
        (n_pre, n_post), pre, post = graph.shape, pairs[:, 0], pairs[:, 1]
    else:
        dense = np.asarray(graph)
        if dense.ndim != 2:
            raise ValueError(
                f"connectivity: got shape {dense.shape}; allowed: a graph, a matrix (sources, targets) or "
                "(pre, post, n_pre, n_post). Give one of these"
            )
        (n_pre, n_post), (pre, post) = dense.shape, np.nonzero(dense)
    return _checked(np.asarray(pre), np.asarray(post), int(n_pre), int(n_post))


def _checked(pre: npt.NDArray[Any], post: npt.NDArray[Any], n_pre: int, n_post: int) -> _Edges:
    if n_pre < 1 or n_post < 1:
        raise ValueError(f"connectivity: got {n_pre} sources and {n_post} targets; allowed: at least one of each")
    if pre.shape != post.shape or pre.ndim != 1:
        raise ValueError(f"connectivity: pre has shape {pre.shape} and post {post.shape}; allowed: (synapses,) both")
    for name, index, n in (("pre", pre, n_pre), ("post", post, n_post)):
        if index.size and (index.min() < 0 or index.max() >= n):
            raise ValueError(
                f"connectivity: {name} reaches from {index.min()} to {index.max()}; allowed: 0..{n - 1}. "
                "Number the neurons within their population"
            )
    return _Edges(pre.astype(np.int64), post.astype(np.int64), n_pre, n_post)


def _draw_matrix(ax: Axes, edges: _Edges) -> None:
    """Share of existing synapses in each cell of a grid over the matrix; each cell is one pair in a small matrix."""
    coarse = int(np.clip(math.sqrt(len(edges.pre) / _SYNAPSES_PER_CELL), 20, _PAIRWISE))
    cells = [n if n <= _PAIRWISE else coarse for n in (edges.n_pre, edges.n_post)]
    limits = (-0.5, edges.n_pre - 0.5), (-0.5, edges.n_post - 0.5)
    grid = [np.linspace(low, high, k + 1) for (low, high), k in zip(limits, cells, strict=True)]
    count = np.histogram2d(edges.pre, edges.post, grid)[0]
    pairs = np.outer(*(np.diff(np.ceil(g)) for g in grid))
    extent = (*limits[1], limits[0][1], limits[0][0])
    density = count / pairs
    image = ax.imshow(density, cmap="Greys", vmin=0.0, vmax=density.max() or 1.0, extent=extent, aspect="auto")
    ax.set_xlabel("target neuron")
    ax.set_ylabel("source neuron")
    whole_numbers(ax.xaxis, ax.yaxis, most=5)
    if pairs.max() > 1 or count.max() > 1:
        color_bar(ax, image, "synapses per pair")
    note(ax, f"{len(edges.pre):,} synapses".replace(",", "\N{NARROW NO-BREAK SPACE}"))


def _draw_degrees(ax: Axes, degree: Integers, direction: str, unit: str, color: str) -> None:
    """Histogram over whole numbers, with mean ± standard deviation."""
    low, high = int(degree.min()), int(degree.max())
    step = max(1, round((high - low) / 40))
    edges = (np.arange(low, high + step + 1, step) - 0.5).tolist()
    ax.hist(degree, edges, histtype="stepfilled", color=color, alpha=0.3)
    ax.hist(degree, edges, histtype="step", color=color, linewidth=1.2)
    ax.axvline(degree.mean(), color=color, linestyle="--", linewidth=0.9)
    ax.set_xlabel(f"{direction}-degree")
    ax.set_ylabel(unit)
    whole_numbers(ax.xaxis)
    note(ax, f"{degree.mean():.3g} ± {degree.std():.2g}")
    despine(ax)


@overload
def connectivity(graph: Connections, *, ax: None = None) -> Figure: ...


@overload
def connectivity(graph: Connections, *, ax: Axes) -> Axes: ...


def connectivity(graph: Connections, *, ax: Axes | None = None) -> Figure | Axes:
    """Connection matrix of a projection, with the distributions of in- and out-degree.

    Args:
        graph: A sparse graph or a list of edges of `connect`; a matrix (sources, targets), dense, SciPy sparse or
            BCOO; or `(pre, post, n_pre, n_post)`. Large matrices show the mean number of synapses per pair.
        ax: Draw the matrix alone into these axes.
    Returns:
        The figure; with `ax`, those axes.
    Raises:
        ValueError: not a matrix, no neurons, or an index out of range.
    Example:
        >>> figure = connectivity(([0, 0, 1], [1, 2, 2], 2, 3))
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['target neuron', 'out-degree', 'in-degree']
    """
    edges = _edges(graph)
    if ax is not None:
        _draw_matrix(ax, edges)
        return ax
    with style(ax):
        figure = new_figure(6.6, 3.2)
        left, out, into = figure.subplot_mosaic([["matrix", "out"], ["matrix", "in"]], width_ratios=[1.5, 1.0]).values()
        _draw_matrix(left, edges)
        _draw_degrees(out, np.bincount(edges.pre, minlength=edges.n_pre), "out", "sources", EXCITATORY)
        _draw_degrees(into, np.bincount(edges.post, minlength=edges.n_post), "in", "targets", INHIBITORY)
    return figure
