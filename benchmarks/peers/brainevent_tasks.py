"""The tasks of `speed` with brainevent's event-driven sparse products; prints one JSON line.

The package has products, no cells: those are plain JAX, float32, in one compiled `jax.lax.scan`, written for speed.
"""

import functools

import common

TASKS = ("cuba", "coba", "brunel", "adex", "adexnet")
a = common.arguments(TASKS)
common.pin(a.threads)

import brainevent  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

if a.threads > 1:
    brainevent.config.set_numba_parallel(True, a.threads)
draw = np.random.default_rng(a.seed)
DT = common.DT_MS


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("data", "indices", "indptr", "room"), meta_fields=("shape",)
)
class Graph:
    """Rows of targets by source. The work space of a product is made from concrete arrays, by one product up front."""

    def __init__(self, data, indices, indptr, shape, room=None):
        self.data, self.indices, self.indptr, self.shape, self.room = data, indices, indptr, shape, room

    @classmethod
    def of(cls, pre, post, weight, shape):
        """From lists of pairs, post ascending within equal pre once sorted."""
        order = np.argsort(pre, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(pre, minlength=shape[0]))]).astype(np.int32)
        arrays = (jnp.full(1, weight, jnp.float32), jnp.asarray(post[order], jnp.int32), jnp.asarray(indptr))
        matrix = brainevent.CSR(arrays, shape=shape)
        jax.block_until_ready(brainevent.BinaryArray(jnp.zeros(shape[0], bool)) @ matrix)
        return cls(*arrays, shape, next(iter(matrix.buffers["binary_workspace"].values())))

    def __call__(self, spikes):
        """Summed weights of the spikes at each target."""
        return brainevent.binary_csrmv(
            *(self.data, self.indices, self.indptr, spikes), shape=self.shape, transpose=True, workspace=self.room
        )


def by_probability(n_pre, n_post, p, weight):
    """Every pair with probability p."""
    chosen = [np.sort(draw.choice(n_post, k, replace=False)) for k in draw.binomial(n_post, p, n_pre)]
    pre = np.repeat(np.arange(n_pre), [len(c) for c in chosen])
    return Graph.of(pre, np.concatenate(chosen), weight, (n_pre, n_post))


def by_in_degree(n_pre, n_post, inputs, weight):
    """The same number of inputs for each target; different ones where few of the sources are left out."""
    if inputs * 20 > n_pre:
        pre = np.stack([draw.choice(n_pre, inputs, replace=False) for _ in range(n_post)])
    else:
        pre = draw.integers(0, n_pre, (n_post, inputs))
    return Graph.of(pre.ravel().astype(np.int32), np.repeat(np.arange(n_post), inputs), weight, (n_pre, n_post))


def uniform(low, high, n):
    return jnp.asarray(draw.uniform(low, high, n), jnp.float32)


def decay(tau):
    return float(np.exp(-DT / tau))


def cuba(n):
    n_exc, n_inh = common.split(n)
    graphs = (by_probability(n_exc, n, min(1, 80 / n), 1.62), by_probability(n_inh, n, min(1, 80 / n), -9.0))
    m, e, i = decay(20), decay(5), decay(10)
    from_e, from_i = 5 / (5 - 20) * (e - m), 10 / (10 - 20) * (i - m)  # of the exact solution

    def step(carry, graphs, tick):
        v, ge, gi, free_at, spikes = carry
        ge, gi = ge + graphs[0](spikes[:n_exc]), gi + graphs[1](spikes[n_exc:])
        free = tick > free_at
        v = jnp.where(free, -49 + (v + 49) * m + ge * from_e + gi * from_i, v)
        spikes = free & (v > -50)
        return (jnp.where(spikes, -60.0, v), ge * e, gi * i, jnp.where(spikes, tick + 50, free_at), spikes), spikes

    zero = jnp.zeros(n, jnp.float32)
    return graphs, (uniform(-60, -50, n), zero, zero, jnp.full(n, -1, jnp.int32), zero > 0), step


def coba(n):
    n_exc, n_inh = common.split(n)
    graphs = (by_probability(n_exc, n, min(1, 80 / n), 0.6), by_probability(n_inh, n, min(1, 80 / n), 6.7))
    e, i = decay(5), decay(10)

    def step(carry, graphs, tick):
        v, ge, gi, free_at, spikes = carry
        ge, gi = ge + graphs[0](spikes[:n_exc]), gi + graphs[1](spikes[n_exc:])
        total = 1 + ge + gi  # conductances in leaks; exponential Euler with the drive of 20 mV in the resting point
        goal = (-60 + 20 - 80 * gi) / total
        free = tick > free_at
        v = jnp.where(free, goal + (v - goal) * jnp.exp(-DT / 20 * total), v)
        spikes = free & (v > -50)
        return (jnp.where(spikes, -60.0, v), ge * e, gi * i, jnp.where(spikes, tick + 50, free_at), spikes), spikes

    zero = jnp.zeros(n, jnp.float32)
    v = jnp.asarray(draw.normal(-55, 2, n), jnp.float32)
    return graphs, (v, zero, zero, jnp.full(n, -1, jnp.int32), zero > 0), step


def poisson(key, mean, n):
    """Counts by the inverse distribution function: several times faster than `jax.random.poisson`."""
    probability = [np.exp(-mean)]
    while probability[-1] > 1e-9 or len(probability) < mean:
        probability.append(probability[-1] * mean / len(probability))
    u = jax.random.uniform(key, (n,))
    return sum((u > float(edge)).astype(jnp.float32) for edge in np.cumsum(probability))


def brunel(n):
    n_exc, n_inh = common.split(n)
    graphs = (
        by_in_degree(n_exc, n, min(1000, n_exc), 0.1),
        by_in_degree(n_inh, n, min(250, n_inh), -0.5),
        jax.random.key(a.seed),
    )
    m, delay = decay(20), 15

    def step(carry, graphs, tick):
        v, free_at, history = carry
        sent = history[tick % delay]
        arrived = graphs[0](sent[:n_exc]) + graphs[1](sent[n_exc:])
        arrived = arrived + 0.1 * poisson(jax.random.fold_in(graphs[2], tick), 2.0, n)
        free = tick > free_at
        v = jnp.where(free, v * m + arrived, v)
        spikes = free & (v > 20)
        history = history.at[tick % delay].set(spikes)
        return (jnp.where(spikes, 10.0, v), jnp.where(spikes, tick + 20, free_at), history), spikes

    return graphs, (uniform(0, 20, n), jnp.full(n, -1, jnp.int32), jnp.zeros((delay, n), bool)), step


def adex_cells(v, w, current):
    """One forward Euler step of regular-spiking cells."""
    slope = (30 * (-70.6 - v) + 60 * jnp.exp((v + 50.4) / 2) - w + current) / 281
    v, w = v + DT * slope, w + DT * (4 * (v + 70.6) - w) / 144
    spikes = v > -40.4
    return jnp.where(spikes, -70.6, v), jnp.where(spikes, w + 80.5, w), spikes


def adex(n):
    def step(carry, graphs, tick):
        v, w, spikes = adex_cells(*carry, graphs[0])
        return (v, w), spikes

    return (uniform(600, 1000, n),), (uniform(-70.6, -50.4, n), jnp.zeros(n, jnp.float32)), step


def adexnet(n):
    n_exc, n_inh = common.split(n)
    graphs = (by_in_degree(n_exc, n, 80, 1.0), by_in_degree(n_inh, n, 20, 1.5), uniform(600, 1000, n))
    ampa, nmda, gaba, delay = decay(5), decay(100), decay(10), 10

    def step(carry, graphs, tick):
        v, w, ga, gn, gg, history = carry
        sent = history[tick % delay]
        exc = graphs[0](sent[:n_exc])  # one product for both receptors
        ga, gn, gg = ga + 0.3 * exc, gn + 0.05 * exc, gg + graphs[1](sent[n_exc:])
        current = -(ga + gn / (1 + jnp.exp(-0.062 * v) / 3.57)) * v + gg * (-80 - v)
        v, w, spikes = adex_cells(v, w, graphs[2] + current)
        return (v, w, ga * ampa, gn * nmda, gg * gaba, history.at[tick % delay].set(spikes)), spikes

    zero = jnp.zeros(n, jnp.float32)
    return graphs, (uniform(-70.6, -50.4, n), zero, zero, zero, zero, jnp.zeros((delay, n), bool)), step


BUILDERS = {"cuba": (cuba, 4000), "coba": (coba, 4000), "brunel": (brunel, 12500), "adex": (adex, 10000)}
BUILDERS["adexnet"] = (adexnet, 10000)


def main():
    build, n = BUILDERS[a.task]
    n = a.n or n
    with common.Watch() as built:
        graphs, carry, step = build(n)
        jax.block_until_ready((graphs, carry))
    steps = round(a.bio * 1000 / DT)

    @jax.jit
    def run(graphs, carry):
        def one(state, tick):
            carry, spikes = step(state[0], graphs, tick)
            return (carry, state[1] + spikes), None

        return jax.lax.scan(one, (carry, jnp.zeros(n, jnp.int32)), jnp.arange(steps, dtype=jnp.int32))[0]

    with common.Watch() as compiled:
        program = run.lower(graphs, carry).compile()
    seconds = []
    jax.block_until_ready(program(graphs, carry))
    for _ in range(a.repeats):
        with common.Watch() as watch:
            _, counts = jax.block_until_ready(program(graphs, carry))
        seconds.append(watch.s / a.bio)
    rate_Hz = float(counts.sum()) / n / a.bio
    synapses = sum(g.indices.size for g in graphs if isinstance(g, Graph))
    sizes, times = (n, synapses, a.threads), (compiled.s, built.s)
    common.show(a.task, sizes, times, seconds, [rate_Hz], f"brainevent {brainevent.__version__}, jax {jax.__version__}")


if __name__ == "__main__":
    main()
