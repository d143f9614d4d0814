"""spike_metrics: every measure of spike trains against the listed figures; windows, bins and costs are read from it."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxsyn import analysis

from ._report import Case, Document, Figure, attempt, difference

Listed = dict[str, Any]
_NOT_CHECKED = ("ddof1", "victor_purpura_elephant_inf", "variance_of_mean", "mean_of_variances")
_SETTINGS = ("i", "j", "bin_ms", "max_lag_bins")
_COUNTS = ("counts", "windows")


def check(document: Document, precision: str) -> Iterator[Case]:
    """Trains and signals of a document; the measures are float64 throughout."""
    tolerance = document["tolerance"]
    for case in document.get("cases", []):
        yield from attempt([case["name"]], functools.partial(_trains, case, tolerance))
    for case in document.get("signals", []):
        yield from attempt([case["name"]], functools.partial(_signals, case, tolerance))


def _signals(case: Listed, tolerance: Listed) -> list[Case]:
    own = analysis.golomb_chi_of_signals(case["signals"])
    return [Case(case["name"], [_figure("chi_golomb", own, case["expected"]["chi_golomb"], tolerance)])]


def _figure(name: str, own: Any, listed: Any, tolerance: Listed) -> Figure:
    exact = name.rsplit(".", 1)[-1] in _COUNTS or name.endswith("victor_purpura.inf")
    if exact:
        return difference(name, own, listed, tolerance["counts_abs"])
    return difference(name, own, listed, tolerance["abs"], relative=tolerance["rel"])


def _trains(case: Listed, tolerance: Listed) -> list[Case]:
    table = analysis.spike_table(case["trains_ms"], t_stop_ms=case["T_ms"])
    figures: list[Figure] = []
    for key, listed in case["expected"].items():
        if key in _NOT_CHECKED:
            continue
        if key not in MEASURES:
            figures.append(Figure(f"unknown measure {key}", np.inf, 0.0))
            continue
        figures += _walk(key, MEASURES[key](table, listed), listed, tolerance)
    return [Case(case["name"], figures)]


def _walk(name: str, own: Any, listed: Any, tolerance: Listed) -> Iterator[Figure]:
    """Compare two nestings of equal keys, entry by entry."""
    if isinstance(listed, dict):
        for key, value in listed.items():
            if key in _NOT_CHECKED or key in _SETTINGS:
                continue
            if key in own:
                yield from _walk(f"{name}.{key}", own[key], value, tolerance)
            else:
                yield Figure(f"unknown entry {name}.{key}", np.inf, 0.0)
    elif isinstance(listed, list) and listed and isinstance(listed[0], dict):
        for k, value in enumerate(listed):
            yield from _walk(f"{name}.{k}", own[k], value, tolerance)
    else:
        yield _figure(name, own, listed, tolerance)


def _keyed(measure: Callable[[Any, float], Any]) -> Callable[[Any, Listed], Listed]:
    """A measure for each key, which is a number written as text."""
    return lambda table, listed: {key: measure(table, float(key)) for key in listed}


def _plain(measure: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda table, listed: measure(table)


def _fano(table: Any, window_ms: float) -> Listed:
    return {
        "windows": analysis.bin_starts_ms(table, bin_ms=window_ms).size,
        "ddof0": analysis.fano_factor(table, window_ms=window_ms, ddof=0),
    }


def _psth(table: Any, bin_ms: float) -> Listed:
    rate = analysis.population_rate_Hz(table, bin_ms=bin_ms)
    return {"counts": analysis.psth(table, bin_ms=bin_ms), "rate_hz_first_5": rate[:5]}


def _correlograms(table: Any, listed: list[Listed]) -> list[Listed]:
    return [
        vars(
            analysis.cross_correlogram(
                table, entry["i"], entry["j"], bin_ms=entry["bin_ms"], max_lag_bins=entry["max_lag_bins"]
            )
        )
        for entry in listed
    ]


def _autocorrelation(table: Any, listed: Listed) -> Listed:
    bin_ms, lags = listed["bin_ms"], listed["max_lag_bins"]
    rho = analysis.population_autocorrelation(table, bin_ms=bin_ms, max_lag_bins=lags)
    return {
        "timescale_wieland_ms": analysis.wieland_timescale_ms(table, bin_ms=bin_ms, max_lag_bins=lags),
        "population_rho": rho,
        "population_integrated_ms": analysis.integrated_timescale_ms(rho, bin_ms=bin_ms),
        "population_1_over_e_ms": analysis.decay_timescale_ms(rho, bin_ms=bin_ms),
    }


MEASURES: dict[str, Callable[[Any, Any], Any]] = {
    "mean_rate_hz": _plain(analysis.mean_rate_Hz),
    "isi_cv": _plain(analysis.isi_cv),
    "cv2": _plain(analysis.cv2),
    "lv": _plain(analysis.lv),
    "fano": _keyed(_fano),
    "fano_across_trains_ddof0": _plain(analysis.fano_factor_across_trains),
    "psth": _keyed(_psth),
    "count_correlation": _keyed(lambda table, w: analysis.count_correlation(table, bin_ms=w)),
    "cross_correlogram": _correlograms,
    "chi_golomb": _keyed(lambda table, w: analysis.golomb_chi(table, bin_ms=w)),
    "victor_purpura": _keyed(lambda table, q: analysis.victor_purpura_distance(table, cost_per_ms=q)),
    "van_rossum_elephant": _keyed(lambda table, tau: analysis.van_rossum_distance(table, tau_ms=tau)),
    "van_rossum_plain": _keyed(
        lambda table, tau: analysis.van_rossum_distance(table, tau_ms=tau, normalization="plain")
    ),
    "isi_distance": _plain(analysis.isi_distance),
    "spike_distance": _plain(analysis.spike_distance),
    "isi_distance_all": _plain(lambda table: analysis.mean_over_pairs(analysis.isi_distance(table))),
    "spike_distance_all": _plain(lambda table: analysis.mean_over_pairs(analysis.spike_distance(table))),
    "autocorrelation": _autocorrelation,
}
