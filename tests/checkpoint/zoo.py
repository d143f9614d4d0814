"""One network with every neuron, receptor, stimulus, short-term rule, link and record; run as a script in processes.

`python zoo.py whole FOLDER` simulates T without a stop, and also T/2 with a checkpoint at its end; `python zoo.py rest
FOLDER` restores that and simulates the other half. Both write all that they recorded and their last state.
"""

import pathlib
import sys
from typing import Any

import jax
import numpy as np

import jaxsyn as js
from jaxsyn import checkpoint

DT_MS, HALF_MS = 0.05, 10.0
N = 5

CURRENT = js.receptors.Current
CORTEX = {"AMPA": js.receptors.AMPA(), "NMDA": js.receptors.NMDA(), "GABA_A": js.receptors.GABA_A()}
KINETICS = {
    "exponential": CURRENT(js.receptors.Exponential(2.0)),
    "alpha": CURRENT(js.receptors.Alpha(1.0)),
    "dual": CURRENT(js.receptors.DualExponential(1.0, 5.0)),
    "delta": js.receptors.Delta(),
}


def populations() -> dict[str, js.Population]:
    n, start = js.neurons, js.connect.Uniform(-65.0, -55.0)
    return {
        "LIF": js.Population(n.LIF(), N, KINETICS, refractory_ms=1.0, initial={"V_mV": start}),
        "grid": js.Population(n.LIF(), N, integrator=n.Euler(on_grid=True), refractory_ms=2.0),
        "EIF": js.Population(n.EIF(), N, CORTEX, initial={"V_mV": start}),
        "AdEx": js.Population(n.AdEx(), N, CORTEX, integrator=n.ExponentialEuler(), refractory_ms=2.0),
        "Izhikevich": js.Population(
            n.Izhikevich(), N, {"g": js.receptors.Conductance(js.receptors.Alpha(2.0))}, integrator=n.RK2()
        ),
        "HodgkinHuxley": js.Population(n.HodgkinHuxley.squid(), N),
        "Relay": js.Population(n.Relay(), N),
        "DiscreteLIF": js.Population(n.DiscreteLIF(), N),
        "DiscreteALIF": js.Population(n.DiscreteALIF(), N),
        "DiscreteCuBaLIF": js.Population(n.DiscreteCuBaLIF(), N),
        "DiscreteIF": js.Population(n.DiscreteIF(), N),
        "AccumulateFire": js.Population(n.AccumulateFire(wait_steps=150.0, window_steps=200.0), N),
        "SignedIF": js.Population(n.SignedIF(), N),
        "Difference": js.Population(n.Difference(), N),
        "LeakyIntegrator": js.Population(n.LeakyIntegrator(), N),
        "IzhikevichPublished": js.Population(n.IzhikevichPublished(dt_ms=DT_MS), N),
    }


def projections() -> dict[str, js.Projection]:
    p, c, rule = js.Projection, js.connect, js.connect.FixedProbability(0.7)
    drawn = c.Uniform(0.5, 1.5)
    return {
        "ids": p("EIF", "AdEx", rule, weight_nS={"AMPA": drawn, "GABA_A": 0.1}, delay_ms=c.Uniform(0.1, 3.0)),
        "delta": p("LIF", "LIF", rule, weight_mV={"delta": 0.5}, delay_ms=1.0),
        "kinetic": p("grid", "LIF", c.AllToAll(), weight_pA={"alpha": 5.0, "dual": -2.0, "exponential": 3.0}),
        "TsodyksMarkram": p(
            *("LIF", "EIF", rule),
            weight_nS={"AMPA": 2.0},
            delay_ms=1.5,
            short_term=js.plasticity.TsodyksMarkram(tau_fac_ms=50.0),
        ),
        "TsodyksMarkramThreeState": p(
            *("AdEx", "EIF", rule),
            weight_nS={"NMDA": drawn},
            delay_ms=0.5,
            short_term=js.plasticity.TsodyksMarkramThreeState(),
        ),
        "bcoo": p("EIF", "Izhikevich", rule, weight_nS=0.1, delay_ms=1.0, propagation="bcoo"),
        "now": p("Relay", "DiscreteLIF", c.Dense()),
        "statistics": p("DiscreteLIF", "DiscreteALIF", c.Chain((c.Dense(N), c.BatchNorm())), delay_ms=0.1),
        "CuBa": p("Relay", "DiscreteCuBaLIF", c.OneToOne(), weight=1.0, delay_ms=0.2),
        "IF": p("Relay", "DiscreteIF", c.OneToOne(), weight=0.4),
        "accumulated": p("Relay", "AccumulateFire", c.OneToOne(), weight=0.4),
        "signed": p("Relay", "SignedIF", c.OneToOne(), weight=c.Uniform(-0.4, 0.6)),
        "differences": p("SignedIF", "Difference", c.OneToOne(), weight=1.0, delay_ms=0.1),
        "readout": p("DiscreteIF", "LeakyIntegrator", c.Dense(), delay_ms=0.05),
    }


def stimuli() -> dict[str, js.stimuli.AbstractStimulus]:
    s = js.stimuli
    wave = 400.0 * np.sin(np.arange(40.0)) + 500.0
    return {
        "Constant": s.Constant("LIF", I_pA=300.0),
        "Step": s.Step("EIF", I_pA=500.0, start_ms=3.0, stop_ms=15.0),
        "Ramp": s.Ramp("grid", I_pA=900.0, stop_ms=12.0),
        "Sine": s.Sine("AdEx", I_pA=1500.0, frequency_Hz=80.0),
        "Sampled": s.Sampled("Izhikevich", I_pA=wave / 40.0, every_ms=0.5),
        "OrnsteinUhlenbeck": s.OrnsteinUhlenbeck("HodgkinHuxley", mean_pA=12.0, sd_pA=5.0, tau_ms=2.0),
        "GaussianNoise": s.GaussianNoise("IzhikevichPublished", drive=60.0),
        "bias": s.Constant("DiscreteALIF", drive=0.3),
        "Poisson": s.Poisson("AdEx", rate_Hz=3000.0, weight_nS={"AMPA": 2.0}),
        "events": s.Poisson("Relay", rate_Hz=4000.0, weight=1.0),
        "InhomogeneousPoisson": s.InhomogeneousPoisson(
            "EIF", rate_Hz=np.linspace(0.0, 5000.0, 20), every_ms=1.0, weight_nS={"AMPA": 1.0}
        ),
        "SpikeTimes": s.SpikeTimes(
            "LIF", times_ms=[2.0, 9.95, 10.0, 10.05, 16.0], neurons=1, weight_mV={"delta": 12.0}
        ),
    }


RECORDS = [
    js.record.Spikes(),
    js.record.State("EIF.V_mV", every_ms=0.5),
    js.record.State("AdEx.AMPA.value", every_ms=2.0, index=range(2)),
    js.record.Mean("HodgkinHuxley.V_mV", every_ms=0.5),
    js.record.Rate("AdEx", every_ms=2.5),
    js.record.SpikeCount("LIF"),
    js.record.Weights("ids", every_ms=5.0),
]


def build() -> js.Network:
    return js.Network(populations(), projections(), stimuli(), dt_ms=DT_MS, seed=7)


def leaves(state: js.NetworkState) -> dict[str, np.ndarray[Any, Any]]:
    paths = jax.tree_util.tree_leaves_with_path(state)
    return {f"state{jax.tree_util.keystr(path)}": np.asarray(leaf) for path, leaf in paths}


def arrays(solution: js.Solution) -> dict[str, np.ndarray[Any, Any]]:
    """Everything that a solution holds, by name."""
    out = leaves(solution.final_state)
    for name, trains in solution.spikes.items():
        out |= {f"spikes {name} times": trains.times_ms, f"spikes {name} neurons": trains.neurons}
    for name, trace in {**solution.states, **solution.reductions}.items():
        if isinstance(trace, js.Trace):
            out |= {f"record {name} times": trace.times_ms, f"record {name} values": trace.values}
        else:
            out[f"record {name} values"] = trace
    return out


def main(what: str, folder: pathlib.Path) -> None:
    net = build()
    if what == "whole":
        whole = js.simulate(net, 2 * HALF_MS, record=RECORDS, chunk_ms=HALF_MS)
        np.savez(folder / "whole.npz", **arrays(whole))
        kept = checkpoint.Checkpoints(folder / "kept")
        first = js.simulate(net, HALF_MS, record=RECORDS, chunk_ms=HALF_MS, checkpoint=kept, continued=True)
        np.savez(folder / "first.npz", **arrays(first))
    else:
        state = checkpoint.restore(folder / "kept", net)
        rest = js.simulate(net, HALF_MS, record=RECORDS, chunk_ms=HALF_MS, state=state)
        np.savez(folder / "rest.npz", **arrays(rest))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
