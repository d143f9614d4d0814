"""Derivatives and lanes of primitives: the rules that several kernels share, or that need JAX's own types of zeros."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir, partial_eval

from ._primitive import Outputs


def define_map(
    primitive: Any, tangents: Any, forward: Callable[..., Any], backward: Callable[..., Any], whole: Any
) -> None:
    """Derivatives of a primitive with the parameter `traced` by another one, which is linear in its last operands.

    Args:
        primitive: The primitive; `traced.n_state` of its operands are replaced by results, but not where derivatives
            read them: each would be copied first.
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
        outs = primitive.bind(*primals, native=native, **params | {"traced": params["traced"]._replace(n_state=0)})
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
    keep = [k >= n for k in range(len(closed.in_avals))]
    closed, used = prune(closed, [True] * len(closed.out_avals), keep)
    return closed, tuple(i for i in range(n) if used[i])


def prune(closed: Any, wanted: Sequence[bool], keep: Sequence[bool]) -> tuple[Any, list[bool]]:
    """A jaxpr with some of its results and what they depend on or is to be kept of its operands; which stayed."""
    jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, list(wanted), list(keep))
    return closed.replace(jaxpr=jaxpr), list(used)


def split(closed: Any, n: int, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """A jaxpr as what depends on its first `n` operands alone, and the rest.

    Returns:
        Function of these operands that gives arrays of a shape; function of them, of these arrays, and of the other
        operands that gives the results. What has another shape is computed in both.
    """
    jaxpr = closed.jaxpr
    others = set(jaxpr.invars[n:])
    known: list[Any] = []
    rest: list[Any] = []
    for eqn in jaxpr.eqns:
        depends = any(atom in others for atom in _variables(eqn.invars))
        (rest if depends else known).append(eqn)
        others.update(eqn.outvars if depends else ())
    operands = {*jaxpr.constvars, *jaxpr.invars, *(v for eqn in rest for v in eqn.outvars)}
    wanted = _variables([*jaxpr.outvars, *(atom for eqn in rest for atom in eqn.invars)])
    given: list[Any] = []
    for eqn in reversed(known):
        if not any(v in wanted for v in eqn.outvars):
            continue
        if all(v.aval.shape == shape for v in eqn.outvars):
            given += [v for v in eqn.outvars if v in wanted and v not in operands]
        else:
            rest.insert(0, eqn)
            wanted |= _variables(eqn.invars)
    first = jaxpr.replace(invars=jaxpr.invars[:n], outvars=given, eqns=known)
    second = jaxpr.replace(invars=[*jaxpr.invars[:n], *given, *jaxpr.invars[n:]], eqns=rest)
    return closed.replace(jaxpr=first), closed.replace(jaxpr=second)


def _variables(atoms: Sequence[Any]) -> set[Any]:
    return {atom for atom in atoms if not hasattr(atom, "val")}


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
        given = {i: jnp.asarray(dot) for i, dot in enumerate(dots) if not isinstance(dot, ad.Zero)}
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

    `primitives[i]` gives slot i from the two others, in slot order, after the three operands of the graph, which are
    fixed; `bind(i, *operands, **params)` calls it; slot i has `core_ranks[i]` axes behind its batch axes. The last
    primitive adds the rows of its slot to further operands.
    """
    for slot, primitive in enumerate(primitives[:-1]):
        ad.primitive_jvps[primitive] = functools.partial(_trilinear_jvp, slot, bind)
        ad.primitive_transposes[primitive] = functools.partial(_trilinear_transpose, slot, bind, tuple(core_ranks))
    ad.primitive_jvps[primitives[-1]] = functools.partial(_onto_jvp, primitives[-1])
    ad.primitive_transposes[primitives[-1]] = functools.partial(_onto_transpose, bind, tuple(core_ranks))


def _instantiated(rows: Sequence[Any]) -> list[Any]:
    instantiate: Any = ad.instantiate_zeros
    return [instantiate(row) for row in rows]


def _onto_jvp(primitive: Any, primals: Any, tangents: Any, **params: Any) -> Any:
    *graph, left, right = primals[:5]
    d_left, d_right = tangents[3:5]
    rows = _instantiated(tangents[5:])
    if not isinstance(d_left, ad.Zero):
        rows = primitive.bind(*graph, d_left, right, *rows, **params)
    if not isinstance(d_right, ad.Zero):
        rows = primitive.bind(*graph, left, d_right, *rows, **params)
    return primitive.bind(*primals, **params), rows


def _onto_transpose(
    bind: Callable[..., jax.Array], core_ranks: tuple[int, ...], cotangents: Any, *args: Any, **params: Any
) -> Any:
    if all(isinstance(row, ad.Zero) for row in cotangents):
        return [ad.Zero(arg.aval) if isinstance(arg, ad.UndefinedPrimal) else None for arg in args]
    rows = _instantiated(cotangents)
    found: list[Any] = [None] * 5 + [
        row if isinstance(arg, ad.UndefinedPrimal) else None for row, arg in zip(rows, args[5:], strict=True)
    ]
    for slot in (0, 1):
        unknown, other = args[3 + slot], args[4 - slot]
        if isinstance(unknown, ad.UndefinedPrimal):
            shape = unknown.aval.shape
            params["batch"] = shape[: len(shape) - core_ranks[slot]]
            found[3 + slot] = bind(slot, *args[:3], other, jnp.stack(rows, axis=-2), **params)
    return found


def _trilinear_jvp(slot: int, bind: Callable[..., jax.Array], primals: Any, tangents: Any, **params: Any) -> Any:
    graph, (left, right, *_) = primals[:3], primals[3:]
    d_left, d_right, *change = tangents[3:]
    change = [d for d in change if not isinstance(d, ad.Zero)]
    if not isinstance(d_left, ad.Zero):
        change = [bind(slot, *graph, d_left, right, *change, **params)]
    if not isinstance(d_right, ad.Zero):
        change = [bind(slot, *graph, left, d_right, *change, **params)]
    return [bind(slot, *primals, **params)], change


def _trilinear_transpose(
    slot: int, bind: Callable[..., jax.Array], core_ranks: tuple[int, ...], cotangents: Any, *args: Any, **params: Any
) -> Any:
    (cotangent,) = cotangents
    if isinstance(cotangent, ad.Zero):
        return [ad.Zero(arg.aval) if isinstance(arg, ad.UndefinedPrimal) else None for arg in args]
    graph, left, right = args[:3], args[3], args[4]
    given = [i for i in range(3) if i != slot]
    found: list[Any] = [None] * 5 + [cotangent if isinstance(a, ad.UndefinedPrimal) else None for a in args[5:]]
    for k, unknown in enumerate((left, right)):
        if isinstance(unknown, ad.UndefinedPrimal):
            wanted, shape = given[k], unknown.aval.shape
            factors = dict(zip(given, (left, right), strict=True)) | {slot: cotangent}
            params["batch"] = shape[: len(shape) - core_ranks[wanted]]
            found[3 + k] = bind(wanted, *graph, *(factors[i] for i in range(3) if i != wanted), **params)
    return found


def define_passed(primitive: Any, gradient: Callable[..., jax.Array], form: Callable[[bool], Any]) -> None:
    """Derivatives and lanes of a primitive that is linear in its last operand and hands it on as its last result.

    Args:
        primitive: The primitive, (product, last operand) from (graph: two operands, marks, source, last operand).
        gradient: gradient(*operands, sent=cotangents, ...) gives the cotangent of the last operand.
        form: form(native) is what it computes, for lanes with last operands of their own.
    """

    def transpose(cotangents: Any, *args: Any, **params: Any) -> Any:
        product, last = cotangents
        if not isinstance(product, ad.Zero):
            last = gradient(*args, sent=(product, _instantiated([last])[0]), **params)
        return [None] * (len(args) - 1) + [last]

    def batch(args: Any, dims: Any, *, native: bool, **params: Any) -> Any:
        if dims[-1] is not None:
            mapped = jax.vmap(functools.partial(form(native), **params), tuple(dims))
            return mapped(*args), [0, 0]
        size = next(arg.shape[dim] for arg, dim in zip(args, dims, strict=True) if dim is not None)
        rows = []
        for arg, dim in zip(args[2:4], dims[2:4], strict=True):
            full = jnp.broadcast_to(arg, (size, *arg.shape)) if dim is None else jnp.moveaxis(arg, dim, 0)
            rows.append(full.reshape(math.prod(full.shape[:2]), full.shape[2]) if full.shape[2] else full[0])
        product, last = primitive.bind(*args[:2], *rows, args[-1], native=native, **params)
        return [product.reshape(size, product.shape[0] // size, *product.shape[1:]), last], [0, None]

    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch


def define_stand_in(name: str, value: Callable[..., jax.Array], change: Callable[..., jax.Array]) -> Any:
    """Make the primitive whose result changes with operands that its value need not depend on.

    `value(*operands)` is the result, `change(*changes)` its change; leading axes of operands are lanes. What looks at
    values alone, as the elimination of dead code does, cannot drop an operand.
    """
    primitive: Any = jax.extend.core.Primitive(f"jaxsyn_{name}")

    def infer(*avals: Any) -> Any:
        shape = jax.eval_shape(value, *avals)
        return jax.core.ShapedArray(shape.shape, shape.dtype)

    def jvp(primals: Any, tangents: Any) -> Any:
        return primitive.bind(*primals), change(*_instantiated(tangents))

    def batch(args: Any, dims: Any) -> Any:
        size = next(arg.shape[dim] for arg, dim in zip(args, dims, strict=True) if dim is not None)
        lanes = [
            jnp.broadcast_to(arg, (size, *arg.shape)) if dim is None else jnp.moveaxis(arg, dim, 0)
            for arg, dim in zip(args, dims, strict=True)
        ]
        return primitive.bind(*lanes), 0

    primitive.def_abstract_eval(infer)
    primitive.def_impl(jax.jit(value))
    mlir.register_lowering(primitive, mlir.lower_fun(value, multiple_results=False))
    ad.primitive_jvps[primitive] = jvp
    batching.primitive_batchers[primitive] = batch
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
