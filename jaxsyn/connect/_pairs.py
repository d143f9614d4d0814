"""Distances of the pairs of two sheets, counted instead of listed: what a distance rule gives, known beforehand."""

import itertools
from collections.abc import Iterator

import numpy as np

from ._exact import Floats

_EXACT = 96  # offsets along an axis up to which each one counts by itself; beyond they go into bins
_BINS = 64

Span = tuple[int, int]  # first place on the grid, number of places


def sheet(n: int, side: int) -> list[tuple[Span, Span]]:
    """The rectangles (columns, rows) that n neurons fill, row by row: the full rows and what is left."""
    rows, rest = divmod(n, side)
    parts = [((0, side), (0, rows)), ((0, rest), (rows, 1))]
    return [part for part in parts if part[0][1] and part[1][1]]


def sheet_pairs(
    pre: list[tuple[Span, Span]], post: list[tuple[Span, Span]], spacing: float, box: Floats | None
) -> Iterator[tuple[Floats, Floats]]:
    """Distances between two sheets, and how many pairs have each; far ones in bins less than 6 % wide."""
    for a, b in itertools.product(pre, post):
        (x, n_x), (y, n_y) = (
            _offsets(a[axis], b[axis], spacing, None if box is None else float(box[axis])) for axis in (0, 1)
        )
        yield np.sqrt(x[:, None] ** 2 + y[None, :] ** 2), n_x[:, None] * n_y[None, :]


def _offsets(a: Span, b: Span, spacing: float, box: float | None) -> tuple[Floats, Floats]:
    """Distances along one axis between the places of two spans, and how many pairs of places have each."""
    offset = np.arange(b[0] - a[0] - a[1] + 1, b[0] + b[1] - a[0])
    low, high = np.maximum(a[0], b[0] - offset), np.minimum(a[0] + a[1], b[0] + b[1] - offset)
    pairs, x = (high - low).astype(np.float64), np.abs(offset) * spacing
    if box is not None:
        x = np.minimum(x, box - x)
    far = x > _EXACT * spacing
    if not far.any():
        return x, pairs
    edges = np.geomspace(_EXACT * spacing, float(x.max()) * (1.0 + 1e-9), _BINS + 1)
    bins = np.searchsorted(edges, x[far]) - 1
    weight = np.bincount(bins, pairs[far], _BINS)
    middle = np.bincount(bins, pairs[far] * x[far], _BINS) / np.maximum(weight, 1.0)
    return np.concatenate([x[~far], middle]), np.concatenate([pairs[~far], weight])
