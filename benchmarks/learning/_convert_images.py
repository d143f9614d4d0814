"""convert_mlp, convert_conv: Fashion-MNIST networks converted to few steps, one line for each T.

A network is trained with ReLUs (`relu`: the network that nothing is lost against), then with T levels, half of its loss
the distance from the answers of the former, and converted to T steps. Test images are scored once, at the end.

MLP: 784-512-512-10 with batch normalization (folded), converted by rate and trained on in the spiking network; its ReLU
network is also converted to first spikes (`_first_spike`). Conv: six convolutions, one residual block, average pools,
trained on the first 20000 images, with 4 levels and from there with 2; converted exactly, as layers behind each other
answer to when spikes come, not only to how many (docs/decisions.md).
"""

from collections.abc import Generator, Iterator
from typing import Any

import jax
import optax

import jaxsyn as js

from . import _first_spike as ttfs
from . import _quantized as quantized
from ._data import Folder, Images, Outcome, fashion

CONV_EPOCHS = (12, 16)  # with ReLUs, with levels


def mlp(seed: int, data: Folder) -> Iterator[Outcome]:
    """Accuracy of the perceptron with ReLUs and in spikes."""
    images, key = fashion(data), jax.random.key(seed)
    hidden = [[{"kind": "linear", "shape": (512, n)}, {"kind": "batchnorm", "channels": 512}, {"kind": "relu"}]
              for n in (784, 512)]  # fmt: skip
    kinds = [layer for block in hidden for layer in block] + [{"kind": "linear", "shape": (10, 512)}]
    layers = yield from _with_relus(kinds, images, 30, (784,), key)
    yield from ttfs.outcomes(quantized.numbers(layers), images, 30)
    shown = (images.x.reshape(-1, 784), images.y)
    for n in (1, 2, 4):
        few = quantized.with_levels(layers, n)
        few = quantized.train(few, _trained_on(images), 10, 1e-3, jax.random.fold_in(key, n), teacher=layers)
        snn = js.convert.from_layers(quantized.numbers(few), shown[0][:1000], "rate", n_steps=n)
        steps = 3 * -(-len(images.y) // quantized.BATCH)
        optimizer = optax.adam(optax.cosine_decay_schedule(2e-4, steps))
        options = {"optimizer": optimizer, "epochs": 3, "batch_size": quantized.BATCH, "seed": seed}
        snn, _ = js.convert.finetune(snn, shown, **options)
        yield Outcome(f"accuracy_T{n}", _right(snn, images, (784,)), 43)


def conv(seed: int, data: Folder) -> Iterator[Outcome]:
    """Accuracy of the convolutional network with ReLUs and in spikes."""
    images, key = fashion(data), jax.random.key(seed)
    images = images._replace(x=images.x[:20000], y=images.y[:20000])
    first, more = CONV_EPOCHS
    few = layers = yield from _with_relus(conv_kinds(), images, first, (1, 28, 28), key)
    for k, n in enumerate((4, 2)):
        few, own = quantized.with_levels(few, n), jax.random.fold_in(key, n)
        few = quantized.train(few, _trained_on(images), more, 2e-3, own, teacher=layers)
        snn = js.convert.from_layers(quantized.numbers(few), images.x[:1000, None], "exact", n_steps=n)
        yield Outcome(f"accuracy_T{n}", _right(snn, images, (1, 28, 28)), first + more * (k + 1))


def conv_kinds() -> quantized.Layers:
    """Layers of the convolutional network."""

    def block(n_in: int, n_out: int) -> quantized.Layers:
        convolution = {"kind": "conv2d", "shape": (n_out, n_in, 3, 3), "padding": 1}
        return [convolution, {"kind": "batchnorm", "channels": n_out}, {"kind": "relu"}]

    pool, flat = {"kind": "avgpool", "kernel": 2}, {"kind": "flatten"}
    residual = {"kind": "residual", "branch": [*block(32, 32), *block(32, 32)[:2]]}
    kinds = [*block(1, 16), *block(16, 16), pool, *block(16, 32), residual, {"kind": "relu"}, pool, *block(32, 64)]
    return [*kinds, flat, {"kind": "linear", "shape": (10, 64 * 49)}]


def _with_relus(
    kinds: quantized.Layers, images: Images, epochs: int, shape: tuple[int, ...], key: jax.Array
) -> Generator[Outcome, None, quantized.Layers]:
    """The network with ReLUs."""
    layers = quantized.train(quantized.initial(kinds, key), _trained_on(images), epochs, 3e-3, key)
    relu = js.convert.read_layers(quantized.numbers(layers), shape)
    yield Outcome("accuracy_relu", _right(relu, images, shape), epochs)
    return layers


def _trained_on(images: Images) -> Any:
    return images.x[:, None], images.y  # one channel


def _right(network: Any, images: Images, shape: tuple[int, ...]) -> float:
    """Share of right answers on the test images."""
    answers = js.convert.predict(network, images.x_test.reshape(-1, *shape)).argmax(1)
    return float((answers == images.y_test).mean())
