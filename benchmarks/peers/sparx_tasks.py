"""The tasks of `speed` in sparx; prints one JSON line. One compiled call: its `simulate` compiles anew each time."""

from importlib.metadata import version

import common

TASKS = ("cuba", "coba", "brunel", "pd14")
a = common.arguments(TASKS)
common.pin(a.threads)

import jax  # noqa: E402
import numpy as np  # noqa: E402
from sparx import graph  # noqa: E402
from sparx.dynamics import Exponential, LeakyIntegrateAndFire, Receptor  # noqa: E402


def vogels_abbott(n, cell, kind, weights, initial):
    """Two populations, every pair connected with the probability that gives 80 inputs a cell, no delay."""
    receptors = {"exc": Receptor(Exponential(5.0), kind), "inh": Receptor(Exponential(10.0), kind)}
    sizes = dict(zip("ei", common.split(n), strict=True))
    populations = [graph.Population(k, sizes[k], cell, receptors, initial={"v": initial}) for k in "ei"]
    rule = graph.FixedProbability(min(1.0, 80.0 / n), autapses=True)
    pairs = [(source, target) for source in "ei" for target in "ei"]
    receptor = {"e": "exc", "i": "inh"}
    projections = [graph.Projection(s, t, rule, weights[s], 0.0, receptor=receptor[s]) for s, t in pairs]
    return graph.Network(tuple(populations), tuple(projections), dt=common.DT_MS)


def cuba(n):
    cell = LeakyIntegrateAndFire(tau_m=20.0, c_m=200.0, e_l=-49.0, v_th=-50.0, v_reset=-60.0, t_ref=5.0)
    weights = {"e": 16.2, "i": -90.0}
    return vogels_abbott(n, cell, "current", weights, lambda draw, size: draw.uniform(-60.0, -50.0, size))


def coba(n):
    reversal = {"exc": 0.0, "inh": -80.0}
    cell = LeakyIntegrateAndFire(20.0, 200.0, -60.0, -50.0, -60.0, t_ref=5.0, i_e=200.0, reversal=reversal)
    weights = {"e": 6.0, "i": 67.0}
    return vogels_abbott(n, cell, "conductance", weights, lambda draw, size: draw.normal(-55.0, 2.0, size))


def brunel(n):
    return graph.models.brunel(n // 5, epsilon=min(1.0, 1250 / n))  # 1000 and 250 inputs, or all there are


def pd14(percent):
    return graph.models.microcircuit(percent / 100.0, percent / 100.0, background="poisson")


BUILDERS = {"cuba": (cuba, 4000), "coba": (coba, 4000), "brunel": (brunel, 12500), "pd14": (pd14, 10)}


def main():
    build, n = BUILDERS[a.task]
    with common.Watch() as built:
        net = build(a.n or n)
        variables = jax.block_until_ready(net.init(jax.random.key(a.seed)))
    state = variables["state"]
    fixed = {name: value for name, value in variables.items() if name != "state"}
    counters = {p.name: graph.SpikeCounts(p.name) for p in net.populations}
    steps = round(a.bio * 1000 / common.DT_MS)

    @jax.jit
    def run(fixed, state, key):
        streams = {"noise": key}
        return net.apply({**fixed, "state": state}, steps=steps, monitors=counters, rngs=streams, mutable=["state"])

    with common.Watch() as compiled:
        program = run.lower(fixed, state, jax.random.key(0)).compile()
    seconds, rates = [], []
    size = sum(p.size for p in net.populations)
    jax.block_until_ready(program(fixed, state, jax.random.key(a.seed)))
    for repeat in range(a.repeats):
        with common.Watch() as watch:
            recorded, _ = jax.block_until_ready(program(fixed, state, jax.random.key(a.seed + repeat)))
        seconds.append(watch.s / a.bio)
        rates.append(sum(int(np.sum(count)) for count in recorded.values()) / size / a.bio)
    kernels = f"sparx {version('sparxml')}, jax {jax.__version__}"
    sizes = (size, synapses(net, a.n or n), a.threads)
    common.show(a.task, sizes, (compiled.s, built.s), seconds, rates, kernels)


def synapses(net, n):
    """How many were drawn; in expectation, as the arrays are padded."""
    if a.task == "brunel":
        return round(min(1.0, 1250 / n) * n * n)
    if a.task == "pd14":
        return sum(p.connectivity.n for p in net.projections)
    return round(min(1.0, 80.0 / n) * n * n)


if __name__ == "__main__":
    main()
