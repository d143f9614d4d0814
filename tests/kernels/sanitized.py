"""Drives every native kernel from a library that test_native_source.py built with sanitizers; argument: its path.

Ragged, empty and padded graphs, rings with more spikes than they hold, lanes, threads, compact synapses, sizes around a
block of neurons, and a graph that leaves its arrays. Each call is a program of its own, so that each array is an
allocation of its own, between whose ends and the next one a sanitizer sees every step too far. Prints "ok".
"""

import itertools
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from jaxsyn import kernels
from jaxsyn.kernels import _library

_library._paths = lambda folder: [pathlib.Path(sys.argv[1])]  # before anything asks for the one that is installed

from tests.kernels import reference as ref  # noqa: E402


def owned(array: np.ndarray) -> jax.Array:
    """A device array with an allocation of its own; one that JAX takes over may be followed by what is no error."""
    return jnp.array(array, copy=True) + jnp.zeros((), array.dtype)


def deliveries() -> None:
    sizes = itertools.product((1, 40), (1, 70_000), (0, 300), (False, True))
    for seed, (n_sources, n_post, most, compact) in enumerate(sizes):
        rng = np.random.default_rng(seed)
        n_blocks = -(-n_post // 2**16) if compact else 1
        graph = ref.random_graph(seed, n_blocks * 3 * n_sources, min(n_post, 2**16), most, padding=32)
        # Without padding the last row ends with its array, and that with what XLA allocates.
        graph = graph._replace(post=graph.post[: graph.post.size // 32 * 32])
        graph.row_ptr[-1] = graph.post.size if most else 0
        if n_blocks > 1:  # targets of the second block are fewer
            graph.post[graph.row_ptr[3 * n_sources] :] %= n_post - 2**16
        for begin, end in zip(graph.row_ptr[:-1], graph.row_ptr[1:], strict=True):
            graph.post[begin:end].sort()
        post = owned(graph.post.astype(np.uint16) if compact else graph.post)
        ids = np.tile(np.arange(n_sources + 4, dtype=np.int32), (4, 1))  # all, of a ring that lost some
        ring = ref.Ring(ids, np.full(4, ids.shape[1] + 3, np.int32), 2)
        for kind, lanes, threads in (
            ("float32", 0, 3),
            ("float16", 3, 2),
            ("bfloat16", 0, 1),
            ("int8", 2, 3),
            ("int16", 0, 2),
        ):
            weight = owned(rng.integers(-4, 5, (2, 1 if threads == 1 else post.size)).astype(jnp.dtype(kind)))
            deliver = lambda acc, w=weight, p=post, g=graph, r=ring, n=n_sources, t=threads: kernels.deliver(  # noqa: E731
                *([acc[0], acc[1]], g.row_ptr, p, w, jnp.array([0.5, 2.0]), jnp.array([0, 1, 3], jnp.int32)),
                *(r.ids, r.counts, jnp.int32(r.tick)),
                first=2,
                n_sources=n,
                native=True,
                threads=t,
            )
            acc = jnp.zeros((lanes, 2, n_post) if lanes else (2, n_post))
            jax.block_until_ready((jax.vmap(deliver) if lanes else deliver)(acc))


def bad_delivery() -> None:
    row_ptr = np.array([0, 2**30, -5, 7], np.int32)
    operands = ([np.zeros(3, np.float32)], row_ptr, np.zeros(2, np.int32), np.ones((1, 2), np.float32), np.float32(1))
    ring = (np.array([0], np.int32), np.array([[0, 1, 2]], np.int32), np.array([9], np.int32), np.int32(0))
    try:
        jax.block_until_ready(kernels.deliver(*operands, *ring, first=0, n_sources=3, native=True, threads=2))
    except (ValueError, jax.errors.JaxRuntimeError):
        return
    raise SystemExit("a graph that leaves its arrays was taken")


def trilinear() -> None:
    for seed, (n_rows, n_post, most) in enumerate(itertools.product((0, 9), (1, 33), (0, 20))):
        rng = np.random.default_rng(seed)
        graph = ref.random_graph(seed, n_rows, n_post, most)
        for width in (1, graph.post.size):
            weight = ref.on_grid(rng, (2, width))
            source, target = ref.on_grid(rng, (3, n_rows)), ref.on_grid(rng, (3, 2, n_post))
            zero = [jnp.zeros(n_post)] * 2
            push = lambda x, w=weight, g=graph, z=zero: kernels.push(z, *g[:2], w, x, native=True)  # noqa: E731
            pull = lambda y, w=weight, g=graph: kernels.pull(*g[:2], w, y, native=True)  # noqa: E731
            out = (jax.vmap(push)(source), push(source[0]), jax.vmap(pull)(target), pull(target[0]))
            jax.block_until_ready((out, kernels.outer(*graph[:2], source, target, width=width, native=True)))
            skipped = np.where(source == 0, np.float32(-0.0), source)
            sums = lambda w, x, g=graph, z=zero: kernels.push(z, *g[:2], w, x, native=True, marks=x)  # noqa: E731
            total = jax.grad(lambda w, x, sums=sums: jnp.sum(jnp.stack(sums(w, x))), (0, 1))
            jax.block_until_ready((total(weight, skipped[0]), jax.vmap(total, (None, 0))(weight, skipped)))


def spikes() -> None:
    for n, capacity in itertools.product((0, 1, 31, 64, 65, 200), (1, 50)):
        rng = np.random.default_rng(n)
        for density in (0.0, 0.5, 1.0):
            bits = rng.random((2, n)) < density
            emit = lambda b, c=capacity: kernels.emit(  # noqa: E731
                b, jnp.zeros((3, c), jnp.int32), jnp.zeros(3, jnp.int32), jnp.int32(0), jnp.int32(-7), native=True
            )
            jax.block_until_ready((emit(bits[0]), jax.vmap(emit)(bits), kernels.pack(bits, native=True)))


def programs() -> None:
    step = lambda V, current: (V + 0.1 * (current - jnp.exp(V)), V > 0.5)  # noqa: E731
    for n, threads in itertools.product((1, 31, 32, 33, 5000), (1, 3)):
        run = jax.jit(lambda V, c, n=n, t=threads: kernels.elementwise(step, n, V, c, native=True, threads=t))
        jax.block_until_ready(
            (run(jnp.zeros(n), jnp.ones(n)), jax.vmap(run, (0, None))(jnp.zeros((3, n)), jnp.ones(n)))
        )
    jax.block_until_ready(jax.jit(lambda x: kernels.settle((x, x + 1.0), native=True))(jnp.ones(7)))


def recurrences() -> None:
    step = lambda V, x: (V + 0.1 * (x - jnp.exp(V)), (V > 0.5, x))  # noqa: E731
    for n, length in itertools.product((1, 31, 33, 1024, 5000), (1, 70)):
        run = lambda V, x, n=n, k=length: kernels.recurrence(step, k, n, V, x, native=True)  # noqa: E731
        total = jax.grad(lambda V, x, run=run: jnp.sum(run(V, x)[0]), (0, 1))
        x = owned(np.ones((length, n), np.float32))
        jax.block_until_ready([jax.jit(form)(jnp.zeros(n), x) for form in (run, total)])
        lanes = jax.jit(jax.vmap(total, (0, None)))
        jax.block_until_ready(lanes(jnp.zeros((3, n)), x))


def coupled_recurrences() -> None:
    def total(w: jax.Array, V: jax.Array, x: jax.Array, *, marked: bool) -> jax.Array:
        def step(V: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            sums = kernels.spike_matmul(V > 0.5, w, native=True) if marked else jnp.tanh(V) @ w
            return 0.9 * V + sums + x, V

        return jnp.sum(kernels.recurrence(step, x.shape[0], x.shape[1], V, x, native=True)[0] ** 2)

    for (n, lanes), marked in itertools.product(((1, 1), (33, 17), (130, 3)), (True, False)):
        w, x = (owned(np.full(shape, 0.1, np.float32)) for shape in ((n, n), (lanes, 40, n)))
        run = jax.vmap(jax.grad(lambda *args, marked=marked: total(*args, marked=marked), (0, 1, 2)), (None, 0, 0))
        jax.block_until_ready(jax.jit(run)(w, owned(np.ones((lanes, n), np.float32)), x))


def main() -> None:
    if not kernels.native_available():
        raise SystemExit(kernels.native_status())
    for part in (deliveries, bad_delivery, trilinear, spikes, programs, recurrences, coupled_recurrences):
        part()
    print("ok")


if __name__ == "__main__":
    main()
