"""How an operation becomes a JAX primitive; only this file and `_derivatives.py` lean on `jax.interpreters`.

A kernel is a pure function of its operands written in JAX, an optional native version of the same, and a rule for
lanes. Batched operands carry leading axes; an axis of size 1 is shared by all lanes, so that `vmap` never copies what
lanes have in common. Lowering is chosen for each platform: the native call on a CPU where it was asked for, the serial
JAX form on a CPU without it, and the parallel JAX form elsewhere.
"""

import enum
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad, batching, mlir

Outputs = Sequence[jax.Array]


class Operand(enum.Enum):
    """What `vmap` does with an operand of a kernel."""

    SHARED = "never batched: the graph"
    LANES = "may be batched; a size-1 axis where it is not"
    IN_PLACE = "written in place: given a full axis of its own for each lane"
    ORDER = "only awaited, never read"


def define_kernel(
    name: str,
    operands: Sequence[Operand],
    infer: Callable[..., list[jax.core.ShapedArray]],
    serial: Callable[..., Outputs] | None,
    *,
    parallel: Callable[..., Outputs] | None = None,
    attributes: Sequence[str] = (),
    rest: Operand = Operand.ORDER,
) -> Any:
    """Make a primitive with several results out of its forms; operands beyond the list are `rest`.

    Every bind takes the static parameter `native`; the native target is called `jaxsyn_<name>`. Without a serial form
    the kernel exists natively only. The i-th operand that
    is `IN_PLACE` is aliased to the i-th result, and those of the parameter `aliases`, (operand, result), where their
    shapes agree. Parameters named in `attributes`, numbers or bytes, travel to the native version.
    """
    primitive: Any = jax.extend.core.Primitive(f"jaxsyn_{name}")
    primitive.multiple_results = True
    primitive.def_abstract_eval(lambda *avals, native, **params: infer(*avals, **params))
    primitive.def_impl(functools.partial(_run_eagerly, primitive))
    forms = [mlir.lower_fun(_without_native(f), multiple_results=True) for f in (serial, parallel or serial) if f]

    def lower_cpu(ctx: Any, *args: Any, native: bool, **params: Any) -> Any:
        if not native:
            return forms[0](ctx, *args, native=native, **params)
        kinds = (*operands, *[rest] * (len(args) - len(operands)))
        in_place = [i for i, kind in enumerate(kinds) if kind is Operand.IN_PLACE]
        pairs = (*((i, j) for j, i in enumerate(in_place)), *params.get("aliases", ()))
        aliases = {i: j for i, j in pairs if ctx.avals_in[i] == ctx.avals_out[j]}
        rule = jax.ffi.ffi_lowering(f"jaxsyn_{name}", operand_output_aliases=aliases)
        return rule(ctx, *args, **{key: _attribute(params[key]) for key in attributes})

    mlir.register_lowering(primitive, lower_cpu, platform="cpu")
    if forms:
        mlir.register_lowering(primitive, forms[1])
    batching.primitive_batchers[primitive] = functools.partial(_batch, primitive, tuple(operands), rest)
    return primitive


def _attribute(value: Any) -> Any:
    """A parameter as the native side gets it: bytes as words, 32 bits for numbers that do not say otherwise."""
    if isinstance(value, bytes):
        return np.frombuffer(value, np.int32)
    return value if isinstance(value, np.generic) else np.int32(value)


def define_call(
    name: str, infer: Callable[..., list[jax.core.ShapedArray]], reference: Callable[..., Outputs], native: Any
) -> Any:
    """Make a primitive out of a function of lanes and another form of it, `native`, for where native code runs.

    Derivatives are those of the reference.
    """
    primitive: Any = jax.extend.core.Primitive(f"jaxsyn_{name}")
    primitive.multiple_results = True
    primitive.def_abstract_eval(lambda *avals, native, **params: infer(*avals, **params))
    primitive.def_impl(functools.partial(_run_eagerly, primitive))
    reference_form = _without_native(reference)
    rules = [mlir.lower_fun(_without_native(form), multiple_results=True) for form in (reference, native)]

    def lower_cpu(ctx: Any, *args: Any, native: bool, **params: Any) -> Any:
        return rules[native](ctx, *args, native=native, **params)

    mlir.register_lowering(primitive, lower_cpu, platform="cpu")
    mlir.register_lowering(primitive, rules[False])
    batching.primitive_batchers[primitive] = functools.partial(_batch, primitive, (), Operand.LANES)
    ad.primitive_jvps[primitive] = functools.partial(_jvp_of, reference_form)
    return primitive


def _jvp_of(function: Callable[..., Outputs], primals: Any, tangents: Any, **params: Any) -> Any:
    """Values and tangents of a function of several results, some of whose tangents are absent."""
    moving = [i for i, tangent in enumerate(tangents) if not isinstance(tangent, ad.Zero)]

    def moved(*values: Any) -> list[Any]:
        args = list(primals)
        for i, value in zip(moving, values, strict=True):
            args[i] = value
        return list(function(*args, **params))

    outs, changes = jax.jvp(moved, [primals[i] for i in moving], [tangents[i] for i in moving])
    absent = [change.dtype == jax.dtypes.float0 for change in changes]
    zeros = [ad.Zero(jax.typeof(out).to_tangent_aval()) for out in outs]
    return outs, [zero if a else change for zero, a, change in zip(zeros, absent, changes, strict=True)]


def _without_native(form: Callable[..., Outputs]) -> Callable[..., Outputs]:
    return lambda *args, native, **params: form(*args, **params)


def _run_eagerly(primitive: Any, *args: Any, **params: Any) -> Any:
    with jax.disable_jit(False):  # also where the user has switched jit off: there is no other way to run it
        return _compiled(primitive, tuple(sorted(params.items())))(*args)


@functools.lru_cache(maxsize=256)
def _compiled(primitive: Any, params: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    return jax.jit(functools.partial(primitive.bind, **dict(params)))


def _batch(
    primitive: Any,
    operands: tuple[Operand, ...],
    rest: Operand,
    args: Sequence[Any],
    dims: Sequence[Any],
    **params: Any,
) -> Any:
    """Give every lane operand one more leading axis; `params["batch"]`, where there is one, grows alike.

    Operands that are listed in `params["whole"]` are written in place like `IN_PLACE` ones.
    """
    size = next(arg.shape[dim] for arg, dim in zip(args, dims, strict=True) if dim is not None)
    kinds = [*operands, *[rest] * (len(args) - len(operands))]
    for i in params.get("whole", ()):
        kinds[i] = Operand.IN_PLACE
    lanes = []
    for kind, arg, dim in zip(kinds, args, dims, strict=True):
        if kind is Operand.ORDER:
            lanes.append(arg)
        elif kind is Operand.SHARED:
            if dim is not None:
                raise ValueError(
                    f"{primitive.name}: the graph (row_ptr, post, delays) got a batch axis of size {size}, but lanes "
                    "share one graph; map over graphs with jax.lax.map instead of vmap"
                )
            lanes.append(arg)
        elif dim is not None:
            lanes.append(jnp.moveaxis(arg, dim, 0))
        elif kind is Operand.IN_PLACE:
            lanes.append(jnp.broadcast_to(arg, (size, *arg.shape)))
        else:
            lanes.append(jnp.expand_dims(arg, 0))
    if "batch" in params:
        params["batch"] = (size, *params["batch"])
    results = primitive.bind(*lanes, **params)
    return results, [0] * len(results)


def define_barrier(name: str) -> Any:
    """Make the primitive that gives back its operands, computed once: natively a call that XLA cannot look into."""
    primitive: Any = jax.extend.core.Primitive(f"jaxsyn_{name}")
    primitive.multiple_results = True
    primitive.def_abstract_eval(lambda *avals, native: avals)
    primitive.def_impl(lambda *args, native: args)
    barrier: Any = jax.lax.optimization_barrier
    rule = mlir.lower_fun(lambda *args, native: barrier(args), multiple_results=True)

    def lower_cpu(ctx: Any, *args: Any, native: bool) -> Any:
        if not native:
            return rule(ctx, *args, native=native)
        aliases = {i: i for i in range(len(args))}
        return jax.ffi.ffi_lowering(f"jaxsyn_{name}", operand_output_aliases=aliases)(ctx, *args)

    mlir.register_lowering(primitive, lower_cpu, platform="cpu")
    mlir.register_lowering(primitive, rule)
    ad.primitive_jvps[primitive] = lambda primals, tangents, native: (primitive.bind(*primals, native=native), tangents)
    batching.primitive_batchers[primitive] = lambda args, dims, native: (primitive.bind(*args, native=native), dims)
    return primitive


def batch_rows(primitive: Any) -> None:
    """Let lanes of a primitive of one operand, whose last axis alone it works on, stay where they are."""

    def batch(args: Any, dims: Any, **params: Any) -> Any:
        (x,), (dim,) = args, dims
        if dim == x.ndim - 1:
            x, dim = jnp.moveaxis(x, dim, 0), 0
        results = primitive.bind(x, **params)
        return results, [dim] * len(results)

    batching.primitive_batchers[primitive] = batch
