"""memory: what training 4096 steps of 256 adaptive neurons takes, 32 samples at once. No data.

40 inputs, 256 recurrent neurons with an adaptive threshold, 10 readouts that sum over time. From the compiled gradient:
`temporaries_mib` of `js.run` as it is (chunks of time are computed again), `plain_temporaries_mib` with remat=False,
`time_ratio` of the two (medians of runs in turn), `gradient_error` between them, relative to the largest entry. Online
rules, one sample: `eprop_growth` and `ottt_growth`, temporaries at 16384 steps over those at 256 (OTTT: neurons without
adaptation).
"""

import statistics
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._data import Folder, Outcome

STEPS, BATCH, SIZES = 4096, 32, (40, 256, 10)
LENGTHS = (256, 16384)
REPEATS = 3


def run(seed: int, data: Folder) -> list[Outcome]:
    """All figures, a line each."""
    return [Outcome(name, value, 0) for name, value in measure(seed, STEPS, BATCH, SIZES, LENGTHS).items()]


def measure(
    seed: int, n_steps: int, batch: int, sizes: tuple[int, int, int], lengths: tuple[int, int]
) -> dict[str, float]:
    """The figures for a network of other sizes."""
    net = network(sizes, seed, js.neurons.DiscreteALIF(decay=0.95, rho=0.995, beta=0.1))
    x = np.random.default_rng(seed).random((batch, n_steps, sizes[0])) < 0.05
    y = np.arange(batch) % sizes[2]
    shown = (jnp.asarray(x), jnp.asarray(y, jnp.int32))
    weights, rest = eqx.partition(net, js.train.trainable(net))
    ways = [gradient(rest, remat).lower(weights, *shown).compile() for remat in (True, False)]
    found = [way(weights, *shown) for way in ways]
    times: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for way, taken in zip(ways, times, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(way(weights, *shown))
            taken.append(time.perf_counter() - began)
    own, plain = (statistics.median(taken) for taken in times)
    leaves = zip(*map(jax.tree.leaves, found), strict=True)
    error = float(np.max([jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)) for a, b in leaves]))  # NaN where there is none
    mib = [temporaries(way) / 2**20 for way in ways]
    figures = {"temporaries_mib": mib[0], "plain_temporaries_mib": mib[1], "time_ratio": own / plain}
    figures["gradient_error"] = error
    alif, lif = js.neurons.DiscreteALIF(), js.neurons.DiscreteLIF()
    for name, rule, neuron in (("eprop", js.train.EProp(), alif), ("ottt", js.train.OTTT(), lif)):
        few, many = (online_bytes(network(sizes, seed, neuron), rule, n) for n in lengths)
        figures[f"{name}_growth"] = many / few
    return figures


def network(sizes: tuple[int, int, int], seed: int, neuron: Any) -> js.Network:
    """Inputs, a recurrent population, a readout."""
    populations = {
        "in": js.Population(js.neurons.Relay(), sizes[0]),
        "hidden": js.Population(neuron, sizes[1], surrogate=js.surrogate.Triangle(k=0.3)),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=1.0), sizes[2]),
    }
    projections = {
        "in_hidden": js.Projection("in", "hidden", js.connect.Dense(weight=js.connect.Normal(0.0, 0.5))),
        "loop": js.Projection("hidden", "hidden", js.connect.Dense(), delay_ms=1.0),
        "hidden_out": js.Projection("hidden", "out", js.connect.Dense()),
    }
    return js.Network(populations, projections, dt_ms=1.0, seed=seed)


def gradient(rest: Any, remat: bool) -> Any:
    """Function of weights and a batch: gradient of the mean loss."""

    def loss(weights: Any, x: Any, y: Any) -> Any:
        net = eqx.combine(weights, rest)

        def one(x: Any, y: Any) -> Any:
            end, _ = js.run(net, x.shape[0], inputs={"in": x}, remat=remat)
            return js.train.membrane_cross_entropy(net.view(end, "out").neuron.v[None] / x.shape[0], y)

        return jax.vmap(one)(x, y).mean()

    return jax.jit(jax.grad(loss))


def temporaries(compiled: Any) -> int:
    """Bytes that a compiled program takes beside what goes in and comes out."""
    return int(compiled.memory_analysis().temp_size_in_bytes)


def online_bytes(net: js.Network, rule: js.train.AbstractOnlineRule, n_steps: int) -> int:
    """Temporaries of an online gradient of one sample."""
    n_in, n_out = net.size("in"), net.size("out")
    drive, target = np.zeros((n_steps, n_in), np.float32), np.zeros((n_steps, n_out), np.float32)

    def squared(y: Any, target: Any) -> Any:
        return 0.5 * jnp.sum((y - target) ** 2)

    def learn(net: js.Network, drive: Any, target: Any) -> Any:
        return js.train.online(net, rule, {"in": drive}, target, squared).gradient

    return temporaries(jax.jit(learn).lower(net, drive, target).compile())
