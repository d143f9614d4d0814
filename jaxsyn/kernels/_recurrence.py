"""Recurrences: a function of each neuron by itself, and of products with matrices, step after step in one call.

Derivatives are recurrences of the same kind: forward one of the changes, which reads what was kept of each step, and
backward one of the cotangents, which runs from the last step to the first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array
from ._derivatives import define_recurrence, needed, prune, split
from ._library import elementwise_supported, require_native
from ._primitive import define_call
from ._steps import Step, in_one_call, stepped

S = TypeVar("S")
X = TypeVar("X")
Y = TypeVar("Y")

_DTYPES = tuple(np.dtype(name) for name in ("float32", "int32", "uint32", "bool"))


def _shapes(*avals: Any, step: Step, length: int, batch: tuple[int, ...]) -> list[Any]:
    outs, c = step.jaxpr.out_avals, step.n_carried
    shapes = [(*batch, step.size)] * c + [(length, *batch, step.size)] * (len(outs) - c)
    return [jax.core.ShapedArray(x, out.dtype) for x, out in zip(shapes, outs, strict=True)]


_recurrence_p = define_call("recurrence_of", _shapes, stepped, in_one_call)


def _bind(args: Sequence[Any], step: Step, length: int, batch: tuple[int, ...], *, native: bool) -> list[Any]:
    return list(_recurrence_p.bind(*args, step=step, length=length, batch=batch, native=native))


def _with_more(step: Step, more: Any, which: Sequence[int]) -> Step:
    """The step, with some of what it began with, and some results of another function of it, behind its results."""

    def call(*args: Any) -> list[Any]:
        found = (*args, *jax.core.eval_jaxpr(more.jaxpr, more.consts, *args))
        return [*step.call(args), *(found[i] for i in which)]

    return Step(jax.make_jaxpr(call)(*step.jaxpr.in_avals), *step[1:])


def _to_keep(linear: Any, step: Step) -> tuple[Any, Any, tuple[int, ...]]:
    """What changes need of each step: kept as it was computed, or computed again from what the step began with.

    Returns:
        Function of the step that computes what is kept; the changes by operands and what it computes, those that are
        read, and the changes of operands; numbers of those that are read.
    """
    n, c = len(step.jaxpr.in_avals), step.n_carried
    inputs = range(c, c + step.n_inputs)
    known, rest = split(linear, n, (step.size,))
    rest, kept = needed(rest, n + len(known.out_avals))
    again, read = needed(linear, n)

    def traffic(which: Sequence[int]) -> int:
        return sum(2 if i < c or i >= n else int(i in inputs) for i in which)

    if traffic(kept) <= traffic(read):
        return known, rest, kept
    return known, again, read


def _changes(primals: Sequence[Any], dots: Mapping[int, Any], *, step: Step, **how: Any) -> tuple[list[Any], Any]:
    """Results, and the changes of those that have derivatives, by their numbers, from changes of some operands."""
    jaxpr, n, c = step.jaxpr, len(primals), step.n_carried
    if any(jaxpr.in_avals[i].ndim == 2 for i in dots):
        return _changes_in_jax(primals, dots, step=step, **how)
    carried = step.floats(0, c)
    outs = [*carried, *step.floats(c, None)]
    inputs = [i for i in dots if c <= i < c + step.n_inputs]
    shared = [i for i in dots if i >= c + step.n_inputs]
    moving = [*carried, *inputs, *shared]
    if not outs:
        return _bind(primals, step, **how), {}
    scalars = [i for i in shared if jaxpr.in_avals[i].shape == ()]

    def change(*args: Any) -> list[Any]:
        primal, given = args[:n], dict(zip(moving, args[n:], strict=True))

        def along(which: Sequence[int], way: Sequence[Any]) -> list[Any]:
            def moved(*values: Any) -> list[Any]:
                now = list(primal)
                for i, value in zip(which, values, strict=True):
                    now[i] = value
                done = step.call(now)
                return [done[k] for k in outs]

            return list(jax.jvp(moved, [primal[i] for i in which], list(way))[1])

        arrays = [i for i in moving if i not in scalars]
        zero = [jnp.zeros(step.size, jaxpr.out_avals[k].dtype) for k in outs]
        total = along(arrays, [given[i] for i in arrays]) if arrays else zero
        for i in scalars:  # the change of what all neurons share is one for each of them here
            total = [a + given[i] * b for a, b in zip(total, along([i], [jnp.ones_like(primal[i])]), strict=True)]
        return total

    per_neuron = [jax.core.ShapedArray((step.size,), jaxpr.in_avals[i].dtype) for i in moving]
    more, linear, read = _to_keep(jax.make_jaxpr(change)(*jaxpr.in_avals, *per_neuron), step)
    own = [i for i in read if i < c or i >= n]
    values = _bind(primals, _with_more(step, more, own), **how)
    n_outs = len(jaxpr.out_avals)
    values, kept = values[:n_outs], dict(zip(own, values[n_outs:], strict=True))
    # In the order of a step: what is carried, what each step has of its own, what is shared.
    own_reads = [i for i in read if i < c + step.n_inputs or i >= n]
    shared_reads = [i for i in read if c + step.n_inputs <= i < n]
    place = {i: k for k, i in enumerate(read)}
    changed = {i: len(read) + k for k, i in enumerate(moving)}
    order = [changed[i] for i in carried] + [place[i] for i in own_reads] + [changed[i] for i in inputs]
    order += [place[i] for i in shared_reads] + [changed[i] for i in shared]
    tangent = _reordered(linear, order)
    args = [dots[i] if i in dots else jnp.zeros_like(primals[i]) for i in carried]
    args += [kept[i] if i in kept else primals[i] for i in own_reads]
    args += [dots[i] for i in inputs]
    args += [primals[i] for i in shared_reads]
    args += [_for_each(dots[i], jaxpr.in_avals[i].shape, step.size) for i in shared]
    made = _bind(args, Step(tangent, len(carried), len(own_reads) + len(inputs), step.reverse), **how)
    return values, dict(zip(outs, made, strict=True))


def _changes_in_jax(
    primals: Sequence[Any], dots: Mapping[int, Any], *, step: Step, **how: Any
) -> tuple[list[Any], Any]:
    """The same where a matrix moves: of `jax.lax.scan`."""
    which = list(dots)

    def moved(*values: Any) -> list[Any]:
        now = list(primals)
        for i, value in zip(which, values, strict=True):
            now[i] = value
        return stepped(*now, step=step, length=how["length"], batch=how["batch"])

    outs, changes = jax.jvp(moved, [primals[i] for i in which], list(dots.values()))
    return outs, {k: changes[k] for k in step.floats(0, None)}


def _for_each(dot: Any, shape: tuple[int, ...], size: int) -> Any:
    """A change as one for each neuron."""
    return dot if shape else jnp.broadcast_to(dot[..., None], (*dot.shape, size))


def _reordered(closed: Any, order: Sequence[int]) -> Any:
    """A jaxpr with its operands in another order."""

    def function(*args: Any) -> list[Any]:
        back = [None] * len(order)
        for i, arg in zip(order, args, strict=True):
            back[i] = arg
        return list(jax.core.eval_jaxpr(closed.jaxpr, closed.consts, *back))

    return jax.make_jaxpr(function)(*(closed.in_avals[i] for i in order))


def _cotangents(
    args: Sequence[Any], unknown: Mapping[int, Any], sent: Mapping[int, Any], *, step: Step, **how: Any
) -> dict[int, Any]:
    """Cotangents of the operands that are unknown (by number: their shape), in which the recurrence is linear."""
    jaxpr, c, n = step.jaxpr, step.n_carried, len(args)
    inputs = [i for i in unknown if c <= i < c + step.n_inputs]
    shared = [i for i in unknown if i >= c + step.n_inputs]
    linear = [*range(c), *inputs, *shared]
    known = [i for i in range(n) if i not in linear]
    emitted = [k for k in sent if k >= c]

    def back(*args: Any) -> list[Any]:
        given = dict(zip(known, args, strict=False))
        ct_carried = args[len(known) : len(known) + c]
        sums = args[len(known) + c : len(known) + c + len(shared)]
        ct_emitted = dict(zip(emitted, args[len(known) + c + len(shared) :], strict=True))

        def one(*values: Any) -> list[Any]:
            now = given | dict(zip(linear, values, strict=True))
            return step.call([now[i] for i in range(n)])

        zeros = [jnp.zeros(jaxpr.in_avals[i].shape, jaxpr.in_avals[i].dtype) for i in linear]
        outs, pull = jax.vjp(one, *zeros)
        found = pull([*ct_carried, *(ct_emitted.get(k, jnp.zeros_like(outs[k])) for k in range(c, len(outs)))])
        ct_inputs, ct_shared = found[c : c + len(inputs)], found[c + len(inputs) :]
        return [*found[:c], *(a + b for a, b in zip(sums, ct_shared, strict=True)), *ct_inputs]

    avals = [jaxpr.in_avals[i] for i in (*known, *range(c), *shared)] + [jaxpr.out_avals[k] for k in emitted]
    closed, read = needed(jax.make_jaxpr(back)(*avals), len(known))
    kept = [known[i] for i in read]
    own, common = ([i for i in kept if (i < c + step.n_inputs) == here] for here in (True, False))
    n_kept, n_sums = len(kept), c + len(shared)
    place = {i: k for k, i in enumerate(kept)}
    order = [*range(n_kept, n_kept + n_sums), *(place[i] for i in own)]
    order += [*range(n_kept + n_sums, n_kept + n_sums + len(emitted)), *(place[i] for i in common)]
    batch, size = how["batch"], step.size
    zero = [jnp.zeros((*batch, size), jaxpr.in_avals[i].dtype) for i in (*range(c), *shared)]
    operands = [sent.get(k, zero[k]) for k in range(c)] + zero[c:]
    operands += [args[i] for i in own] + [sent[k] for k in emitted] + [args[i] for i in common]
    backward = Step(_reordered(closed, order), n_sums, len(own) + len(emitted), not step.reverse)
    made = _bind(operands, backward, **how)
    found = dict(zip([*range(c), *shared, *inputs], made, strict=True))
    return {i: _summed(found[i], shape, lead=int(i in inputs)) for i, shape in unknown.items()}


def _summed(values: Any, shape: tuple[int, ...], lead: int) -> Any:
    """Sums over the lanes that an operand shares."""
    axes = tuple(a for a in range(lead, values.ndim - 1) if shape[a] == 1 != values.shape[a])
    return jnp.sum(values, axis=axes, keepdims=True) if axes else values


def _lanes(size: int, args: Sequence[Any], dims: Sequence[Any], *, step: Step, batch: Any, **how: Any) -> Any:
    """Operands with one more batch axis, behind that of the steps; parameters; where results have it."""
    front = (step.n_carried, step.n_inputs)
    axes = [int(front[0] <= i < front[0] + front[1]) for i in range(len(args))]
    moved = [
        jnp.expand_dims(x, axis) if d is None else jnp.moveaxis(x, d, axis)
        for x, d, axis in zip(args, dims, axes, strict=True)
    ]
    outs = [int(k >= step.n_carried) for k in range(len(step.jaxpr.out_avals))]
    return moved, {"step": step, "batch": (size, *batch), **how}, outs


def _pruned(used: Sequence[bool], *, step: Step, **how: Any) -> tuple[list[bool], dict[str, Any]]:
    """Which operands are needed where only some results of the steps are, and the parameters then."""
    wanted = [True] * step.n_carried + list(used[step.n_carried :])
    jaxpr, taken = prune(step.jaxpr, wanted, [k < step.n_carried for k in range(len(step.jaxpr.in_avals))])
    return taken, {"step": Step(jaxpr, step.n_carried, sum(step.split(taken)[1]), step.reverse), **how}


define_recurrence(_recurrence_p, _changes, _cotangents, _lanes, _pruned)


def _has_backward_rule(jaxpr: Any) -> bool:
    """Whether something in a jaxpr has a rule for backward derivatives alone: its changes cannot be turned around."""

    def inner(value: Any) -> list[Any]:
        if isinstance(value, tuple | list):
            return [one for part in value for one in inner(part)]
        value = getattr(value, "jaxpr", value)
        return [value] if hasattr(value, "eqns") else []

    return any(
        eqn.primitive.name.startswith("custom_vjp_call")
        or any(_has_backward_rule(one) for value in eqn.params.values() for one in inner(value))
        for eqn in jaxpr.eqns
    )


def recurrence(
    function: Callable[[S, X], tuple[S, Y]], length: int, size: int, state: S, inputs: X, *, native: bool
) -> tuple[S, Y]:
    """Run a function that treats each neuron by itself step after step: `jax.lax.scan` in one call.

    Neurons may meet in `spike_matmul`, or in a product of a row with a matrix, if no step changes the matrix. Natively
    some neurons, or some lanes, go through all steps before the next ones do, so that what passes from step to step
    stays in the cache, and what derivatives need of each step is written and read once. The same values up to
    rounding. Where an array has another shape or type, another operation goes across neurons or one has a rule of
    `jax.custom_vjp`, it is `jax.lax.scan`; so are derivatives by a matrix.

    Args:
        function: Takes (state, input of the step), returns (new state, result of the step); arrays (n,).
        length: Number of steps.
        size: n.
        state: Tree of arrays (n,).
        inputs: Tree of arrays (length, n).
        native: Use the native program where the computation runs on a CPU.
    Returns:
        State after the last step, and the results of the steps, (length, n).
    Raises:
        ValueError: native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> leak = lambda v, x: (0.5 * v + x, v)
        >>> v, before = kernels.recurrence(leak, 3, 2, jnp.zeros(2), jnp.ones((3, 2)), native=False)
        >>> v.tolist(), before[:, 0].tolist()
        ([1.75, 1.75], [0.0, 1.0, 1.5])
    """

    def in_jax() -> tuple[S, Y]:
        done: tuple[S, Y] = jax.lax.scan(function, state, inputs, length=length)
        return done

    if 0 in (size, length) or not require_native(native) or not elementwise_supported():
        return in_jax()
    one = jax.tree.map(lambda x: jax.core.ShapedArray(x.shape[1:], x.dtype), inputs)
    closed, shape = jax.make_jaxpr(function, return_shape=True)(state, one)
    leaves, rows = jax.tree.leaves(state), jax.tree.leaves(inputs)
    trees: list[Any] = [jax.tree.structure(x) for x in (state, *shape[:1])] if isinstance(shape, tuple) else []
    fits = len(trees) == 2 and len(shape) == 2 and trees[0] == trees[1]
    fits = fits and all(x.shape[0] == length for x in rows) and not _has_backward_rule(closed.jaxpr)
    arrays = [*leaves, *jax.tree.leaves(one), *closed.out_avals]
    fits &= bool(closed.out_avals) and all(x.shape == (size,) and x.dtype in _DTYPES for x in arrays)
    fits &= all(
        (jnp.shape(x) in ((), (size,)) or jnp.ndim(x) == 2) and jnp.asarray(x).dtype in _DTYPES for x in closed.consts
    )
    fits &= all(new.dtype == old.dtype for new, old in zip(closed.out_avals, leaves, strict=False))
    if not fits or not any(isinstance(x, jax.core.Tracer) for x in (*leaves, *rows, *closed.consts)):
        return in_jax()
    # What the function closes over is an operand like all others, behind those of the steps.
    n = len(leaves) + len(rows)
    pure = jax.make_jaxpr(lambda *xs: jax.core.eval_jaxpr(closed.jaxpr, xs[n:], *xs[:n]))(
        *closed.in_avals, *closed.consts
    )
    step = Step(pure, len(leaves), len(rows), reverse=False)
    results: list[Array] = _bind((*leaves, *rows, *closed.consts), step, length, (), native=True)
    done: tuple[S, Y] = jax.tree.unflatten(jax.tree.structure(shape), results)
    return done
