"""Per-neuron functions evaluated in one pass over memory."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array
from ._avx2 import Avx2
from ._avx512 import Avx512
from ._check import check_threads
from ._derivatives import define_map, needed
from ._functions import FUNCTIONS
from ._library import elementwise_supported, require_native
from ._machine import machine_code
from ._primitive import Operand, define_call, define_kernel
from ._program import Tracer, Unsupported, routine
from ._schedule import Store, Value, fused, schedule

MOST_ARRAYS = 128  # kMaxStreams in csrc/elementwise.cc
MOST_UNIFORMS = 768  # kMaxUniforms there, less the constants of the elementary functions

S = TypeVar("S")
R = TypeVar("R")


def over_lanes(function: Callable[..., list[Any]], args: Sequence[Any], batch: tuple[int, ...]) -> list[Any]:
    """Call a function of unbatched arrays; args carry the batch axes, of size 1 where lanes share."""
    if not batch:
        return function(*args)
    axes = [0 if arg.shape[0] == batch[0] else None for arg in args]
    inner = [arg if axis == 0 else arg[0] for arg, axis in zip(args, axes, strict=True)]
    return jax.vmap(lambda *xs: over_lanes(function, xs, batch[1:]), in_axes=axes)(*inner)


class _Traced(NamedTuple):
    """A function of neurons: `n_state` leading operands are replaced by results, longer ones from `at` on.

    Products and sums of one that is `fused` are rounded together: faster, but not as `run` and `step` round.
    """

    jaxpr: Any
    n_state: int
    at: int
    threads: int
    fused: bool = False


def _reference(*args: Any, traced: _Traced, batch: tuple[int, ...]) -> list[Any]:
    return over_lanes(lambda *xs: _by_xla(traced, xs), args, batch)


def _native(*args: Any, traced: _Traced, batch: tuple[int, ...]) -> list[Any]:
    return over_lanes(lambda *xs: _evaluate(traced, xs), args, batch)


def _by_xla(traced: _Traced, args: Sequence[Any]) -> list[Any]:
    """The results of a function in JAX."""
    jaxpr, n = traced.jaxpr, traced.n_state
    cut = [_window(arg, v.aval.shape, traced.at) for arg, v in zip(args, jaxpr.jaxpr.invars, strict=True)]
    outs = list(jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *cut))
    return [_put_back(old, new, traced.at) for old, new in zip(args, outs[:n], strict=False)] + outs[n:]


def _window(array: Any, shape: tuple[int, ...], at: int) -> Any:
    """The part of an array (m,) that a program of fewer neurons works on."""
    return array if jnp.shape(array) == shape else array[at : at + shape[0]]


def _put_back(array: Any, part: Any, at: int) -> Any:
    """The array with that part replaced."""
    return part if jnp.shape(part) == jnp.shape(array) else jax.lax.dynamic_update_slice_in_dim(array, part, at, 0)


def _evaluate(traced: _Traced, args: Sequence[Any]) -> list[Any]:
    """The results of a function by an elementwise program, or in JAX where it has something else in it."""
    jaxpr = traced.jaxpr
    size = jaxpr.out_avals[0].shape[0]
    tracer = Tracer(size)
    shapes = [v.aval.shape for v in jaxpr.jaxpr.invars]
    try:
        inputs = [
            tracer.operand(a) if shape == (size,) else ("uniform", a) for a, shape in zip(args, shapes, strict=True)
        ]
        outputs = tracer.walk(jaxpr.jaxpr, jaxpr.consts, inputs)
    except Unsupported:
        return _by_xla(traced, args)
    computed = [k for k, out in enumerate(outputs) if out[0] == "value" and tracer.values[out[1]].op != "operand"]
    windows = {k for k in range(traced.n_state) if np.shape(args[k]) != (size,)}
    too_many = len(tracer.operands) + len(computed) > MOST_ARRAYS or len(tracer.uniforms) > MOST_UNIFORMS
    if too_many or not windows <= set(computed):
        return _by_xla(traced, args)
    made = dict(zip(computed, _call(tracer, traced, args, outputs, computed), strict=True)) if computed else {}
    return [made[k] if k in made else _whole(tracer, out, size) for k, out in enumerate(outputs)]


def _call(tracer: Tracer, traced: _Traced, args: Sequence[Any], outputs: Sequence[Any], computed: Sequence[int]) -> Any:
    """Bind the program that computes some of the outputs."""
    jaxpr, n_state = traced.jaxpr, traced.n_state
    number_of = {id(a): j for j, a in enumerate(tracer.operands)}
    replaced = {
        r: number_of[id(args[k])]
        for r, k in enumerate(computed)
        if k < n_state and id(args[k]) in number_of and args[k].dtype == jaxpr.out_avals[k].dtype
    }
    dtypes = tuple(str(jaxpr.out_avals[k].dtype) for k in computed)
    stores = [Store(outputs[k][1], len(tracer.operands) + r, dtypes[r] == "bool") for r, k in enumerate(computed)]
    values = fused(tracer.values, [s.value for s in stores], tracer.sign) if traced.fused else tracer.values
    code, digest = compiled(tracer, values, stores, replaced)
    words = [word(u) for u in tracer.uniforms]
    shapes = [args[k].shape if k < n_state else (tracer.size,) for k in computed]
    starts = [0 if x == (tracer.size,) else traced.at for x in (*(a.shape for a in tracer.operands), *shapes)]
    return _program_p.bind(
        jnp.stack(words) if words else jnp.zeros(0, jnp.int32),
        *tracer.operands,
        code=code,
        digest=digest,
        aliases=tuple((1 + j, r) for r, j in replaced.items()),
        whole=tuple(1 + j for j, a in enumerate(tracer.operands) if a.shape != (tracer.size,)),
        starts=np.array(starts, np.int32).tobytes(),
        size=np.int64(tracer.size),
        results=tuple(zip(dtypes, (x[0] for x in shapes), strict=True)),
        batch=(),
        native=True,
        threads=traced.threads,
    )


def compiled(
    tracer: Tracer, values: Sequence[Value], stores: Sequence[Store], replaced: dict[int, int]
) -> tuple[bytes, np.int64]:
    """Machine code that computes results, and what it is known by.

    Args:
        tracer: What the values are made of; constants of the functions that they call join its uniforms.
        values: The program.
        stores: The results.
        replaced: Operand in whose place a result is written, by the position of its store.
    """
    truths = {k for k, array in enumerate(tracer.operands) if array.dtype == np.bool_}
    inputs = {n: (v.operands[0], v.operands[0] in truths) for n, v in enumerate(values) if v.op == "operand"}
    value_of = {k: n for n, (k, _) in inputs.items()}
    items = schedule(values, stores, {r: value_of[k] for r, k in replaced.items()})
    routines = {name: routine(tracer, name) for name in FUNCTIONS if any(name in item.names() for item in items)}
    code = machine_code(Avx512() if elementwise_supported() == 512 else Avx2(), items, inputs, routines)
    digest = hashlib.blake2b(code, digest_size=8).digest()
    return code, np.int64(int.from_bytes(digest, "little", signed=True))


def word(uniform: Any) -> Any:
    """A uniform value as a word; truth is 0 or -1."""
    uniform = jnp.asarray(uniform)
    if uniform.dtype == jnp.bool_:
        return -uniform.astype(jnp.int32)
    return jax.lax.bitcast_convert_type(uniform, jnp.int32)


def _whole(tracer: Tracer, quantity: Any, size: int) -> Any:
    """A result that the program has not to compute: an operand, or the same for all neurons."""
    if quantity[0] == "value":
        operand = tracer.operands[tracer.values[quantity[1]].operands[0]]
        return operand if operand.dtype == quantity[2] else jax.lax.bitcast_convert_type(operand, quantity[2])
    return jnp.broadcast_to(quantity[1], (size,))


def _shapes_of_program(*avals: Any, results: Any, batch: Any, **params: Any) -> list[Any]:
    return [jax.core.ShapedArray((*batch, size), np.dtype(dtype)) for dtype, size in results]


_program_p = define_kernel(
    *("elementwise", (), _shapes_of_program, None),
    rest=Operand.LANES,
    attributes=("code", "digest", "starts", "size", "threads"),
)


def _shapes(*avals: Any, traced: _Traced, batch: tuple[int, ...]) -> list[Any]:
    n, outs = traced.n_state, traced.jaxpr.out_avals
    shapes = [*(a.shape[len(batch) :] for a in avals[:n]), *(out.shape for out in outs[n:])]
    return [jax.core.ShapedArray((*batch, *x), out.dtype) for x, out in zip(shapes, outs, strict=True)]


_elementwise_p = define_call("map", _shapes, _reference, _native)


def _floats(traced: _Traced) -> list[int]:
    """Numbers of the results that have derivatives."""
    return [k for k, out in enumerate(traced.jaxpr.out_avals) if jnp.issubdtype(out.dtype, jnp.floating)]


def _moved(traced: _Traced, primals: Sequence[Any], moving: Sequence[int]) -> Callable[..., list[Any]]:
    """The results that have derivatives as a function of some operands."""
    jaxpr, floats = traced.jaxpr, _floats(traced)

    def function(*values: Any) -> list[Any]:
        args = list(primals)
        for i, value in zip(moving, values, strict=True):
            args[i] = value
        outs = jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args)
        return [outs[k] for k in floats]

    return function


def _tangents_of(traced: _Traced, moving: Sequence[int]) -> tuple[_Traced, tuple[int, ...]]:
    """Changes of the results, of the operands that matter and of changes of some: per neuron, as the function is."""
    n, avals = len(traced.jaxpr.in_avals), traced.jaxpr.in_avals

    def tangents(*args: Any) -> list[Any]:
        primals = args[:n]
        return list(jax.jvp(_moved(traced, primals, moving), [primals[i] for i in moving], list(args[n:]))[1])

    jaxpr, read = needed(jax.make_jaxpr(tangents)(*avals, *(avals[i] for i in moving)), n)
    return _Traced(jaxpr, 0, 0, traced.threads, fused=True), read


def _cotangents_of(traced: _Traced, moving: Sequence[int], given: Sequence[int], read: Sequence[int]) -> _Traced:
    """What changes of some results say of changes of some operands: per neuron where those operands are."""
    avals, floats = traced.jaxpr.in_avals, _floats(traced)

    def cotangents(*args: Any) -> list[Any]:
        known, sent = dict(zip(read, args, strict=False)), dict(zip(given, args[len(read) :], strict=True))
        primals = [known.get(i, jnp.zeros(aval.shape, aval.dtype)) for i, aval in enumerate(avals)]
        pull = jax.vjp(_moved(traced, primals, moving), *(primals[i] for i in moving))[1]
        outs = [traced.jaxpr.out_avals[k] for k in floats]
        return list(pull([sent.get(k, jnp.zeros(out.shape, out.dtype)) for k, out in enumerate(outs)]))

    outs = [traced.jaxpr.out_avals[floats[k]] for k in given]
    return _Traced(jax.make_jaxpr(cotangents)(*(avals[i] for i in read), *outs), 0, 0, traced.threads, fused=True)


def _map(*args: Any, traced: _Traced, batch: tuple[int, ...], native: bool) -> list[Any]:
    """The results of a function, in one pass where each of them has a value for each neuron."""
    size = traced.jaxpr.out_avals[0].shape
    if all(out.shape == size and len(size) == 1 for out in traced.jaxpr.out_avals):
        return list(_elementwise_p.bind(*args, traced=traced, batch=batch, native=native))
    return _reference(*args, traced=traced, batch=batch)


def _transposed(
    operands: Sequence[Any], sent: dict[int, Any], *, traced: _Traced, moving: Any, read: Any, batch: Any, native: bool
) -> list[Any]:
    """Cotangents of some operands from those of some results: arrays in one pass, what neurons share by sums."""
    size = traced.jaxpr.out_avals[0].shape
    found: dict[int, Any] = {}
    for per_neuron in (True, False):
        some = [i for i in moving if (traced.jaxpr.in_avals[i].shape == size) == per_neuron]
        if some:
            back = _cotangents_of(traced, some, tuple(sent), read)
            found |= zip(some, _map(*operands, *sent.values(), traced=back, batch=batch, native=native), strict=True)
    return [found[i] for i in moving]


def _shapes_of_tangents(*avals: Any, forward: _Traced, batch: tuple[int, ...], **params: Any) -> list[Any]:
    return [jax.core.ShapedArray((*batch, *out.shape), out.dtype) for out in forward.jaxpr.out_avals]


def _of_tangents(form: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A form of a function's results as one of the changes of these."""
    return lambda *args, forward, batch, **params: form(*args, traced=forward, batch=batch)


def _parts(*avals: Any, traced: _Traced, batch: tuple[int, ...]) -> bool:
    """Whether the function works on parts of longer arrays."""
    shapes = [a.shape[len(batch) :] for a in avals]
    return any(a != v.shape for a, v in zip(shapes, traced.jaxpr.in_avals, strict=True))


_tangents_p = define_call("map_tangents", _shapes_of_tangents, _of_tangents(_reference), _of_tangents(_native))
define_map(
    _elementwise_p, _tangents_p, _tangents_of, _transposed, whole=lambda *args, **params: not _parts(*args, **params)
)


def elementwise(
    function: Callable[..., tuple[S, R]], size: int, state: S, *args: Any, native: bool, threads: int = 1, at: int = 0
) -> tuple[S, R]:
    """Evaluate a function that treats each neuron by itself, in one pass over memory.

    XLA on a CPU makes one loop for each result and computes in each what they share. Here the function is traced, and
    its operations run as one program, block by block, with what only some neurons need skipped for blocks without one.
    The same values up to rounding; derivatives and batches as of the function itself. What it cannot do (operations
    across neurons, float64, uncommon functions) is left to XLA. Called outside of a transformation it is the function.

    Args:
        function: Takes (state, *args), returns (new state, anything); all arrays (n,) or scalars, results (n,).
        size: n.
        state: Tree of arrays (n,), updated in place where possible; of longer ones, the n values from `at` on.
        args: Trees of arrays, (n,) or any other shape that all neurons share.
        native: Use the native program where the computation runs on a CPU.
        threads: Threads that share the neurons, or the lanes, where there is enough to do, >= 1; results do not depend
            on it.
        at: Where the neurons begin in longer arrays of the state.
    Returns:
        What the function returns.
    Raises:
        ValueError: a result is not (n,); native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> step = lambda v, i: (v + 0.1 * (i - v), v > 1.0)
        >>> v, spikes = kernels.elementwise(step, 2, jnp.array([0.0, 2.0]), jnp.ones(2), native=False)
        >>> v.tolist(), spikes.tolist()
        ([0.10000000149011612, 1.899999976158142], [False, True])
    """
    arrays, structure = jax.tree.flatten(state)
    short = jax.tree.unflatten(structure, [_window(x, (size,), at) for x in arrays])

    def in_jax() -> tuple[S, R]:
        new, rest = function(short, *args)
        parts = jax.tree.leaves(new)
        return jax.tree.unflatten(structure, [_put_back(x, y, at) for x, y in zip(arrays, parts, strict=True)]), rest

    if size == 0 or not require_native(native) or not elementwise_supported():
        return in_jax()
    leaves, inputs = jax.tree.flatten((short, args))
    closed, shape = jax.make_jaxpr(lambda *xs: function(*_called(inputs, xs)), return_shape=True)(*leaves)
    outs = jax.tree.leaves(shape)
    wrong = [out.shape for out in outs if out.shape != (size,)]
    if wrong:
        raise ValueError(f"elementwise: got a result of shape {wrong[0]}, must be ({size},), one value for each neuron")
    if not any(isinstance(x, jax.core.Tracer) for x in (*leaves, *closed.consts)):
        return in_jax()  # once, eagerly: not worth a program
    # What the function closes over is an operand like all others, behind those that are replaced.
    k = len(leaves)
    pure = jax.make_jaxpr(lambda *xs: jax.core.eval_jaxpr(closed.jaxpr, xs[k:], *xs[:k]))(*leaves, *closed.consts)
    operands = (*arrays, *leaves[len(arrays) :], *closed.consts)
    traced = _Traced(pure, len(arrays), at, check_threads(threads))
    results = _elementwise_p.bind(*operands, traced=traced, batch=(), native=True)
    done: tuple[S, R] = jax.tree.unflatten(jax.tree.structure(shape), results)
    return done


def _called(structure: Any, leaves: Sequence[Array]) -> tuple[Any, ...]:
    state, args = jax.tree.unflatten(structure, leaves)
    return (state, *args)
