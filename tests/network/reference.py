"""A simulator in NumPy, written from the description of a step alone: loops over neurons and edges, nothing fused.

A step takes the network from t to t + dt: flow; arrivals that act at once; threshold, emission stamped t + dt, reset;
then arrivals into the kinetic receptors, which V feels from the next step on.
"""

import dataclasses
import graphlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.linalg

import jaxsyn as js

Floats = Any


@dataclasses.dataclass(frozen=True)
class Cells:
    """LIF neurons with exponential current receptors `taus` and, if asked for, the delta receptor "j"."""

    n: int
    model: Mapping[str, Floats]
    taus: Mapping[str, float]
    jumps: bool
    refractory_steps: Any  # None, a number, or one for each neuron
    I_pA: Floats
    V_mV: Floats

    def population(self, dt_ms: float) -> js.Population:
        receptors: dict[str, Any] = {r: js.receptors.Current(js.receptors.Exponential(t)) for r, t in self.taus.items()}
        if self.jumps:
            receptors["j"] = js.receptors.Delta()
        held = None if self.refractory_steps is None else np.asarray(self.refractory_steps) * dt_ms
        neuron, exact = js.neurons.LIF(**self.model), js.neurons.Exact(on_grid=True)
        initial = {"V_mV": self.V_mV}
        return js.Population(neuron, self.n, receptors, integrator=exact, refractory_ms=held, initial=initial)


@dataclasses.dataclass(frozen=True)
class Synapses:
    """Edges with a weight for each receptor and a delay in steps; several targets count as one long population."""

    source: str
    targets: tuple[str, ...]
    pre: Any
    post: Any
    weights: Mapping[str, Floats]
    steps: Any

    def projection(self, dt_ms: float, **options: Any) -> js.Projection:
        unit = "weight_mV" if "j" in self.weights else "weight_pA"
        edges = js.connect.Edges(self.pre, self.post)
        delay_ms = np.asarray(self.steps) * dt_ms
        return js.Projection(
            self.source, self.targets, edges, delay_ms=delay_ms, **{unit: dict(self.weights)}, **options
        )

    def each(self, cells: Mapping[str, Cells]) -> list[tuple[int, str, int, int, dict[str, float]]]:
        """(source, target population, target neuron, delay, weights) of each edge."""
        places = [(t, i) for t in self.targets for i in range(cells[t].n)]
        steps = np.broadcast_to(self.steps, len(self.pre))
        weights = {r: np.broadcast_to(w, len(self.pre)) for r, w in self.weights.items()}
        return [
            (int(self.pre[e]), *places[self.post[e]], int(steps[e]), {r: float(w[e]) for r, w in weights.items()})
            for e in range(len(self.pre))
        ]


def network(cells: Mapping[str, Cells], synapses: Sequence[Synapses], dt_ms: float, **options: Any) -> js.Network:
    """The same as a network of jaxsyn."""
    propagation = options.pop("propagation", "auto")
    return js.Network(
        {name: c.population(dt_ms) for name, c in cells.items()},
        {f"p{i}": s.projection(dt_ms, propagation=propagation) for i, s in enumerate(synapses)},
        {f"dc {name}": js.stimuli.Constant(name, I_pA=c.I_pA) for name, c in cells.items()},
        dt_ms=dt_ms,
        **options,
    )


def order(cells: Mapping[str, Cells], synapses: Sequence[Synapses]) -> list[str]:
    """Populations so that each comes after those that reach it without delay and at once."""
    before: dict[str, set[str]] = {name: set() for name in cells}
    for s in synapses:
        if "j" in s.weights and np.any(np.asarray(s.steps) == 0):
            for target in s.targets:
                before[target].add(s.source)
    return list(graphlib.TopologicalSorter(before).static_order())


def propagators(c: Cells, dt_ms: float) -> list[Floats]:
    """exp(A dt) of (V - E_L, receptor currents, drive) for each neuron."""
    out = []
    for i in range(c.n):
        model = {k: float(np.broadcast_to(v, c.n)[i]) for k, v in c.model.items()}
        k = len(c.taus)
        A = np.zeros((k + 2, k + 2))
        A[0, 0] = -1.0 / model["tau_m_ms"]
        A[0, 1:] = 1.0 / model["C_pF"]
        A[range(1, k + 1), range(1, k + 1)] = [-1.0 / tau for tau in c.taus.values()]
        out.append(scipy.linalg.expm(A * dt_ms))
    return out


def simulate(
    cells: Mapping[str, Cells], synapses: Sequence[Synapses], dt_ms: float, n_steps: int
) -> tuple[dict[str, set[tuple[int, int]]], dict[str, Floats]]:
    """Spikes as (step, neuron) and final voltages, by population."""
    edges = [(s.source, *e) for s in synapses for e in s.each(cells)]
    model = {n: {k: np.broadcast_to(v, c.n) for k, v in c.model.items()} for n, c in cells.items()}
    steps = {n: propagators(c, dt_ms) for n, c in cells.items()}
    V = {n: np.array(np.broadcast_to(c.V_mV, c.n), float) for n, c in cells.items()}
    current = {n: {r: np.zeros(c.n) for r in c.taus} for n, c in cells.items()}
    drive = {n: np.broadcast_to(c.I_pA, c.n) for n, c in cells.items()}
    left = {n: np.zeros(c.n, int) for n, c in cells.items()}
    spikes: dict[str, set[tuple[int, int]]] = {n: set() for n in cells}
    for now in range(1, n_steps + 1):
        for name in order(cells, synapses):
            c, E_L = cells[name], model[name]["E_L_mV"]
            for i in range(c.n):
                y = steps[name][i] @ [V[name][i] - E_L[i], *(x[i] for x in current[name].values()), drive[name][i]]
                if left[name][i] == 0:
                    V[name][i] = y[0] + E_L[i]
                for r, value in zip(c.taus, y[1:-1], strict=True):
                    current[name][r][i] = value
            for source, pre, target, i, delay, weights in edges:
                arrives = target == name and "j" in weights and (now - delay, pre) in spikes[source]
                if arrives and left[name][i] == 0:
                    V[name][i] += weights["j"]
            for i in range(c.n):
                if left[name][i] > 0:
                    left[name][i] -= 1
                elif V[name][i] >= model[name]["V_th_mV"][i]:
                    spikes[name].add((now, i))
                    V[name][i] = model[name]["V_reset_mV"][i]
                    left[name][i] = 0 if c.refractory_steps is None else np.broadcast_to(c.refractory_steps, c.n)[i]
        for source, pre, target, i, delay, weights in edges:
            if "j" not in weights and (now - delay, pre) in spikes[source]:
                for r, w in weights.items():
                    current[target][r][i] += w
    return spikes, V
