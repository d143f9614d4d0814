"""Measures of recorded activity: pure functions of arrays, NumPy and float64 throughout.

Spikes come in any of three forms: a list with one array of times (ms) for each neuron, a triple
`(times_ms, neurons, n)`, or an object that has these three attributes, such as the spike trains of a solution. An
undefined number is NaN (the CV of a neuron that fired once); bad input is a `ValueError` that says what to do.

- `spike_table`, `cut`: check once, drop a transient
- `mean_rate_Hz`, `population_rate_Hz`, `psth`, `binned_counts`, `fano_factor`: counts
- `isi_ms`, `isi_cv`, `cv2`, `lv`: intervals
- `count_correlation`, `cross_correlogram`, `golomb_chi`: correlation and synchrony
- `population_autocorrelation`, `wieland_timescale_ms`: time scales
- `victor_purpura_distance`, `van_rossum_distance`, `isi_distance`, `spike_distance`: distances of trains
- `siegert_rate_Hz`, `lif_rate_Hz`, `adex_rheobase`: closed forms to compare with
- `network_statistics`: the few numbers that describe a network

To add a measure: write a function of `SpikesLike` (call `bounded` if it needs the window, `unbounded` if not), sum over
spikes rather than over neurons x bins where that is possible, re-export it here, and test it against a library or a
closed form, on empty trains, and on one spike.
"""

from ._autocorrelation import decay_timescale_ms as decay_timescale_ms
from ._autocorrelation import integrated_timescale_ms as integrated_timescale_ms
from ._autocorrelation import population_autocorrelation as population_autocorrelation
from ._autocorrelation import wieland_timescale_ms as wieland_timescale_ms
from ._correlation import CrossCorrelogram as CrossCorrelogram
from ._correlation import count_correlation as count_correlation
from ._correlation import cross_correlogram as cross_correlogram
from ._correlation import golomb_chi as golomb_chi
from ._correlation import golomb_chi_of_signals as golomb_chi_of_signals
from ._correlation import mean_pair_correlation as mean_pair_correlation
from ._counts import bin_starts_ms as bin_starts_ms
from ._counts import binned_counts as binned_counts
from ._counts import fano_factor as fano_factor
from ._counts import fano_factor_across_trains as fano_factor_across_trains
from ._counts import mean_rate_Hz as mean_rate_Hz
from ._counts import population_rate_Hz as population_rate_Hz
from ._counts import psth as psth
from ._edit_distances import van_rossum_distance as van_rossum_distance
from ._edit_distances import victor_purpura_distance as victor_purpura_distance
from ._intervals import cv2 as cv2
from ._intervals import isi_cv as isi_cv
from ._intervals import isi_ms as isi_ms
from ._intervals import lv as lv
from ._network_statistics import NetworkStatistics as NetworkStatistics
from ._network_statistics import network_statistics as network_statistics
from ._network_statistics import peak_frequency_Hz as peak_frequency_Hz
from ._network_statistics import population_spectrum as population_spectrum
from ._profile_distances import isi_distance as isi_distance
from ._profile_distances import mean_over_pairs as mean_over_pairs
from ._profile_distances import spike_distance as spike_distance
from ._spikes import HasSpikes as HasSpikes
from ._spikes import SpikesLike as SpikesLike
from ._spikes import SpikeTable as SpikeTable
from ._spikes import cut as cut
from ._spikes import spike_table as spike_table
from ._theory import AdExRheobase as AdExRheobase
from ._theory import adex_rheobase as adex_rheobase
from ._theory import lif_first_spike_ms as lif_first_spike_ms
from ._theory import lif_rate_Hz as lif_rate_Hz
from ._theory import siegert_rate_Hz as siegert_rate_Hz
