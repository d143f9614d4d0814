"""What a model does between its layers, read from the program that JAX traced."""

import math
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from .._core import float_dtype
from ._ann import Activation
from ._builder import Builder, UnsupportedLayer, Value

_INSIDE = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_VIEWS = ("reshape", "squeeze", "broadcast_in_dim", "copy", "copy_p", "convert_element_type", "stop_gradient")
_SCOPE = "jaxsyn scope "
_LIBRARIES = (sysconfig.get_path("purelib"), str(Path(__file__).parents[1]))

Placed = Callable[[str], Callable[[list[Any]], Any] | None]


class Unknown(NamedTuple):
    """A value that no network gives. It may be dropped; where it meets a value of the network, `why` is said."""

    why: str


class Program(eqx.Module):
    """A traced function of one array, to be carried; equal programs have equal text."""

    program: Any = eqx.field(static=True)
    constants: tuple[Any, ...]

    def __call__(self, x: Any) -> Any:
        """The output of the program."""
        return jaxpr_as_fun(ClosedJaxpr(self.program, self.constants))(x)[0]


def follow(closed: Any, builder: Builder, placed: Placed, carry: bool) -> list[Any]:
    """Add what a traced program does to a network.

    Args:
        closed: The program (a closed jaxpr) of one sample, and perhaps of a key for random numbers.
        builder: The network so far: its input.
        placed: Gives for the name of a call what adds the layer that it stands for, or None.
        carry: Carry functions of one value that have no spiking counterpart.
    Returns:
        What the program gives: values of the network, constants or unknown values.
    Raises:
        UnsupportedLayer: An operation that has no spiking counterpart.
    """
    keys = [Unknown("random numbers at inference")] * (len(closed.jaxpr.invars) - 1)
    return _Reader(builder, placed, carry).read(closed, [builder.start, *keys])


class _Reader:
    """Goes through a program, operation by operation."""

    def __init__(self, builder: Builder, placed: Placed, carry: bool) -> None:
        self.builder, self.placed, self.carry = builder, placed, carry
        self.scope, self.last = "", ""
        self.bounds: dict[int, tuple[Value, float, float]] = {}  # of nodes that are clip(value, low, high)

    def read(self, closed: Any, arguments: Sequence[Any]) -> list[Any]:
        """Values of the outputs of a program."""
        jaxpr = closed.jaxpr
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))

        def value(variable: Any) -> Any:
            return variable.val if hasattr(variable, "val") else known[variable]

        for eqn in _needed(jaxpr):
            known |= dict(zip(eqn.outvars, self._results(eqn, [value(v) for v in eqn.invars]), strict=True))
        return [value(v) for v in jaxpr.outvars]

    def _results(self, eqn: Any, given: list[Any]) -> list[Any]:
        """What one operation gives."""
        strange = next((x for x in given if isinstance(x, Unknown)), None)
        values = [x for x in given if isinstance(x, Value)]
        inner = next((eqn.params[key] for key in _INSIDE if key in eqn.params), None)
        if eqn.primitive.name == "scan" and (values or strange):
            return self._scan(eqn.params, given)
        if inner is not None and eqn.primitive.name != "scan":
            closed = inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())
            return self._call(eqn, closed, given)
        if strange is not None and values:
            raise UnsupportedLayer(
                self._path(""), strange.why, "use the model as it is at inference, one value at a time"
            )
        if strange is not None:
            return [strange] * len(eqn.outvars)
        if not values:
            out = eqn.primitive.bind(*given, **eqn.params)
            return list(out) if eqn.primitive.multiple_results else [out]
        return [self._operate(eqn, given)]

    def _call(self, eqn: Any, closed: Any, given: list[Any]) -> list[Any]:
        """A layer, or a program inside of this one."""
        name = str(eqn.params.get("name", ""))
        layer = self.placed(name)
        if layer is not None:
            self.last = name.partition("layer ")[2]
            return [layer(given)]
        outer, self.scope = self.scope, name.removeprefix(_SCOPE) if name.startswith(_SCOPE) else self.scope
        try:
            return self.read(closed, given)
        except UnsupportedLayer:
            if not self._can_carry(eqn, given) or self._has_layers(closed.jaxpr):
                raise
            return [self._carried(jaxpr_as_fun(closed), given, self._path(name.removeprefix(_SCOPE)))]
        finally:
            self.scope = outer

    def _scan(self, params: Any, given: list[Any]) -> list[Any]:
        """A loop of known length, turn by turn."""
        n, k = params["num_consts"], params["num_carry"]
        fixed, state, rows = given[:n], given[n : n + k], given[n + k :]
        if any(isinstance(r, Value | Unknown) for r in rows):
            raise UnsupportedLayer(
                self._path(""), "a scan along the values of a layer", "write the steps out, or use a convolution"
            )
        turns = range(params["length"])
        out: list[Any] = []
        for i in reversed(turns) if params["reverse"] else turns:
            out = self.read(params["jaxpr"], [*fixed, *state, *(r[i] for r in rows)])
            state = out[:k]
        return [*state, *(Unknown("the values of all turns of a scan") for _ in out[k:])]

    def _can_carry(self, eqn: Any, given: list[Any]) -> bool:
        found = sum(isinstance(x, Value) for x in given), sum(isinstance(x, Unknown) for x in given)
        return self.carry and found == (1, 0) and len(eqn.outvars) == 1

    def _has_layers(self, jaxpr: Any) -> bool:
        inside = [(e, e.params[key]) for e in jaxpr.eqns for key in _INSIDE if key in e.params]
        return any(
            self.placed(str(e.params.get("name", ""))) is not None or self._has_layers(getattr(p, "jaxpr", p))
            for e, p in inside
        )

    def _carried(self, function: Callable[..., Any], given: list[Any], path: str) -> Value:
        """Any function of one of its arguments."""
        place = next(i for i, x in enumerate(given) if isinstance(x, Value))
        x = given[place]

        def of_one(value: Any) -> Any:
            out = function(*given[:place], value, *given[place + 1 :])
            return out[0] if isinstance(out, list | tuple) else out

        closed = jax.make_jaxpr(of_one)(jnp.zeros(x.shape, float_dtype()))
        return self.builder.function(x, Program(closed.jaxpr, tuple(closed.consts)), path)

    def _operate(self, eqn: Any, given: list[Any]) -> Value:
        name = eqn.primitive.name
        shape = tuple(eqn.outvars[0].aval.shape)
        values = [x for x in given if isinstance(x, Value)]
        found: Value | None = None
        if name in _VIEWS and math.prod(shape) == math.prod(values[0].shape) and _stays_real(eqn):
            found = Value(values[0].node, shape)
        elif name in ("add", "add_any", "sub") and len(values) == 2 and values[0].shape == values[1].shape:
            second = values[1] if name != "sub" else self.builder.affine(values[1], -1.0, None, self._path("minus"))
            found = self.builder.sum(values[0], second, self._path("sum"))
        elif name in ("add", "sub", "mul", "div", "neg") and len(values) == 1 and shape == values[0].shape:
            found = self._with_constant(name, given, values[0])
        elif name in ("max", "min") and len(values) == 1 and shape == values[0].shape:
            found = self._bounded(name, next(c for c in given if not isinstance(c, Value)), values[0])
        elif name == "clamp" and isinstance(given[1], Value) and len(values) == 1:
            low = self._bounded("max", given[0], given[1])
            found = None if low is None else self._bounded("min", given[2], low)
        elif name == "reduce_sum" and tuple(eqn.params["axes"]) == tuple(range(1, len(values[0].shape))):
            kernel, path = values[0].shape[1:], self._path("mean")
            pooled = self.builder.pool(values[0], (kernel, kernel, (0,) * len(kernel)), False, path)
            found = self.builder.affine(Value(pooled.node, shape), float(math.prod(kernel)), None, self._path("sum"))
        elif name == "dot_general":
            found = self._product(eqn, given)
        if found is None and self._can_carry(eqn, given):
            found = self._carried(lambda *x: eqn.primitive.bind(*x, **eqn.params), given, self._path(name))
        if found is None:
            raise UnsupportedLayer(
                self.scope or self.last or "model",
                f"operation {name!r} {_line(eqn)}".rstrip(),
                "ReLU, clipping, sums, constant factors and layers of Equinox in fields of the model convert; rewrite "
                "the model with these, or make it an eqx.nn.Lambda and pass carry=True, which sends graded events",
            )
        return found

    def _with_constant(self, name: str, given: list[Any], x: Value) -> Value | None:
        """Sum, difference, product or quotient with a constant."""
        path = self._path(name)
        if name == "neg":
            return self.builder.affine(x, -1.0, None, path)
        constant = np.asarray(next(c for c in given if not isinstance(c, Value)), float_dtype())
        constant_first = not isinstance(given[0], Value)
        if name == "div" and (constant_first or not constant.all()):
            return None
        if name in ("mul", "div"):
            return self.builder.affine(x, constant if name == "mul" else 1.0 / constant, None, path)
        if name == "sub":
            scale = -1.0 if constant_first else 1.0
            return self.builder.affine(x, scale, constant if constant_first else -constant, path)
        return self.builder.affine(x, 1.0, constant, path)

    def _bounded(self, name: str, given: Any, x: Value) -> Value | None:
        """max(x, c) and min(x, c) for one number c; of both, one clipped unit is made."""
        constant = np.asarray(given, float_dtype())
        if not constant.size or not (constant == constant.flat[0]).all():
            return None
        c = float(constant.flat[0])
        inner, low, high = self.bounds.get(x.node, (x, -np.inf, np.inf))
        low, high = (max(low, c), max(high, c)) if name == "max" else (min(low, c), min(high, c))
        if not low < high:
            return None
        found = self._clip(Value(inner.node, x.shape), low, high)
        self.bounds[found.node] = inner, low, high
        return found

    def _clip(self, x: Value, low: float, high: float) -> Value:
        """x, low + relu(x - low), high - relu(high - x), or low + clip(x - low, 0, high - low)."""
        if low == -np.inf:
            if high == np.inf:
                return x
            part = self._unit(self.builder.affine(x, -1.0, high, self._path("minus")), None)
            return self.builder.affine(part, -1.0, high, self._path("min"))
        part = self.builder.affine(x, 1.0, -low, self._path("sub")) if low else x
        part = self._unit(part, None if high == np.inf else high - low)
        return self.builder.affine(part, 1.0, low, self._path("max")) if low else part

    def _unit(self, x: Value, top: float | None) -> Value:
        threshold = None if top is None else jnp.asarray(top, float_dtype())
        return self.builder.add(Activation(threshold), [x], x.shape, self._path("relu" if top is None else "clip"))

    def _product(self, eqn: Any, given: list[Any]) -> Value | None:
        """Product of a constant matrix and a vector."""
        (left, right), batch = eqn.params["dimension_numbers"]
        first = isinstance(given[0], Value)
        x, matrix = (given[0], given[1]) if first else (given[1], given[0])
        axes = right if first else left
        if isinstance(matrix, Value) or len(x.shape) != 1 or np.ndim(matrix) != 2 or any(batch) or len(axes) != 1:
            return None
        weight = jnp.asarray(matrix)
        return self.builder.linear(x, weight if axes[0] == 1 else weight.T, None, self._path("matmul"))

    def _path(self, name: str) -> str:
        """Name of an operation outside of any layer: after the layer before it."""
        return self.scope or ".".join(part for part in (self.last, name) if part) or "model"


def _needed(jaxpr: Any) -> list[Any]:
    """The operations that the outputs of a program depend on."""
    wanted = set(map(id, jaxpr.outvars))
    kept = []
    for eqn in reversed(jaxpr.eqns):
        if any(id(v) in wanted for v in eqn.outvars):
            wanted.update(map(id, eqn.invars))
            kept.append(eqn)
    return kept[::-1]


def _stays_real(eqn: Any) -> bool:
    """Whether a conversion, if it is one, is between types of real numbers; whole numbers would cut off fractions."""
    kind = eqn.params.get("new_dtype") if eqn.primitive.name == "convert_element_type" else None
    return kind is None or bool(jnp.issubdtype(kind, jnp.floating))


def _line(eqn: Any) -> str:
    """Where an operation stands in the source, if JAX knows: the innermost line that is not of a library."""
    frames = getattr(eqn.source_info.traceback, "frames", ())
    own = (f for f in frames if not f.file_name.startswith(_LIBRARIES) and Path(f.file_name).is_file())
    found = next(own, None)
    return "" if found is None else f"at {Path(found.file_name).name}:{found.line_num}"
