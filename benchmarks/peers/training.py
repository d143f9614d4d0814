"""The training tasks `ff` and `rec` in numbers, for jaxsyn and the scripts of other frameworks. Imports NumPy alone.

Hidden neurons: v' = 0.9 v + W s, threshold 1, reset by subtraction, SuperSpike(25); a leaky readout (0.9) of 20 cells,
the softmax cross entropy of its mean over time, Adam with 1e-3, batch of 128, no biases. `rec` has recurrent weights of
a tenth, which act in the next step. Data and initial weights follow from the seed.
"""

import json
import statistics
import time

import numpy as np

DECAY, N_IN, N_HIDDEN, N_OUT, BATCH, SHARPNESS, RATE = 0.9, 700, 256, 20, 128, 25.0, 1e-3
TASKS = ("ff", "rec")


def samples(T, density, seed):
    """Random spikes, bool (T, batch, inputs), and labels, int32."""
    generator = np.random.default_rng(seed)
    spikes = generator.random((T, BATCH, N_IN)) < density
    return spikes, generator.integers(0, N_OUT, BATCH).astype(np.int32)


def initial(n_in, n_out, seed):
    """Weights at which some per cent of the hidden neurons fire in a step."""
    gain = 0.35 * (3.0 if n_out == N_HIDDEN and n_in == N_HIDDEN else 1.0)
    values = np.random.default_rng(seed).normal(0.0, 1.0, (n_in, n_out)) * gain * (2.0 / n_in) ** 0.5 * 4.0
    return values.astype(np.float32)


def matrices(task):
    """Initial weights by projection, in the order of the layers."""
    second = initial(N_HIDDEN, N_HIDDEN, 2)
    middle = {"hidden_second": second} if task == "ff" else {"hidden_hidden": second * np.float32(0.1)}
    return {"in_hidden": initial(N_IN, N_HIDDEN, 1), **middle, "last_out": initial(N_HIDDEN, N_OUT, 3)}


def adam(parameters, loss):
    """A function that takes one compiled step of Adam and returns the loss before it; imports JAX, so pin before."""
    import jax
    import optax

    optimizer = optax.adam(RATE)

    @jax.jit
    def train(parameters, state):
        value, gradient = jax.value_and_grad(loss)(parameters)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    now = [parameters, optimizer.init(parameters)]

    def step():
        *now[:], value = train(*now)
        jax.block_until_ready(now)
        return value

    return step


def measure(a, kernels, peak_MB, step):
    """Time `step`, which trains once and returns the loss, and print the keys of `speed`; the first three warm up."""
    began = time.perf_counter()
    loss = float(step())
    compile_s = time.perf_counter() - began
    times = []
    for repeat in range(a.repeats + 2):
        began = time.perf_counter()
        float(step())
        if repeat > 1:
            times.append(1000.0 * (time.perf_counter() - began))
    line = {"task": a.task, "T": a.T, "density": a.density, "batch": BATCH, "threads": a.threads}
    line |= {"compile_s": round(compile_s, 3), "ms_per_step": round(statistics.median(times), 2)}
    line |= {"ms_per_step_min": round(min(times), 2), "loss": round(loss, 5), "peak_MB": round(peak_MB(), 1)}
    print(json.dumps({**line, "kernels": kernels}), flush=True)
