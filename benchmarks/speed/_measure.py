"""One timed task. Imports JAX: the process has to be pinned before."""

import argparse
import statistics
import sys
import time
from typing import Any

import jaxsyn as js

from ._tasks import TASKS


def peak_MB() -> float:
    """Largest resident memory of this process so far, MB."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(arguments: argparse.Namespace, native: bool | None) -> dict[str, Any]:
    """Build, compile, and run a task several times."""
    build, n = TASKS[arguments.task]
    n = arguments.n or n
    began = time.perf_counter()
    net = build(n, arguments.seed, native)
    build_s = time.perf_counter() - began
    duration_ms = arguments.bio * 1000.0
    counts = [js.record.SpikeCount(population) for population in net.populations()]
    seconds, compile_s, spikes = [], 0.0, 0
    for k in range(arguments.repeats + 1):
        began = time.perf_counter()
        solution = js.simulate(net, duration_ms, record=counts)
        took = time.perf_counter() - began
        if k == 0:
            compile_s = solution.compile_s
            spikes = sum(int(c.sum()) for c in solution.reductions.values())
        else:
            seconds.append(took)
    return {
        "task": arguments.task,
        "n": net.size(),
        "synapses": sum(link.graph.n_synapses for link in net.links if hasattr(link, "graph")),
        "threads": arguments.threads,
        "compile_s": round(compile_s, 3),
        "build_s": round(build_s, 3),
        "run_s_per_bio_s": round(statistics.median(seconds) / arguments.bio, 4),
        "run_s_per_bio_s_min": round(min(seconds) / arguments.bio, 4),
        "rate_Hz": round(spikes / net.size() / arguments.bio, 3),
        "peak_MB": round(peak_MB(), 1),
        "kernels": "native" if net.native else "pure JAX",
    }
