"""psp_traces: subthreshold potentials of listed input spikes through every receptor, and the magnesium block."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._grid import at, columns, common_step, steps_up
from ._report import Case, Document, Figure, attempt, broken, difference

PRECISIONS = ("float64", "float32")

_CURRENTS = {
    "exp": lambda cases: js.receptors.Exponential(*columns(cases, "tau_s")),
    "alpha": lambda cases: js.receptors.Alpha(*columns(cases, "tau_s")),
    "dual": lambda cases: js.receptors.DualExponential(*columns(cases, "tau_r", "tau_d")),
}
_CONDUCTANCES = {
    "exp": lambda cases: js.receptors.Exponential(*columns(cases, "tau_d")),
    "alpha": lambda cases: js.receptors.Alpha(*columns(cases, "tau_d")),
    "beta": lambda cases: js.receptors.DualExponential(*columns(cases, "tau_r", "tau_d")),
    "nmda": lambda cases: js.receptors.DualExponential(*columns(cases, "tau_r", "tau_d")),
}
_NEVER_MV = 1e6


def check(document: Document, precision: str) -> Iterator[Case]:
    """All cases of a document in one precision."""
    tolerance = document["tolerance"]
    double = precision == "float64"
    yield from _linear(
        document.get("linear", []),
        precision,
        tolerance["linear_exact_integration_float64_mV" if double else "linear_float32_mV"],
    )
    if not double:
        return
    yield from _peaks(document.get("linear", []), tolerance)
    coarse = tolerance["conductance_expeuler_dt0.1_mV"]
    schemes = (
        ("RK4, dt 0.01 ms", js.neurons.RK4(), 0.01, tolerance["conductance_adaptive_mV"]),
        ("default, dt 0.1 ms", None, 0.1, coarse),
        ("exponential Euler, dt 0.1 ms", js.neurons.ExponentialEuler(), 0.1, coarse),
    )
    for scheme in schemes:
        yield from _conductance(document.get("conductance", []), *scheme)
    for entry in document.get("mg_block_B", []):
        own = js.receptors.magnesium_block(entry["V_mV"], entry["mg_mM"])
        figure = difference("block", own, entry["B"], 0.0, relative=tolerance["mg_block_rel"])
        yield Case(f"block at {entry['V_mV']} mV, {entry['mg_mM']} mM", [figure])


def _by_kind(cases: list[dict[str, Any]], known: Any) -> tuple[dict[str, list[dict[str, Any]]], list[Case]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    strange = []
    for case in cases:
        if case["kind"] in known:
            groups.setdefault(case["kind"], []).append(case)
        else:
            strange.append(broken(case["name"], f"unknown kind {case['kind']!r}"))
    return groups, strange


def _events(cases: list[dict[str, Any]], late_ms: float, target: str, unit: str) -> js.stimuli.SpikeTimes:
    """The listed spikes of every case, neuron i those of case i, `late_ms` later."""
    times = np.concatenate([np.asarray(c["t"], float) + c["delay"] for c in cases]) + late_ms
    neurons = np.concatenate([np.full(len(c["t"]), i) for i, c in enumerate(cases)]).astype(int)
    amplitudes = np.concatenate([np.asarray(c["w"], float) for c in cases])
    weight: dict[str, Any] = {unit: 1.0}
    return js.stimuli.SpikeTimes(target, times_ms=times, neurons=neurons, amplitudes=amplitudes, **weight)


def _times(cases: list[dict[str, Any]]) -> list[float]:
    arrivals = [t + c["delay"] for c in cases for t in c["t"]]
    return arrivals + [t for c in cases for t in c["t_ms"]]


def _simulate(
    groups: dict[str, list[dict[str, Any]]], populations: dict[str, js.Population], dt_ms: float, unit: str
) -> Iterator[tuple[dict[str, Any], np.ndarray[Any, Any]]]:
    """Each case with its voltages at the listed times. Everything is one step late: an arrival at 0 is legal then."""
    stimuli = {kind: _events(cases, dt_ms, kind, unit) for kind, cases in groups.items()}
    net = js.Network(populations, stimuli=stimuli, dt_ms=dt_ms)
    last = max(t for cases in groups.values() for c in cases for t in c["t_ms"])
    records = [js.record.State(f"{kind}.V_mV") for kind in groups]
    solution = js.simulate(net, steps_up(last + dt_ms, dt_ms), record=records, continued=True)
    for kind, cases in groups.items():
        trace = solution.states[f"{kind}.V_mV"]
        for i, case in enumerate(cases):
            yield case, at(trace, i, case.get("EL", 0.0), np.asarray(case["t_ms"]) + dt_ms)


def _linear(cases: list[dict[str, Any]], precision: str, tolerance: float) -> Iterator[Case]:
    """Current receptors on a linear membrane, default integrator (exact)."""
    groups, strange = _by_kind(cases, _CURRENTS)
    yield from strange

    def work() -> Iterator[Case]:
        populations = {}
        for kind, members in groups.items():
            tau_m, C = columns(members, "tau_m", "C")
            neuron = js.neurons.LIF(tau_m_ms=tau_m, C_pF=C, E_L_mV=0.0, V_th_mV=_NEVER_MV, V_reset_mV=0.0)
            receptors = {"psc": js.receptors.Current(_CURRENTS[kind](members))}
            populations[kind] = js.Population(neuron, len(members), receptors)
        dt_ms = common_step(_times(cases), 1.0)  # the step is exact, whatever its length
        for case, V in _simulate(groups, populations, dt_ms, "weight_pA"):
            what = f"V mV, {precision}"
            figures = [difference(what, V, case["V_mV"], tolerance)]
            figures.append(difference(f"largest {what}", V.max(), case["V_max"], tolerance))
            yield Case(case["name"], figures)

    if groups:
        yield from attempt([c["name"] for g in groups.values() for c in g], work)


def _peaks(cases: list[dict[str, Any]], tolerance: dict[str, Any]) -> Iterator[Case]:
    """The peak of one potential. Time is measured so that each peak lies at 4 ms: V does not depend on the unit."""
    listed = [c for c in cases if c.get("single_spike_peak") and c["kind"] == "exp"]
    if not listed:
        return

    def work() -> Iterator[Case]:
        scale = 4.0 / np.array([c["single_spike_peak"]["t_after_arrival_ms"] for c in listed])
        tau_m, tau_s, C = columns(listed, "tau_m", "tau_s", "C")
        neuron = js.neurons.LIF(scale * tau_m, scale * C, E_L_mV=0.0, V_th_mV=_NEVER_MV, V_reset_mV=0.0)
        cells = js.Population(
            neuron, len(listed), {"psc": js.receptors.Current(js.receptors.Exponential(scale * tau_s))}
        )
        each = np.arange(len(listed))
        spike = js.stimuli.SpikeTimes("cells", times_ms=np.full(len(listed), 0.1), neurons=each, weight_pA=1.0)
        net = js.Network({"cells": cells}, stimuli={"spike": spike}, dt_ms=0.1)
        V = js.simulate(net, 5.0, record=js.record.State("cells.V_mV")).states["cells.V_mV"].values
        for i, case in enumerate(listed):
            rel, want = tolerance["single_spike_peak_rel"], case["single_spike_peak"]["V_mV_per_pA"]
            late = Figure("steps from the peak", float(abs(int(np.argmax(V[:, i])) - 40)), 0.0)
            yield Case(case["name"], [difference("peak mV/pA", V[40, i], want, 0.0, relative=rel), late])

    yield from attempt([c["name"] for c in listed], work)


def _conductance(
    cases: list[dict[str, Any]], scheme: str, integrator: Any, largest_ms: float, tolerance: float
) -> Iterator[Case]:
    """Conductance receptors on a leaky membrane without threshold, in one scheme."""
    groups, strange = _by_kind(cases, _CONDUCTANCES)
    yield from strange

    def work() -> Iterator[Case]:
        populations = {}
        for kind, members in groups.items():
            C, g_L, E_L, E = columns(members, "C", "gL", "EL", "E")
            neuron = js.neurons.LIF(tau_m_ms=C / g_L, C_pF=C, E_L_mV=E_L, V_th_mV=_NEVER_MV, V_reset_mV=E_L)
            Mg = columns(members, "mg")[0] if kind == "nmda" else None
            receptors = {"g": js.receptors.Conductance(_CONDUCTANCES[kind](members), E_rev_mV=E, Mg_mM=Mg)}
            populations[kind] = js.Population(neuron, len(members), receptors, integrator=integrator)
        dt_ms = common_step(_times(cases), largest_ms)
        for case, V in _simulate(groups, populations, dt_ms, "weight_nS"):
            figures = [difference(f"V mV, {scheme}", V, case["V_mV"], tolerance)]
            extremes = ((f(V), case[key]) for f, key in ((np.max, "V_max"), (np.min, "V_min")) if key in case)
            figures += [difference(f"extreme V mV, {scheme}", own, want, tolerance) for own, want in extremes]
            yield Case(case["name"], figures)

    if groups:
        yield from attempt([c["name"] for g in groups.values() for c in g], work)
