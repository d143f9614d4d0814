"""Prints what every product of the native kernels gives for random numbers, as hashes of its bits.

Argument: the path of a library; without one, that which is installed. test_native_source.py compares two of them.
"""

import hashlib
import pathlib
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsyn import kernels
from jaxsyn.kernels import _library

if len(sys.argv) > 1:
    _library._paths = lambda folder: [pathlib.Path(sys.argv[1])]  # before anything asks for the one that is installed

from tests.kernels import reference as ref


def show(name: str, result: Any) -> None:
    """One line."""
    bits = b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(result))
    print(name, hashlib.sha256(bits).hexdigest())


def sparse(dtype: str, n_rows: int) -> None:
    graph, rng = ref.random_graph(n_rows, n_rows, 97, most=70), np.random.default_rng(n_rows)
    weight, target = (rng.normal(size=(2, n)).astype(dtype) for n in (graph.post.size, 97))
    source = rng.normal(size=n_rows).astype(dtype)
    source[rng.random(n_rows) < 0.7] = 0.0
    source[rng.random(n_rows) < 0.3] = -0.0

    def push(weight: Any, source: Any) -> Any:
        return jnp.stack(
            kernels.push([jnp.zeros(97, dtype)] * 2, *graph[:2], weight, source, native=True, marks=source)
        )

    y, pull = jax.vjp(push, weight, source)
    show(f"push {dtype} {n_rows}", y)
    show(f"pull and outer {dtype} {n_rows}", pull(jnp.asarray(target)))


def dense(dtype: str, rows: int, density: float) -> None:
    rng = np.random.default_rng(rows)
    spikes, matrix = rng.random((rows, 130)) < density, rng.normal(size=(130, 53)).astype(dtype)
    for name, x in (("bool", spikes), ("numbers", spikes.astype(dtype)), ("bits", kernels.pack(spikes, native=True))):
        show(f"{name} {dtype} {rows} {density}", (x, kernels.spike_matmul(x, matrix, native=True)))


def main() -> None:
    if not kernels.native_available():
        raise SystemExit(kernels.native_status())
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            for n_rows in (5, 1500):
                sparse(dtype, n_rows)
            for rows, density in ((3, 0.1), (200, 0.05), (200, 0.6)):
                dense(dtype, rows, density)


if __name__ == "__main__":
    main()
