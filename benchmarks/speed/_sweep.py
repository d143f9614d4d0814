"""`js.sweep` beside single runs."""

import time

import numpy as np

import jaxsyn as js

from ._measurement import Measurement, Options
from ._tasks import coba

LANES = (8, 64)
PATH = "projections.E.gain"


def sweep(options: Options) -> Measurement:
    """COBA with 8 and with 64 gains at once, and one after the other, in turn; runs a second of each."""
    n, duration_ms = options.n or 1000, 1000.0 * options.bio_s
    began = time.perf_counter()
    net = coba(n, options.seed, **options.kernels)
    build_s = time.perf_counter() - began
    record = [js.record.SpikeCount(population) for population in net.populations()]
    gains = {lanes: np.linspace(0.9, 1.1, lanes) for lanes in LANES}

    def single(gain: float) -> js.Solution:
        return js.simulate(js.network.with_parameters(net, {PATH: gain}), duration_ms, record=record)

    def together(lanes: int) -> js.Sweep:
        return js.sweep(net, {PATH: gains[lanes]}, duration_ms, record=record, batch_size=lanes)

    compile_s = single(1.0).compile_s + sum(together(lanes).compile_s for lanes in LANES)
    seconds: dict[int, list[float]] = {1: [], **{lanes: [] for lanes in LANES}}
    for _ in range(options.repeats):
        began = time.perf_counter()
        alone = [single(gain) for gain in gains[LANES[0]]]
        seconds[1].append((time.perf_counter() - began) / len(alone))
        for lanes in LANES:
            began = time.perf_counter()
            found = together(lanes)
            seconds[lanes].append((time.perf_counter() - began) / lanes)
            same = [np.array_equal(found.reductions[k][0], alone[0].reductions[k]) for k in found.reductions]
            if not all(same):
                raise RuntimeError("sweep: the first lane differs from its single run")
    runs_per_s = {lanes: 1.0 / float(np.median(s)) for lanes, s in seconds.items()}
    spikes = sum(float(np.sum(counts)) for counts in found.reductions.values())
    return Measurement(
        n=n,
        synapses=sum(link.graph.n_synapses for link in net.links if hasattr(link, "graph")),
        native=net.native,
        build_s=build_s,
        compile_s=compile_s,
        seconds=[s / options.bio_s for s in seconds[LANES[-1]]],
        rate_Hz=spikes / LANES[-1] / n / options.bio_s,
        more={
            "runs_per_s_alone": round(runs_per_s[1], 3),
            **{f"runs_per_s_{lanes}": round(runs_per_s[lanes], 3) for lanes in LANES},
            **{f"ratio_{lanes}": round(runs_per_s[lanes] / runs_per_s[1], 3) for lanes in LANES},
        },
    )
