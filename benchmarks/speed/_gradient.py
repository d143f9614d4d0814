"""COBA with a weight of its own for each synapse: time of a run, of one that can be trained, and of its gradient.

The loss is the mean rate over the run. The surrogate is a triangle of +-1 mV and height 0.1, one over the jump of a
reset, so that what passes through resets does not grow. `smooth_error`: with soft spikes (a sigmoid of the distance to
threshold, no refractory time) the network is smooth, and its gradient is held against a central finite difference
along a random direction, in float64.
"""

import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._measurement import Measurement, Options, compiled
from ._tasks import coba

WIDTH_mV, MOST, SHARE = 2.0, 0.05, 1e-5  # of the sigmoid, its height; and the length of the direction, of the weights


class SoftSpike(js.surrogate.AbstractSurrogate):
    """Spikes between 0 and 1, smooth in the distance to threshold."""

    def __call__(self, gap: Any) -> Any:
        return MOST * jax.nn.sigmoid(gap / WIDTH_mV)

    def derivative(self, gap: Any) -> Any:
        return MOST * jax.nn.sigmoid(gap / WIDTH_mV) * jax.nn.sigmoid(-gap / WIDTH_mV) / WIDTH_mV


def rate_Hz(net: js.Network, steps: int) -> jax.Array:
    """Mean rate of all neurons over some steps."""
    _, out = js.run(net, steps, record=[js.record.SpikeCount(p) for p in net.populations()])
    spikes = sum(jnp.sum(out[f"count {p}"]).astype(float) for p in net.populations())
    return spikes / (net.size() * steps * net.dt_ms * 1e-3)


def split(net: js.Network) -> tuple[Any, Any]:
    """The weights, and the rest."""
    weights, rest = eqx.partition(net, js.train.trainable(net))
    return weights, rest


def smooth_error(n: int, seed: int, steps: int, **kernels: Any) -> float:
    """Relative difference of the directional derivative and its finite difference, with soft spikes."""
    with jax.enable_x64(True):
        weights, rest = split(coba(n, seed, surrogate=SoftSpike(), refractory_ms=None, **kernels))
        leaves, tree = jax.tree.flatten(weights)
        rng = np.random.default_rng(seed)
        way = jax.tree.unflatten(tree, [jnp.asarray(rng.normal(size=x.shape)) * x for x in leaves])

        @jax.jit
        def at(share: jax.Array) -> jax.Array:
            return rate_Hz(eqx.combine(jax.tree.map(lambda w, d: w + share * d, weights, way), rest), steps)

        slope = jax.jit(jax.grad(lambda w: rate_Hz(eqx.combine(w, rest), steps)))(weights)
        own = sum(float(jnp.vdot(a, b)) for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(way), strict=True))
        want = float(at(jnp.asarray(SHARE)) - at(jnp.asarray(-SHARE))) / (2 * SHARE)
    return abs(own - want) / abs(want)


def gradient(options: Options) -> Measurement:
    """A run with fixed weights, one with trained weights, and its gradient, in turn."""
    n, steps = options.n or 4000, round(options.bio_s * 10_000)
    began = time.perf_counter()
    fixed = coba(n, options.seed, surrogate=None, own_weights=True, **options.kernels)
    build_s = time.perf_counter() - began
    net = coba(n, options.seed, surrogate=js.surrogate.Triangle(k=0.1), own_weights=True, **options.kernels)
    weights, rest = split(net)
    programs, compile_s = [], 0.0
    for function, given in (
        (lambda net: rate_Hz(net, steps), fixed),
        (lambda w: rate_Hz(eqx.combine(w, rest), steps), weights),
        (jax.value_and_grad(lambda w: rate_Hz(eqx.combine(w, rest), steps)), weights),
    ):
        program, took = compiled(function, given)
        programs.append((program, given))
        compile_s += took
    seconds: list[list[float]] = [[], [], []]
    for repeat in range(options.repeats + 1):
        for k, (program, given) in enumerate(programs):
            began = time.perf_counter()
            result = program(given)
            if repeat:
                seconds[k].append(time.perf_counter() - began)
    rate, slope = result
    plain, trained, backward = (float(np.median(s)) for s in seconds)
    return Measurement(
        n=n,
        synapses=sum(link.graph.n_synapses for link in net.links if hasattr(link, "graph")),
        native=net.native,
        build_s=build_s,
        compile_s=compile_s,
        seconds=[s / options.bio_s for s in seconds[1]],
        rate_Hz=float(rate),
        more={
            "ratio_trainable": round(trained / plain, 3),
            "ratio_gradient": round(backward / trained, 3),
            "finite": bool(all(jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(slope))),
            "gradient_norm": float(f"{np.sqrt(sum(float(jnp.vdot(x, x)) for x in jax.tree.leaves(slope))):.3g}"),
            "smooth_error": float(f"{smooth_error(n, options.seed, steps, **options.kernels):.2g}"),
        },
    )
