"""The training tasks of `speed` in sparx: its layers, linear ones over all steps at once, one compiled step."""

import math
from importlib.metadata import version

import common
import training

a = common.arguments(training.TASKS)
common.pin(a.threads)

import flax.linen as nn  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
import sparx.nn as layers  # noqa: E402
from sparx.surrogate import FastSigmoid  # noqa: E402

TAU = -1.0 / math.log(training.DECAY)


def start(weight):
    return lambda *_: jnp.asarray(weight)


class Model(nn.Module):
    """Hidden layers of spiking neurons and a leaky readout."""

    @nn.compact
    def __call__(self, x):
        weights = training.matrices(a.task)

        def linear(name):
            return nn.Dense(weights[name].shape[1], use_bias=False, kernel_init=start(weights[name]))

        def spiking():
            return layers.LIF(tau=TAU, surrogate=FastSigmoid(training.SHARPNESS))

        x = linear("in_hidden")(x)
        if a.task == "ff":
            x = spiking()(linear("hidden_second")(spiking()(x)))
        else:
            x = layers.Recurrent(spiking(), kernel_init=start(weights["hidden_hidden"]))(x)
        return layers.LI(tau=TAU)(linear("last_out")(x))


def main():
    spikes, y = training.samples(a.T, a.density, a.seed)
    x, y = jnp.asarray(spikes, jnp.float32), jnp.asarray(y)
    model = Model()
    parameters = {"params": model.init(jax.random.key(a.seed), x)["params"]}

    def loss(parameters):
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(parameters, x).mean(0), y).mean()

    kernels = f"sparx {version('sparxml')}, jax {jax.__version__}"
    training.measure(a, kernels, common.peak_MB, training.adam(parameters, loss))


if __name__ == "__main__":
    main()
