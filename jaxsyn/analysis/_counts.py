"""Spike counts: rates, binned counts, PSTH, Fano factors.

Bin k of a window that starts at t0 is [t0 + k w, t0 + (k + 1) w), k = 0..floor(T/w) - 1; a spike in the remainder
behind the last whole bin lies in no bin. Moments over bins are summed over the spikes, so that a silent neuron costs
nothing.
"""

import dataclasses
import math

import numpy as np

from ._spikes import (
    EDGE,
    Floats,
    Integers,
    Number,
    SpikesLike,
    SpikeTable,
    at_least,
    bounded,
    positive,
    ratio,
    unbounded,
)


@dataclasses.dataclass(frozen=True, eq=False)
class OccupiedBins:
    """The bins in which a neuron fired: neuron, bin and count of each, sorted by neuron and bin."""

    neuron: Integers
    bin: Integers
    count: Integers
    n: int
    n_bins: int

    def variance(self) -> Floats:
        """Variance (ddof 0) over all bins of the count of each neuron, shape (n,); exact in integers."""
        total = np.bincount(self.neuron, self.count, self.n)
        square = np.bincount(self.neuron, self.count**2, self.n)
        return (self.n_bins * square - total**2) / self.n_bins**2

    def mean(self) -> Floats:
        """Mean over all bins of the count of each neuron, shape (n,)."""
        return np.bincount(self.neuron, self.count, self.n) / self.n_bins


def number_of_bins(table: SpikeTable, bin_ms: Number, name: str = "bin_ms") -> int:
    """floor(T / w), at least 1."""
    width = positive(name, bin_ms, "a width in ms")
    bins = math.floor(table.duration_ms / width + EDGE)
    if bins < 1:
        raise ValueError(
            f"{name}: got {width:g}; allowed: at most the recorded {table.duration_ms:g} ms. Give a shorter width"
        )
    return bins


def bin_of(table: SpikeTable, bin_ms: Number, n_bins: int) -> tuple[Integers, Integers]:
    """(bin, neuron) of each spike that lies in a whole bin."""
    k = np.floor((table.times_ms - table.t_start_ms) / float(bin_ms) + EDGE).astype(np.int64)
    inside = (k >= 0) & (k < n_bins)
    return k[inside], table.neurons[inside]


def occupied_bins(table: SpikeTable, bin_ms: Number, name: str = "bin_ms") -> OccupiedBins:
    """Count by (neuron, bin) without the zeros: memory of the order of the spikes."""
    n_bins = number_of_bins(table, bin_ms, name)
    k, neuron = bin_of(table, bin_ms, n_bins)
    key, count = np.unique(neuron * n_bins + k, return_counts=True)
    return OccupiedBins(key // n_bins, key % n_bins, count.astype(np.int64), table.n, n_bins)


def mean_rate_Hz(spikes: SpikesLike, *, t_start_ms: Number | None = None, t_stop_ms: Number | None = None) -> Floats:
    """Mean firing rate of each neuron.

    r_i = 1000 n_i / T with n_i all spikes of the window of length T (ms).

    Args:
        spikes: Spikes in any form of `spike_table`.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Rates in Hz, shape (n,).
    Raises:
        ValueError: no window is known, or a spike lies outside it.
    Example:
        >>> mean_rate_Hz([[10.0, 60.0], []], t_stop_ms=100.0)
        array([20.,  0.])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    return np.asarray(1000.0 * table.count() / table.duration_ms, dtype=np.float64)


def bin_starts_ms(
    spikes: SpikesLike, *, bin_ms: Number, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> Floats:
    """Start of each whole bin, ms: the time axis of `binned_counts`, `psth` and `population_rate_Hz`.

    t_k = t_start + k w, k = 0..floor(T/w) - 1.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width w of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Times in ms, shape (bins,).
    Raises:
        ValueError: no window is known, or it holds no whole bin.
    Example:
        >>> bin_starts_ms([[1.0]], bin_ms=4.0, t_stop_ms=10.0)
        array([0., 4.])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    return table.t_start_ms + float(bin_ms) * np.arange(number_of_bins(table, bin_ms), dtype=np.float64)


def binned_counts(
    spikes: SpikesLike, *, bin_ms: Number, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> Integers:
    """Spike count of each neuron in each bin, as a dense matrix.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Counts, shape (n, bins), 8 bytes each.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    Example:
        >>> binned_counts([[1.0, 2.0, 7.0], [6.0]], bin_ms=5.0, t_stop_ms=10.0)
        array([[2, 1],
               [0, 1]])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    n_bins = number_of_bins(table, bin_ms)
    k, neuron = bin_of(table, bin_ms, n_bins)
    flat = np.bincount(neuron * n_bins + k, minlength=table.n * n_bins)
    return flat.reshape(table.n, n_bins).astype(np.int64)


def psth(
    spikes: SpikesLike, *, bin_ms: Number, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> Integers:
    """Peri-stimulus time histogram: spikes of all trains together in each bin.

    The trains are trials of one neuron, or the neurons of a population. As a rate: `population_rate_Hz`.

    Args:
        spikes: Spikes in any form of `spike_table`, times relative to the stimulus.
        bin_ms: Width of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Counts, shape (bins,).
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    References:
        Gerstein and Kiang (1960), Biophys. J. 1:15.
    Example:
        >>> psth([[1.0, 2.0, 7.0], [6.0]], bin_ms=5.0, t_stop_ms=10.0)
        array([2, 2])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    n_bins = number_of_bins(table, bin_ms)
    return np.bincount(bin_of(table, bin_ms, n_bins)[0], minlength=n_bins).astype(np.int64)


def _gaussian_smooth(x: Floats, sigma_bins: float) -> Floats:
    """Convolution with a Gaussian cut at 4 sigma; at the ends the weights inside are normalized to 1."""
    reach = math.ceil(4 * sigma_bins)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_bins) ** 2)
    smooth, weight = np.convolve(x, kernel), np.convolve(np.ones_like(x), kernel)
    inside: Floats = (smooth / weight)[reach : reach + len(x)]
    return inside


def population_rate_Hz(
    spikes: SpikesLike,
    *,
    bin_ms: Number,
    smooth_ms: Number = 0.0,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> Floats:
    """Instantaneous rate of a population, per neuron.

    A(t) = 1000 k(t) / (n w) with k(t) spikes in the bin of width w (ms), optionally smoothed with a Gaussian.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width w of a bin, ms.
        smooth_ms: Standard deviation of the Gaussian, ms; 0 for none.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Rates in Hz, shape (bins,); NaN for a population without neurons.
    Raises:
        ValueError: no window is known, a spike lies outside it, it holds no whole bin, or smooth_ms is negative.
    Example:
        >>> population_rate_Hz([[1.0, 2.0, 7.0], [6.0]], bin_ms=5.0, t_stop_ms=10.0)
        array([200., 200.])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    count = psth(table, bin_ms=bin_ms)
    rate: Floats = ratio(1000.0 * count, np.full(len(count), table.n * float(bin_ms)))
    if smooth_ms == 0:
        return rate
    return _gaussian_smooth(rate, positive("smooth_ms", smooth_ms, "0, or a width in ms") / float(bin_ms))


def fano_factor(
    spikes: SpikesLike,
    *,
    window_ms: Number,
    ddof: int = 0,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> Floats:
    """Fano factor of each neuron over successive windows of its train.

    F_i = Var_k(N_ik) / mean_k(N_ik) with N_ik the count of neuron i in window k: 1 for a Poisson process.

    Args:
        spikes: Spikes in any form of `spike_table`.
        window_ms: Width of a window, ms.
        ddof: Var divides by (windows - ddof).
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Fano factors, shape (n,); NaN where no spike lies in a window.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole window.
    References:
        Fano (1947), Phys. Rev. 72:26. ddof 0 as in elephant's `fanofactor`.
    Example:
        >>> fano_factor([[1.0, 2.0, 7.0], []], window_ms=5.0, t_stop_ms=10.0).round(4)
        array([0.1667,    nan])
    """
    bins = occupied_bins(bounded(spikes, t_start_ms, t_stop_ms), window_ms, "window_ms")
    at_least("ddof", ddof, 0, "0 or 1")
    variance = ratio(bins.variance() * bins.n_bins, np.full(bins.n, max(bins.n_bins - ddof, 0)))
    factor: Floats = ratio(variance, bins.mean())
    return factor


def fano_factor_across_trains(spikes: SpikesLike) -> float:
    """Fano factor of the total counts, the trains taken as trials.

    F = Var_i(N_i) / mean_i(N_i), ddof 0.

    Args:
        spikes: Spikes in any form of `spike_table`: one train for each trial.
    Returns:
        Fano factor; NaN without a spike.
    Raises:
        ValueError: the spikes are malformed.
    References:
        Fano (1947), Phys. Rev. 72:26. As in elephant's `fanofactor`.
    Example:
        >>> fano_factor_across_trains([[1.0], [1.0, 2.0, 3.0]])
        0.5
    """
    count = unbounded(spikes).count()
    return float(ratio(count.var(), count.mean())) if count.size else math.nan
