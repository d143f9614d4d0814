"""How an operation becomes a JAX primitive; the only file that leans on `jax.extend` and `jax.interpreters`.

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
from jax.interpreters import ad, batching, mlir, partial_eval

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


def define_map(
    primitive: Any, tangents: Any, forward: Callable[..., Any], backward: Callable[..., Any], whole: Any
) -> None:
    """Derivatives of a primitive with the parameter `traced` by another one, which is linear in its last operands.

    Args:
        primitive: The primitive.
        tangents: Gives tangents of the results with derivatives from all operands and tangents of some (`moving`).
        forward: forward(traced, moving) is what `tangents` evaluates, its parameter `forward`, and numbers of the
            operands that it reads (`read`): the others are not kept for a backward pass.
        backward: backward(operands read, {result: cotangent}, ...) gives cotangents of the operands `moving`, with all
            axes of the batch.
        whole: whole(*operands, traced=, batch=): whether this holds for them; else derivatives are those set before.
    """
    before = ad.primitive_jvps[primitive]

    def jvp(primals: Any, dots: Any, *, native: bool, **params: Any) -> Any:
        if not whole(*primals, **params):
            return before(primals, dots, native=native, **params)
        moving = tuple(i for i, dot in enumerate(dots) if not isinstance(dot, ad.Zero))
        outs = primitive.bind(*primals, native=native, **params)
        linear, read = forward(params["traced"], moving)
        operands = (*(primals[i] for i in read), *(dots[i] for i in moving))
        changes = iter(tangents.bind(*operands, forward=linear, moving=moving, read=read, native=native, **params))
        floats = [jnp.issubdtype(out.dtype, jnp.floating) for out in outs]
        zeros = [ad.Zero(jax.typeof(out).to_tangent_aval()) for out in outs]
        return outs, [next(changes) if f else zero for f, zero in zip(floats, zeros, strict=True)]

    def transpose(cotangents: Any, *args: Any, moving: Any, forward: Any, **params: Any) -> Any:
        n = len(args) - len(moving)
        shapes = [dot.aval.shape for dot in args[n:]]
        sent = {k: c for k, c in enumerate(cotangents) if not isinstance(c, ad.Zero)}
        if not sent:
            return [None] * n + [ad.Zero(dot.aval) for dot in args[n:]]
        found = backward(args[:n], sent, moving=moving, **params)
        lead = range(len(params["batch"]))
        axes = [tuple(a for a in lead if shape[a] != c.shape[a]) for c, shape in zip(found, shapes, strict=True)]
        sums = [jnp.sum(c, axis=a, keepdims=True) if a else c for c, a in zip(found, axes, strict=True)]
        return [None] * n + sums

    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[tangents] = transpose


def needed(closed: Any, n: int) -> tuple[Any, tuple[int, ...]]:
    """A jaxpr without those of its first `n` operands that no result depends on, and the numbers of those that stay."""
    jaxpr = closed.jaxpr
    keep = [False] * n + [True] * (len(jaxpr.invars) - n)
    jaxpr, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), keep)
    return closed.replace(jaxpr=jaxpr), tuple(i for i in range(n) if used[i])


def prune(closed: Any, wanted: Sequence[bool], n: int) -> tuple[Any, list[bool]]:
    """A jaxpr with some of its results, without operands behind the first `n` that these do not depend on."""
    keep = [True] * n + [False] * (len(closed.in_avals) - n)
    jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, list(wanted), keep)
    return closed.replace(jaxpr=jaxpr), list(used)


def define_recurrence(
    primitive: Any,
    changes: Callable[..., Any],
    cotangents: Callable[..., Any],
    lanes: Callable[..., Any],
    pruned: Callable[..., Any],
) -> None:
    """Derivatives and lanes of a primitive whose derivatives are made of itself.

    Args:
        primitive: The primitive.
        changes: changes(operands, {operand: change}, ...) gives results, and {result: change}.
        cotangents: cotangents(operands, {operand that is unknown: shape}, {result: cotangent}, ...) gives
            {operand: cotangent}.
        lanes: lanes(size, operands, axes, ...) gives operands, parameters, and the axes of the results.
        pruned: pruned(results that are used, ...) gives operands that are used, and parameters.
    """

    def jvp(primals: Any, dots: Any, **params: Any) -> Any:
        given = {i: dot for i, dot in enumerate(dots) if not isinstance(dot, ad.Zero)}
        outs, found = changes(primals, given, **params)
        zeros = [ad.Zero(jax.typeof(out).to_tangent_aval()) for out in outs]
        return outs, [found.get(k, zero) for k, zero in enumerate(zeros)]

    def transpose(sent: Any, *args: Any, **params: Any) -> Any:
        unknown = {i: arg.aval.shape for i, arg in enumerate(args) if isinstance(arg, ad.UndefinedPrimal)}
        some = {k: c for k, c in enumerate(sent) if not isinstance(c, ad.Zero)}
        if not some:
            return [ad.Zero(arg.aval) if i in unknown else None for i, arg in enumerate(args)]
        found = cotangents(args, unknown, some, **params)
        return [found.get(i) for i in range(len(args))]

    def batch(args: Any, dims: Any, **params: Any) -> Any:
        size = next(arg.shape[dim] for arg, dim in zip(args, dims, strict=True) if dim is not None)
        operands, params, axes = lanes(size, args, dims, **params)
        return primitive.bind(*operands, **params), axes

    def dce(used: Any, eqn: Any) -> Any:
        if not any(used):
            return [False] * len(eqn.invars), None
        taken, params = pruned(used, **eqn.params)
        kept = [k < params["step"].n_carried or u for k, u in enumerate(used)]
        operands = [v for v, t in zip(eqn.invars, taken, strict=True) if t]
        results = [v for v, k in zip(eqn.outvars, kept, strict=True) if k]
        return taken, eqn.replace(invars=operands, outvars=results, params=params)

    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    partial_eval.dce_rules[primitive] = dce


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


def define_sum(primitive: Any, n_terms: int, message: str) -> None:
    """Derivatives of results that are the last operands plus something else made of the first `n_terms`.

    What moves the last operands moves the results alike; differentiating through the others raises a `ValueError`
    instead of losing a gradient.
    """

    def jvp(primals: Any, tangents: Any, **params: Any) -> Any:
        if not all(isinstance(tangent, ad.Zero) for tangent in tangents[:n_terms]):
            raise ValueError(message)
        return primitive.bind(*primals, **params), list(tangents[n_terms:])

    ad.primitive_jvps[primitive] = jvp


def define_trilinear(primitives: Sequence[Any], bind: Callable[..., jax.Array], core_ranks: Sequence[int]) -> None:
    """Derivatives of three primitives that are each other's: form(a, b, c) is linear in each of its three slots.

    `primitives[i]` gives slot i from the two others, in slot order, after the operands of the graph, which are fixed;
    `bind(i, *operands, **params)` calls it; slot i has `core_ranks[i]` axes behind its batch axes.
    """
    for slot, primitive in enumerate(primitives):
        ad.primitive_jvps[primitive] = functools.partial(_trilinear_jvp, slot, bind)
        ad.primitive_transposes[primitive] = functools.partial(_trilinear_transpose, slot, bind, tuple(core_ranks))


def _trilinear_jvp(slot: int, bind: Callable[..., jax.Array], primals: Any, tangents: Any, **params: Any) -> Any:
    *graph, left, right = primals
    *_, d_left, d_right = tangents
    terms = []
    if not isinstance(d_left, ad.Zero):
        terms.append(bind(slot, *graph, d_left, right, **params))
    if not isinstance(d_right, ad.Zero):
        terms.append(bind(slot, *graph, left, d_right, **params))
    return [bind(slot, *primals, **params)], [functools.reduce(jax.lax.add, terms)]


def _trilinear_transpose(
    slot: int, bind: Callable[..., jax.Array], core_ranks: tuple[int, ...], cotangents: Any, *args: Any, **params: Any
) -> Any:
    *graph, left, right = args
    (cotangent,) = cotangents
    wants_left = isinstance(left, ad.UndefinedPrimal)
    unknown = left if wants_left else right
    result: Any = None
    if isinstance(cotangent, ad.Zero):
        result = ad.Zero(unknown.aval)
    else:
        given = [i for i in range(3) if i != slot]
        wanted = given[0] if wants_left else given[1]
        factors = dict(zip(given, (left, right), strict=True)) | {slot: cotangent}
        shape = unknown.aval.shape
        params["batch"] = shape[: len(shape) - core_ranks[wanted]]
        others = [factors[i] for i in range(3) if i != wanted]
        result = bind(wanted, *graph, *others, **params)
    return [None] * len(graph) + ([result, None] if wants_left else [None, result])


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


def define_bilinear(matmul: Any, outer: Any, matmul_form: Callable[..., Outputs], outer_form: Any) -> None:
    """Derivatives and lanes of y = x w (`matmul`) and w = x^T g (`outer`).

    Each is linear in its second operand and the other's transpose; derivatives by x are dense products. With `swap`, x
    is (a, b, n), and y or g are (b, a, m).
    """
    for primitive, partner, form in ((matmul, outer, matmul_form), (outer, matmul, outer_form)):
        ad.primitive_jvps[primitive] = functools.partial(_bilinear_jvp, primitive, form)
        ad.primitive_transposes[primitive] = functools.partial(_bilinear_transpose, partner)
        batching.primitive_batchers[primitive] = functools.partial(_bilinear_batch, primitive, form, matmul_form)


def _bilinear_jvp(primitive: Any, form: Callable[..., Outputs], primals: Any, tangents: Any, **params: Any) -> Any:
    x, other = primals
    dx, d_other = tangents
    terms = []
    if not isinstance(d_other, ad.Zero):
        terms.append(primitive.bind(x, d_other, **params)[0])
    if not isinstance(dx, ad.Zero):
        terms.append(form(dx, other, n=params["n"], swap=params["swap"])[0])
    return primitive.bind(x, other, **params), [functools.reduce(jax.lax.add, terms)]


def _bilinear_transpose(partner: Any, cotangents: Any, x: Any, other: Any, **params: Any) -> Any:
    (cotangent,) = cotangents
    if isinstance(cotangent, ad.Zero):
        return [None, ad.Zero(other.aval)]
    return [None, partner.bind(x, cotangent, **params)[0]]


def _bilinear_batch(
    primitive: Any, form: Callable[..., Outputs], matmul_form: Any, args: Any, dims: Any, **params: Any
) -> Any:
    """Lanes become rows of x where the matrix is shared; dense products of each lane otherwise."""
    (x, other), (d_x, d_other) = args, dims
    if d_other is None and form is matmul_form:
        if params["swap"]:
            x, d_x = jnp.swapaxes(jnp.moveaxis(x, d_x, 0), 1, 2), 0
            params["swap"] = False
        elif d_x == 0 and x.ndim == 3:
            return primitive.bind(x, other, **{**params, "swap": True}), [1]
        if d_x == x.ndim - 1:
            x, d_x = jnp.moveaxis(x, d_x, 0), 0
        return primitive.bind(x, other, **params), [d_x]
    dense = jax.vmap(functools.partial(form, n=params["n"], swap=params["swap"]), (d_x, d_other))
    return dense(x, other), [0]


def batch_rows(primitive: Any) -> None:
    """Let lanes of a primitive of one operand, whose last axis alone it works on, stay where they are."""

    def batch(args: Any, dims: Any, **params: Any) -> Any:
        (x,), (dim,) = args, dims
        if dim == x.ndim - 1:
            x, dim = jnp.moveaxis(x, dim, 0), 0
        results = primitive.bind(x, **params)
        return results, [dim] * len(results)

    batching.primitive_batchers[primitive] = batch
