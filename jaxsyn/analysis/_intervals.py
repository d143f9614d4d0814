"""Inter-spike intervals and their regularity."""

import numpy as np

from ._spikes import Floats, Integers, SpikesLike, at_least, ratio, unbounded


def _intervals(spikes: SpikesLike) -> tuple[Floats, Integers, int]:
    """(intervals in ms, neuron of each, n), sorted by neuron and time."""
    table = unbounded(spikes)
    same = np.diff(table.neurons) == 0
    return np.diff(table.times_ms)[same], table.neurons[1:][same], table.n


def _mean_over(value: Floats, neuron: Integers, n: int) -> Floats:
    """Mean of the values of each neuron, NaN where it has none."""
    mean: Floats = ratio(np.bincount(neuron, value, n), np.bincount(neuron, minlength=n))
    return mean


def isi_ms(spikes: SpikesLike) -> list[Floats]:
    """Inter-spike intervals of each neuron.

    I_k = t_{k+1} - t_k.

    Args:
        spikes: Spikes in any form of `spike_table`.
    Returns:
        One array of intervals (ms) for each neuron, empty below two spikes.
    Raises:
        ValueError: the spikes are malformed.
    Example:
        >>> isi_ms([[1.0, 3.0, 8.0], [2.0]])
        [array([2., 5.]), array([], dtype=float64)]
    """
    interval, neuron, n = _intervals(spikes)
    return np.split(interval, np.cumsum(np.bincount(neuron, minlength=n))[:-1]) if n else []


def isi_cv(spikes: SpikesLike, *, min_intervals: int = 2) -> Floats:
    """Coefficient of variation of the inter-spike intervals of each neuron.

    CV = std(I) / mean(I), ddof 0: 0 for a clock, 1 for a Poisson process, above 1 for bursts.

    Args:
        spikes: Spikes in any form of `spike_table`.
        min_intervals: Neurons with fewer intervals than this, or than two, are NaN.
    Returns:
        CVs, shape (n,).
    Raises:
        ValueError: the spikes are malformed.
    References:
        Softky and Koch (1993), J. Neurosci. 13:334. ddof 0 as in elephant's `cv`.
    Example:
        >>> isi_cv([[0.0, 1.0, 4.0], [0.0, 1.0]])
        array([0.5, nan])
    """
    at_least("min_intervals", min_intervals, 0, "the number of intervals below which a CV means nothing")
    interval, neuron, n = _intervals(spikes)
    mean = _mean_over(interval, neuron, n)
    spread = np.sqrt(_mean_over((interval - mean[neuron]) ** 2, neuron, n))
    enough = np.bincount(neuron, minlength=n) >= max(min_intervals, 2)
    cv: Floats = ratio(np.where(enough, spread, np.nan), mean)
    return cv


def _local_contrast(spikes: SpikesLike) -> tuple[Floats, Integers, int]:
    """|I' - I| / (I' + I) of successive intervals, the neuron of each, n. Two intervals of length 0 have contrast 0."""
    interval, neuron, n = _intervals(spikes)
    pair = np.diff(neuron) == 0
    first, second = interval[:-1][pair], interval[1:][pair]
    contrast: Floats = np.nan_to_num(ratio(np.abs(second - first), first + second), nan=0.0)
    return contrast, neuron[1:][pair], n


def cv2(spikes: SpikesLike) -> Floats:
    """Local coefficient of variation of successive intervals: irregularity that slow rate changes do not inflate.

    CV2 = mean_k 2 |I_{k+1} - I_k| / (I_{k+1} + I_k): 0 for a clock, 1 for a Poisson process.

    Args:
        spikes: Spikes in any form of `spike_table`.
    Returns:
        CV2 of each neuron, shape (n,); NaN below two intervals.
    Raises:
        ValueError: the spikes are malformed.
    References:
        Holt et al. (1996), J. Neurophysiol. 75:1806. As in elephant's `cv2`.
    Example:
        >>> cv2([[0.0, 1.0, 4.0], [0.0, 1.0]])
        array([ 1., nan])
    """
    contrast, neuron, n = _local_contrast(spikes)
    return _mean_over(2.0 * contrast, neuron, n)


def lv(spikes: SpikesLike) -> Floats:
    """Local variation of successive intervals.

    LV = mean_k 3 (I_{k+1} - I_k)^2 / (I_{k+1} + I_k)^2: 0 for a clock, 1 for a Poisson process.

    Args:
        spikes: Spikes in any form of `spike_table`.
    Returns:
        LV of each neuron, shape (n,); NaN below two intervals.
    Raises:
        ValueError: the spikes are malformed.
    References:
        Shinomoto, Shima and Tanji (2003), Neural Comput. 15:2823. As in elephant's `lv`.
    Example:
        >>> lv([[0.0, 1.0, 4.0], [0.0, 1.0]])
        array([0.75,  nan])
    """
    contrast, neuron, n = _local_contrast(spikes)
    return _mean_over(3.0 * contrast**2, neuron, n)
