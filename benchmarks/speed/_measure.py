"""One timed task. Imports JAX: the process has to be pinned before."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jaxsyn as js

from ._gradient import gradient
from ._limit import limit_s_per_bio_s
from ._measurement import Measurement, Options
from ._operations import batch, compact, poisson, propagate
from ._scaling import build, growth
from ._sweep import sweep
from ._tasks import TASKS

OPERATIONS: dict[str, Callable[[Options], Measurement]] = {
    "propagate": propagate,
    "poisson": poisson,
    "compact": compact,
    "batch": batch,
    "sweep": sweep,
    "growth": growth,
    "build": build,
    "gradient": gradient,
}


def measure(arguments: argparse.Namespace, native: bool | None) -> dict[str, Any]:
    """Run a task several times; one line."""
    fields = (arguments.n, arguments.threads, arguments.repeats, arguments.bio, arguments.seed)
    options = Options(*fields, native)
    task = arguments.task
    result = OPERATIONS[task](options) if task in OPERATIONS else _network(task, options)
    return result.line(task, options.threads)


def _network(task: str, options: Options) -> Measurement:
    """Build, compile, and run a network."""
    builder, n = TASKS[task]
    began = time.perf_counter()
    net = builder(options.n or n, options.seed, **options.kernels)
    build_s = time.perf_counter() - began
    counts = [js.record.SpikeCount(population) for population in net.populations()]
    seconds: list[float] = []
    first = js.simulate(net, options.bio_s * 1000.0, record=counts)
    for _ in range(options.repeats):
        began = time.perf_counter()
        js.simulate(net, options.bio_s * 1000.0, record=counts)
        seconds.append((time.perf_counter() - began) / options.bio_s)
    rates = {p: float(first.reductions[f"count {p}"].mean()) / options.bio_s for p in net.populations()}
    return Measurement(
        n=net.size(),
        synapses=sum(link.graph.n_synapses for link in net.links if hasattr(link, "graph")),
        native=net.native,
        build_s=build_s,
        compile_s=first.compile_s,
        seconds=seconds,
        rate_Hz=sum(rate * net.size(p) for p, rate in rates.items()) / net.size(),
        more={"limit_s_per_bio_s": float(f"{limit_s_per_bio_s(net, rates, options.threads):.3g}")},
    )
