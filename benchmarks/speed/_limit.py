"""The time below which no simulator of this kind comes on this machine: that of moving the bytes of a run once.

In each step the variables of every neuron are read and written; each spike reads its synapses and adds to as many
accumulators. How fast bytes move is measured here, at the size of what is moved, so that small networks are held
against the cache and large ones against memory. Arithmetic, random numbers and latency are left out.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np

import jaxsyn as js

from ._measurement import STEPS_PER_S

_LARGEST_BYTES = 2**26  # beyond the caches nothing changes any more


def limit_s_per_bio_s(net: js.Network, rates_Hz: Mapping[str, float], threads: int) -> float:
    """Least seconds for one second of model time of a network that fires at these rates."""
    groups = jax.eval_shape(net.init_state).groups
    state_bytes = sum(_bytes((s.membrane, s.clamp)) for s in groups)
    seconds = 2 * state_bytes * STEPS_PER_S / bytes_per_s(state_bytes, threads)
    for link in net.links:
        if not hasattr(link, "graph") or not link.graph.n_synapses:
            continue
        events = rates_Hz[link.population] * link.graph.n_synapses
        receptors, listed = link.weight.shape
        synapse_bytes = link.graph.post.dtype.itemsize + (_bytes(link.weight) / listed if listed > 1 else 0)
        target_bytes = link.weight.dtype.itemsize * receptors * net.groups[link.target].size
        seconds += events * synapse_bytes / bytes_per_s(int(link.graph.n_synapses * synapse_bytes), threads)
        seconds += events * 2 * receptors * link.weight.dtype.itemsize / bytes_per_s(target_bytes, threads)
    return seconds


def bytes_per_s(size: int, threads: int) -> float:
    """Bytes read and written in a second when a buffer of so many bytes is updated again and again."""
    part = max(min(size, _LARGEST_BYTES) // (4 * threads), 1024)
    buffers = [np.zeros(part, np.float32) for _ in range(threads)]
    passes = max(1, 2**27 // (4 * part * threads))

    def update(buffer: np.ndarray) -> None:
        for _ in range(passes):
            np.add(buffer, np.float32(1.0), out=buffer)

    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            began = time.perf_counter()
            list(pool.map(update, buffers))
            best = max(best, 8.0 * part * threads * passes / (time.perf_counter() - began))
    return best


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
