"""izhikevich_patterns: published figure scheme, the limit dt -> 0, and the two schemes of another simulator.

The published recurrence amplifies roundings (FS: 1e-4 mV after 150 ms), so states are compared without the fused
multiply-add that the compiler would otherwise use; spikes agree either way.
"""

import math
import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._grid import common_step
from ._izhikevich_stimuli import CELLS, STIMULI
from ._report import Case, Document, Figure, attempt, broken, count, difference, spike_times

XLA_FLAGS = "--xla_cpu_max_isa=AVX" if platform.machine().lower() in ("x86_64", "amd64") else ""

Entry = dict[str, Any]
_FINE_MS = 0.01
_RUNAWAY_SPIKES = 1000


def check(document: Document, precision: str) -> Iterator[Case]:
    """Patterns, cell types and constant-current runs of a document."""
    tolerance = document["tolerance"]
    known: dict[str, Entry] = {}
    for name, entry in {**document.get("patterns", {}), **document.get("cell_types", {})}.items():
        if name in STIMULI:
            known[name] = entry
        else:
            yield broken(name, "no stimulus of that name")
    yield from _batches(known, lambda n: (known[n]["params"]["dt"],), lambda batch: _published(batch, tolerance))
    limit = {n: e for n, e in known.items() if "continuous_limit" in e}

    def kind(name: str) -> tuple[float, bool]:
        return _fine_step(name, limit[name]), bool(limit[name]["continuous_limit"].get("runaway"))

    yield from _batches(limit, kind, lambda batch: _continuous(batch, kind(next(iter(batch))), tolerance))
    runs: dict[str, Entry] = {}
    for i, run in enumerate(document.get("nest_constant_current", [])):
        scheme = "consistent" if run["consistent_integration"] else "two half steps"
        name = f"{i}: {run['cell']}, dt {run['dt']}, {scheme}"
        if run["cell"] in CELLS:
            runs[name] = run
        else:
            yield broken(name, f"no cell {run['cell']!r}")
    yield from _batches(
        runs,
        lambda n: (runs[n]["dt"], bool(runs[n]["consistent_integration"])),
        lambda batch: _constant(batch, tolerance["nest_scheme_spike_ms"]),
    )


def _batches(
    entries: dict[str, Entry], key: Callable[[str], Any], work: Callable[[dict[str, Entry]], Iterable[Case]]
) -> Iterator[Case]:
    """Entries of equal key as one population each."""
    groups: dict[Any, dict[str, Entry]] = {}
    for name, entry in entries.items():
        groups.setdefault(key(name), {})[name] = entry
    for group in groups.values():
        yield from attempt(list(group), lambda g=group: work(g))  # type: ignore[misc]


def _column(entries: Iterable[Entry], key: str) -> np.ndarray[Any, Any]:
    return np.array([float(e["params"][key]) for e in entries])


def _recovery(entries: Iterable[Entry]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Offset V_b and leak of u: u' = a (b (V - V_b) - leak u)."""
    shifted = []
    for entry in entries:
        equation = entry["recovery_equation"].replace(" ", "")
        if equation not in ("u'=a(bV-u)", "u'=a*b*(V+65)"):
            raise ValueError(f"unknown recovery equation {entry['recovery_equation']!r}")
        shifted.append(equation == "u'=a*b*(V+65)")
    return np.where(shifted, -65.0, 0.0), np.where(shifted, 0.0, 1.0)


def _start(entries: Iterable[Entry]) -> dict[str, Any]:
    entries = list(entries)
    return {"V_mV": _column(entries, "V0"), "u_pA": _column(entries, "u0")}


def _published(batch: dict[str, Entry], tolerance: dict[str, float]) -> Iterator[Case]:
    """The recurrence as published, all patterns of one dt at once; currents are those at the start of a step."""
    entries = list(batch.values())
    dt_ms = float(entries[0]["params"]["dt"])
    steps = [round(e["params"]["T"] / dt_ms) + 1 for e in entries]
    V_b, leak = _recovery(entries)
    k2, k1, k0 = np.array([e["params"]["quad"] for e in entries], float).T
    a, b, c, d = (_column(entries, k) for k in "abcd")
    neuron = js.neurons.IzhikevichPublished(
        *(a, b, c, d, k2, k1, k0), V_b_mV=V_b, u_leak=leak, V_peak_mV=30.0, dt_ms=dt_ms, substeps=1
    )
    cells = js.Population(neuron, len(entries), initial=_start(entries))
    t_ms = np.arange(max(steps)) * dt_ms
    currents = np.stack([STIMULI[name](t_ms) for name in batch], axis=1)
    drive = js.stimuli.Sampled("cells", drive=currents, every_ms=dt_ms)
    net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=dt_ms)
    records = [js.record.Spikes(), js.record.State("cells.V_mV"), js.record.State("cells.u_pA")]
    solution = js.simulate(net, max(steps) * dt_ms, record=records)
    trains = solution.spikes["cells"]
    for i, (name, entry) in enumerate(batch.items()):
        want, n = entry["published_scheme"], steps[i]
        V, u = (solution.states[f"cells.{v}"].values[:n, i] for v in ("V_mV", "u_pA"))
        fired = np.rint(trains.train(i) / dt_ms).astype(int) - 1  # stamped with the start of the step
        fired = fired[fired < n]
        stored = V.copy()
        stored[fired] = 30.0
        every = [round(10 * k / dt_ms) for k in range(math.floor(entry["params"]["T"] / 10))]
        own = {"V_end": V[-1], "u_end": u[-1], "V_every_10ms": stored[every], "V_min": stored.min()}
        abs_tolerance = tolerance["published_state_abs"]
        figures = spike_times("published", fired * dt_ms, want["spike_times_ms"], tolerance["published_spike_ms"])
        figures.append(count("published spikes", len(fired), want["spike_count"]))
        figures += [difference(f"published {k}", own[k], want[k], abs_tolerance) for k in own if k in want]
        yield Case(name, figures)


def _fine_step(name: str, entry: Entry) -> float:
    """A step of about 0.01 ms on whose grid all edges of the stimulus lie."""
    T_ms = float(entry["params"]["T"])
    return common_step([T_ms, *STIMULI[name].edges_ms(T_ms)], _FINE_MS)


def _continuous(batch: dict[str, Entry], kind: tuple[float, bool], tolerance: dict[str, float]) -> Iterator[Case]:
    """The differential equation with RK4 and located spikes; currents are those at the middle of a step."""
    dt_ms, runaway = kind
    entries = list(batch.values())
    steps = [round(e["params"]["T"] / dt_ms) for e in entries]
    V_b, leak = _recovery(entries)
    k2, k1, k0 = np.array([e["params"]["quad"] for e in entries], float).T
    a, b, c, d = (_column(entries, k) for k in "abcd")
    neuron = js.neurons.Izhikevich(
        *(a, b, c, d), k2_nS_per_mV=k2, k1_nS=k1, k0_pA=k0, V_b_mV=V_b, u_leak=leak, V_peak_mV=30.0
    )
    cells = js.Population(neuron, len(entries), integrator=js.neurons.RK4(), initial=_start(entries))
    t_ms = (np.arange(max(steps)) + 0.5) * dt_ms
    currents = np.stack([STIMULI[name](t_ms) for name in batch], axis=1)
    drive = js.stimuli.Sampled("cells", I_pA=currents, every_ms=dt_ms)
    net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=dt_ms)
    solution = js.simulate(net, max(steps) * dt_ms, record=js.record.Spikes(), throw=False)
    trains = solution.spikes["cells"]
    for i, (name, entry) in enumerate(batch.items()):
        train = trains.train(i)
        train = train[train <= entry["params"]["T"]]
        if runaway:
            said = solution.result != "done" or len(train) > _RUNAWAY_SPIKES
            yield Case(name, [Figure(f"runaway not noticed, {len(train)} spikes", 0.0 if said else math.inf, 0.0)])
            continue
        want = entry["continuous_limit"]
        figures = [Figure(f"stopped: {solution.result}", 0.0 if solution.result == "done" else math.inf, 0.0)]
        figures += spike_times("dt -> 0", train, want["spike_times_ms"], tolerance["continuous_spike_ms"])
        figures.append(count("dt -> 0 spikes", len(train), want["spike_count"]))
        yield Case(name, figures)


def _constant(batch: dict[str, Entry], tolerance_ms: float) -> Iterator[Case]:
    """Constant current in one of the two schemes of NEST, test after the step, stamped at its end."""
    runs = list(batch.values())
    dt_ms, consistent = float(runs[0]["dt"]), bool(runs[0]["consistent_integration"])
    a, b, c, d = (np.array([CELLS[r["cell"]][k] for r in runs]) for k in "abcd")
    neuron = js.neurons.IzhikevichPublished(
        *(a, b, c, d), dt_ms=dt_ms, substeps=1 if consistent else 2, simultaneous=consistent
    )
    start = {v: np.array([float(r[k]) for r in runs]) for v, k in (("V_mV", "V0"), ("u_pA", "u0"))}
    cells = js.Population(neuron, len(runs), initial=start)
    drive = js.stimuli.Constant("cells", drive=np.array([float(r["I"]) for r in runs]))
    net = js.Network({"cells": cells}, stimuli={"drive": drive}, dt_ms=dt_ms)
    longest = max(round(r["T_ms"] / dt_ms) for r in runs) * dt_ms
    trains = js.simulate(net, longest, record=js.record.Spikes()).spikes["cells"]
    for i, (name, run) in enumerate(batch.items()):
        train = trains.train(i)
        train = train[train <= run["T_ms"] + 1e-6]
        yield Case(name, spike_times("", train, run["spike_times_ms"], tolerance_ms))
