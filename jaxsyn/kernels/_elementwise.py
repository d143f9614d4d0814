"""Per-neuron functions evaluated in one pass over memory."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array
from ._check import check_threads
from ._functions import FUNCTIONS
from ._library import elementwise_supported, require_native
from ._machine import machine_code
from ._primitive import Operand, define_call, define_kernel
from ._program import Tracer, Unsupported, routine
from ._schedule import Store, schedule

_MOST_ARRAYS = 128  # kMaxStreams in csrc/elementwise.cc
_MOST_UNIFORMS = 768  # kMaxUniforms there, less the constants of the elementary functions

S = TypeVar("S")
R = TypeVar("R")


class _How(NamedTuple):
    """How many of the operands are state, which comes back changed, and how many threads share the neurons."""

    n_state: int
    threads: int


def _over_lanes(function: Callable[..., list[Any]], args: Sequence[Any], batch: tuple[int, ...]) -> list[Any]:
    """Call a function of unbatched arrays; args carry the batch axes, of size 1 where lanes share."""
    if not batch:
        return function(*args)
    axes = [0 if arg.shape[0] == batch[0] else None for arg in args]
    inner = [arg if axis == 0 else arg[0] for arg, axis in zip(args, axes, strict=True)]
    return jax.vmap(lambda *xs: _over_lanes(function, xs, batch[1:]), in_axes=axes)(*inner)


def _reference(*args: Any, jaxpr: Any, how: _How, batch: tuple[int, ...]) -> list[Any]:
    return _over_lanes(lambda *xs: jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *xs), args, batch)


def _native(*args: Any, jaxpr: Any, how: _How, batch: tuple[int, ...]) -> list[Any]:
    return _over_lanes(lambda *xs: _evaluate(jaxpr, how, xs), args, batch)


def _evaluate(jaxpr: Any, how: _How, args: Sequence[Any]) -> list[Any]:
    """The results of a jaxpr by an elementwise program, or in JAX where it has something else in it."""
    size = jaxpr.out_avals[0].shape[0]
    tracer = Tracer(size)
    try:
        inputs = [tracer.operand(a) if np.shape(a) == (size,) else ("uniform", a) for a in args]
        outputs = tracer.walk(jaxpr.jaxpr, jaxpr.consts, inputs)
    except Unsupported:
        return list(jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args))
    computed = [k for k, out in enumerate(outputs) if out[0] == "value" and tracer.values[out[1]].op != "operand"]
    if len(tracer.operands) + len(computed) > _MOST_ARRAYS or len(tracer.uniforms) > _MOST_UNIFORMS:
        return list(jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args))
    made = dict(zip(computed, _call(tracer, jaxpr, how, args, outputs, computed), strict=True)) if computed else {}
    return [made[k] if k in made else _whole(tracer, out, size) for k, out in enumerate(outputs)]


def _call(
    tracer: Tracer, jaxpr: Any, how: _How, args: Sequence[Any], outputs: Sequence[Any], computed: Sequence[int]
) -> list[Any]:
    """Bind the program that computes some of the outputs."""
    number_of = {id(a): j for j, a in enumerate(tracer.operands)}
    replaced = {
        r: number_of[id(args[k])]
        for r, k in enumerate(computed)
        if k < how.n_state and id(args[k]) in number_of and args[k].dtype == jaxpr.out_avals[k].dtype
    }
    values = tracer.values
    inputs = {i: (v.operands[0], tracer.operands[v.operands[0]].dtype == np.bool_) for i, v in enumerate(values)
              if v.op == "operand"}  # fmt: skip
    value_of = {j: i for i, (j, _) in inputs.items()}
    dtypes = tuple(str(jaxpr.out_avals[k].dtype) for k in computed)
    stores = [Store(outputs[k][1], len(tracer.operands) + r, dtypes[r] == "bool") for r, k in enumerate(computed)]
    zero = tracer.whole(0)
    items = schedule(values, stores, {r: value_of[j] for r, j in replaced.items()})
    routines = {name: routine(tracer, name) for name in FUNCTIONS if any(name in item.names() for item in items)}
    code = machine_code(items, inputs, routines, zero)
    words = [_word(u) for u in tracer.uniforms]
    out: list[Any] = _program_p.bind(
        jnp.stack(words),
        *tracer.operands,
        code=code,
        digest=np.int64(int.from_bytes(hashlib.blake2b(code, digest_size=8).digest(), "little", signed=True)),
        aliases=tuple((1 + j, r) for r, j in replaced.items()),
        dtypes=dtypes,
        size=jaxpr.out_avals[0].shape[0],
        batch=(),
        native=True,
        threads=how.threads,
    )
    return out


def _word(uniform: Any) -> Any:
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


def _shapes_of_program(*avals: Any, dtypes: Any, size: int, batch: Any, **params: Any) -> list[Any]:
    return [jax.core.ShapedArray((*batch, size), np.dtype(d)) for d in dtypes]


_program_p = define_kernel(
    "elementwise", (), _shapes_of_program, None, rest=Operand.LANES, attributes=("code", "digest", "threads")
)


def _shapes(*avals: Any, jaxpr: Any, how: _How, batch: tuple[int, ...]) -> list[Any]:
    return [jax.core.ShapedArray((*batch, *out.shape), out.dtype) for out in jaxpr.out_avals]


_elementwise_p = define_call("map", _shapes, _reference, _native)


def elementwise(
    function: Callable[..., tuple[S, R]], size: int, state: S, *args: Any, native: bool, threads: int = 1
) -> tuple[S, R]:
    """Evaluate a function that treats each neuron by itself, in one pass over memory.

    XLA on a CPU makes one loop for each result and computes in each what they share. Here the function is traced, and
    its operations run as one program, block by block, with what only some neurons need skipped for blocks without one.
    The same values up to rounding; derivatives and batches as of the function itself. What it cannot do (operations
    across neurons, float64, uncommon functions) is left to XLA. Called outside of a transformation it is the function.

    Args:
        function: Takes (state, *args), returns (new state, anything); all arrays (n,) or scalars, results (n,).
        size: n.
        state: Tree of arrays (n,); updated in place where possible.
        args: Trees of arrays, (n,) or any other shape that all neurons share.
        native: Use the native program where the computation runs on a CPU.
        threads: Threads that share the neurons, or the lanes, where there is enough to do, >= 1; results do not depend
            on it.
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
    if size == 0 or not require_native(native) or not elementwise_supported():
        return function(state, *args)
    leaves, structure = jax.tree.flatten((state, args))
    closed, shape = jax.make_jaxpr(lambda *xs: function(*_called(structure, xs)), return_shape=True)(*leaves)
    how = _How(len(jax.tree.leaves(state)), check_threads(threads))
    outs = jax.tree.leaves(shape)
    wrong = [out.shape for out in outs if out.shape != (size,)]
    if wrong:
        raise ValueError(f"elementwise: got a result of shape {wrong[0]}, must be ({size},), one value for each neuron")
    if not any(isinstance(x, jax.core.Tracer) for x in (*leaves, *closed.consts)):
        return function(state, *args)  # once, eagerly: not worth a program
    # What the function closes over is an operand like all others, behind those that are replaced.
    k = len(leaves)
    pure = jax.make_jaxpr(lambda *xs: jax.core.eval_jaxpr(closed.jaxpr, xs[k:], *xs[:k]))(*leaves, *closed.consts)
    results = _elementwise_p.bind(*leaves, *closed.consts, jaxpr=pure, how=how, batch=(), native=True)
    done: tuple[S, R] = jax.tree.unflatten(jax.tree.structure(shape), results)
    return done


def _called(structure: Any, leaves: Sequence[Array]) -> tuple[Any, ...]:
    state, args = jax.tree.unflatten(structure, leaves)
    return (state, *args)
