"""Random networks as statistics over seeds: Vogels and Abbott (four kinds), Brunel (any size and regime).

The networks are those of Brette et al. (2007), J. Comput. Neurosci. 23:349, appendix 2, and of Brunel (2000),
J. Comput. Neurosci. 8:183, in the schemes of the files: 0.1 ms, spikes on the grid. Each seed is run once, whatever
files ask.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, broken

STATISTICS = {
    "rate_hz": "rate_Hz",
    "rate_sd_across_neurons": "rate_sd_Hz",
    "silent_fraction": "silent_fraction",
    "cv_isi_mean": "isi_cv",
    "pop_fano_1ms": "population_fano",
    "pop_peak_hz": "peak_frequency_Hz",
    "mean_pair_corr_5ms": "pair_correlation",
}
_PREFIXES = {"exc_": "E", "inh_": "I"}
_DT_MS = 0.1

PRECISIONS = ("float32",)  # statistics do not depend on it


def check(document: Document, precision: str) -> Iterator[Case]:
    """Each network or regime of a document is a case."""
    tolerance = document["tolerance"]
    seeds = int(tolerance.get("min_seeds", 5))
    if "regimes" in document:
        regimes = document["regimes"]
        yield from attempt(list(regimes), lambda: _brunel_regimes(document, seeds, tolerance))
        return
    fine = "NEST" in document.get("produced_by", "")
    for name, entry in document["networks"].items():
        if name not in ("coba", "cuba", "vjump", "cobahh"):
            yield broken(name, "no network of that name")
            continue

        def work(name: str = name, expected: dict[str, Any] = entry["expected"]) -> list[Case]:
            runs = [_vogels_abbott(name, seed, fine or name != "cobahh") for seed in range(seeds)]
            return [compare(name, runs, expected, tolerance)]

        yield from attempt([name], work)


def compare(name: str, runs: list[dict[str, float]], expected: dict[str, Any], tolerance: dict[str, Any]) -> Case:
    """Means over own seeds against the listed means, by the rule of the file."""
    figures = []
    fano = expected.get("exc_pop_fano_1ms", {}).get("mean") or 0.0
    for key, want in expected.items():
        checked = any(key.endswith(ending) for ending in tolerance["checked"])
        peak = key.endswith("pop_peak_hz") and fano >= tolerance.get("oscillating_if_exc_fano_at_least", math.inf)
        if not (checked or peak) or want["mean"] is None:
            continue
        if key not in runs[0]:
            figures.append(Figure(f"unknown statistic {key}", math.inf, 0.0))
            continue
        own = np.array([run[key] for run in runs])
        mean, n_ref = float(np.nanmean(own)), len(want["values"])
        errors = tolerance["n_standard_errors"] * math.hypot(
            want["std"] / math.sqrt(n_ref), float(np.nanstd(own, ddof=1)) / math.sqrt(len(own))
        )
        if key.endswith("cv_isi_mean"):
            allowed = tolerance["cv_isi_abs"]
        else:
            allowed = errors + tolerance["pop_peak_rel" if peak else "rel"] * abs(want["mean"])
        figures.append(Figure(f"{key} {mean:.4g} for {want['mean']:.4g}", abs(mean - want["mean"]), allowed))
    return Case(name, figures)


def _statistics(solution: js.Solution, start_ms: float, stop_ms: float) -> dict[str, float]:
    out: dict[str, float] = {}
    for prefix, population in _PREFIXES.items():
        own = js.analysis.network_statistics(solution.spikes[population], t_start_ms=start_ms, t_stop_ms=stop_ms)
        out |= {prefix + key: getattr(own, field) for key, field in STATISTICS.items()}
    return out


def _vogels_abbott_cells(kind: str) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Arguments of the population; weights of excitation and inhibition with their unit as key."""
    E_L = -60.0 if kind == "coba" else -49.0
    neuron = js.neurons.LIF(20.0, 200.0, E_L_mV=E_L, V_th_mV=-50.0, V_reset_mV=-60.0)
    fast, slow = js.receptors.Exponential(5.0), js.receptors.Exponential(10.0)
    conductances = {"exc": js.receptors.Conductance(fast, 0.0), "inh": js.receptors.Conductance(slow, -80.0)}
    cell: dict[str, Any] = {
        "neuron": neuron,
        "refractory_ms": 5.0,
        "initial": {"V_mV": js.connect.Uniform(-60.0, -50.0)},
    }
    if kind == "coba":
        cell |= {"receptors": conductances, "integrator": js.neurons.RK4(on_grid=True)}
        return cell, {"weight_nS": 6.0}, {"weight_nS": 67.0}
    cell["integrator"] = js.neurons.Exact(on_grid=True)
    if kind == "cuba":
        cell["receptors"] = {"exc": js.receptors.Current(fast), "inh": js.receptors.Current(slow)}
        return cell, {"weight_pA": 16.2}, {"weight_pA": -90.0}
    cell["receptors"] = {"exc": js.receptors.Delta(), "inh": js.receptors.Delta()}
    return cell, {"weight_mV": 0.25}, {"weight_mV": -2.25}


def _hodgkin_huxley_cells(fine: bool) -> dict[str, Any]:
    """COBAHH: accurate steps (NEST), or frozen coefficients from closed gates at 0.1 ms (Brian2)."""
    fast, slow = js.receptors.Exponential(5.0), js.receptors.Exponential(10.0)
    start: dict[str, Any] = {"V_mV": js.connect.Normal(-65.0, 5.0)}
    return {
        "neuron": js.neurons.HodgkinHuxley.traub_miles(),
        "receptors": {"exc": js.receptors.Conductance(fast, 0.0), "inh": js.receptors.Conductance(slow, -80.0)},
        "integrator": js.neurons.RK4(on_grid=True) if fine else js.neurons.ExponentialEuler(on_grid=True),
        "initial": start if fine else start | {"m": 0.0, "h": 0.0, "n": 0.0},
    }


@functools.cache
def _vogels_abbott(kind: str, seed: int, fine: bool) -> dict[str, float]:
    """One run of 1000 ms, analyzed from 200 ms; `fine` matters for Hodgkin-Huxley cells only."""
    dt_ms = _DT_MS
    if kind == "cobahh":
        cell, exc, inh = _hodgkin_huxley_cells(fine), {"weight_nS": 6.0}, {"weight_nS": 67.0}
        dt_ms = 0.05 if fine else _DT_MS
    else:
        cell, exc, inh = _vogels_abbott_cells(kind)
    populations = {name: js.Population(size=size, **cell) for name, size in (("E", 3200), ("I", 800))}
    projections = {}
    for name, receptor, weights in (("E", "exc", exc), ("I", "inh", inh)):
        by_receptor: dict[str, Any] = {unit: {receptor: w} for unit, w in weights.items()}
        rule = js.connect.FixedProbability(0.02)
        projections[name] = js.Projection(name, ("E", "I"), rule, delay_ms=_DT_MS, **by_receptor)
    stimuli = {}
    if kind in ("coba", "cobahh"):
        stimuli["kick"] = js.stimuli.InhomogeneousPoisson(
            ("E", "I"), rate_Hz=np.array([300.0]), every_ms=50.0, weight_nS={"exc": 6.0}
        )
    net = js.Network(populations, projections, stimuli, dt_ms=dt_ms, seed=seed)
    return _statistics(js.simulate(net, 1000.0, record=js.record.Spikes()), 200.0, 1000.0)


def _brunel(p: dict[str, Any], seed: int, highest_Hz: float) -> js.Network:
    """The network of the file with inhibition of strength J: g and the external rate are set later."""
    neuron = js.neurons.LIF(p["tau_m"], p["tau_m"], E_L_mV=0.0, V_th_mV=p["theta"], V_reset_mV=p["V_reset"])
    delta = js.receptors.Delta()
    populations = {
        name: js.Population(
            neuron,
            size,
            {"jump": delta},
            integrator=js.neurons.Exact(on_grid=True),
            refractory_ms=p["t_ref"],
            initial={"V_mV": js.connect.Uniform(0.0, 20.0)},
        )
        for name, size in (("E", p["NE"]), ("I", p["NI"]))
    }
    projections = {
        name: js.Projection(
            name,
            ("E", "I"),
            js.connect.FixedInDegree(p[degree], autapses=True, multapses=True),
            weight_mV=sign * p["J_mV"],
            delay_ms=p["delay_ms"],
        )
        for name, degree, sign in (("E", "CE", 1.0), ("I", "CI", -1.0))
    }
    external = js.stimuli.Poisson(("E", "I"), rate_Hz=highest_Hz, weight_mV=p["J_mV"])
    return js.Network(populations, projections, {"external": external}, dt_ms=p["dt"], seed=seed)


def _brunel_regimes(document: Document, seeds: int, tolerance: dict[str, Any]) -> Iterator[Case]:
    """All regimes on the same graphs: g and the external rate are leaves of the network."""
    p, regimes = document["params"], document["regimes"]
    rates = {k: r["eta"] * p["theta"] / (p["J_mV"] * p["tau_m"]) * 1000.0 for k, r in regimes.items()}
    runs: dict[str, list[dict[str, float]]] = {k: [] for k in regimes}
    for seed in range(seeds):
        net = _brunel(p, seed, max(rates.values()))
        for name, regime in regimes.items():
            now = [np.asarray(x, leaf.dtype) for x, leaf in zip((regime["g"], rates[name]), _drives(net), strict=True)]
            solution = js.simulate(eqx.tree_at(_drives, net, now), float(p["T_ms"]), record=js.record.Spikes())
            runs[name].append(_statistics(solution, float(p["analysed_from_ms"]), float(p["T_ms"])))
    for name, regime in regimes.items():
        yield compare(name, runs[name], regime["expected"], tolerance)


def _drives(net: js.Network) -> tuple[Any, Any]:
    """Gain of inhibition, and external rate."""
    inhibition: Any = next(link for link in net.links if link.name == "I")
    external: Any = net.stimuli["external"].stimulus
    return inhibition.gain, external.rate_Hz
