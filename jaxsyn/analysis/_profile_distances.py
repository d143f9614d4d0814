"""Distances between spike trains without a time scale: ISI distance and SPIKE distance.

Both are the mean over the window of a profile that is constant or linear between the spikes of the two trains, so the
integral is exact. A train without spikes is taken to fire at both ends of the window.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from ._spikes import Floats, Integers, Number, Numbers, SpikesLike, bounded


@dataclasses.dataclass(frozen=True, eq=False)
class _Intervals:
    """The pieces into which a train cuts [0, T]: piece k lies behind k spikes.

    Attributes:
        times: Spike times, shape (m,), m >= 1.
        isi: Current interval in each piece, shape (m + 1,); at the ends the larger of the edge and its neighbor.
        outer: Spike times with the auxiliary spike before the first and behind the last, shape (m + 2,).
    """

    times: Floats
    isi: Floats
    outer: Floats

    def piece(self, left: Floats) -> Integers:
        """Piece of each segment that starts at `left`."""
        return np.searchsorted(self.times, left, side="right").astype(np.int64)


def _intervals(train: Floats, T: float) -> _Intervals:
    t = train if train.size else np.array([0.0, T])
    inner = np.diff(t)
    before, after = t[0], T - t[-1]
    if t.size == 1:
        return _Intervals(t, np.array([before, after]), np.array([0.0, t[0], T]))
    isi = np.concatenate([[max(before, inner[0])], inner, [max(after, inner[-1])]])
    return _Intervals(t, isi, np.concatenate([[min(0.0, t[0] - inner[0])], t, [max(T, t[-1] + inner[-1])]]))


def _nearest(times: Floats, outer: Floats) -> Floats:
    """Distance of each time to the nearest of the sorted `outer`."""
    right = np.clip(np.searchsorted(outer, times), 1, len(outer) - 1)
    return np.minimum(np.abs(times - outer[right - 1]), np.abs(outer[right] - times))


def _isi_dissimilarity(a: _Intervals, b: _Intervals, knots: Floats) -> Floats:
    """Integral over each segment of |nu_a - nu_b| / max(nu_a, nu_b)."""
    nu_a, nu_b = a.isi[a.piece(knots[:-1])], b.isi[b.piece(knots[:-1])]
    piece: Floats = np.diff(knots) * np.abs(nu_a - nu_b) / np.maximum(nu_a, nu_b)
    return piece


def _local_distance(own: _Intervals, other: _Intervals, knots: Floats) -> tuple[Floats, Floats, Floats]:
    """(interval, distance to the other train at the left end, at the right end) of each segment."""
    k, last = own.piece(knots[:-1]), own.times.size - 1
    near = _nearest(own.times, other.outer)
    previous, following = np.maximum(k - 1, 0), np.minimum(k, last)
    inside = (k > 0) & (k <= last)
    slope = np.where(inside, near[following] - near[previous], 0.0) / own.isi[k]
    at = [
        near[previous] + slope * np.where(inside, edge - own.times[previous], 0.0) for edge in (knots[:-1], knots[1:])
    ]
    return own.isi[k], at[0], at[1]


def _spike_dissimilarity(a: _Intervals, b: _Intervals, knots: Floats) -> Floats:
    """Integral over each segment of (S_a nu_b + S_b nu_a) / (2 <nu>^2), linear in time."""
    nu_a, a_left, a_right = _local_distance(a, b, knots)
    nu_b, b_left, b_right = _local_distance(b, a, knots)
    ends = ((a_left + a_right) * nu_b + (b_left + b_right) * nu_a) / (2.0 * ((nu_a + nu_b) / 2.0) ** 2)
    piece: Floats = np.diff(knots) * ends / 2.0
    return piece


def _matrix(
    spikes: SpikesLike,
    t_start_ms: Number | None,
    t_stop_ms: Number | None,
    dissimilarity: Callable[[_Intervals, _Intervals, Floats], Floats],
) -> Floats:
    table = bounded(spikes, t_start_ms, t_stop_ms)
    T = table.duration_ms
    trains = [_intervals(np.clip(t - table.t_start_ms, 0.0, T), T) for t in table.trains()]
    distance = np.zeros((len(trains), len(trains)))
    for i, a in enumerate(trains):
        for j in range(i + 1, len(trains)):
            b = trains[j]
            knots = np.unique(np.concatenate([[0.0, T], a.times, b.times]))
            distance[i, j] = distance[j, i] = dissimilarity(a, b, knots).sum() / T
    return distance


def isi_distance(spikes: SpikesLike, *, t_start_ms: Number | None = None, t_stop_ms: Number | None = None) -> Floats:
    """ISI distance of each pair of trains: how much their momentary intervals differ, without a time scale.

    D = (1/T) int |nu_i - nu_j| / max(nu_i, nu_j) dt, nu(t) the current interval; before the first spike
    max(t_1, t_2 - t_1), behind the last max(T - t_n, t_n - t_{n-1}).

    Args:
        spikes: Spikes in any form of `spike_table`.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Distances in [0, 1), shape (n, n), symmetric, diagonal 0.
    Raises:
        ValueError: no window is known, or a spike lies outside it.
    References:
        Kreuz et al. (2007), J. Neurosci. Methods 165:151. As in pyspike's `isi_distance`.
    Example:
        >>> isi_distance([[2.0, 4.0, 6.0, 8.0], [4.0, 8.0]], t_stop_ms=10.0)[0, 1]
        np.float64(0.5)
    """
    return _matrix(spikes, t_start_ms, t_stop_ms, _isi_dissimilarity)


def spike_distance(spikes: SpikesLike, *, t_start_ms: Number | None = None, t_stop_ms: Number | None = None) -> Floats:
    """SPIKE distance of each pair of trains: how far each spike is from its partner, relative to the local interval.

    D = (1/T) int (S_i nu_j + S_j nu_i) / (2 ((nu_i + nu_j)/2)^2) dt with
    S_i(t) = (d_P (t_F - t) + d_F (t - t_P)) / nu_i between the spikes t_P and t_F, d the distance of a spike to the
    nearest spike of the other train.

    Args:
        spikes: Spikes in any form of `spike_table`.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Distances, shape (n, n), symmetric, diagonal 0.
    Raises:
        ValueError: no window is known, or a spike lies outside it.
    References:
        Kreuz et al. (2013), J. Neurophysiol. 109:1457. As in pyspike's `spike_distance`, its edge corrections included.
    Example:
        >>> spike_distance([[2.0, 5.0], [2.0, 5.0]], t_stop_ms=10.0)[0, 1]
        np.float64(0.0)
    """
    return _matrix(spikes, t_start_ms, t_stop_ms, _spike_dissimilarity)


def mean_over_pairs(matrix: Numbers) -> float:
    """Mean of a symmetric matrix over the pairs i < j: one number for a set of trains.

    Args:
        matrix: Distances or correlations, shape (n, n).
    Returns:
        The mean; NaN for fewer than two trains.
    Raises:
        ValueError: not a square matrix.
    Example:
        >>> mean_over_pairs([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
        2.0
    """
    square = np.asarray(matrix, dtype=np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1]:
        raise ValueError(f"matrix: got shape {square.shape}; allowed: (n, n). Give a matrix over pairs")
    pairs = square[np.triu_indices(len(square), 1)]
    return float(pairs.mean()) if pairs.size else float("nan")
