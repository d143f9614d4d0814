"""adex_fi: spikes, intervals and steady rates of steps of current, and the rheobase in closed form and for a step."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._adex import adex, closed_form
from ._report import Case, Document, Figure, attempt, broken, count, difference

_LONG_MS = 3000.0
_AT_ONCE = 64


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every current, and both rheobases where they are listed."""
    tolerance, params = document["tolerance"], document["params"]
    points = document["points"]
    yield from attempt([f"{p['I_pA']} pA" for p in points], lambda: _points(document, tolerance))
    listed = document.get("rheobase_pA")
    if listed:
        own = closed_form(params)
        allowed = tolerance["rheobase_pA_abs"]
        pairs = (("saddle node", own.saddle_node_pA, "saddle_node"), ("Hopf", own.hopf_pA, "hopf"))
        yield Case("rheobase", [difference(f"{w} pA", x, listed[k], allowed) for w, x, k in pairs if k in listed])
    step = document.get("step_rheobase_pA")
    if step:
        yield from attempt(["step rheobase"], lambda: [_step(params, step["value"], tolerance["step_rheobase_pA_abs"])])


def _points(document: Document, tolerance: dict[str, Any]) -> Iterator[Case]:
    """All currents as one population, solved once for the longer of both spans."""
    points, T_ms = document["points"], float(document["T_ms"])
    cells = js.Population(adex([document["params"]] * len(points)), len(points))
    most = max(p["spikes_in_T"] for p in points)
    solved = js.solve(
        cells,
        max(T_ms, _LONG_MS),
        I_pA=np.array([float(p["I_pA"]) for p in points]),
        max_spikes=int(2 * most * max(1.0, _LONG_MS / T_ms)) + 1000,
        throw=False,
    )
    for i, point in enumerate(points):
        name = f"{point['I_pA']} pA"
        if solved.result.startswith(f"neuron {i} "):
            yield broken(name, solved.result)
            continue
        train = solved.spikes.train(i)
        inside, long = train[train <= T_ms], train[train <= _LONG_MS]
        isi = np.diff(long)
        first = isi[0] if isi.size else np.nan
        last = isi[-1] if isi.size else np.nan
        figures = [count("spikes", len(inside), point["spikes_in_T"], tolerance["count_abs"])]
        n = min(len(inside), len(point["spike_times_ms"]))
        figures.append(difference("spike ms", inside[:n], point["spike_times_ms"][:n], tolerance["spike_ms"]))
        own = {
            "first_spike_ms": (inside[0] if inside.size else np.nan, tolerance["first_spike_ms"], 0.0),
            "first_isi_ms": (first, tolerance["isi_ms"], 0.0),
            "last_isi_ms": (last, tolerance["isi_ms"], 0.0),
            "steady_rate_hz": (1000.0 / last if isi.size else 0.0, 0.0, tolerance["rate_rel"]),
        }
        figures += [difference(k, x, point[k], a, relative=r) for k, (x, a, r) in own.items() if k in point]
        yield Case(name, figures)


def _step(params: dict[str, Any], listed_pA: float, tolerance_pA: float) -> Case:
    """The smallest step from rest with a spike within 1000 ms: a bracket that 64 neurons narrow three times."""
    high = closed_form(params).rheobase_pA * 1.2 + 1.0
    low = min(0.0, high - 1.0)
    for _ in range(3):
        currents = np.linspace(low, high, _AT_ONCE)
        cells = js.Population(adex([params] * _AT_ONCE), _AT_ONCE)
        drive = js.stimuli.Constant("cells", I_pA=currents)
        net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=0.1)
        fired = js.simulate(net, 1000.0, record=js.record.SpikeCount("cells")).reductions["count cells"] > 0
        if not fired.any() or fired.all():
            return broken("step rheobase", f"not between {low:g} and {high:g} pA")
        k = int(np.argmax(fired))
        low, high = currents[k - 1], currents[k]
    return Case("step rheobase", [Figure(f"pA {high:.3f} for {listed_pA}", abs(high - listed_pA), tolerance_pA)])
