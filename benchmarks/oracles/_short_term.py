"""stp: amplitudes of short-term plasticity on listed spike trains, and after long regular ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._grid import common_step
from ._report import Case, Document, attempt, difference

PRECISIONS = ("float64", "float32")


def check(document: Document, precision: str) -> Iterator[Case]:
    """All sets of a document in one precision."""
    sets, tolerance = document["sets"], document["tolerance"][precision]
    yield from attempt(list(sets), lambda: _trains(sets, precision, tolerance))
    yield from attempt(list(sets), lambda: _stationary(sets, precision, tolerance))


def _rules(params: list[dict[str, Any]], unit: Any = 1.0) -> dict[str, Any]:
    """Both variants, one source neuron for each set; `unit` rescales time."""
    U, rec, fac, psc = (
        np.array([float(p.get(k, 1.0)) for p in params]) for k in ("U", "tau_rec", "tau_fac", "tau_psc")
    )
    return {
        "tm1998": js.plasticity.TsodyksMarkram(U, rec * unit, fac * unit),
        "tu2000": js.plasticity.TsodyksMarkramThreeState(U, rec * unit, fac * unit, psc * unit),
    }


def _amplitudes(
    rules: dict[str, Any], n: int, train: js.stimuli.AbstractStimulus, dt_ms: float, steps: int
) -> js.Solution:
    """Sources that emit a train, and for each rule a readout that shows what arrives in each step."""
    out = js.neurons.LeakyIntegrator(decay=0.0)
    populations = {"source": js.Population(js.neurons.Relay(), n)} | {name: js.Population(out, n) for name in rules}
    one = js.connect.OneToOne()
    projections = {
        name: js.Projection("source", name, one, weight=1.0, delay_ms=dt_ms, short_term=rule)
        for name, rule in rules.items()
    }
    net = js.Network(populations, projections, {"train": train}, dt_ms=dt_ms)
    records = [js.record.State(f"{name}.v") for name in rules]
    return js.simulate(net, (steps + 1) * dt_ms, record=records)


def _trains(sets: dict[str, Any], precision: str, tolerance: float) -> Iterator[Case]:
    times = [np.asarray(s["spike_times_ms"], float) for s in sets.values()]
    first = min((t.min() for t in times if t.size), default=0.0)
    dt_ms = common_step(np.concatenate(times), 5.0)
    shift = 0.0 if first > 0 else dt_ms  # a spike at 0 is legal one step later
    neurons = np.concatenate([np.full(t.size, i) for i, t in enumerate(times)]).astype(int)
    train = js.stimuli.SpikeTimes("source", times_ms=np.concatenate(times) + shift, neurons=neurons, weight=1.0)
    steps = round((max(t.max() for t in times if t.size) + shift) / dt_ms)
    rules = _rules([s["params"] for s in sets.values()])
    solution = _amplitudes(rules, len(sets), train, dt_ms, steps)
    for i, (name, s) in enumerate(sets.items()):
        at = np.rint((times[i] + shift) / dt_ms).astype(int)  # sent in step `at`, arrived one later
        figures = []
        for rule in rules:
            if f"A_{rule}" in s:
                own = solution.states[f"{rule}.v"].values[at, i]
                figures.append(difference(f"A {rule}, {precision}", own, s[f"A_{rule}"], tolerance))
        yield Case(name, figures)


def _stationary(sets: dict[str, Any], precision: str, tolerance: float) -> Iterator[Case]:
    """A spike in each step of 1 ms, in a unit of time in which that is the listed rate."""
    rows = [(name, s["params"], row) for name, s in sets.items() for row in s.get("stationary_tm1998", [])]
    if not rows:
        return
    unit = np.array([row["rate_hz"] * 1e-3 for _, _, row in rows])
    rules = {"tm1998": _rules([p for _, p, _ in rows], unit)["tm1998"]}
    steps = _settled(rules["tm1998"])
    always = js.stimuli.Constant("source", drive=1.0)
    solution = _amplitudes(rules, len(rows), always, 1.0, steps)
    last = next(link.release for link in solution.final_state.links if link.release is not None)
    amplitude = solution.states["tm1998.v"].values[-1]
    for i, (name, _, row) in enumerate(rows):
        own = {"u": last.u[i], "x": last.x[i], "A": amplitude[i]}
        what = f"stationary at {row['rate_hz']} Hz, {precision}"
        yield Case(name, [difference(f"{key} {what}", own[key], row[key], tolerance) for key in own if key in row])


def _settled(rule: js.plasticity.TsodyksMarkram) -> int:
    """Spikes until exp(-32) of the start is left in the slower of u and x (x: without the help of depletion)."""
    tau = np.concatenate([np.ravel(rule.tau_rec_ms), np.ravel(rule.tau_fac_ms)])
    return int(min(32.0 * tau.max() + 10.0, 200_000))
