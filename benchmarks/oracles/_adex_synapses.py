"""adex_synapses: AdEx cells behind listed input spikes, with refractoriness, solved and in the default 0.1 ms mode."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._adex import adex
from ._grid import columns, common_step, steps_up
from ._report import Case, Document, attempt, broken, count, difference

_DELAY_MS = 1.0
_SIDES = (("exc", "exc_ms", "w_e"), ("inh", "inh_ms", "w_i"))
Members = dict[str, dict[str, Any]]


def check(document: Document, precision: str) -> Iterator[Case]:
    """Cases of one kind of synapse are one population."""
    groups: dict[str, Members] = {"cond": {}, "psc": {}}
    for name, case in document["cases"].items():
        kind = case["params"]["kind"]
        if kind in groups:
            groups[kind][name] = case
        else:
            yield broken(name, f"unknown kind {kind!r}")
    for kind, members in groups.items():
        if members:
            yield from attempt(list(members), functools.partial(_solved, kind, members, document["tolerance"]))
            yield from attempt(list(members), functools.partial(_on_grid, kind, members, document["tolerance"]))


def _population(kind: str, members: Members) -> js.Population:
    params = [c["params"] for c in members.values()]
    tau_e, tau_i = columns(params, "tau_e", "tau_i")
    exc, inh = js.receptors.Exponential(tau_e), js.receptors.Exponential(tau_i)
    if kind == "cond":
        E_e, E_i = columns(params, "E_e", "E_i")
        receptors: dict[str, js.receptors.AbstractReceptor] = {
            "exc": js.receptors.Conductance(exc, E_e),
            "inh": js.receptors.Conductance(inh, E_i),
        }
    else:
        receptors = {"exc": js.receptors.Current(exc), "inh": js.receptors.Current(inh)}
    return js.Population(adex(params), len(members), receptors, refractory_ms=columns(params, "t_ref")[0])


def _solved(kind: str, members: Members, tolerance: dict[str, Any]) -> Iterator[Case]:
    """Spike times and samples with controlled error."""
    cases = list(members.values())
    T_ms = max(float(c["params"]["T"]) for c in cases)
    table: dict[tuple[float, str], np.ndarray[Any, Any]] = {}
    for i, case in enumerate(cases):
        for receptor, key, weight in _SIDES:
            for t in case[key]:
                if t + _DELAY_MS <= T_ms:
                    row = table.setdefault((round(t + _DELAY_MS, 6), receptor), np.zeros(len(cases)))
                    row[i] += case["params"][weight]
    samples = np.unique([row[0] for c in cases for row in c["V_w_at_ms"]])
    solved = js.solve(
        _population(kind, members),
        T_ms,
        I_pA=columns([c["params"] for c in cases], "I")[0],
        arrivals=[(t, receptor, weights) for (t, receptor), weights in sorted(table.items())],
        save_at_ms=samples,
        throw=False,
    )
    for i, (name, case) in enumerate(members.items()):
        train = solved.spikes.train(i)
        train = train[train <= case["params"]["T"]]
        figures = _spikes("solved", train, case, tolerance, tolerance["adaptive_with_event_location_ms"])
        listed = np.asarray(case["V_w_at_ms"], float).reshape(-1, 3)
        near = np.abs(listed[:, :1] - np.asarray(case["spike_times_ms"], float)).min(axis=1, initial=np.inf)
        quiet = listed[near > 1.0]
        rows = np.searchsorted(samples, quiet[:, 0])
        for column, variable in ((1, "V_mV"), (2, "w_pA")):
            own = solved.states[variable].values[rows, i]
            figures.append(difference(f"samples of {variable}", own, quiet[:, column], tolerance["V_w_abs"]))
        yield Case(name, figures)


def _on_grid(kind: str, members: Members, tolerance: dict[str, Any]) -> Iterator[Case]:
    """Spike times of the default integrator at 0.1 ms."""
    cases = list(members.values())
    stimuli: dict[str, js.stimuli.AbstractStimulus] = {
        "drive": js.stimuli.Constant("cells", I_pA=columns([c["params"] for c in cases], "I")[0])
    }
    every: list[float] = []
    for receptor, key, weight in _SIDES:
        times = np.concatenate([np.asarray(c[key], float) + _DELAY_MS for c in cases])
        neurons = np.concatenate([np.full(len(c[key]), i) for i, c in enumerate(cases)]).astype(int)
        weights = np.concatenate([np.full(len(c[key]), c["params"][weight]) for c in cases])
        every += times.tolist()
        unit: dict[str, Any] = {"weight_nS" if kind == "cond" else "weight_pA": {receptor: 1.0}}
        stimuli[receptor] = js.stimuli.SpikeTimes("cells", times_ms=times, neurons=neurons, amplitudes=weights, **unit)
    dt_ms = common_step(every, 0.1)
    net = js.Network({"cells": _population(kind, members)}, stimuli=stimuli, dt_ms=dt_ms)
    T_ms = max(float(c["params"]["T"]) for c in cases)
    trains = js.simulate(net, steps_up(T_ms, dt_ms), record=js.record.Spikes(), continued=True).spikes["cells"]
    for i, (name, case) in enumerate(members.items()):
        train = trains.train(i)
        train = train[train <= case["params"]["T"]]
        yield Case(name, _spikes("at 0.1 ms", train, case, tolerance, tolerance["grid_dt0.1_ms"]))


def _spikes(what: str, train: Any, case: dict[str, Any], tolerance: dict[str, Any], limit_ms: float) -> list[Any]:
    n = min(len(train), case["spike_count"])
    return [
        count(f"spikes {what}", len(train), case["spike_count"], tolerance["count_abs"]),
        difference(f"spike ms {what}", train[:n], case["spike_times_ms"][:n], limit_ms),
    ]
