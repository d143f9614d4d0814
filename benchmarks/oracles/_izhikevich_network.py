"""izhikevich_network: the randomly coupled network of 2003 in its published recurrence, as statistics over seeds."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, broken

_BAND = re.compile(r"p_\w+_(\d+)_(\d+)")
_PEAKS_HZ = {"peak_alpha": (5.0, 15.0), "peak_gamma": (25.0, 70.0)}


def check(document: Document, precision: str) -> Iterator[Case]:
    """Each expected figure of a document is a case."""
    yield from attempt(list(document["expected"]), lambda: _compare(document))


def _network(p: dict[str, Any], seed: int) -> js.Network:
    """Spikes are sent at the end of a step and act in the next one, which is where the published program tests."""
    Ne, Ni = p["Ne"], p["Ni"]
    generator = np.random.default_rng(seed)
    r_e, r_i = generator.random(Ne), generator.random(Ni)
    exc = {"a_per_ms": 0.02, "b": 0.2, "V_reset_mV": -65.0 + 15.0 * r_e**2, "d": 8.0 - 6.0 * r_e**2}
    inh = {"a_per_ms": 0.02 + 0.08 * r_i, "b": 0.25 - 0.05 * r_i, "V_reset_mV": -65.0, "d": 2.0}
    populations = {
        name: js.Population(js.neurons.IzhikevichPublished(**values, dt_ms=1.0, substeps=2), n)
        for name, values, n in (("E", exc, Ne), ("I", inh, Ni))
    }
    everyone = js.connect.AllToAll()
    projections = {
        name: js.Projection(name, ("E", "I"), everyone, weight=_uniform(weight), delay_ms=1.0)
        for name, weight in (("E", p["w_exc"]), ("I", p["w_inh"]))
    }
    stimuli = {
        "noise E": js.stimuli.GaussianNoise("E", drive=p["exc_noise"]),
        "noise I": js.stimuli.GaussianNoise("I", drive=p["inh_noise"]),
    }
    return js.Network(populations, projections, stimuli, dt_ms=1.0, seed=seed)


def _uniform(weight: float) -> js.connect.AbstractDistribution:
    return js.connect.Uniform(min(weight, 0.0), max(weight, 0.0))


def _figures(p: dict[str, Any], spikes: Any, keys: list[str]) -> dict[str, float]:
    """The listed figures of one run, on [discarded, T)."""
    start, stop = float(p.get("discard_first_ms", 200)), float(p["T_ms"])
    window = {"t_start_ms": start, "t_stop_ms": stop}
    exc, inh = (js.analysis.cut(spikes[name], start, stop) for name in ("E", "I"))
    both = js.analysis.spike_table(
        (
            np.concatenate([exc.times_ms, inh.times_ms]),
            np.concatenate([exc.neurons, inh.neurons + exc.n]),
            exc.n + inh.n,
        ),
        **window,
    )
    frequency, power = js.analysis.population_spectrum(both, bin_ms=1.0)
    cv = js.analysis.isi_cv(exc, min_intervals=5)
    smooth = np.convolve(power, np.ones(5) / 5.0, "same")
    out = {}
    for key in keys:
        if key in ("rate_exc", "rate_inh"):
            out[key] = float(js.analysis.mean_rate_Hz(exc if key == "rate_exc" else inh).mean())
        elif key == "cv_exc":
            out[key] = float(np.nanmean(cv)) if np.isfinite(cv).any() else math.nan
        elif key == "fano_pop":
            counts = js.analysis.psth(both, bin_ms=1.0)
            out[key] = float(counts.var() / counts.mean())
        elif band := _BAND.fullmatch(key):
            inside = (frequency >= float(band[1])) & (frequency < float(band[2]))
            out[key] = float(power[inside].sum() / power[1:].sum())
        elif key in _PEAKS_HZ:
            low, high = _PEAKS_HZ[key]
            inside = (frequency >= low) & (frequency < high)
            out[key] = float(frequency[inside][np.argmax(smooth[inside])])
    return out


def _compare(document: Document) -> Iterator[Case]:
    p, expected, tolerance = document["protocol"], document["expected"], document["tolerance"]
    n_own = max(int(tolerance.get("min_seeds", 10)), 12)
    runs = []
    for seed in range(1, n_own + 1):
        solution = js.simulate(_network(p, seed), float(p["T_ms"]), record=js.record.Spikes())
        runs.append(_figures(p, solution.spikes, list(expected)))
    spread = math.sqrt(1 / n_own + 1 / len(p["seeds"]))
    for key, want in expected.items():
        if key not in runs[0]:
            yield broken(key, "unknown figure")
            continue
        if want["mean"] is None or not np.isfinite(want["mean"]):
            continue
        own = float(np.nanmean([run[key] for run in runs]))
        allowed = tolerance["n_std"] * want["std"] * spread
        yield Case(key, [Figure(f"{own:.4g} for {want['mean']:.4g}", abs(own - want["mean"]), allowed)])
