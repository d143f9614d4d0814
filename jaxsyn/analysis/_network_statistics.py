"""The few numbers that describe the activity of a network."""

import dataclasses
import math

import numpy as np

from ._correlation import mean_pair_correlation
from ._counts import mean_rate_Hz, psth
from ._intervals import isi_cv
from ._spikes import Floats, Number, SpikesLike, bounded, cut, ratio, window_of


def population_spectrum(
    spikes: SpikesLike, *, bin_ms: Number = 1.0, t_start_ms: Number | None = None, t_stop_ms: Number | None = None
) -> tuple[Floats, Floats]:
    """Power spectrum of the population count, not smoothed.

    P(f) = |sum_t (x_t - mean x) exp(-2 pi i f t)|^2, x the spikes of all neurons per bin.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width of a bin, ms.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Frequencies in Hz and power, both of shape (bins // 2 + 1,).
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    Example:
        >>> frequency_Hz, power = population_spectrum([list(range(0, 100, 10))], t_stop_ms=100.0)
        >>> frequency_Hz[power.argmax()]
        np.float64(100.0)
    """
    count = psth(spikes, bin_ms=bin_ms, t_start_ms=t_start_ms, t_stop_ms=t_stop_ms)
    frequency = np.asarray(np.fft.rfftfreq(len(count), float(bin_ms) * 1e-3), dtype=np.float64)
    power: Floats = np.abs(np.fft.rfft(count - count.mean())) ** 2
    return frequency, power


def peak_frequency_Hz(
    spikes: SpikesLike,
    *,
    bin_ms: Number = 1.0,
    above_Hz: Number = 5.0,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
) -> float:
    """Frequency at which the population count has most power, after a running mean over five frequencies.

    Args:
        spikes: Spikes in any form of `spike_table`.
        bin_ms: Width of a bin, ms.
        above_Hz: Only frequencies above this count, Hz.
        t_start_ms: Start of the recorded window, ms. Default: that of `spikes`, else 0.
        t_stop_ms: End of the recorded window, ms. Default: that of `spikes`.
    Returns:
        Frequency in Hz, meaningful where the network oscillates; NaN without spikes or frequencies to look at.
    Raises:
        ValueError: no window is known, a spike lies outside it, or it holds no whole bin.
    Example:
        >>> peak_frequency_Hz([list(range(0, 1000, 25))] * 4, t_stop_ms=1000.0) in (38.0, 39.0, 40.0, 41.0, 42.0)
        True
    """
    table = bounded(spikes, t_start_ms, t_stop_ms)
    frequency, power = population_spectrum(table, bin_ms=bin_ms)
    allowed = frequency > float(above_Hz)
    if table.times_ms.size == 0 or not allowed.any():
        return math.nan
    smooth = np.convolve(power, np.ones(5) / 5.0, "same")[: len(power)]
    return float(frequency[allowed][np.argmax(smooth[allowed])])


@dataclasses.dataclass(frozen=True)
class NetworkStatistics:
    """Activity of one population in a window, each number NaN where it is undefined.

    Attributes:
        rate_Hz: Mean rate, Hz.
        rate_sd_Hz: Standard deviation of the rates across neurons (ddof 0), Hz.
        silent_fraction: Share of neurons without a spike.
        isi_cv: Mean ISI CV of the neurons with five intervals or more.
        population_fano: Var / mean of the population count in bins of 1 ms.
        peak_frequency_Hz: Frequency of most power above 5 Hz.
        pair_correlation: Mean count correlation in bins of 5 ms over the pairs of up to 200 active neurons.
    Example:
        >>> network_statistics([[1.0], []], t_stop_ms=100.0).rate_Hz
        5.0
    """

    rate_Hz: float
    rate_sd_Hz: float
    silent_fraction: float
    isi_cv: float
    population_fano: float
    peak_frequency_Hz: float
    pair_correlation: float


def network_statistics(
    spikes: SpikesLike, *, t_start_ms: Number | None = None, t_stop_ms: Number | None = None, seed: int = 0
) -> NetworkStatistics:
    """The statistics by which simulators of random networks are compared.

    Unlike the other measures, spikes before t_start_ms and from t_stop_ms on are left out, not refused: a transient is
    dropped by naming where it ends.

    Args:
        spikes: Spikes of one population in any form of `spike_table`.
        t_start_ms: First time that counts, ms. Default: that of `spikes`, else 0.
        t_stop_ms: First time that no longer counts, ms. Default: that of `spikes`.
        seed: Seed of the sample of neurons for the pair correlation.
    Returns:
        The statistics.
    Raises:
        ValueError: no window is known, or the spikes are malformed.
    References:
        Brunel (2000), J. Comput. Neurosci. 8:183. Vogels and Abbott (2005), J. Neurosci. 25:10786.
    Example:
        >>> trains = [[10.0 * k + i for k in range(10)] for i in range(3)]
        >>> statistics = network_statistics(trains, t_stop_ms=100.0)
        >>> statistics.rate_Hz, statistics.isi_cv, statistics.silent_fraction
        (100.0, 0.0, 0.0)
    """
    start, stop = window_of(spikes, t_start_ms, t_stop_ms)
    table = bounded(cut(spikes, start, stop), None, None)
    if table.n == 0:
        return NetworkStatistics(*[math.nan] * 7)
    rate, cv = mean_rate_Hz(table), isi_cv(table, min_intervals=5)
    cv, together = cv[np.isfinite(cv)], psth(table, bin_ms=1.0)
    return NetworkStatistics(
        rate_Hz=float(rate.mean()),
        rate_sd_Hz=float(rate.std()),
        silent_fraction=float((rate == 0).mean()),
        isi_cv=float(cv.mean()) if cv.size else math.nan,
        population_fano=float(ratio(together.var(), together.mean())),
        peak_frequency_Hz=peak_frequency_Hz(table),
        pair_correlation=mean_pair_correlation(table, seed=seed),
    )
