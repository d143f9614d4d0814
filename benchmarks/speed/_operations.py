"""Single operations inside a compiled loop, and one network over a batch of states."""

import functools
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js
from jaxsyn import kernels

from ._measurement import DT_MS, STEPS_PER_S, Measurement, Options, compiled, timed, timed_loop
from ._tasks import coba

SLOTS = 64  # steps with spikes of their own, so that no order of memory is learned
LANES = 8


def _native(options: Options) -> bool:
    return kernels.native_available() if options.native is None else options.native


def _seconds_per_bio_s(calls: list[float]) -> list[float]:
    return [s * STEPS_PER_S for s in calls]


def propagate(options: Options) -> Measurement:
    """Spikes of a tenth of the neurons delivered over one projection, a tenth of the pairs connected."""
    n = options.n or 1000
    active = max(1, n // 10)
    began = time.perf_counter()
    projection = js.Projection(
        *("cells", "cells", js.connect.FixedProbability(0.1)),
        weight_mV=js.connect.Normal(0.1, 0.01),
        delay_ms=DT_MS,
    )
    cells = js.Population(js.neurons.LIF(), n, {"jump": js.receptors.Delta()})
    net = js.Network({"cells": cells}, {"all": projection}, dt_ms=DT_MS, seed=options.seed, **options.kernels)
    build_s = time.perf_counter() - began
    draw = np.random.default_rng(options.seed)
    ids = jnp.asarray(np.stack([np.sort(draw.choice(n, active, replace=False)) for _ in range(SLOTS)]), jnp.int32)
    counts = jnp.full(SLOTS, active, jnp.int32)

    def step(operands: Any, acc: list[jax.Array], tick: jax.Array) -> list[jax.Array]:
        link, ids, counts = operands
        how = {"native": net.native, "threads": net.threads}
        delivered: list[jax.Array] = link.deliver_ids(acc, ids, counts, tick, **how, refusal="")
        return delivered

    acc = [jnp.zeros(n, net.links[0].weight.dtype)]
    compile_s, calls, _ = timed_loop(step, (net.links[0], ids, counts), acc, options)
    graph = net.links[0].graph
    events = graph.n_synapses * active / n
    median = float(np.median(calls))
    more = {"us_per_call": round(median * 1e6, 3), "ns_per_event": round(median * 1e9 / max(events, 1.0), 4)}
    rate_Hz = active / n * STEPS_PER_S
    seconds = _seconds_per_bio_s(calls)
    return Measurement(n, graph.n_synapses, net.native, build_s, compile_s, seconds, rate_Hz, more)


def poisson(options: Options) -> Measurement:
    """One Poisson count of mean 1 for each neuron and step, at one rate and at a rate of its own for each neuron."""
    n, rate_Hz = options.n or 10_000, float(STEPS_PER_S)
    spread_Hz = np.random.default_rng(options.seed).uniform(0.5, 1.5, n) * rate_Hz
    found: dict[str, tuple[float, list[float], jax.Array]] = {}
    native = _native(options)
    for name, rates in (("one", rate_Hz), ("each", spread_Hz)):
        source = js.stimuli.Poisson("cells", rate_Hz=rates, weight=1.0).bind(n, DT_MS)

        def step(operands: Any, _: Any, tick: jax.Array) -> jax.Array:
            source, prepared, seed = operands
            draw = js.stimuli.Draw(seed, kernels.stream_id("source"))

            def sample(state: Any) -> tuple[Any, jax.Array]:
                value, after = source.sample(prepared, state, draw, tick)
                return after, value

            values: jax.Array = kernels.elementwise(sample, n, None, native=native, threads=options.threads)[1]
            return values

        operands = (source, source.prepare(jnp.arange(n, dtype=jnp.uint32), DT_MS), jnp.uint32(options.seed))
        like = jax.eval_shape(lambda o: step(o, None, jnp.int32(0)), operands)
        found[name] = timed_loop(step, operands, jnp.zeros(like.shape, like.dtype), options)
    (compile_s, calls, last), (other_s, each, _) = found["one"], found["each"]
    more = {
        "ns_per_draw": round(float(np.median(calls)) * 1e9 / n, 4),
        "ns_per_draw_each": round(float(np.median(each)) * 1e9 / n, 4),
    }
    mean_Hz = float(last.mean()) * STEPS_PER_S
    return Measurement(n, 0, native, 0.0, compile_s + other_s, _seconds_per_bio_s(calls), mean_Hz, more)


def compact(options: Options) -> Measurement:
    """The indices of the neurons that spiked, written into the ring of steps."""
    n, rate_Hz = options.n or 80_000, 8.0
    active = max(1, round(n * rate_Hz / STEPS_PER_S))
    spikes = np.zeros(n, bool)
    spikes[np.random.default_rng(options.seed).choice(n, active, replace=False)] = True
    native = _native(options)

    def step(spikes: jax.Array, ring: tuple[jax.Array, ...], tick: jax.Array) -> tuple[jax.Array, ...]:
        spikes, tick = jax.lax.optimization_barrier((spikes, tick))  # else what is the same in each step is done once
        return kernels.emit(spikes, *ring, tick, native=native)

    ring = (jnp.zeros((SLOTS, n), jnp.int32), jnp.zeros(SLOTS, jnp.int32), jnp.int32(0))
    compile_s, calls, ring = timed_loop(step, jnp.asarray(spikes), ring, options)
    if int(ring[1][0]) != active:
        raise RuntimeError(f"compact: found {int(ring[1][0])} of {active} spikes")
    more = {"us_per_call": round(float(np.median(calls)) * 1e6, 3)}
    rate_Hz = active / n * STEPS_PER_S
    return Measurement(n, 0, native, 0.0, compile_s, _seconds_per_bio_s(calls), rate_Hz, more)


def batch(options: Options) -> Measurement:
    """COBA from eight random initial states at once, and from the first of them alone."""
    n = options.n or 4000
    began = time.perf_counter()
    net = coba(n, options.seed, **options.kernels)
    build_s = time.perf_counter() - began
    record = [js.record.SpikeCount(population) for population in net.populations()]
    steps = max(1, round(options.bio_s * STEPS_PER_S))

    def run(net: js.Network, V_mV: jax.Array) -> dict[str, jax.Array]:
        start = net.init_state()
        state = eqx.tree_at(lambda s: s.groups[0].membrane.neuron.V_mV, start, V_mV)
        counts: dict[str, jax.Array] = js.run(net, steps, state=state, record=record)[1]
        return counts

    V_mV = jnp.asarray(np.random.default_rng(options.seed).normal(-55.0, 2.0, (LANES, n)), jnp.float32)
    one, one_s = compiled(run, net, V_mV[0])
    lanes, lanes_s = compiled(jax.vmap(run, (None, 0)), net, V_mV)
    alone, single = timed(functools.partial(one, net, V_mV[0]), options.repeats)
    together, counts = timed(functools.partial(lanes, net, V_mV), options.repeats)
    if any((counts[key][0] != single[key]).any() for key in single):
        raise RuntimeError("batch: the first lane differs from its single run")
    ratio = float(np.median(together) / np.median(alone))
    spikes = sum(int(c.sum()) for c in counts.values())
    return Measurement(
        n=n,
        synapses=sum(link.graph.n_synapses for link in net.links),
        native=net.native,
        build_s=build_s,
        compile_s=one_s + lanes_s,
        seconds=[s / options.bio_s for s in together],
        rate_Hz=spikes / LANES / n / options.bio_s,
        more={
            "lanes": LANES,
            "ratio": round(ratio, 3),
            "one_run_s_per_bio_s": round(float(np.median(alone)) / options.bio_s, 5),
        },
    )
