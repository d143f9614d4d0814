"""Every measure against elephant, pyspike and written-out formulas, from a file that holds trains and numbers.

The reader below knows the keys of the file, not its cases: windows, bins, costs and time constants are read from it.
"""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from jaxsyn import analysis

FILE = json.loads((pathlib.Path(__file__).parents[1] / "reference" / "data" / "spike_metrics.json").read_text())
PER_TRAIN = {"isi_cv": analysis.isi_cv, "cv2": analysis.cv2, "lv": analysis.lv}


def by_key(listed: dict[str, Any], measure: Any) -> dict[str, Any]:
    """The same keys, each a number written as text, with what `measure` gives for that number."""
    return {key: measure(float(key)) for key in listed}


def measured(case: dict[str, Any]) -> dict[str, Any]:
    """Our number for each entry of a case, in the same nesting."""
    listed, trains = case["expected"], case["trains_ms"]
    window = {"t_stop_ms": case["T_ms"]}
    table = analysis.spike_table(trains, **window)
    isi, spike = analysis.isi_distance(table), analysis.spike_distance(table)
    ours: dict[str, Any] = {name: function(trains) for name, function in PER_TRAIN.items()}
    ours |= {
        "mean_rate_hz": analysis.mean_rate_Hz(trains, **window),
        "fano_across_trains_ddof0": analysis.fano_factor_across_trains(trains),
        "fano": by_key(
            listed["fano"],
            lambda w: (
                {f"ddof{d}": analysis.fano_factor(trains, window_ms=w, ddof=d, **window) for d in (0, 1)}
                | {"windows": analysis.bin_starts_ms(table, bin_ms=w).size}
            ),
        ),
        "psth": by_key(
            listed["psth"],
            lambda w: {
                "counts": analysis.psth(trains, bin_ms=w, **window),
                "rate_hz_first_5": analysis.population_rate_Hz(trains, bin_ms=w, **window)[:5],
            },
        ),
        "count_correlation": by_key(
            listed["count_correlation"], lambda w: analysis.count_correlation(trains, bin_ms=w, **window)
        ),
        "chi_golomb": by_key(listed["chi_golomb"], lambda w: analysis.golomb_chi(trains, bin_ms=w, **window)),
        "victor_purpura": by_key(
            listed["victor_purpura"], lambda q: analysis.victor_purpura_distance(trains, cost_per_ms=q)
        ),
        "van_rossum_elephant": by_key(
            listed["van_rossum_elephant"], lambda tau: analysis.van_rossum_distance(trains, tau_ms=tau)
        ),
        "van_rossum_plain": by_key(
            listed["van_rossum_plain"],
            lambda tau: analysis.van_rossum_distance(trains, tau_ms=tau, normalization="plain"),
        ),
        "isi_distance": isi,
        "spike_distance": spike,
        "isi_distance_all": analysis.mean_over_pairs(isi),
        "spike_distance_all": analysis.mean_over_pairs(spike),
        "cross_correlogram": [correlogram(table, entry) for entry in listed["cross_correlogram"]],
        "autocorrelation": autocorrelation(table, listed["autocorrelation"]),
    }
    return ours


def correlogram(table: analysis.SpikeTable, entry: dict[str, Any]) -> dict[str, Any]:
    settings = {key: entry[key] for key in ("bin_ms", "max_lag_bins")}
    return settings | vars(analysis.cross_correlogram(table, entry["i"], entry["j"], **settings))


def autocorrelation(table: analysis.SpikeTable, entry: dict[str, Any]) -> dict[str, Any]:
    settings = {key: entry[key] for key in ("bin_ms", "max_lag_bins")}
    rho = analysis.population_autocorrelation(table, **settings)
    return settings | {
        "timescale_wieland_ms": analysis.wieland_timescale_ms(table, **settings),
        "population_rho": rho,
        "population_integrated_ms": analysis.integrated_timescale_ms(rho, bin_ms=entry["bin_ms"]),
        "population_1_over_e_ms": analysis.decay_timescale_ms(rho, bin_ms=entry["bin_ms"]),
    }


def numbers(listed: Any) -> np.ndarray:
    """Any nesting of numbers as one flat array, null as NaN."""
    if isinstance(listed, list):
        return np.concatenate([numbers(item) for item in listed]) if listed else np.empty(0)
    return np.array([np.nan if listed is None else float(listed)])


def worst_errors(listed: Any, ours: Any, name: str = "") -> dict[str, float]:
    """Largest |ours - listed| / (rel |listed| + abs) by entry; counts are exact; an undefined number must be NaN."""
    if isinstance(listed, dict):
        skipped = {"i", "j"} if "counts" in listed else set()
        parts = [worst_errors(v, ours[k], f"{name}.{k}") for k, v in listed.items() if k not in skipped]
        return {k: v for part in parts for k, v in part.items()}
    if isinstance(listed, list) and listed and isinstance(listed[0], dict):
        parts = [worst_errors(v, o, f"{name}[{k}]") for k, (v, o) in enumerate(zip(listed, ours, strict=True))]
        return {k: v for part in parts for k, v in part.items()}
    want, got = numbers(listed), np.ravel(np.asarray(ours, dtype=float))
    assert want.shape == got.shape, name
    assert np.array_equal(np.isnan(want), np.isnan(got)), name
    if name.endswith(("counts", "windows", "inf")):
        return {name: 0.0 if np.array_equal(want, got, equal_nan=True) else np.inf}
    allowed = FILE["tolerance"]["rel"] * np.abs(want) + FILE["tolerance"]["abs"]
    return {name: float(np.nanmax(np.abs(want - got) / allowed, initial=0.0))}


@pytest.mark.parametrize("case", FILE["cases"], ids=[case["name"] for case in FILE["cases"]])
def test_trains(case: dict[str, Any]) -> None:
    listed = {k: v for k, v in case["expected"].items() if k != "victor_purpura_elephant_inf"}
    errors = worst_errors(listed, measured(case))
    assert max(errors.values()) <= 1.0, {k: v for k, v in errors.items() if v > 1.0}


@pytest.mark.parametrize("case", FILE["signals"], ids=[case["name"] for case in FILE["signals"]])
def test_signals(case: dict[str, Any]) -> None:
    assert analysis.golomb_chi_of_signals(case["signals"]) == pytest.approx(case["expected"]["chi_golomb"], rel=1e-9)


def test_elephant_charges_two_for_coincident_spikes_and_we_do_not() -> None:
    case = next(case for case in FILE["cases"] if case["name"] == "simultaneous")
    ours = analysis.victor_purpura_distance(case["trains_ms"], cost_per_ms=np.inf)
    theirs = np.array(case["expected"]["victor_purpura_elephant_inf"])
    assert (ours < theirs).any()
