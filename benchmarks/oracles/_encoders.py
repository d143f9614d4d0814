"""encoders: values to spikes by codes of js.encode, beside listed spikes, times and decoded values."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, difference

PRECISIONS = ("float64", "float32")

Params = dict[str, Any]
Own = dict[str, Any]


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every case of a document in one precision; a kind that is not known is a failure."""
    for case in document["cases"]:
        yield from attempt(
            [case["name"]],
            lambda case=case: [Case(case["name"], list(_figures(case, document["tolerance"], precision)))],
        )


def _figures(case: dict[str, Any], tolerance: dict[str, Any], precision: str) -> Iterator[Figure]:
    if case["kind"] not in _KINDS:
        raise ValueError(f"unknown kind {case['kind']!r}")
    expected = case["expected"]
    own = _KINDS[case["kind"]](dict(case["params"]), jnp.asarray(case["x"], jnp.result_type(float)))
    for name, listed in expected.items():
        if name not in own:
            raise ValueError(f"unknown entry {name!r} of {case['kind']!r}")
        if name in ("centres", "sigma") and precision == "float32":
            continue  # their tolerance is that of float64
        what = f"{name}, {precision}"
        if np.shape(listed) != np.shape(own[name]):
            yield Figure(f"{what}: shape {np.shape(own[name])}, listed {np.shape(listed)}", np.inf, 0.0)
            continue
        if name == "times_steps":
            yield _silence(what, own[name], listed)
        yield difference(what, own[name], listed, _allowed(name, tolerance, precision))


def _allowed(name: str, tolerance: dict[str, Any], precision: str) -> float:
    """Tolerance of one entry: times and centers have their own, all others are exact."""
    if name == "times_steps":
        return float(tolerance["times_float32_abs" if precision == "float32" else "times_abs"])
    if name in ("centres", "sigma"):
        return float(tolerance["centres_abs"])
    return float(tolerance["decoded_abs" if name == "decoded" else "spikes_abs"])


def _silence(what: str, own: Any, listed: Any) -> Figure:
    """A listed time of null means that there is no spike: neurons that are silent in one of both alone."""
    silent = np.array([time is None for time in np.ravel(np.array(listed, object))])
    return Figure(f"silent, {what}", float(np.sum(silent != ~np.isfinite(np.ravel(own)))), 0.0)


def _latency(p: Params, x: jax.Array) -> Own:
    shared = {"n_steps": p["T"], "theta": p["theta"], "first_step": p["first"], "clip": p["clip"]}
    if p["code"] == "linear":
        code: Any = js.encode.LinearLatency(tau_steps=None if p["normalize"] else p["tau"], **shared)
    elif p["code"] == "log":
        code = js.encode.MembraneLatency(tau_steps=p["tau"], epsilon=p["epsilon"], normalize=p["normalize"], **shared)
    else:
        raise ValueError(f"unknown code {p['code']!r}")
    return {"spikes": code.encode(x), "times_steps": code.times_steps(x)}


def _log_alpha(p: Params, x: jax.Array) -> Own:
    code = js.encode.LogLatency(n_steps=p["T"])
    return {"spikes": code.encode(x), "times_steps": code.times_steps(x)}


def _difference(p: Params, x: jax.Array) -> Own:
    return {"spikes": js.encode.DeltaDifference(theta=p["theta"], off=p["off"], padding=p["padding"]).encode(x)}


def _reference(p: Params, x: jax.Array) -> Own:
    code = js.encode.DeltaReference(theta=p["theta"])
    spikes = code.encode(x)
    return {"spikes": spikes, "decoded": code.decode(spikes, start=x[0])[-1]}


def _phase(p: Params, x: jax.Array) -> Own:
    code = js.encode.Phase(n_bits=p["K"], n_steps=p["T"])
    whole = js.encode.Phase(n_bits=p["K"])  # decoded is of all digits, also where the window cuts them
    return {"spikes": code.encode(x), "decoded": whole.decode(whole.encode(x))}


def _population_latency(p: Params, x: jax.Array) -> Own:
    code = js.encode.PopulationLatency(*(p["T"], p["M"], p["x_min"], p["x_max"]), gamma=p["gamma"], a_min=p["a_min"])
    times = code.times_steps(x).reshape(len(x), p["M"])
    return {"spikes": code.encode(x), "centres": code.centers, "sigma": code.sigma, "times_steps": times}


def _population_rate(p: Params, x: jax.Array) -> Own:
    code = js.encode.PopulationRate(*(p["T"], p["M"], p["x_min"], p["x_max"]), sigma=p["sigma"], threshold=p["v_th"])
    return {"spikes": code.encode(x), "centres": code.centers}


def _burst(p: Params, x: jax.Array) -> Own:
    code = js.encode.Burst(p["T"], p["N_max"], p["T_min"], p["T_max"])
    return {"spikes": code.encode(x), "n_spikes": code.n_spikes(x), "isi_steps": code.interval_steps(x)}


def _burst_weighted(p: Params, x: jax.Array) -> Own:
    payload = js.encode.WeightedBurst(p["T"], theta=p["v_th"], beta=p["beta"]).encode(x)
    return {"spikes": payload > 0, "payload": payload}


def _rate(p: Params, x: jax.Array) -> Own:
    spikes = js.encode.Rate(n_steps=p["T"], v_init=p["v0"]).encode(x)
    return {"spikes": spikes, "n_spikes": spikes.sum(axis=0)}


_KINDS: dict[str, Callable[[Params, jax.Array], Own]] = {
    "latency": _latency,
    "latency_log_alpha": _log_alpha,
    "delta_difference": _difference,
    "delta_reference": _reference,
    "phase": _phase,
    "population_latency": _population_latency,
    "population_rate": _population_rate,
    "burst": _burst,
    "burst_weighted": _burst_weighted,
    "rate_accumulate": _rate,
}
