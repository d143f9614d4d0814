"""Random sources as a network sees them: events at relays, currents as the charge of a membrane that does not leak."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._report import Figure, difference

Case = dict[str, Any]
Floats = np.ndarray[Any, Any]

_run = eqx.filter_jit(js.run)  # another seed compiles nothing


def within(what: str, own: float, expected: float, se: float, tolerance: Case) -> Figure:
    """|own - expected| within the number of standard errors of the file; se 0 means equal."""
    return Figure(f"{what} {own:.6g} for {expected:.6g}", abs(own - expected), tolerance["n_standard_errors"] * se)


def below(what: str, own: float, limit: float) -> Figure:
    """A test statistic under its limit."""
    return Figure(what, float(own), float(limit))


def _events(stimuli: dict[str, Any], n: int, n_steps: int, dt_ms: float, seed: int) -> dict[str, Floats]:
    """Numbers of events of each source, one relay population for each, shape (n_steps, n)."""
    populations = {name: js.Population(js.neurons.Relay(), n) for name in stimuli}
    net = js.Network(populations, stimuli=stimuli, dt_ms=dt_ms, seed=seed)
    _, out = _run(net, n_steps, record=[js.record.Spikes()])
    return {name: np.asarray(out["spikes"][name], float) for name in stimuli}


def poisson(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Distribution, dispersion and independence of a Poisson source."""
    e, n, n_steps = case["expected"], case["n_neurons"], case["n_steps"]
    lam = case["rate_hz"] * case["dt_ms"] / 1000.0

    def two(seed: int) -> tuple[Floats, Floats]:
        stimuli = {name: js.stimuli.Poisson(name, rate_Hz=case["rate_hz"], weight=1.0) for name in ("a", "b")}
        out = _events(stimuli, n, n_steps, case["dt_ms"], seed)
        return out["a"], out["b"]

    (x, beside), (again, _), (other, _) = two(1), two(1), two(2)
    low, high = e["first_class_up_to"], e["last_class_from"]
    observed = np.bincount(np.clip(x.astype(int).ravel(), low, high) - low, minlength=high - low + 1)
    expected = np.asarray(e["P_class"]) * x.size
    yield below("chi2 of the classes", ((observed - expected) ** 2 / expected).sum(), e["chi2_limit"])
    yield Figure("events that are no whole number", float(np.abs(x - np.rint(x)).max()), 0.0)
    yield difference("lambda", lam, e["mean"], 0.0, relative=tolerance.get("closed_form_rel", 1e-8))
    figures = {
        "mean": x.mean(),
        "variance": np.mean((x - lam) ** 2),
        "population_fano": np.mean((x.sum(1) - n * lam) ** 2) / (n * lam),
        "total_count_fano": np.mean((x.sum(0) - n_steps * lam) ** 2) / (n_steps * lam),
    }
    for key, own in figures.items():
        yield within(key, float(own), e[key], e[f"{key}_se"], tolerance)
    for lag, want, se in zip(e["lags"], e["lag_correlation"], e["lag_correlation_se"], strict=True):
        own = np.mean((x[lag:] - lam) * (x[:-lag] - lam)) / lam
        yield within(f"correlation at lag {lag}", float(own), want, se, tolerance)
    if e.get("max_pair_correlation_limit") is not None:
        pairs = np.corrcoef(x.T)[np.triu_indices(n, 1)]
        yield below("largest pair correlation", np.abs(pairs).max(), e["max_pair_correlation_limit"])
    for what, y in (("two seeds", other), ("two sources", beside)):
        own = np.mean((x - lam) * (y - lam)) / lam
        yield within(what, float(own), 0.0, e["two_seeds_correlation_se"], tolerance)
    yield Figure("draws that differ with the same seed", float(np.sum(x != again)), 0.0)


def ornstein_uhlenbeck(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Stationary distribution and memory of colored noise."""
    from scipy import stats

    e, n, n_steps, dt_ms = case["expected"], case["n_neurons"], case["n_steps"], case["dt_ms"]
    never = js.neurons.LIF(tau_m_ms=1e12, C_pF=1.0, E_L_mV=0.0, V_th_mV=1e12, V_reset_mV=0.0)
    noise = js.stimuli.OrnsteinUhlenbeck("cells", mean_pA=case["mean"], sd_pA=case["sd"], tau_ms=case["tau_ms"])
    cells = js.Population(never, n, integrator=js.neurons.Exact(on_grid=True))
    net = js.Network({"cells": cells}, stimuli={"noise": noise}, dt_ms=dt_ms, seed=1)
    _, out = _run(net, n_steps, record=[js.record.State("cells.V_mV")])
    charge = np.concatenate([np.zeros((1, n)), np.asarray(out["cells.V_mV"], float)])
    x = np.diff(charge, axis=0) / dt_ms
    y, variance = x - case["mean"], case["sd"] ** 2
    a = math.exp(-dt_ms / case["tau_ms"])
    yield within("mean", float(x.mean()), e["mean"], e["mean_se"], tolerance)
    yield within("variance", float(np.mean(y * y)), e["variance"], e["variance_se"], tolerance)
    for lag, want, se in zip(e["lags_steps"], e["autocovariance"], e["autocovariance_se"], strict=True):
        yield within(f"autocovariance at {lag}", float(np.mean(y[lag:] * y[:-lag])), want, se, tolerance)
    residual = y[1:] - a * y[:-1]
    yield within("residual sd", float(np.sqrt(np.mean(residual**2))), e["residual_sd"], e["residual_sd_se"], tolerance)
    slope = float(np.sum(y[1:] * y[:-1]) / np.sum(y[:-1] ** 2))
    yield within("slope", slope, e["slope"], e["slope_se"], tolerance)
    distance = stats.kstest(residual.ravel() / e["residual_sd"], "norm").statistic
    yield below("residual KS", distance, e["residual_ks_limit"])
    ratio = float(np.mean(y.sum(1) ** 2) / (n * variance))
    key = "population_variance_ratio"
    yield within(key, ratio, e[key], e[f"{key}_se"], tolerance)


def inhomogeneous_poisson(case: Case, tolerance: Case) -> Iterator[Figure]:
    """Counts in bins, and intervals after time rescaling."""
    from scipy import stats

    e, n, dt_ms, T_ms = case["expected"], case["n_neurons"], case["dt_ms"], case["T_ms"]
    rate, highest, cumulated = _RATES[case["rate"]](case["params"], T_ms)
    n_steps = round(T_ms / dt_ms)
    source = js.stimuli.InhomogeneousPoisson("in", rate_Hz=rate, max_rate_Hz=highest, weight=1.0)
    x = _events({"in": source}, n, n_steps, dt_ms, seed=1)["in"]
    bins = round(T_ms / case["bin_ms"])
    own = x.reshape(bins, -1).sum(1)
    exact, left = np.asarray(e["counts_per_bin"], float), np.asarray(e["counts_left_rule"], float)
    allowed = tolerance["n_standard_errors"] * np.sqrt(exact) + np.abs(left - exact) + 5
    worst = int(np.argmax(np.abs(own - exact) / allowed))
    yield Figure(f"count of bin {worst}", float(abs(own - exact)[worst]), float(allowed[worst]))
    filled = exact > 0
    yield below("chi2 of the bins", ((own - exact)[filled] ** 2 / exact[filled]).sum(), e["chi2_limit"])
    yield Figure("events in empty bins", float(own[~filled].sum()), 0.0)
    if "total_se" in e:
        rule = abs(float(left.sum() - exact.sum()))
        figure = within("total", float(own.sum()), e["total"], e["total_se"], tolerance)
        yield Figure(figure.what, figure.error, figure.tolerance + rule)
    step, neuron = np.nonzero(x)
    many = x[step, neuron].astype(int)
    step, neuron = np.repeat(step, many), np.repeat(neuron, many)
    times = (step + np.random.default_rng(1).random(step.size)) * dt_ms
    rescaled = np.sort(cumulated(times) + neuron * float(cumulated(np.array(T_ms))))
    yield below("rescaled intervals KS", stats.kstest(np.diff(rescaled), "expon").statistic, e["ks_limit"])


_Rate = tuple[Callable[[Any], Any], float, Callable[[Any], Any]]


def _sine(p: Case, T_ms: float) -> _Rate:
    r0, A, w, phase = p["r0_hz"], p["A"], 2 * math.pi * p["f_hz"] / 1000.0, p["phase"]
    return (
        lambda t: r0 * (1.0 + A * jnp.sin(w * t + phase)),
        r0 * (1.0 + abs(A)),
        lambda t: r0 / 1000.0 * (t - A / w * (np.cos(w * t + phase) - math.cos(phase))),
    )


def _ramp(p: Case, T_ms: float) -> _Rate:
    r0, slope = p["r0_hz"], (p["r1_hz"] - p["r0_hz"]) / T_ms
    return lambda t: r0 + slope * t, max(r0, p["r1_hz"]), lambda t: (r0 * t + slope * t * t / 2.0) / 1000.0


def _decay(p: Case, T_ms: float) -> _Rate:
    r0, base, tau = p["r0_hz"], p["r_inf_hz"], p["tau_ms"]
    return (
        lambda t: base + r0 * jnp.exp(-t / tau),
        base + max(r0, 0.0),
        lambda t: (base * t - r0 * tau * np.expm1(-t / tau)) / 1000.0,
    )


def _steps(p: Case, T_ms: float) -> _Rate:
    edges, rates = np.asarray(p["edges_ms"], float), np.asarray(p["rates_hz"], float)
    total = np.concatenate([[0.0], np.cumsum(np.diff(edges) * rates)]) / 1000.0

    def rate(t: Any) -> Any:
        k = jnp.searchsorted(jnp.asarray(edges), t, side="right") - 1
        return jnp.asarray(rates)[jnp.clip(k, 0, len(rates) - 1)]

    return rate, float(rates.max()), lambda t: np.interp(t, edges, total)


_RATES = {"sine": _sine, "ramp": _ramp, "decay": _decay, "steps": _steps}
