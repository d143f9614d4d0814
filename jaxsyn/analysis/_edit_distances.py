"""Distances between spike trains with one time scale: Victor-Purpura and van Rossum.

Both compare one train with all later ones at a time: loops run over the spikes of a train, never over pairs.
"""

import math

import numpy as np

from ._spikes import Floats, Number, SpikesLike, positive, unbounded


def _padded(trains: list[Floats], fill: str) -> tuple[Floats, Floats]:
    """Trains as rows of equal length, padded with their last time (or 0), and the true lengths."""
    length = np.array([len(t) for t in trains], dtype=np.int64)
    rows = np.zeros((len(trains), int(length.max(initial=0))))
    for row, train in zip(rows, trains, strict=True):
        row[: len(train)] = train
        if fill == "last" and len(train):
            row[len(train) :] = train[-1]
    return rows, length.astype(np.float64)


def _coincident(a: Floats, b: Floats) -> int:
    """Spikes of a that have a partner in b at exactly the same time, each partner used once."""
    time_a, count_a = np.unique(a, return_counts=True)
    time_b, count_b = np.unique(b, return_counts=True)
    _, in_a, in_b = np.intersect1d(time_a, time_b, assume_unique=True, return_indices=True)
    return int(np.minimum(count_a[in_a], count_b[in_b]).sum())


def _edit_costs(train: Floats, others: Floats, cost_per_ms: float) -> Floats:
    """Last row of the edit table of `train` against each row of `others`: cost for each length of the other.

    D[k, l] = min(D[k-1, l] + 1, D[k, l-1] + 1, D[k-1, l-1] + q |t_k - u_l|). The middle term runs along the row; a
    running minimum of D - l resolves it at once.
    """
    position = np.arange(others.shape[1] + 1, dtype=np.float64)
    cost = np.broadcast_to(position, (others.shape[0], len(position)))
    for time in train:
        best = cost + 1.0
        np.minimum(best[:, 1:], cost[:, :-1] + cost_per_ms * np.abs(time - others), out=best[:, 1:])
        cost = np.minimum.accumulate(best - position, axis=1) + position
    return cost


def victor_purpura_distance(spikes: SpikesLike, *, cost_per_ms: Number) -> Floats:
    """Victor-Purpura distance of each pair of trains: the least cost to turn one into the other.

    Inserting or deleting a spike costs 1, moving it by dt costs q |dt|. q = 0 compares the counts; q = infinity is the
    limit n_i + n_j - 2 (coincident spikes), so that spikes at exactly the same time cost nothing.

    Args:
        spikes: Spikes in any form of `spike_table`.
        cost_per_ms: Cost q of moving a spike, 1/ms; 2/q is the largest shift that is worth it.
    Returns:
        Distances, shape (n, n), symmetric, diagonal 0.
    Raises:
        ValueError: the cost is negative or NaN, or the spikes are malformed.
    References:
        Victor and Purpura (1996), J. Neurophysiol. 76:1310. elephant returns n_i + n_j at q = infinity.
    Example:
        >>> victor_purpura_distance([[10.0], [13.0, 40.0]], cost_per_ms=0.1)[0, 1].round(6)
        np.float64(1.3)
    """
    q = float(cost_per_ms)
    if math.isnan(q) or q < 0:
        raise ValueError(f"cost_per_ms: got {cost_per_ms}; allowed: >= 0, infinity too. Give the cost of 1 ms of shift")
    trains = unbounded(spikes).trains()
    distance = np.zeros((len(trains), len(trains)))
    rows, length = _padded(trains, fill="zero")
    for i, train in enumerate(trains[:-1]):
        later = slice(i + 1, None)
        if math.isinf(q):
            shared = np.array([_coincident(train, other) for other in trains[later]])
            distance[i, later] = len(train) + length[later] - 2.0 * shared
        else:
            costs = _edit_costs(train, rows[later], q)
            distance[i, later] = np.take_along_axis(costs, length[later, None].astype(np.int64), axis=1)[:, 0]
    return distance + distance.T


def _squared_traces(train: Floats, others: Floats, length: Floats, tau_ms: float) -> Floats:
    """(1/tau) int h^2 dt, h the trace of `train` less that of each row of `others`; exact between spikes.

    Summing h^2 keeps the digits that the difference of three correlation sums loses for nearly equal trains.
    """
    time = np.concatenate([np.broadcast_to(train, (len(others), len(train))), others], axis=1)
    real = np.arange(others.shape[1]) < length[:, None]
    sign = np.concatenate([np.ones((len(others), len(train))), np.where(real, -1.0, 0.0)], axis=1)
    order = np.argsort(time, axis=1, kind="stable")
    time, sign = np.take_along_axis(time, order, axis=1), np.take_along_axis(sign, order, axis=1)
    gap = np.diff(time, axis=1, append=np.inf)
    decay, area = np.exp(-gap / tau_ms), -0.5 * np.expm1(-2.0 * gap / tau_ms)
    height, total = np.zeros(len(others)), np.zeros(len(others))
    for k in range(time.shape[1]):
        height = height + sign[:, k]
        total += height**2 * area[:, k]
        height = height * decay[:, k]
    return total


def van_rossum_distance(spikes: SpikesLike, *, tau_ms: Number, normalization: str = "elephant") -> Floats:
    """Van Rossum distance of each pair of trains: both filtered with a decaying exponential, then subtracted.

    D^2 = (2/tau) int_0^inf (f - g)^2 dt with f(t) = sum_k H(t - t_k) exp(-(t - t_k)/tau), so that one spike against
    none gives 1 ("elephant"); "plain" is the published D^2 = (1/tau) int (f - g)^2 dt, smaller by sqrt(2).

    Args:
        spikes: Spikes in any form of `spike_table`.
        tau_ms: Time constant of the exponential, ms.
        normalization: "elephant" or "plain".
    Returns:
        Distances, shape (n, n), symmetric, diagonal 0.
    Raises:
        ValueError: tau_ms is not positive, the normalization is unknown, or the spikes are malformed.
    References:
        Van Rossum (2001), Neural Comput. 13:751.
    Example:
        >>> van_rossum_distance([[10.0], []], tau_ms=5.0)
        array([[0., 1.],
               [1., 0.]])
    """
    tau = positive("tau_ms", tau_ms, "the time constant in ms")
    if normalization not in ("elephant", "plain"):
        raise ValueError(
            f"normalization: got {normalization!r}; allowed: 'elephant' (one spike against none is 1) or 'plain' (van "
            "Rossum 2001)"
        )
    trains = unbounded(spikes).trains()
    square = np.zeros((len(trains), len(trains)))
    rows, length = _padded(trains, fill="last")
    for i, train in enumerate(trains[:-1]):
        later = slice(i + 1, None)
        square[i, later] = _squared_traces(train, rows[later], length[later], tau)
    distance: Floats = np.sqrt((2.0 if normalization == "elephant" else 1.0) * (square + square.T))
    return distance
