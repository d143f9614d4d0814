"""One network, planned and run. Imports JAX: the process has to be pinned before."""

import time
from typing import Any
from unittest import mock

import jaxsyn as js
from benchmarks._process import peak_MB
from benchmarks.speed._tasks import TASKS
from jaxsyn.network import sketch

# Hz, mean over all neurons or by population: of the papers or NEST where they have these parameters, else our own.
RATES_HZ: dict[str, Any] = {
    "coba": 21.0,
    "cuba": 6.0,
    "brunel": js.circuits.reference_rates_Hz("brunel"),
    "adex": 20.0,
    "adexnet": 19.0,
    "pd14": js.circuits.reference_rates_Hz("potjans_diesmann"),
}


def compare(task: str, n: str, bio_s: float, repeats: int, *, calibrate: bool) -> dict[str, Any]:
    """Plan, build, run, and say how close the plan was."""
    if task not in TASKS or not (n.isdigit() or not n):
        raise SystemExit(f"plan: got {task}:{n}; allowed: TASK or TASK:N with one of {', '.join(TASKS)}")
    builder, default = TASKS[task]
    size, duration_ms = int(n) if n else default, bio_s * 1000.0
    began = time.perf_counter()
    net = builder(size, 1)
    build_s, built_MB = time.perf_counter() - began, peak_MB()
    counts = [js.record.SpikeCount(population) for population in net.populations()]
    solution = js.simulate(net, duration_ms, record=counts)
    compile_s, ran_MB = solution.compile_s, peak_MB()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        js.simulate(net, duration_ms, record=counts)
        seconds.append(time.perf_counter() - began)
    if calibrate:
        js.cost.save_machine(js.plan.calibrate())
    with mock.patch.object(js, "Network", sketch), mock.patch("jaxsyn.circuits._potjans_diesmann.Network", sketch):
        sketched = builder(size, 1)  # the same parts, and nothing drawn
    plan = js.plan.estimate(sketched, duration_ms, rates_Hz=RATES_HZ[task], record=counts)
    synapses = sum(link.graph.n_synapses for link in net.links if hasattr(link, "graph"))
    spikes = sum(int(c.sum()) for c in solution.reductions.values())
    ratios = {
        "synapses": plan.synapses / max(synapses, 1),
        "building": plan.building_bytes / built_MB * 1e-6,
        "peak": plan.peak_bytes / ran_MB * 1e-6,
        "build": plan.build_s / build_s,
        "compile": plan.compile_s / compile_s,
        "run": plan.run_s / min(seconds),
    }
    return {
        "task": task,
        "n": net.size(),
        "rate_Hz": round(spikes / net.size() / bio_s, 3),
        "peak_MB": round(ran_MB, 1),
        "build_s": round(build_s, 3),
        "compile_s": round(compile_s, 3),
        "run_s_per_bio_s": round(min(seconds) / bio_s, 4),
        **{f"{what}_ratio": round(ratio, 3) for what, ratio in ratios.items()},
        "machine": plan.machine,
    }
