"""The training tasks of `speed` in Spyx: its layers, its loop over time, one compiled step."""

from importlib.metadata import version

import common
import training

a = common.arguments(training.TASKS)
common.pin(a.threads)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
import spyx  # noqa: E402
import spyx.nn as layers  # noqa: E402
from flax import nnx  # noqa: E402

RNGS = nnx.Rngs(a.seed)
SPIKE = spyx.axn.superspike(training.SHARPNESS)
N, DECAY = training.N_HIDDEN, training.DECAY


def linear(weight):
    layer = nnx.Linear(*weight.shape, use_bias=False, rngs=RNGS)
    layer.kernel[...] = jnp.asarray(weight)
    return layer


def model(task):
    weights = training.matrices(task)
    cell = {"beta": DECAY, "activation": SPIKE, "rngs": RNGS}
    if task == "ff":
        middle = [layers.LIF((N,), **cell), linear(weights["hidden_second"]), layers.LIF((N,), **cell)]
    else:
        middle = [layers.RLIF((N,), **cell)]
        middle[0].recurrent_w[...] = jnp.asarray(weights["hidden_hidden"])
    readout = layers.LI((training.N_OUT,), beta=DECAY, rngs=RNGS)
    return layers.Sequential(linear(weights["in_hidden"]), *middle, linear(weights["last_out"]), readout)


def main():
    spikes, y = training.samples(a.T, a.density, a.seed)
    x, y = jnp.asarray(spikes, jnp.float32), jnp.asarray(y)
    graph, parameters = nnx.split(model(a.task))

    def loss(parameters):
        trace, _ = layers.run(nnx.merge(graph, parameters), x)
        return optax.softmax_cross_entropy_with_integer_labels(trace.mean(0), y).mean()

    kernels = f"spyx {version('spyx')}, jax {jax.__version__}"
    training.measure(a, kernels, common.peak_MB, training.adam(parameters, loss))


if __name__ == "__main__":
    main()
