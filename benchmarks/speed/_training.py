"""The timed training tasks: one step of Adam, here and in plain JAX. Imports JAX: the process has to be pinned before.

Their numbers stand in `benchmarks/peers/training.py`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import jaxsyn as js
from benchmarks._process import keep_memory, peak_MB
from benchmarks.peers.training import BATCH, DECAY, N_HIDDEN, N_IN, N_OUT, RATE, SHARPNESS, matrices, samples

STORED = 128  # steps up to which derivatives store everything; beyond it, computing chunks again is faster
OPTIMIZER = optax.adam(RATE)


def network(task: str, native: bool | None) -> js.Network:
    """The task as a network."""
    surrogate, neuron = js.surrogate.SuperSpike(k=SHARPNESS), js.neurons.DiscreteLIF(decay=DECAY)
    names = ("hidden", "second") if task == "ff" else ("hidden",)
    populations = {
        "in": js.Population(js.neurons.Relay(), N_IN),
        **{name: js.Population(neuron, N_HIDDEN, surrogate=surrogate) for name in names},
        "out": js.Population(js.neurons.LeakyIntegrator(decay=DECAY), N_OUT),
    }
    ends = {"in_hidden": ("in", "hidden"), "hidden_second": ("hidden", "second"), "hidden_hidden": ("hidden", "hidden")}
    projections = {
        name: js.Projection(
            *ends.get(name, (names[-1], "out")),
            js.connect.Dense(weight=weight),
            delay_ms=1.0 if name == "hidden_hidden" else 0.0,
        )
        for name, weight in matrices(task).items()
    }
    return js.Network(populations, projections, dt_ms=1.0, native=native)


def loss_of_network(net: js.Network, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean loss of a batch (T, batch, inputs)."""

    def one(x: jax.Array, y: jax.Array) -> jax.Array:
        records, remat = [js.record.State("out.v")], x.shape[0] > STORED
        _, out = js.run(net, x.shape[0], inputs={"in": x}, record=records, remat=remat)
        return js.train.membrane_cross_entropy(out["out.v"], y)

    return jnp.mean(jax.vmap(one, (1, 0))(x, y))


def loss_of_plain_jax(weights: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """The same in plain JAX: each feed-forward product over all steps at once, a scan over time for each layer."""
    spike = _plain_spike(SHARPNESS)

    def layer(drive: jax.Array, recurrent: jax.Array | None = None) -> jax.Array:
        def step(carry: Any, now: jax.Array) -> Any:
            v, s = carry
            u = DECAY * v + now + (0.0 if recurrent is None else s @ recurrent)
            s = spike(u - 1.0)
            return (u - s, s), s

        zero = jnp.zeros(drive.shape[1:], drive.dtype)
        return jax.lax.scan(step, (zero, zero), drive)[1]

    hidden = layer(x @ weights["in_hidden"], weights.get("hidden_hidden"))
    last = layer(hidden @ weights["hidden_second"]) if "hidden_second" in weights else hidden

    def integrate(v: jax.Array, now: jax.Array) -> Any:
        v = DECAY * v + now
        return v, v

    current = last @ weights["last_out"]
    _, trace = jax.lax.scan(integrate, jnp.zeros(current.shape[1:], current.dtype), current)
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(jnp.mean(trace, axis=0), y))


def _plain_spike(k: float) -> Callable[[jax.Array], jax.Array]:
    @jax.custom_jvp
    def spike(x: jax.Array) -> jax.Array:
        return (x >= 0).astype(x.dtype)

    @spike.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return spike(primals[0]), tangents[0] / (1.0 + k * jnp.abs(primals[0])) ** 2

    return spike


class Trainer:
    """One compiled step of Adam, and what it has reached."""

    def __init__(self, loss: Callable[..., jax.Array], weights: Any, batch: tuple[jax.Array, ...]) -> None:
        def step(weights: Any, state: Any, batch: Any) -> Any:
            value, gradient = jax.value_and_grad(loss)(weights, *batch)
            updates, state = OPTIMIZER.update(gradient, state, weights)
            return optax.apply_updates(weights, updates), state, value, gradient

        self.weights, self.state, self.batch = weights, OPTIMIZER.init(weights), batch
        began = time.perf_counter()
        self.compiled = jax.jit(step).lower(self.weights, self.state, batch).compile()
        self.compile_s = time.perf_counter() - began
        memory = self.compiled.memory_analysis()
        self.temp_MB = 0.0 if memory is None else memory.temp_size_in_bytes / 1e6
        self.first = self.compiled(self.weights, self.state, batch)

    def step(self) -> float:
        """One step; its time in ms."""
        began = time.perf_counter()
        self.weights, self.state, self.loss, _ = self.compiled(self.weights, self.state, self.batch)
        jax.block_until_ready(self.weights)
        return (time.perf_counter() - began) * 1000.0


def measure(arguments: argparse.Namespace, native: bool | None) -> dict[str, Any]:
    """Time a training task; with `--plain` in turn with plain JAX."""
    if arguments.T < 1 or not 0 <= arguments.density <= 1:
        raise SystemExit("speed: --T must be at least 1, --density from 0 to 1")
    keep_memory()
    spikes, y = (jnp.asarray(array) for array in samples(arguments.T, arguments.density, arguments.seed))
    began = time.perf_counter()
    net = network(arguments.task, native)
    build_s = time.perf_counter() - began
    weights, rest = eqx.partition(net, js.train.trainable(net))
    own = Trainer(lambda w, x, y: loss_of_network(eqx.combine(w, rest), x, y), weights, (spikes, y))
    trainers = [own]
    if arguments.plain:
        values = {name: jnp.asarray(weight) for name, weight in matrices(arguments.task).items()}
        trainers.append(Trainer(loss_of_plain_jax, values, (spikes.astype(jnp.float32), y)))
    times: list[list[float]] = [[] for _ in trainers]
    for repeat in range(arguments.repeats + 2):  # the first two warm up
        for trainer, kept in zip(trainers, times, strict=True):
            took = trainer.step()
            if repeat > 1:
                kept.append(took)
    result = {
        "task": arguments.task,
        "T": arguments.T,
        "density": arguments.density,
        "batch": BATCH,
        "threads": arguments.threads,
        "build_s": round(build_s, 3),
        "compile_s": round(own.compile_s, 3),
        "ms_per_step": round(statistics.median(times[0]), 2),
        "ms_per_step_min": round(min(times[0]), 2),
        "temp_MB": round(own.temp_MB, 1),
        "loss": round(float(own.first[2]), 5),
        "peak_MB": round(peak_MB(), 1),
        "kernels": "native" if net.native else "pure JAX",
    }
    if arguments.plain:
        result["plain_ms_per_step"] = round(statistics.median(times[1]), 2)
        result["plain_ms_per_step_min"] = round(min(times[1]), 2)
        result["plain_temp_MB"] = round(trainers[1].temp_MB, 1)
        result["gradient_error"] = float(f"{_difference(own.first[3], trainers[1].first[3]):.2g}")
    return result


def _difference(gradient: Any, plain: dict[str, jax.Array]) -> float:
    """Largest difference of two gradients, relative to the largest entry."""
    own = {link.name: link.transform.weight for link in gradient.links}
    scale = max(float(jnp.max(jnp.abs(value))) for value in plain.values())
    return max(float(jnp.max(jnp.abs(own[name] - value))) for name, value in plain.items()) / scale
