"""The long run, the resumed one, and their comparison."""

import pathlib
import tempfile
import time
from typing import Any

import jax
import numpy as np

import jaxsyn as js
from benchmarks._process import memory_MB
from benchmarks.speed._measurement import DT_MS, STEPS_PER_S, Measurement

LONGEST_CHUNK = 2000
CHECKPOINTS = 10
FLAT = 0.01


def network(n: int, seed: int, threads: int) -> js.Network:
    """Inhibition-dominated, kept below threshold on average, so that chance decides who fires."""
    cell = js.neurons.LIF(20.0, 200.0, E_L_mV=0.0, V_th_mV=20.0, V_reset_mV=10.0)
    sizes = {"E": 4 * n // 5, "I": n - 4 * n // 5}
    populations = {
        name: js.Population(
            *(cell, size, {"jump": js.receptors.Delta()}),
            integrator=js.neurons.Exact(on_grid=True),
            refractory_ms=2.0,
            initial={"V_mV": js.connect.Uniform(0.0, 20.0)},
        )
        for name, size in sizes.items()
    }
    weights = {"E": (80, 0.2), "I": (20, -1.0)}
    projections = {
        name: js.Projection(name, ("E", "I"), js.connect.FixedInDegree(inputs), weight_mV=weight_mV, delay_ms=1.5)
        for name, (inputs, weight_mV) in weights.items()
    }
    drive = js.stimuli.Poisson(("E", "I"), rate_Hz=1400.0, weight_mV=0.5)
    return js.Network(populations, projections, {"drive": drive}, dt_ms=DT_MS, seed=seed, threads=threads)


class Watch:
    """Notes the memory after each chunk, and hands every k-th state to the checkpoints."""

    def __init__(self, kept: js.checkpoint.Checkpoints, chunk_ms: float, every: int) -> None:
        self.every_ms = chunk_ms
        self.memory_MB: list[float] = []
        self._kept, self._every = kept, every

    def save(self, net: js.Network, state: js.network.NetworkState) -> None:
        """What `simulate` calls between chunks."""
        self.memory_MB.append(memory_MB())
        if len(self.memory_MB) % self._every == 0:
            self._kept.save(net, state)


def chunk_of(steps: int) -> int:
    """The longest chunk of which an even number, at least twenty, makes up the run."""
    longest = min(LONGEST_CHUNK, steps // 20)
    return next(c for c in range(longest, 0, -1) if steps % (2 * c) == 0)


def measure(steps: int, n: int, threads: int, seed: int) -> dict[str, Any]:
    """Run a network, resume it from the middle, compare; one line."""
    began = time.perf_counter()
    net = network(n, seed, threads)
    build_s = time.perf_counter() - began
    chunk, record = chunk_of(steps), js.record.Spikes()
    chunks = steps // chunk
    every = next(k for k in range(max(1, chunks // CHECKPOINTS), 0, -1) if (chunks // 2) % k == 0)
    with tempfile.TemporaryDirectory(prefix="jaxsyn_long_") as folder:
        here = pathlib.Path(folder)
        kept = js.checkpoint.Checkpoints(here / "checkpoints", keep=chunks // every)
        watch = Watch(kept, chunk * DT_MS, every)
        began = time.perf_counter()
        whole = js.simulate(net, steps * DT_MS, record=record, stream=here / "whole", checkpoint=watch)
        wall_s = time.perf_counter() - began - whole.compile_s
        again = network(n, seed, threads)
        state = js.checkpoint.restore(here / "checkpoints", again, step=steps // 2)
        rest = js.simulate(again, steps // 2 * DT_MS, record=record, state=state, stream=here / "rest")
        number, last, equal = compare(whole, rest, steps)
    pairs = zip(jax.tree.leaves(membranes(whole)), jax.tree.leaves(membranes(rest)), strict=True)
    same = all(np.array_equal(a, b) for a, b in pairs)
    settled = watch.memory_MB[chunks // 10 :]
    half = len(settled) // 2
    growth = max(settled[half:]) / max(settled[:half]) - 1.0
    bio_s = steps / STEPS_PER_S
    result = Measurement(
        n=n,
        synapses=sum(link.graph.n_synapses for link in net.links),
        native=net.native,
        build_s=build_s,
        compile_s=whole.compile_s,
        seconds=[wall_s / bio_s],
        rate_Hz=number / n / bio_s,
        more={
            "steps": steps,
            "chunks": chunks,
            "memory_first_MB": round(settled[0], 1),
            "memory_last_MB": round(settled[-1], 1),
            "memory_growth": round(growth, 5),
            "memory_spread": round(max(settled) / min(settled) - 1.0, 5),
            "spikes": number,
            "last_spikes": last,
            "spikes_equal": equal,
            "state_equal": same,
            "ok": growth <= FLAT and last > 0 and equal and same,
        },
    )
    return result.line("long", threads)


def compare(whole: js.Solution, rest: js.Solution, steps: int) -> tuple[int, int, bool]:
    """Spikes of the whole run, those of its last second, and whether these are those of the resumed run."""
    stop_ms = steps * DT_MS
    start_ms = stop_ms - min(1000.0, stop_ms / 2)
    number, last, equal = 0, 0, True
    for population in whole.spikes:
        ours = whole.spikes[population]
        number += len(ours)
        ours, theirs = (s.between(start_ms, stop_ms) for s in (ours, rest.spikes[population]))
        last += len(ours)
        equal &= np.array_equal(ours.times_ms, theirs.times_ms) and np.array_equal(ours.neurons, theirs.neurons)
    return number, last, bool(equal)


def membranes(solution: js.Solution) -> list[Any]:
    """Voltages and receptors of all groups at the end."""
    return [group.membrane for group in solution.final_state.groups]
