"""Correlation between trains and synchrony of a population."""

import dataclasses

import numpy as np

from ._counts import binned_counts, occupied_bins, psth
from ._spikes import Floats, Integers, Number, Numbers, SpikesLike, SpikeTable, at_least, bounded, ratio


def _pearson(x: Floats) -> Floats:
    """Correlation of the rows of x, NaN where a row does not vary."""
    y = x - x.mean(axis=1, keepdims=True)
    product = y @ y.T
    variance = np.where(np.ptp(x, axis=1) > 0, np.diag(product), 0.0)
    correlation: Floats = ratio(product, np.sqrt(np.outer(variance, variance)))
    np.fill_diagonal(correlation, np.where(variance > 0, 1.0, np.nan))
    return correlation


def count_correlation(
    spikes: SpikesLike, *, bin_ms: Number, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> Floats:
    """Pearson correlation of the spike counts of each pair of neurons.

    r_ij = Cov_t(x_i, x_j) / sqrt(Var_t(x_i) Var_t(x_j)), x the counts in bins.

    Args:
        spikes: Spikes in any form of `spike_table`. Memory is (n, bins) + (n, n).
        bin_ms: Width of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Correlations, shape (n, n), diagonal 1; NaN in rows and columns of counts that do not vary.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    References:
        Cohen and Kohn (2011), Nat. Neurosci. 14:811. As in elephant's `correlation_coefficient`.
    Example:
        >>> count_correlation([[1.0, 11.0], [2.0, 12.0]], bin_ms=5.0, t_stop_ms=20.0)
        array([[1., 1.],
               [1., 1.]])
    """
    return _pearson(binned_counts(spikes, bin_ms=bin_ms, t_start_ms=t_start_ms, t_stop_ms=t_stop_ms).astype(float))


def mean_pair_correlation(
    spikes: SpikesLike,
    *,
    bin_ms: Number = 5.0,
    max_neurons: int = 200,
    seed: int = 0,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> float:
    """Mean count correlation over the pairs of a random sample of active neurons: asynchrony of a large network.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width of a bin, ms.
        max_neurons: Size of the sample, drawn from the neurons with two spikes or more.
        seed: Seed of the draw.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Mean of r_ij over i < j; NaN with ten active neurons or fewer.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    References:
        Renart et al. (2010), Science 327:587.
    Example:
        >>> round(mean_pair_correlation([[1.0, 11.0]] * 12, t_stop_ms=20.0), 6)
        1.0
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    at_least("max_neurons", max_neurons, 2, "the number of neurons to sample")
    active = np.flatnonzero(table.count() >= 2)
    if len(active) <= 10:
        return float("nan")
    pick = np.random.default_rng(seed).choice(active, min(max_neurons, len(active)), replace=False)
    row = np.full(table.n, -1)
    row[np.sort(pick)] = np.arange(len(pick))
    chosen = row[table.neurons] >= 0
    sample = SpikeTable(
        table.times_ms[chosen], row[table.neurons[chosen]], len(pick), table.t_start_ms, table.t_stop_ms
    )
    pairs = count_correlation(sample, bin_ms=bin_ms)[np.triu_indices(len(pick), 1)]
    defined = pairs[np.isfinite(pairs)]
    return float(defined.mean()) if defined.size else float("nan")


@dataclasses.dataclass(frozen=True, eq=False)
class CrossCorrelogram:
    """Coincidences of two trains by lag; at a positive lag the second fires after the first.

    Attributes:
        lags_ms: Lags l w, l = -K..K, ms. Shape (2K + 1,).
        counts: sum_t x_i(t) x_j(t + l), both bins inside the window. Shape (2K + 1,).
        border_corrected: counts N / (N - |l|), N the number of bins. Shape (2K + 1,).
        coefficient: (counts - n_i n_j / N) / sqrt((S_i - n_i^2 / N) (S_j - n_j^2 / N)), S the sum of squared counts;
            NaN where a train does not vary. Shape (2K + 1,).
    Example:
        >>> pair = cross_correlogram([[1.0], [3.0]], 0, 1, bin_ms=1.0, max_lag_bins=3, t_stop_ms=9.0)
        >>> pair.lags_ms[pair.counts.argmax()]
        np.float64(2.0)
    """

    lags_ms: Floats
    counts: Integers
    border_corrected: Floats
    coefficient: Floats


def cross_correlogram(
    spikes: SpikesLike,
    i: int,
    j: int,
    *,
    bin_ms: Number,
    max_lag_bins: int,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> CrossCorrelogram:
    """Cross-correlogram of neurons i and j: how often j fires a lag after i.

    c(l) = sum_t x_i(t) x_j(t + l), l = -K..K, x the counts in bins.

    Args:
        spikes: Spikes in any form of `spike_table`.
        i: Reference neuron.
        j: Neuron that is looked at relative to i; j = i gives the autocorrelogram.
        bin_ms: Width w of a bin, ms.
        max_lag_bins: Largest lag K, in bins.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Counts, border-corrected counts and coefficient by lag.
    Raises:
        ValueError: i or j is no neuron; max_lag_bins is not below the number of bins; the window as elsewhere.
    References:
        Perkel, Gerstein and Moore (1967), Biophys. J. 7:419. As in elephant's `cross_correlation_histogram`.
    Example:
        >>> cross_correlogram([[1.0, 4.0], [2.0, 5.0]], 0, 1, bin_ms=1.0, max_lag_bins=2, t_stop_ms=9.0).counts
        array([1, 0, 0, 2, 0])
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    for name, neuron in (("i", i), ("j", j)):
        if not 0 <= neuron < table.n:
            raise ValueError(f"{name}: got {neuron}; allowed: 0..{table.n - 1}. Give the index of a neuron")
    two = [_train_of(table, neuron) for neuron in (i, j)]
    x, y = (binned_counts(train, bin_ms=bin_ms)[0] for train in two)
    bins, reach = len(x), at_least("max_lag_bins", max_lag_bins, 0, "the largest lag in bins")
    if reach >= bins:
        raise ValueError(f"max_lag_bins: got {reach}; allowed: below the {bins} bins of the window. Give less")
    occupied, lags, padded = np.flatnonzero(x), np.arange(-reach, reach + 1), np.pad(y, reach)
    counts = np.array([x[occupied] @ padded[occupied + reach + lag] for lag in lags], dtype=np.int64)
    spread_x, spread_y = (float(z @ z) - float(z.sum()) ** 2 / bins for z in (x, y))
    varies = np.ptp(x) > 0 and np.ptp(y) > 0
    scale = np.sqrt(spread_x * spread_y) if varies else 0.0
    coefficient = ratio(counts - float(x.sum()) * float(y.sum()) / bins, np.full(len(lags), scale))
    return CrossCorrelogram(
        float(bin_ms) * lags.astype(np.float64), counts, counts * bins / (bins - np.abs(lags)), coefficient
    )


def _train_of(table: SpikeTable, neuron: int) -> SpikeTable:
    """One neuron of a table, as a table of its own."""
    first, last = np.searchsorted(table.neurons, [neuron, neuron + 1])
    times = table.times_ms[first:last]
    return SpikeTable(times, np.zeros(len(times), np.int64), 1, table.t_start_ms, table.t_stop_ms)


def golomb_chi(
    spikes: SpikesLike, *, bin_ms: Number, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> float:
    """Synchrony of a population from its spike counts.

    chi = sqrt(Var_t(mean_i x_i(t)) / mean_i Var_t(x_i(t))), x the counts in bins: 1 when all fire together, of order
    1/sqrt(n) when they fire independently.

    Args:
        spikes: Spikes in any form of `spike_table`. Silent neurons count too.
        bin_ms: Width of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        chi; NaN where no count varies.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    References:
        Golomb and Rinzel (1994), Physica D 72:259.
    Example:
        >>> golomb_chi([[1.0, 11.0], [2.0, 12.0]], bin_ms=5.0, t_stop_ms=20.0)
        1.0
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    own = occupied_bins(table, bin_ms).variance().sum()  # n times the mean variance
    together = psth(table, bin_ms=bin_ms).var()  # n^2 times the variance of the mean
    return float(np.sqrt(ratio(together, own * table.n)))


def golomb_chi_of_signals(signals: Numbers) -> float:
    """Synchrony of a population from continuous signals, such as membrane voltages.

    chi = sqrt(Var_t(mean_i x_i(t)) / mean_i Var_t(x_i(t))).

    Args:
        signals: One row for each neuron, shape (n, samples). (The trace of a solution is (samples, n): transpose it.)
    Returns:
        chi; NaN where no signal varies.
    Raises:
        ValueError: not a matrix, or a value is not finite.
    References:
        Golomb and Rinzel (1994), Physica D 72:259.
    Example:
        >>> golomb_chi_of_signals([[0.0, 1.0, 0.0], [1.0, 2.0, 1.0]])
        1.0
    """
    x = np.asarray(signals, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"signals: got shape {x.shape}; allowed: (n, samples). Give one row for each neuron")
    if not np.isfinite(x).all():
        raise ValueError("signals: got a value that is not finite; allowed: finite. Leave such samples out")
    varies = np.ptp(x, axis=1) > 0
    return float(np.sqrt(ratio(x.mean(axis=0).var(), np.where(varies, x.var(axis=1), 0.0).mean())))
