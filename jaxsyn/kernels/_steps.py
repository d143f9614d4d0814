"""Steps of a recurrence: what they are, and how they are done, one after the other or in one call."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._elementwise import over_lanes
from ._primitive import Operand, define_kernel
from ._program import Unsupported
from ._stages import Walk, stages

_EACH_STEP, _SAME = -1, -2  # kEachStep and kSame in csrc/elementwise.cc


class _Row:
    """What stands for an operand while a step is traced: one object for each, whatever arrays they are."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype


class Step(NamedTuple):
    """A function of (carried, of this step, shared) that returns (carried, of this step), all flat."""

    jaxpr: Any
    n_carried: int
    n_inputs: int
    reverse: bool

    def split(self, args: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Operands, or what stands for each of them, by their role."""
        c, x = self.n_carried, self.n_carried + self.n_inputs
        return args[:c], args[c:x], args[x:]

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.jaxpr.out_avals[0].shape[0])

    def floats(self, first: int, last: int | None) -> list[int]:
        """Numbers of the results that have derivatives, from `first` on."""
        avals = self.jaxpr.out_avals[first:last]
        return [first + k for k, out in enumerate(avals) if jnp.issubdtype(out.dtype, jnp.floating)]

    def call(self, args: Sequence[Any]) -> list[Any]:
        """One step."""
        return list(jax.core.eval_jaxpr(self.jaxpr.jaxpr, self.jaxpr.consts, *args))


def stepped(*args: Any, step: Step, length: int, batch: tuple[int, ...]) -> list[Any]:
    """States after the last step, and results of all steps, by a scan."""
    carried, inputs, shared = step.split(args)
    start = [jnp.broadcast_to(c, (*batch, c.shape[-1])) for c in carried]

    def one(carry: Any, x: Any) -> Any:
        outs = over_lanes(lambda *xs: step.call(xs), (*carry, *x, *shared), batch)
        return outs[: step.n_carried], outs[step.n_carried :]

    ends, outs = jax.lax.scan(one, start, list(inputs), length=length, reverse=step.reverse)
    return [*ends, *outs]


def in_one_call(*args: Any, step: Step, length: int, batch: tuple[int, ...]) -> list[Any]:
    """The same by a program, all lanes side by side; in JAX where it has something else in it."""
    size, jaxpr = step.size, step.jaxpr
    walk = Walk(size)
    tracer = walk.tracer
    stands_for: dict[int, int] = {}  # operand of the recurrence by the identity of its placeholder
    quantities, kept = [], []
    roles = [*range(step.n_carried), *[_EACH_STEP] * step.n_inputs, *[_SAME] * len(step.split(args)[2])]
    try:
        for i, (arg, aval, role) in enumerate(zip(args, jaxpr.in_avals, roles, strict=True)):
            if aval.ndim == 2 and arg.size != aval.size:
                raise Unsupported("a matrix for each lane")
            if aval.ndim == 2 or (role == _SAME and aval.shape == () and arg.size == 1):
                quantities.append(("uniform", arg.reshape(aval.shape)))
                continue
            kept.append(_Row(aval.dtype))
            stands_for[id(kept[-1])] = i
            quantities.append(tracer.operand(kept[-1]))
        numbers = [tracer.read(out) for out in tracer.walk(jaxpr.jaxpr, jaxpr.consts, quantities)]
        numbers = [n if n >= 0 else tracer.op("or", n, n) for n in numbers]  # what all neurons share, for each of them
        if not all(id(x) in stands_for for x in tracer.operands) or any(v.op == "index" for v in tracer.values):
            raise Unsupported("arrays that are not operands")
        used = [stands_for[id(x)] for x in tracer.operands]
        replaced = {roles[i]: j for j, i in enumerate(used) if roles[i] >= 0}
        code = stages(walk, numbers, [aval.dtype == np.bool_ for aval in jaxpr.out_avals], replaced)
    except Unsupported:
        return stepped(*args, step=step, length=length, batch=batch)
    flat = [_side_by_side(args[i], roles[i], jaxpr.in_avals[i].shape, size, batch) for i in used]
    results = _program_p.bind(
        jnp.stack(code.uniforms) if code.uniforms else jnp.zeros(0, jnp.int32),
        *flat,
        *code.matrices,
        code=code.code,
        lengths=code.lengths,
        digests=code.digests,
        couplings=code.couplings,
        aliases=tuple((1 + j, r) for r, j in replaced.items()),
        roles=np.array([roles[i] for i in used], np.int32).tobytes(),
        size=np.int64(size * int(np.prod(batch, dtype=np.int64))),
        lane=np.int64(size),
        length=np.int64(length),
        carried=step.n_carried,
        reverse=int(step.reverse),
        n_scratch=code.n_scratch,
        results=tuple(str(aval.dtype) for aval in jaxpr.out_avals),
        native=True,
    )
    shapes = [(*batch, size)] * step.n_carried + [(length, *batch, size)] * (len(numbers) - step.n_carried)
    return [x.reshape(shape) for x, shape in zip(results, shapes, strict=True)]


def _side_by_side(arg: Any, role: int, shape: tuple[int, ...], size: int, batch: tuple[int, ...]) -> Any:
    """An operand with its lanes one after the other: (lanes * n,), or (steps, lanes * n)."""
    lead = arg.shape[:1] if role == _EACH_STEP else ()
    arg = arg if shape else arg[..., None]
    return jnp.broadcast_to(arg, (*lead, *batch, size)).reshape(*lead, -1)


def _shapes_of_program(*avals: Any, results: Any, size: Any, length: Any, carried: int, **params: Any) -> list[Any]:
    shapes = [(int(size),)] * carried + [(int(length), int(size))] * (len(results) - carried)
    return [jax.core.ShapedArray(x, np.dtype(dtype)) for x, dtype in zip(shapes, results, strict=True)]


_program_p = define_kernel(
    *("recurrence", (), _shapes_of_program, None),
    rest=Operand.LANES,
    attributes=(
        *("code", "lengths", "digests", "couplings", "roles"),
        *("size", "lane", "length", "carried", "reverse", "n_scratch"),
    ),
)
