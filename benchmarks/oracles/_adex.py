"""adex_patterns: firing patterns with controlled error and in the default 0.1 ms mode; rheobase in closed form."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import jaxsyn as js

from ._grid import columns
from ._report import Case, Document, attempt, count, difference

_FIELDS = {
    "C_pF": "C",
    "g_L_nS": "gL",
    "E_L_mV": "EL",
    "V_T_mV": "VT",
    "Delta_T_mV": "DeltaT",
    "tau_w_ms": "tau_w",
    "a_nS": "a",
    "b_pA": "b",
    "V_reset_mV": "V_reset",
    "V_peak_mV": "V_peak",
}


def adex(params: Sequence[dict[str, Any]]) -> js.neurons.AdEx:
    """One neuron for each set of parameters in the names of the files."""
    return js.neurons.AdEx(**dict(zip(_FIELDS, columns(params, *_FIELDS.values()), strict=True)))


def closed_form(params: dict[str, Any]) -> js.analysis.AdExRheobase:
    """Rheobase of one set of parameters."""
    needed = ("C_pF", "g_L_nS", "E_L_mV", "V_T_mV", "Delta_T_mV", "tau_w_ms", "a_nS")
    return js.analysis.adex_rheobase(**{field: float(params[_FIELDS[field]]) for field in needed})


def check(document: Document, precision: str) -> Iterator[Case]:
    """All patterns at once, in each mode. Chaotic ones are compared as far as they are known, and not at 0.1 ms."""
    cases, tolerance = document["cases"], document["tolerance"]
    for name, case in cases.items():
        if case.get("rheobase_pA"):

            def rheobase(name: str = name, case: dict[str, Any] = case) -> list[Case]:
                own, listed = closed_form(case["params"]), case["rheobase_pA"]
                pairs = (("saddle node", own.saddle_node_pA, "saddle_node"), ("Hopf", own.hopf_pA, "hopf"))
                allowed = tolerance["rheobase_pA_abs"]
                return [Case(name, [difference(f"{w} pA", x, listed[k], allowed) for w, x, k in pairs if k in listed])]

            yield from attempt([name], rheobase)
    yield from attempt(list(cases), lambda: _strict(cases, tolerance))
    yield from attempt(list(cases), lambda: _default(cases, tolerance))


def _known(case: dict[str, Any]) -> tuple[int, bool]:
    """Spikes to compare, and whether these are all."""
    n = min(case["spike_count"], case["agreement_ms"]["spikes_trusted_to_1e-5ms"])
    return n, n == case["spike_count"]


def _strict(cases: dict[str, Any], tolerance: dict[str, Any]) -> Iterator[Case]:
    """Spike times, w after them and samples of V and w from the error-controlled solver."""
    members = list(cases.values())
    params = [c["params"] for c in members]
    samples = np.unique(np.concatenate([c["V_w_samples"]["t_ms"] for c in members]))
    solved = js.solve(
        js.Population(adex(params), len(members)),
        max(float(c["T_ms"]) for c in members),
        I_pA=columns(params, "I")[0],
        save_at_ms=samples,
        max_spikes=2 * max(c["spike_count"] for c in members) + 1000,
        throw=False,
    )
    for i, (name, case) in enumerate(cases.items()):
        mine = (solved.spikes.neurons == i) & (solved.spikes.times_ms <= case["T_ms"])
        n, all_known = _known(case)
        times = solved.spikes.times_ms[mine]
        figures = [count("spikes", len(times), case["spike_count"])] if all_known else []
        listed = np.asarray(case["spike_times_ms"][:n], float)
        figures.append(difference("spike ms, solved", times[:n], listed, tolerance["strict_ms"]))
        w = solved.after_spikes["w_pA"][mine][:n]
        figures.append(difference("w after spike pA", w, case["w_after_spike_pA"][:n], tolerance["V_w_abs"]))
        t = np.asarray(case["V_w_samples"]["t_ms"], float)
        near = np.abs(t[:, None] - np.asarray(case["spike_times_ms"], float)).min(axis=1, initial=np.inf)
        quiet = near > tolerance["V_w_guard_ms"]
        if not all_known and n < len(case["spike_times_ms"]):
            quiet &= t < case["spike_times_ms"][n]
        rows = np.searchsorted(samples, t[quiet])
        for variable in ("V_mV", "w_pA"):
            want = np.array(case["V_w_samples"][variable], float)[quiet]
            own = solved.states[variable].values[rows, i]
            figures.append(difference(f"samples of {variable}", own, want, tolerance["V_w_abs"]))
        yield Case(name, figures)


def _default(cases: dict[str, Any], tolerance: dict[str, Any]) -> Iterator[Case]:
    """Spike times of the default integrator at 0.1 ms."""
    members = list(cases.values())
    params = [c["params"] for c in members]
    cells = js.Population(adex(params), len(members))
    drive = js.stimuli.Constant("cells", I_pA=columns(params, "I")[0])
    net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=0.1)
    longest = np.ceil(max(float(c["T_ms"]) for c in members))
    trains = js.simulate(net, float(longest), record=js.record.Spikes()).spikes["cells"]
    for i, (name, case) in enumerate(cases.items()):
        n, all_known = _known(case)
        if not all_known:
            continue
        times = trains.train(i)
        times = times[times <= case["T_ms"]]
        what = "at 0.1 ms"
        listed = np.asarray(case["spike_times_ms"], float)
        limit = tolerance["default_dt0.1_ms"]
        figures = [count(f"spikes {what}", len(times), case["spike_count"])]
        figures.append(difference(f"spike ms {what}", times[:n], listed, limit))
        yield Case(name, figures)
