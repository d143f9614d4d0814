"""Counting what a jaxpr does, without running it."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from ..kernels import count_operations

_FEW = 64  # elements that count as a scalar
_SCATTER = ("scatter", "gather", "bcoo", "sort", "top_k")
_FREE = {"broadcast_in_dim", "reshape", "squeeze", "slice", "stack", "iota", "convert_element_type", "copy"}
_NUMBERS = ("steps", "calls", "scalars", "elements", "scattered", "flops", "emitting")
_INLINE = {"jit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat2", "checkpoint"}


class Program(NamedTuple):
    """An elementwise program: how often it runs, and for how many neurons; the rest as in `kernels.Operations`.

    Args:
        runs: How often it runs.
        size: Number of neurons.
        always: Operations for each neuron.
        seldom: Operations for blocks of neurons in which one spikes.
        n_bytes: Bytes read and written for each neuron.
    Example:
        >>> Program(runs=1.0, size=100, always=10.0, seldom=0.0, n_bytes=8.0).size
        100
    """

    runs: float
    size: int
    always: float
    seldom: float
    n_bytes: float


class Work(NamedTuple):
    """What a jaxpr does; delivery of spikes, which depends on rates, only counts as calls.

    Args:
        steps: Iterations of its loops, the innermost.
        calls: Calls of native kernels.
        scalars: Operations of XLA, each small by itself.
        elements: Elements that those on arrays compute.
        scattered: Elements scattered, gathered or sorted.
        flops: Operations of matrix products.
        emitting: Neurons looked at for spikes.
        programs: Elementwise programs.
        sums: Cumulative sums (the tables of Poisson sources have one), which XLA expands.
        equations: Equations to compile.
        stored: Operations of elementwise programs to compile.
    Example:
        >>> Work(steps=1.0).calls
        0.0
    """

    steps: float = 0.0
    calls: float = 0.0
    scalars: float = 0.0
    elements: float = 0.0
    scattered: float = 0.0
    flops: float = 0.0
    emitting: float = 0.0
    sums: int = 0
    programs: tuple[Program, ...] = ()
    equations: int = 0
    stored: int = 0

    def scaled(self, factor: float) -> "Work":
        """The work of a share of the evaluations; what there is to compile stays."""
        programs = tuple(p._replace(runs=factor * p.runs) for p in self.programs)
        return self._replace(**{name: factor * getattr(self, name) for name in _NUMBERS}, programs=programs)

    def share(self, devices: int) -> "Work":
        """What one of several devices does that share all neurons."""
        programs = tuple(p._replace(size=-(-p.size // devices)) for p in self.programs)
        each = {name: getattr(self, name) / devices for name in ("elements", "scattered", "flops", "emitting")}
        return self._replace(**each, programs=programs)


def work_of(jaxpr: Any) -> Work:
    """Count what a jaxpr does, loops of known length included.

    Args:
        jaxpr: A jaxpr, closed or open.
    Returns:
        The work of one evaluation.
    Example:
        >>> import jax, jax.numpy as jnp
        >>> loop = lambda x: jax.lax.fori_loop(0, 100, lambda i, x: jnp.sin(x), x)
        >>> work_of(jax.make_jaxpr(loop)(jnp.ones(1000))).elements
        100000.0
    """
    parts = list(_parts(jaxpr.jaxpr if hasattr(jaxpr, "jaxpr") else jaxpr, 1.0))
    return Work(
        **{name: sum(getattr(part, name) for part in parts) for name in _NUMBERS},
        programs=tuple(program for part in parts for program in part.programs),
        sums=sum(part.sums for part in parts),
        equations=sum(part.equations for part in parts),
        stored=sum(part.stored for part in parts),
    )


def _parts(jaxpr: Any, runs: float) -> Iterator[Work]:
    for eqn in jaxpr.eqns:
        name, inner = eqn.primitive.name, _inner(eqn)
        if name.startswith("jaxsyn_"):
            yield _kernel(eqn, name, runs)
        elif name == "scan" or (name == "while" and inner):
            length = float(eqn.params.get("length", 1))
            loops = any(e.primitive.name in ("scan", "while") for e in inner[0].eqns)
            yield Work(steps=0.0 if loops else runs * length, equations=1)
            yield from _parts(inner[0], runs * length)
        elif inner:
            yield Work(equations=0 if name in _INLINE else 1)
            yield from _parts(inner[0], runs)
        else:
            yield _plain(eqn, name, runs)


def _inner(eqn: Any) -> list[Any]:
    """The jaxprs in an equation; the body where it is a loop."""
    if eqn.primitive.name == "while":
        return [eqn.params["body_jaxpr"].jaxpr]
    if any(word in eqn.primitive.name for word in (*_SCATTER, "reduce")):  # how two elements become one
        return []
    found = [p.jaxpr if hasattr(p, "jaxpr") else p for p in eqn.params.values()]
    return [p for p in found if hasattr(p, "eqns")]


def _kernel(eqn: Any, name: str, runs: float) -> Work:
    operands = [v.aval for v in eqn.invars]
    if name == "jaxsyn_emit":
        return Work(calls=runs, emitting=runs * operands[0].size, equations=1)
    if name != "jaxsyn_map":
        return Work(calls=runs, equations=1)
    jaxpr = eqn.params["traced"].jaxpr
    counted = count_operations(jaxpr, jaxpr.in_avals)
    if counted is None:  # XLA fuses it into loops that compute again what several results share
        elements = runs * sum(math.prod(v.aval.shape) for e in jaxpr.jaxpr.eqns for v in e.outvars)
        return Work(elements=elements, equations=len(jaxpr.jaxpr.eqns))
    size = jaxpr.out_avals[0].shape[0]
    program = Program(runs, size, counted.always, counted.seldom, counted.n_bytes)
    return Work(calls=runs, programs=(program,), equations=1, stored=counted.stored)


def _plain(eqn: Any, name: str, runs: float) -> Work:
    shapes = [getattr(v.aval, "shape", ()) for v in (*eqn.outvars, *eqn.invars)]
    most = max((math.prod(s) for s in shapes[: len(eqn.outvars)]), default=0)
    if name in ("dot_general", "conv_general_dilated"):
        left, right = shapes[-2:]
        inner = math.sqrt(math.prod(left) * math.prod(right) / max(most, 1)) if most else 0.0
        return Work(flops=2.0 * runs * most * inner, scalars=runs, equations=1)
    if name == "cumsum":
        return Work(scalars=runs, elements=runs * most, sums=1, equations=1)
    if most <= _FEW:
        return Work(scalars=runs, equations=1)
    if any(word in name for word in _SCATTER):
        return Work(scattered=runs * max(math.prod(s) for s in shapes[: len(eqn.outvars) + 1]), equations=1)
    if name in _FREE:
        return Work(equations=1)
    return Work(scalars=runs, elements=runs * most, equations=1)


def tree_bytes(tree: Any) -> int:
    """Bytes of all arrays of a tree, or of the shapes of arrays.

    Args:
        tree: Any pytree.
    Returns:
        Their memory.
    Example:
        >>> import jax.numpy as jnp
        >>> tree_bytes({"a": jnp.zeros((2, 3))})
        24
    """
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree) if hasattr(x, "dtype"))
