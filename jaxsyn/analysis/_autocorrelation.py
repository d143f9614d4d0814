"""Autocorrelation of spike counts and the time scales read from it."""

import numpy as np

from ._counts import number_of_bins, occupied_bins, psth
from ._spikes import Floats, Number, Numbers, SpikesLike, at_least, bounded, positive, ratio


def _max_lag(max_lag_bins: int, bins: int) -> int:
    reach = at_least("max_lag_bins", max_lag_bins, 1, "the largest lag in bins")
    if reach >= bins:
        raise ValueError(f"max_lag_bins: got {reach}; allowed: below the {bins} bins of the window. Give less")
    return reach


def population_autocorrelation(
    spikes: SpikesLike,
    *,
    bin_ms: Number,
    max_lag_bins: int,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> Floats:
    """Autocorrelation of the population count.

    rho_k = sum_{t < N - k} y_t y_{t + k} / sum_t y_t^2, k = 0..K, y the count of all neurons per bin less its mean.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width of a bin, ms.
        max_lag_bins: Largest lag K, in bins.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        rho, shape (K + 1,), rho_0 = 1; NaN where the count does not vary.
    Raises:
        ValueError: max_lag_bins is not below the number of bins; the window as elsewhere.
    References:
        Murray et al. (2014), Nat. Neurosci. 17:1661.
    Example:
        >>> population_autocorrelation([[1.0, 3.0, 5.0, 7.0]], bin_ms=1.0, max_lag_bins=2, t_stop_ms=8.0)
        array([ 1.   , -0.875,  0.75 ])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    count = psth(table, bin_ms=bin_ms)
    reach, y = _max_lag(max_lag_bins, len(count)), count - count.mean()
    product = [y[: len(y) - k] @ y[k:] for k in range(reach + 1)]
    rho: Floats = ratio(product, np.full(reach + 1, y @ y if np.ptp(count) > 0 else 0.0))
    return rho


def _autocorrelation_argument(rho: Numbers) -> Floats:
    r = np.asarray(rho, dtype=np.float64)
    if r.ndim != 1 or r.size == 0:
        raise ValueError(f"rho: got shape {r.shape}; allowed: (K + 1,). Give what population_autocorrelation returns")
    return r


def integrated_timescale_ms(rho: Numbers, *, bin_ms: Number) -> float:
    """Integrated autocorrelation time.

    tau = w (1 + 2 sum_{k=1}^{K} rho_k).

    Args:
        rho: Autocorrelation by lag, from lag 0. Shape (K + 1,).
        bin_ms: Width w of a bin, ms.
    Returns:
        tau in ms.
    Raises:
        ValueError: rho is no vector or bin_ms not positive.
    References:
        Sokal (1997), in: Functional Integration, NATO ASI B 361:131.
    Example:
        >>> integrated_timescale_ms([1.0, 0.5, 0.25], bin_ms=2.0)
        5.0
    """
    r = _autocorrelation_argument(rho)
    return float(positive("bin_ms", bin_ms, "the width of a bin in ms") * (1.0 + 2.0 * r[1:].sum()))


def decay_timescale_ms(rho: Numbers, *, bin_ms: Number) -> float:
    """Lag at which the autocorrelation falls below 1/e.

    First k with rho_k < 1/e, linear between k - 1 and k, times w.

    Args:
        rho: Autocorrelation by lag, from lag 0. Shape (K + 1,).
        bin_ms: Width w of a bin, ms.
    Returns:
        tau in ms; NaN where rho stays above 1/e or is undefined.
    Raises:
        ValueError: rho is no vector or bin_ms not positive.
    References:
        Murray et al. (2014), Nat. Neurosci. 17:1661, fit an exponential instead.
    Example:
        >>> round(decay_timescale_ms([1.0, 0.5, 0.25], bin_ms=2.0), 4)
        3.057
    """
    r, width, level = _autocorrelation_argument(rho), positive("bin_ms", bin_ms, "the width of a bin in ms"), np.exp(-1)
    below = np.flatnonzero(r[1:] < level)
    if not below.size:
        return float("nan")
    k = int(below[0])  # the last lag that is not below
    return float(width * (k + (r[k] - level) / (r[k] - r[k + 1])))


def wieland_timescale_ms(
    spikes: SpikesLike,
    *,
    bin_ms: Number,
    max_lag_bins: int,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> Floats:
    """Correlation time of each spike train, from its squared autocorrelation.

    tau_i = 2 w trapz_{k=1..K} (C_k / C_1)^2 with C_k = sum_t x_t x_{t+k} - n_i^2 / N; lag 1 stands for lag 0, whose
    value is the delta peak of the point process.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width w of a bin, ms.
        max_lag_bins: Largest lag K, in bins.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        tau in ms, shape (n,); NaN below two spikes or where C_1 = 0.
    Raises:
        ValueError: max_lag_bins is not below the number of bins; the window as elsewhere.
    References:
        Wieland et al. (2015), Phys. Rev. E 92:040901. As in elephant's `spike_train_timescale`.
    Example:
        >>> wieland_timescale_ms([[1.0, 2.0, 3.0], [4.0]], bin_ms=1.0, max_lag_bins=2, t_stop_ms=9.0)
        array([ 1., nan])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    bins = number_of_bins(table, bin_ms)
    reach, own = _max_lag(max_lag_bins, bins), occupied_bins(table, bin_ms)
    key = own.neuron * (bins + reach) + own.bin  # a lag never reaches the next neuron
    chance = np.bincount(own.neuron, own.count, own.n) ** 2 / bins
    covariance = np.empty((reach, own.n))
    for k in range(1, reach + 1):
        at = np.searchsorted(key, key + k)
        hit = np.flatnonzero(np.append(key, -1)[at] == key + k)
        product = own.count[hit] * own.count[at[hit]]
        covariance[k - 1] = np.bincount(own.neuron[hit], product, own.n) - chance
    square = ratio(covariance, np.where(table.count() >= 2, covariance[0], 0.0)) ** 2
    timescale: Floats = 2.0 * float(bin_ms) * (square.sum(axis=0) - (square[0] + square[-1]) / 2.0)
    return timescale
