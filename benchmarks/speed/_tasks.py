"""The networks that are timed, with the numbers that every simulator of the comparison gets.

`n` scales the number of neurons; in `cuba` and `coba` each keeps 80 inputs. Zero delay is the meaning that other
simulators give to a synapse without delay: an arrival acts from the next step on. `kernels` are the arguments `native`
and `threads` of the network.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import jaxsyn as js

DT_MS = 0.1
Builder = Callable[..., js.Network]


def _split(n: int) -> dict[str, int]:
    return {"E": 4 * n // 5, "I": n - 4 * n // 5}


def cuba(n: int, seed: int, **kernels: Any) -> js.Network:
    """Currents of 1.62 and -9 mV in units of the leak, E_L -49 mV, no delay."""
    cell = js.neurons.LIF(20.0, 200.0, E_L_mV=-49.0, V_th_mV=-50.0, V_reset_mV=-60.0)
    receptors = {
        "exc": js.receptors.Current(js.receptors.Exponential(5.0)),
        "inh": js.receptors.Current(js.receptors.Exponential(10.0)),
    }
    populations = {
        name: js.Population(
            cell,
            size,
            receptors,
            integrator=js.neurons.Exact(on_grid=True),
            refractory_ms=5.0,
            initial={"V_mV": js.connect.Uniform(-60.0, -50.0)},
        )
        for name, size in _split(n).items()
    }
    rule = js.connect.FixedProbability(min(1.0, 80.0 / n))
    projections = {
        "E": js.Projection("E", ("E", "I"), rule, weight_pA={"exc": 1.62 * 200.0 / 20.0}, delay_ms=0.0),
        "I": js.Projection("I", ("E", "I"), rule, weight_pA={"inh": -9.0 * 200.0 / 20.0}, delay_ms=0.0),
    }
    return js.Network(populations, projections, dt_ms=DT_MS, seed=seed, **kernels)


def coba(n: int, seed: int, *, own_weights: bool = False, **options: Any) -> js.Network:
    """Conductances of 0.6 and 6.7 leaks, a constant drive of 20 mV, no delay, start at -55 +- 2 mV.

    `own_weights`: one for each synapse, a tenth of the mean around it; `options`: also of the populations.
    """
    cells = {"refractory_ms": options.pop("refractory_ms", 5.0), "surrogate": options.pop("surrogate", None)}

    def weight(mean: float) -> Any:
        return js.connect.TruncatedNormal(mean, 0.1 * mean, low=0.0) if own_weights else mean

    cell = js.neurons.LIF(20.0, 200.0, E_L_mV=-60.0, V_th_mV=-50.0, V_reset_mV=-60.0)
    leak_nS = 200.0 / 20.0
    receptors = {
        "exc": js.receptors.Conductance(js.receptors.Exponential(5.0), E_rev_mV=0.0),
        "inh": js.receptors.Conductance(js.receptors.Exponential(10.0), E_rev_mV=-80.0),
    }
    populations = {
        name: js.Population(
            cell,
            size,
            receptors,
            integrator=js.neurons.RK2(on_grid=True),
            **cells,
            initial={"V_mV": js.connect.Normal(-55.0, 2.0)},
        )
        for name, size in _split(n).items()
    }
    rule = js.connect.FixedProbability(min(1.0, 80.0 / n))
    projections = {
        "E": js.Projection("E", ("E", "I"), rule, weight_nS={"exc": weight(0.6 * leak_nS)}, delay_ms=0.0),
        "I": js.Projection("I", ("E", "I"), rule, weight_nS={"inh": weight(6.7 * leak_nS)}, delay_ms=0.0),
    }
    drive = js.stimuli.Constant(("E", "I"), I_pA=20.0 * leak_nS)
    return js.Network(populations, projections, {"drive": drive}, dt_ms=DT_MS, seed=seed, **options)


def brunel(n: int, seed: int, **kernels: Any) -> js.Network:
    """Model A with g 5, eta 2, J 0.1 mV, reset 10 mV; 1000 and 250 inputs, or all there are."""
    cell = js.neurons.LIF(20.0, 1.0, E_L_mV=0.0, V_th_mV=20.0, V_reset_mV=10.0)
    sizes, J_mV, g = _split(n), 0.1, 5.0
    populations = {
        name: js.Population(
            cell,
            size,
            {"jump": js.receptors.Delta()},
            integrator=js.neurons.Exact(on_grid=True),
            refractory_ms=2.0,
            initial={"V_mV": js.connect.Uniform(0.0, 20.0)},
        )
        for name, size in sizes.items()
    }
    projections = {
        name: js.Projection(
            name, ("E", "I"), js.connect.FixedInDegree(min(inputs, sizes[name])), weight_mV=weight_mV, delay_ms=1.5
        )
        for name, inputs, weight_mV in (("E", 1000, J_mV), ("I", 250, -g * J_mV))
    }
    external = js.stimuli.Poisson(("E", "I"), rate_Hz=2.0 * 20.0 / (J_mV * 20.0) * 1000.0, weight_mV=J_mV)
    return js.Network(populations, projections, {"external": external}, dt_ms=DT_MS, seed=seed, **kernels)


def _adex_cells(n: int, seed: int, connected: bool) -> tuple[dict[str, js.Population], js.stimuli.AbstractStimulus]:
    """Regular-spiking cells cut at V_T + 5 Delta_T, each with its own constant current of 600 to 1000 pA."""
    receptors = {}
    if connected:
        receptors = {
            "AMPA": js.receptors.Conductance(js.receptors.Exponential(5.0), E_rev_mV=0.0),
            "NMDA": js.receptors.Conductance(js.receptors.Exponential(100.0), E_rev_mV=0.0, Mg_mM=1.0),
            "GABA_A": js.receptors.Conductance(js.receptors.Exponential(10.0), E_rev_mV=-80.0),
        }
    cell = js.neurons.AdEx(V_peak_mV=-40.4)
    names = _split(n) if connected else {"cells": n}
    populations = {
        name: js.Population(
            cell,
            size,
            receptors,
            integrator=js.neurons.Euler(on_grid=True),
            initial={"V_mV": js.connect.Uniform(-70.6, -50.4)},
        )
        for name, size in names.items()
    }
    currents = np.random.default_rng(seed).uniform(600.0, 1000.0, n)
    return populations, js.stimuli.Constant(tuple(names), I_pA=currents)


def adex(n: int, seed: int, **kernels: Any) -> js.Network:
    """Cells alone."""
    populations, drive = _adex_cells(n, seed, connected=False)
    return js.Network(populations, stimuli={"drive": drive}, dt_ms=DT_MS, seed=seed, **kernels)


def adexnet(n: int, seed: int, **kernels: Any) -> js.Network:
    """80 excitatory (0.3 nS AMPA, 0.05 nS NMDA) and 20 inhibitory (1.5 nS) inputs for each cell, delay 1 ms."""
    populations, drive = _adex_cells(n, seed, connected=True)
    everyone = ("E", "I")
    projections = {
        "E": js.Projection(
            *("E", everyone, js.connect.FixedInDegree(80)), weight_nS={"AMPA": 0.3, "NMDA": 0.05}, delay_ms=1.0
        ),
        "I": js.Projection("I", everyone, js.connect.FixedInDegree(20), weight_nS={"GABA_A": 1.5}, delay_ms=1.0),
    }
    return js.Network(populations, projections, {"drive": drive}, dt_ms=DT_MS, seed=seed, **kernels)


def pd14(percent: int, seed: int, **kernels: Any) -> js.Network:
    """The microcircuit with Poisson input, neurons and inputs scaled alike."""
    return js.circuits.potjans_diesmann(percent / 100.0, percent / 100.0, seed=seed, **kernels)


TASKS: dict[str, tuple[Builder, int]] = {
    "cuba": (cuba, 4000),
    "coba": (coba, 4000),
    "brunel": (brunel, 12500),
    "adex": (adex, 10000),
    "adexnet": (adexnet, 10000),
    "pd14": (pd14, 10),
}
