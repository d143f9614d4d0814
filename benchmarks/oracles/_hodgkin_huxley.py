"""hh_spikes: three Hodgkin-Huxley cells with controlled error, exponential Euler, Hopf points, f-I curves."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, broken, count, difference

# Densities carry over as they are: on 100 um2 a uF/cm2 is 1 pF, a mS/cm2 1 nS and a uA/cm2 1 pA.
_CELLS = {
    "squid": js.neurons.HodgkinHuxley.squid,
    "traub": js.neurons.HodgkinHuxley.traub_miles,
    "wang_buzsaki": js.neurons.HodgkinHuxley.wang_buzsaki,
}
_FIELDS = {
    "C": "C_pF",
    "gNa": "g_Na_nS",
    "gK": "g_K_nS",
    "gL": "g_L_nS",
    "ENa": "E_Na_mV",
    "EK": "E_K_mV",
    "EL": "E_L_mV",
    "VT": "V_shift_mV",
}
_FI_MS = 600.0
_EULER = re.compile(r"exp_euler_dt([0-9.]+)")


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every run and rate of every model, and the bifurcations where they are listed."""
    tolerance = document["tolerance"]
    curves = document.get("steady_fI_hz") or {}
    for name, model in document["models"].items():
        names = [f"{name}, I {run['I']}" for run in model["runs"]]
        if name not in _CELLS:
            yield broken(name, "no model of that name")
            continue
        curve = curves.get(name, [])
        yield from attempt(names, functools.partial(_solved, name, model, curve, tolerance))
        yield from attempt(names, functools.partial(_euler, name, model, tolerance))
    listed = document.get("squid_bifurcations_uA_cm2")
    if listed:
        yield from attempt(["squid Hopf points"], lambda: [_hopf(listed, tolerance)])


def _neuron(name: str, model: dict[str, Any]) -> js.neurons.HodgkinHuxley:
    params = dict(model["params"])
    if params.pop("phi", 5.0) != 5.0:
        raise ValueError(f"phi: got {model['params']['phi']}; Wang-Buzsaki kinetics have 5")
    given = {_FIELDS[key]: float(value) for key, value in params.items()}
    return js.neurons.HodgkinHuxley(
        **given, V_rest_mV=model["V0_mV"], V_th_mV=model["vth_mV"], kinetics=_CELLS[name]().kinetics
    )


def _solved(name: str, model: dict[str, Any], curve: list[list[float]], tolerance: dict[str, Any]) -> Iterator[Case]:
    """Runs and points of the f-I curve as one population."""
    runs, T_ms = model["runs"], float(model["T_ms"])
    neuron = _neuron(name, model)
    gates = neuron.steady_state(jax.numpy.asarray(float(model["V0_mV"])))
    own = [gates.h, gates.n] if neuron.kinetics.instantaneous_m else [gates.m, gates.h, gates.n]
    start = difference("gates at the start", own, model["gates0"], 1e-9)
    I = np.array([float(run["I"]) for run in runs] + [float(i) for i, _ in curve])
    cells = js.Population(neuron, len(I))
    solved = js.solve(cells, max(T_ms, _FI_MS if curve else 0.0), I_pA=I, save_at_ms=[T_ms], throw=False)
    for i, run in enumerate(runs):
        train = solved.spikes.train(i)
        train = train[train <= T_ms]
        n = min(len(train), run["spike_count"])
        figures = [start, count("spikes", len(train), run["spike_count"], tolerance["count_abs"])]
        figures.append(difference("spike ms", train[:n], run["spike_times_ms"][:n], tolerance["spike_ms"]))
        if not any(T_ms - 3.0 <= t <= T_ms for t in run["spike_times_ms"]):
            V = solved.states["V_mV"].values[0, i]
            figures.append(difference("V at the end mV", V, run["V_end_mV"], tolerance["V_end_mV"]))
        yield Case(f"{name}, I {run['I']}", figures)
    for i, (current, rate_Hz) in enumerate(curve, start=len(runs)):
        train = solved.spikes.train(i)
        train = train[train <= _FI_MS]
        own_Hz = 1000.0 / (train[-1] - train[-2]) if len(train) > 2 else 0.0
        yield Case(f"{name}, f-I {current}", [difference("Hz", own_Hz, rate_Hz, 0.0, relative=tolerance["fI_rel"])])


def _euler(name: str, model: dict[str, Any], tolerance: dict[str, Any]) -> Iterator[Case]:
    """Error of exponential Euler, first and last common spike, against the error listed for each step."""
    runs, T_ms = model["runs"], float(model["T_ms"])
    keys = sorted({key for run in runs for key in run.get("fixed_step", {}) if _EULER.fullmatch(key)})
    for key in keys:
        dt_ms = float(_EULER.fullmatch(key)[1])  # type: ignore[index]
        cells = js.Population(_neuron(name, model), len(runs), integrator=js.neurons.ExponentialEuler())
        drive = js.stimuli.Constant("cells", I_pA=np.array([float(run["I"]) for run in runs]))
        net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=dt_ms)
        trains = js.simulate(net, round(T_ms / dt_ms) * dt_ms, record=js.record.Spikes()).spikes["cells"]
        for i, run in enumerate(runs):
            listed = run.get("fixed_step", {}).get(key)
            if listed is None or listed["first_err_ms"] is None:
                continue
            train = trains.train(i)
            last = min(len(train), len(run["spike_times_ms"]), listed["count"]) - 1
            figures = [count(f"spikes, {key}", len(train), listed["count"], 1.0)]
            for what, k, error in (("first", 0, "first_err_ms"), ("last", last, "last_common_err_ms")):
                own = abs(train[k] - run["spike_times_ms"][k]) if last >= 0 else np.inf
                allowed = tolerance["exp_euler_factor_of_listed_error"] * abs(listed[error])
                figures.append(Figure(f"error of the {what} spike ms, {key}", float(own), allowed))
            yield Case(f"{name}, I {run['I']}", figures)


def _hopf(listed: dict[str, float], tolerance: dict[str, Any]) -> Case:
    """Currents at which the fixed point of the squid axon changes its stability."""
    neuron = js.neurons.HodgkinHuxley.squid()

    def flow(y: Any) -> Any:
        state = js.neurons.HodgkinHuxleyState(y[0], y[1], y[2], y[3])
        rate = neuron.derivative(state, jax.numpy.zeros(()))
        return jax.numpy.stack([rate.V_mV, rate.m, rate.h, rate.n])

    def point(V_mV: Any) -> Any:
        state = neuron.steady_state(V_mV)
        return jax.numpy.stack([state.V_mV, state.m, state.h, state.n])

    at = jax.jit(jax.vmap(lambda V: (-neuron.C_pF * flow(point(V))[0], jax.jacfwd(flow)(point(V)))))
    V = np.linspace(-70.0, -30.0, 4001)
    crossings: list[float] = []
    I, jacobians = (np.asarray(x) for x in at(V))
    growth = np.linalg.eigvals(jacobians).real.max(axis=1)
    for k in np.flatnonzero(np.diff(np.sign(growth)) != 0):
        low, high = V[k], V[k + 1]
        for _ in range(6):
            fine = np.linspace(low, high, 33)
            I, jacobians = (np.asarray(x) for x in at(fine))
            inside = np.linalg.eigvals(jacobians).real.max(axis=1)
            j = int(np.flatnonzero(np.diff(np.sign(inside)) != 0)[0])
            low, high = fine[j], fine[j + 1]
        crossings.append(float(I[j]))
    if len(crossings) < 2:
        return broken("squid Hopf points", f"{len(crossings)} found")
    own = {"hopf_lower": min(crossings), "hopf_upper": max(crossings)}
    return Case("squid Hopf points", [difference(k, own[k], listed[k], tolerance["hopf_abs"]) for k in own])
