"""convert_speed: seconds to calibrate on 1000 images, and small models converted in a second, both after compilation.

The images are noise of 28 x 28 pixels; the calibrated network is that of convert_conv (six convolutions, ReLUs). The
models are 120 perceptrons 64-16-10 with weights of their own, converted in one batch.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

import jaxsyn as js

from . import _quantized as quantized
from ._convert_images import conv_kinds
from ._data import Folder, Outcome

IMAGES, MODELS = 1000, 120


def run(seed: int, data: Folder) -> Iterator[Outcome]:
    """Both figures."""
    rng = np.random.default_rng(seed)
    layers = quantized.numbers(quantized.initial(conv_kinds(), jax.random.key(seed)))
    ann = js.convert.fold(js.convert.read_layers(layers, (1, 28, 28)))
    x = jax.numpy.asarray(rng.uniform(0, 1, (IMAGES, 1, 28, 28)), jax.numpy.float32)
    yield Outcome("calibration_s", _seconds(lambda: js.convert.calibrate(ann, x, js.convert.Percentile(), 4)), 0)
    models = [_perceptron(rng) for _ in range(MODELS)]
    samples = rng.uniform(0, 1, (20, 64))
    yield Outcome("models_per_s", MODELS / _seconds(lambda: js.convert.convert_many(models, samples, "exact").net), 0)


def _perceptron(rng: np.random.Generator) -> js.convert.Ann:
    first, last = rng.normal(0, 0.4, (16, 64)), rng.normal(0, 0.4, (10, 16))
    layers = [{"kind": "linear", "weight": first, "bias": None}, {"kind": "relu"}]
    return js.convert.read_layers([*layers, {"kind": "linear", "weight": last, "bias": None}], (64,))


def _seconds(work: Callable[[], Any]) -> float:
    """Median of five runs after one that compiles."""
    took = []
    for _ in range(6):
        began = time.perf_counter()
        jax.block_until_ready(work())
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])
