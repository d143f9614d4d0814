"""Sweeps of a child process: `python interrupted.py FOLDER DELAY_S` writes batches, pausing after each, to be killed;
`python interrupted.py --devices` prints the spikes of lanes shared by the devices there are, and by one of them."""

import json
import sys
import time
from typing import Any

import jax
import numpy as np

import jaxsyn as js

VALUES = {"projections.loop.gain": [0.0, 1.0, 2.0]}
SEEDS = range(3)


def network() -> js.Network:
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
    cells = js.Population(js.neurons.LIF(), 40, receptors, integrator=js.neurons.Exact(on_grid=True))
    loop = js.Projection("a", "a", js.connect.FixedProbability(0.2), weight_pA=32.0, delay_ms=0.3)
    drive = js.stimuli.Poisson("a", rate_Hz=4000.0, weight_pA=64.0)
    return js.Network({"a": cells}, {"loop": loop}, {"drive": drive}, dt_ms=0.1)


def rate(solution: js.Solution) -> Any:
    return {"rate_Hz": solution.spikes["a"].rate_Hz(), "first": np.asarray(solution.spikes["a"].times_ms[:2])}


def slow_rate(delay_s: float) -> Any:
    def wrapped(solution: js.Solution) -> Any:
        time.sleep(delay_s)
        return rate(solution)

    return wrapped


def run(folder: Any, summary: Any = rate, **options: Any) -> js.Sweep:
    record = (js.record.Spikes(), js.record.State("a.V_mV", every_ms=5.0), js.record.SpikeCount("a"))
    return js.sweep(
        *(network(), VALUES, 40.0), seeds=SEEDS, record=record, summary=summary, folder=folder, batch_size=2, **options
    )


def main() -> None:
    if sys.argv[1] == "--devices":
        assert len(jax.devices()) == 4, jax.devices()
        found = [run(None, devices=d) for d in (jax.devices(), jax.devices()[:1])]
        print(json.dumps([[digest(s.lane(*i)) for i in np.ndindex(s.shape)] for s in found]))
        return
    run(sys.argv[1], slow_rate(float(sys.argv[2])))


def digest(lane: Any) -> list[Any]:
    V = np.asarray(lane.states["a.V_mV"].values)
    return [lane.spikes["a"].times_ms.tolist(), lane.spikes["a"].neurons.tolist(), V.view(np.int32).sum().item()]


if __name__ == "__main__":
    main()
