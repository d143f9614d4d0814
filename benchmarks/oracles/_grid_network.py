"""detnet_exp_grid: a network with explicit wiring on a grid, whose spike list has to come out identically."""

from collections.abc import Iterator

import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, count


def check(document: Document, precision: str) -> Iterator[Case]:
    """The one network of a document."""
    yield from attempt(["network"], lambda: [_compare(document)])


def _network(document: Document) -> js.Network:
    p = document["params"]
    n = len(document["I_pA"])
    neuron = js.neurons.LIF(p["tau_m"], p["C"], E_L_mV=0.0, V_th_mV=p["theta"], V_reset_mV=p["V_reset"])
    current = js.receptors.Current(js.receptors.Exponential(p["tau_s"]))
    cells = js.Population(
        neuron,
        n,
        {"exc": current, "inh": current},
        integrator=js.neurons.Exact(on_grid=True),
        refractory_ms=p["t_ref"],
        initial={"V_mV": np.asarray(document["V0_mV"], float)},
    )
    wiring = np.asarray(document["connections_src_tgt_w_pA"], float).reshape(-1, 3)
    projections = {}
    for receptor, chosen in (("exc", wiring[:, 2] >= 0), ("inh", wiring[:, 2] < 0)):
        if chosen.any():
            source, target, weight = wiring[chosen].T
            edges = js.connect.Edges(source.astype(int), target.astype(int))
            options = {"weight_pA": {receptor: weight}, "delay_ms": p["delay"]}
            projections[receptor] = js.Projection("cells", "cells", edges, **options)
    drive = js.stimuli.Constant("cells", I_pA=np.asarray(document["I_pA"], float))
    return js.Network({"cells": cells}, projections, {"drive": drive}, dt_ms=p["dt"])


def _compare(document: Document) -> Case:
    p, tolerance = document["params"], document["tolerance"]
    spikes = js.simulate(_network(document), p["T_ms"], record=js.record.Spikes()).spikes["cells"]

    def on_grid(times_ms: np.ndarray, neurons: np.ndarray) -> set[tuple[int, int]]:
        steps = np.rint(np.asarray(times_ms, float) / p["dt"]).astype(int)
        return set(zip(steps.tolist(), np.asarray(neurons, int).tolist(), strict=True))

    listed = np.asarray(document["spikes_t_ms_neuron"], float).reshape(-1, 2)
    want, own = on_grid(listed[:, 0], listed[:, 1]), on_grid(spikes.times_ms, spikes.neurons)
    per_neuron = np.abs(spikes.counts() - np.asarray(document["spikes_per_neuron"])).max(initial=0)
    figures = [
        Figure("missing spikes", len(want - own), tolerance["float64_missing"]),
        Figure("extra spikes", len(own - want), tolerance["float64_extra"]),
        count("spikes", len(spikes), document.get("spike_count", len(listed))),
        Figure("spikes of a neuron", float(per_neuron), 0.0),
    ]
    return Case("network", figures)
