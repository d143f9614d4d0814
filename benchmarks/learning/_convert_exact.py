"""convert_exact: 200 random networks of every kind of layer, converted exactly and compared with the quantized network.

Each is run with T equal to its levels and with another T, whose reference has T levels. A network counts if all logits
agree within 1e-5 and all answers are the same. In float64: in float32 a sum that lies within rounding (about 1e-6
thresholds) of the boundary between two counts may fall on either side, in the network as in the model itself.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import jax
import numpy as np

import jaxsyn as js

from ._architectures import architecture, inputs
from ._data import Folder, Outcome

NETWORKS, SAMPLES, TOLERANCE = 200, 8, 1e-5


def run(seed: int, data: Folder) -> Outcome:
    """Share of the networks that agree; they are compiled by one process for each core."""
    seeds = [1000 * seed + k for k in range(NETWORKS)]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        equal = list(pool.map(_agrees_in_float64, seeds, chunksize=5))
    return Outcome("share_equal", sum(equal) / NETWORKS, 0)


def _agrees_in_float64(seed: int) -> bool:
    with jax.enable_x64(True):
        equal = agrees(seed)
    jax.clear_caches()  # each network is compiled once
    return equal


def agrees(seed: int, samples: int = SAMPLES) -> bool:
    """Whether one random network is converted without error, at its own levels and at others."""
    layers, shape, levels = architecture(seed)
    ann, x = js.convert.read_layers(layers, shape), inputs(seed, shape, samples)
    calibration = np.random.default_rng(seed).uniform(0, 1, (4, *shape))
    for n_steps in (levels, 1 + (levels + 2) % 8):
        snn = js.convert.convert(ann, calibration, "exact", n_steps=n_steps)
        own, want = js.convert.predict(snn, x), js.convert.predict(ann.with_levels(n_steps), x)
        if not np.abs(own - want).max() <= TOLERANCE or (own.argmax(1) != want.argmax(1)).any():
            return False
    return True
