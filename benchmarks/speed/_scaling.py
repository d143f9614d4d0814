"""How cost grows with the number of neurons, and what building many synapses takes."""

import time

import jax
import numpy as np

import jaxsyn as js
from benchmarks._process import elsewhere, memory_MB, peak_MB

from ._measurement import DT_MS, Measurement, Options

SMALLEST = 1000
INPUTS = 1000


def growth(options: Options) -> Measurement:
    """COBA of 80 inputs a neuron at each power of ten, each in its own process; the slope of log time over log N."""
    largest = options.n or 1_000_000
    sizes = [SMALLEST * 10**k for k in range(10) if SMALLEST * 10**k <= largest]
    if len(sizes) < 2:
        raise SystemExit(f"speed growth: --n must be at least {10 * SMALLEST}, got {largest}")
    kernels = {None: [], True: ["--native"], False: ["--pure"]}[options.native]
    asked = {"threads": options.threads, "repeats": options.repeats, "bio": options.bio_s, "seed": options.seed}
    words = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    lines = [elsewhere("speed", "coba", "--n", str(n), *words, *kernels)[-1] for n in sizes]
    seconds = [line["run_s_per_bio_s"] for line in lines]
    exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    last = lines[-1]
    return Measurement(
        n=last["n"],
        synapses=last["synapses"],
        native=last["kernels"] == "native",
        build_s=last["build_s"],
        compile_s=max(line["compile_s"] for line in lines),
        seconds=[last[f"run_s_per_bio_s{end}"] for end in ("_min", "", "_max")],
        rate_Hz=last["rate_Hz"],
        more={"peak_MB": last["peak_MB"], "exponent": round(exponent, 4), "of_each_n": lines},
    )


def build(options: Options) -> Measurement:
    """1000 inputs for each of N neurons, each synapse with a weight of its own."""
    n = options.n or 100_000
    jax.block_until_ready(jax.numpy.zeros(1))  # the backend exists before memory is looked at
    before = memory_MB()
    began = time.perf_counter()
    cells = js.Population(js.neurons.LIF(), n, {"syn": js.receptors.Current(js.receptors.Exponential(5.0))})
    rule, weight_pA = js.connect.FixedInDegree(min(INPUTS, n)), js.connect.Normal(10.0, 1.0)
    projection = js.Projection("cells", "cells", rule, weight_pA=weight_pA, delay_ms=1.5)
    net = js.Network({"cells": cells}, {"all": projection}, dt_ms=DT_MS, seed=options.seed, native=options.native)
    jax.block_until_ready(jax.tree.leaves(net))
    build_s = time.perf_counter() - began
    final_MB = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(net.links)) / 1e6
    grown_MB = peak_MB() - before
    synapses = net.links[0].graph.n_synapses
    more = {
        "final_MB": round(final_MB, 1),
        "grown_MB": round(grown_MB, 1),
        "peak_over_final": round(grown_MB / final_MB, 3),
    }
    return Measurement(n, synapses, net.native, build_s, 0.0, [], None, more)
