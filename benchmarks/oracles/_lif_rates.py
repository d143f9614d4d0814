"""lif_rates: closed forms of the firing rate, held against simulation, and rates under Poisson input."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, difference

_TAU_MS = 20.0  # siegert and poisson_driven_lif_sim: fixed by the format
_THETA_MV = 20.0


def check(document: Document, precision: str) -> Iterator[Case]:
    """f-I curve, diffusion limit, Poisson-driven cells."""
    tolerance = document["tolerance"]
    if "lif_fi" in document:
        names = [f"{p['I_pA']} pA" for p in document["lif_fi"]["points"]]
        yield from attempt(names, lambda: _current(document["lif_fi"], tolerance["formula"]))
    for i, point in enumerate(document.get("siegert", {}).get("points", [])):
        name = f"siegert {i}: mu {point['mu']}, sigma {point['sigma']}, tau_s {point['tau_s']}"
        yield from attempt([name], functools.partial(_siegert, name, point, tolerance["formula"]))
    driven = document.get("poisson_driven_lif_sim", {}).get("cases", [])
    if driven:
        yield from attempt([f"poisson {i}" for i in range(len(driven))], lambda: _poisson(driven, tolerance))


def _current(entry: dict[str, Any], tolerance: float) -> Iterator[Case]:
    """Closed form and simulation with located spikes, all currents at once."""
    p, points = entry["params"], entry["points"]
    I_pA = np.array([point["I_pA"] for point in points], float)
    cell = {"C_pF": p["C"], "tau_m_ms": p["tau_m"], "V_th_mV": p["theta"]}
    rates = js.analysis.lif_rate_Hz(I_pA, V_reset_mV=p["V_reset"], refractory_ms=p["t_ref"], **cell)
    first = js.analysis.lif_first_spike_ms(I_pA, **cell)
    neuron = js.neurons.LIF(E_L_mV=0.0, V_reset_mV=p["V_reset"], **cell)
    cells = js.Population(neuron, len(points), refractory_ms=p["t_ref"])
    net = js.Network({"cells": cells}, stimuli={"drive": js.stimuli.Constant("cells", I_pA=I_pA)}, dt_ms=0.1)
    fires = rates > 0
    longest = float(np.max(np.nan_to_num(first)[fires] + 2200.0 / rates[fires], initial=10 * p["tau_m"]))
    spikes = js.simulate(net, math.ceil(longest) + 1.0, record=js.record.Spikes()).spikes["cells"]
    for i, point in enumerate(points):
        figures = [
            difference("rate Hz, formula", rates[i], point["rate_hz"], 0.0, relative=tolerance),
            difference("first spike ms, formula", first[i], point["first_spike_ms"], 0.0, relative=tolerance),
        ]
        train = spikes.train(i)
        if not fires[i]:
            figures.append(Figure("spikes below rheobase", float(len(train)), 0.0))
        elif len(train) < 3:
            figures.append(Figure(f"{len(train)} spikes in {longest:.0f} ms", math.inf, 0.0))
        else:
            own = 1000.0 * (len(train) - 1) / (train[-1] - train[0])
            figures.append(difference("rate Hz, simulated", own, point["rate_hz"], 0.0, relative=tolerance))
            listed = point["first_spike_ms"]
            figures.append(difference("first spike ms, simulated", train[0], listed, 0.0, relative=tolerance))
        yield Case(f"{point['I_pA']} pA", figures)


def _siegert(name: str, point: dict[str, Any], tolerance: float) -> list[Case]:
    own = js.analysis.siegert_rate_Hz(
        point["mu"],
        point["sigma"],
        tau_m_ms=_TAU_MS,
        V_th_mV=_THETA_MV,
        V_reset_mV=point["V_reset"],
        refractory_ms=point["t_ref"],
        tau_syn_ms=point["tau_s"],
    )
    return [Case(name, [difference("rate Hz", own, point["rate_hz"], 0.0, relative=tolerance)])]


def _poisson(cases: list[dict[str, Any]], tolerance: dict[str, Any]) -> Iterator[Case]:
    """400 cells for each case, all of them one population with its own rates and jumps."""
    n, dropped_ms, T_ms = 400, 500.0, 5000.0

    def each(key: str) -> np.ndarray[Any, Any]:
        return np.repeat([float(c[key]) for c in cases], n)

    delta = js.receptors.Delta()
    neuron = js.neurons.LIF(_TAU_MS, C_pF=_TAU_MS, E_L_mV=0.0, V_th_mV=_THETA_MV, V_reset_mV=10.0)
    cells = js.Population(
        neuron,
        n * len(cases),
        {"exc": delta, "inh": delta},
        integrator=js.neurons.Exact(on_grid=True),
        refractory_ms=2.0,
    )
    stimuli = {
        "exc": js.stimuli.Poisson("cells", rate_Hz=each("K_e") * each("nu"), weight_mV={"exc": each("w_e")}),
        "inh": js.stimuli.Poisson("cells", rate_Hz=each("K_i") * each("nu"), weight_mV={"inh": each("w_i")}),
        "bias": js.stimuli.Constant("cells", I_pA=each("bias_mV")),
    }
    net = js.Network({"cells": cells}, stimuli=stimuli, dt_ms=0.1)
    spikes = js.simulate(net, T_ms, record=js.record.Spikes()).spikes["cells"].between(dropped_ms, T_ms)
    counts = spikes.counts().reshape(len(cases), n)
    for i, case in enumerate(cases):
        span_s = (T_ms - dropped_ms) * 1e-3
        rate = counts[i].mean() / span_s
        own_se = math.sqrt(max(counts[i].sum(), 1)) / n / span_s
        se = math.hypot(own_se, case.get("nest_dt0.1_sem", own_se))
        figures = []
        for key, rel in (("nest_dt0.1_hz", "simulation_vs_nest_rel"), ("theory_hz", "simulation_vs_theory_rel")):
            if case.get(key) is not None:
                noise = 3.0 * se if key.startswith("nest") else 0.0
                figures.append(difference(f"rate Hz against {key}", rate, case[key], noise, relative=tolerance[rel]))
        yield Case(f"poisson {i}", figures)
