"""convert_mlp, convert_conv: Fashion-MNIST networks converted and fine-tuned to few steps, one line for each T.

For each T in 1, 2, 4: the network is trained with T levels, half of its loss the distance from the outputs of the same
network with ReLUs, converted by rate to T steps and trained on in the spiking network; test images are scored once, at
the end. `relu` is that network with ReLUs, trained with the schedule of the first stage: the network that nothing is
lost against. MLP: 784-512-512-10 with batch normalization (folded); its ReLU network is also converted to first spikes
(`_first_spike`). Conv: six convolutions, one residual block, average pools, trained on the first 20000 images.
"""

from collections.abc import Iterator

import jax
import optax

import jaxsyn as js

from . import _first_spike as ttfs
from . import _quantized as quantized
from ._data import Folder, Images, Outcome, fashion

STEPS = (1, 2, 4)


def mlp(seed: int, data: Folder) -> Iterator[Outcome]:
    """Accuracy of the perceptron with ReLUs and in spikes."""
    hidden = [[{"kind": "linear", "shape": (512, n)}, {"kind": "batchnorm", "channels": 512}, {"kind": "relu"}]
              for n in (784, 512)]  # fmt: skip
    kinds = [layer for block in hidden for layer in block] + [{"kind": "linear", "shape": (10, 512)}]
    return _run(kinds, seed, fashion(data), (30, 10, 3))


def conv(seed: int, data: Folder) -> Iterator[Outcome]:
    """Accuracy of the convolutional network with ReLUs and in spikes."""
    images = fashion(data)
    return _run(conv_kinds(), seed, images._replace(x=images.x[:20000], y=images.y[:20000]), (12, 6, 2))


def conv_kinds() -> quantized.Layers:
    """Layers of the convolutional network."""

    def block(n_in: int, n_out: int) -> quantized.Layers:
        convolution = {"kind": "conv2d", "shape": (n_out, n_in, 3, 3), "padding": 1}
        return [convolution, {"kind": "batchnorm", "channels": n_out}, {"kind": "relu"}]

    pool, flat = {"kind": "avgpool", "kernel": 2}, {"kind": "flatten"}
    residual = {"kind": "residual", "branch": [*block(32, 32), *block(32, 32)[:2]]}
    kinds = [*block(1, 16), *block(16, 16), pool, *block(16, 32), residual, {"kind": "relu"}, pool, *block(32, 64)]
    return [*kinds, flat, {"kind": "linear", "shape": (10, 64 * 49)}]


def _run(kinds: quantized.Layers, seed: int, images: Images, epochs: tuple[int, int, int]) -> Iterator[Outcome]:
    x, y, x_test, y_test = images[:4]
    x = x[:, None]  # one channel
    key = jax.random.key(seed)
    shape = (784,) if kinds[0]["kind"] == "linear" else (1, 28, 28)

    def right(network: object) -> float:
        return float((js.convert.predict(network, x_test.reshape(-1, *shape)).argmax(1) == y_test).mean())

    layers = quantized.train(quantized.initial(kinds, key), (x, y), epochs[0], 3e-3, key)
    plain = quantized.numbers(layers)
    yield Outcome("accuracy_relu", right(js.convert.read_layers(plain, shape)), epochs[0])
    if shape == (784,):
        yield from ttfs.outcomes(plain, images, epochs[0])
    shown = (x.reshape(-1, *shape), y)
    for n in STEPS:
        few = quantized.with_levels(layers, n)
        few = quantized.train(few, (x, y), epochs[1], 1e-3, jax.random.fold_in(key, n), teacher=layers)
        snn = js.convert.from_layers(quantized.numbers(few), shown[0][:1000], "rate", n_steps=n)
        steps = epochs[2] * -(-len(y) // quantized.BATCH)
        optimizer = optax.adam(optax.cosine_decay_schedule(2e-4, steps))
        options = {"optimizer": optimizer, "epochs": epochs[2], "batch_size": quantized.BATCH, "seed": seed}
        tuned, _ = js.convert.finetune(snn, shown, **options)
        yield Outcome(f"accuracy_T{n}", right(tuned), sum(epochs))
