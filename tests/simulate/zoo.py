"""A small network with a bit of everything that has state: shared, so that its programs are compiled once."""

import functools
from typing import Any

import jax
import numpy as np

import jaxsyn as js


@functools.cache
def network(seed: int = 0, rate_Hz: float = 3000.0, native: bool | None = None) -> js.Network:
    """Two fused populations that locate spikes, delta and kinetic receptors, short-term plasticity, noise, a relay."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(2.0)), "d": js.receptors.Delta()}
    start = js.connect.Uniform(-60.0, -53.0)
    cells = functools.partial(js.Population, receptors=receptors, refractory_ms=0.75, initial={"V_mV": start})
    probability = js.connect.FixedProbability
    return js.Network(
        {
            "E": cells(js.neurons.LIF(), 40),
            "I": cells(js.neurons.LIF(V_th_mV=-52.0), 10),
            "S": js.Population(js.neurons.Relay(), 6),
        },
        {
            "E_all": js.Projection(
                "E", ("E", "I"), probability(0.2), weight_pA={"x": 20.0}, delay_ms=js.connect.Uniform(0.3, 1.2)
            ),
            "I_E": js.Projection(
                "I", "E", probability(0.3), weight_mV={"d": js.connect.Normal(-1.5, 0.2)}, delay_ms=0.4
            ),
            "I_I": js.Projection(
                "I", "I", probability(0.3), weight_pA={"x": -30.0}, short_term=js.plasticity.TsodyksMarkram()
            ),
            "S_E": js.Projection(
                "S", "E", js.connect.Dense(), weight_mV={"d": js.connect.Normal(0.5, 0.1)}, delay_ms=0.2
            ),
        },
        {
            "poisson": js.stimuli.Poisson(("E", "I"), rate_Hz=rate_Hz, weight_pA={"x": 60.0}, max_rate_Hz=6000.0),
            "noise": js.stimuli.OrnsteinUhlenbeck("E", mean_pA=20.0, sd_pA=30.0, tau_ms=3.0),
            "beat": js.stimuli.Poisson("S", rate_Hz=500.0, weight=1.0),
        },
        dt_ms=0.1,
        seed=seed,
        native=native,
    )


@functools.cache
def simple(seed: int = 0, native: bool | None = None) -> js.Network:
    """One recurrent population on the grid under Poisson drive, weights on a grid; cheap to compile."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
    integrator = js.neurons.Exact(on_grid=True)
    cells = js.Population(js.neurons.LIF(), 40, receptors, integrator=integrator, refractory_ms=0.5)
    loop = js.Projection("a", "a", js.connect.FixedProbability(0.2), weight_pA=32.0, delay_ms=0.3)
    drive = js.stimuli.Poisson("a", rate_Hz=4000.0, weight_pA=64.0)
    return js.Network({"a": cells}, {"loop": loop}, {"drive": drive}, dt_ms=0.1, seed=seed, native=native)


def same(a: Any, b: Any) -> bool:
    """Whether two trees agree bit for bit."""
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.array_equal(x, y, equal_nan=True) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def records(sol: js.Solution) -> dict[str, Any]:
    """Everything that a solution holds, as arrays."""
    out = {f"spikes {p}": (s.times_ms, s.neurons) for p, s in sol.spikes.items()}
    out |= {name: (trace.times_ms, trace.values) for name, trace in sol.states.items()}
    return out | {k: (r.times_ms, r.values) if isinstance(r, js.Trace) else r for k, r in sol.reductions.items()}
