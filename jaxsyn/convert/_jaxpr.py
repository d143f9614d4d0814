"""What a model does between its layers, read from the program that JAX traced."""

import math
import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import float_dtype
from ._ann import Activation
from ._builder import Builder, UnsupportedLayer, Value

_INSIDE = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_VIEWS = ("reshape", "squeeze", "broadcast_in_dim", "copy", "copy_p", "convert_element_type", "stop_gradient")
_SCOPE = "jaxsyn scope "

Placed = Callable[[str], Callable[[Value, str], Value] | None]


def follow(closed: Any, builder: Builder, placed: Placed) -> list[Any]:
    """Add what a traced program does to a network.

    Args:
        closed: The program (a closed jaxpr) of one sample.
        builder: The network so far: its input.
        placed: Gives for the name of a call what adds the layer that it stands for, or None.
    Returns:
        What the program gives: values of the network, or constants.
    Raises:
        UnsupportedLayer: An operation that has no spiking counterpart.
    """
    return _Reader(builder, placed).read(closed.jaxpr, closed.consts, [builder.start])


class _Reader:
    """Goes through a program, operation by operation."""

    def __init__(self, builder: Builder, placed: Placed) -> None:
        self.builder, self.placed = builder, placed
        self.scope, self.last, self.seen = "", "", dict[str, int]()

    def read(self, jaxpr: Any, consts: Any, arguments: list[Any]) -> list[Any]:
        """Values of the outputs of a program."""
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
        known |= dict(zip(jaxpr.invars, arguments, strict=True))

        def value(variable: Any) -> Any:
            return variable.val if hasattr(variable, "val") else known[variable]

        for eqn in jaxpr.eqns:
            given = [value(v) for v in eqn.invars]
            results = self._call(eqn, given)
            known |= dict(zip(eqn.outvars, results, strict=True))
        return [value(v) for v in jaxpr.outvars]

    def _call(self, eqn: Any, given: list[Any]) -> list[Any]:
        inner = next((eqn.params[key] for key in _INSIDE if key in eqn.params), None)
        if inner is not None:
            name = str(eqn.params.get("name", ""))
            layer = self.placed(name)
            if layer is not None:
                self.last = self._fresh(name.partition("layer ")[2])
                return [layer(given[0], name)]
            outer, self.scope = self.scope, name.removeprefix(_SCOPE) if name.startswith(_SCOPE) else self.scope
            program, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, [])
            results = self.read(program, consts, given)
            self.scope = outer
            return results
        if not any(isinstance(x, Value) for x in given):
            out = eqn.primitive.bind(*given, **eqn.params)
            return list(out) if eqn.primitive.multiple_results else [out]
        return [self._operate(eqn, given)]

    def _operate(self, eqn: Any, given: list[Any]) -> Value:
        name = eqn.primitive.name
        shape = tuple(eqn.outvars[0].aval.shape)
        values = [x for x in given if isinstance(x, Value)]
        if name in _VIEWS and math.prod(shape) == math.prod(values[0].shape):
            return Value(values[0].node, shape)
        if name in ("add", "add_any", "sub") and len(values) == 2:
            second = values[1] if name != "sub" else self._affine(values[1], -1.0, None, "minus")
            return self.builder.sum(values[0], second, self._path("sum"))
        if name in ("add", "sub", "mul", "div", "neg") and len(values) == 1:
            found = self._with_constant(name, given, values[0])
            if found is not None:
                return found
        if name in ("max", "min") and len(values) == 1:
            found = self._clipped(name, given, values[0])
            if found is not None:
                return found
        if name == "reduce_sum" and tuple(eqn.params["axes"]) == tuple(range(1, len(values[0].shape))):
            kernel = values[0].shape[1:]
            path = self._path("mean")
            pooled = self.builder.pool(values[0], (kernel, kernel, (0,) * len(kernel)), False, path)
            return self._affine(Value(pooled.node, shape), float(math.prod(kernel)), None, "sum")
        if name == "dot_general":
            found = self._product(eqn, given)
            if found is not None:
                return found
        raise UnsupportedLayer(
            self.scope or self._after("") or "model",
            f"operation {name!r} {_line(eqn)}".rstrip(),
            "ReLU, clipping from 0, sums, constant factors and layers of Equinox convert; rewrite the model with these",
        )

    def _with_constant(self, name: str, given: list[Any], x: Value) -> Value | None:
        """Sum, difference, product or quotient with a constant."""
        if name == "neg":
            return self._affine(x, -1.0, None, name)
        constant = np.asarray(next(c for c in given if not isinstance(c, Value)), float_dtype())
        constant_first = not isinstance(given[0], Value)
        if name == "div" and constant_first:
            return None
        if name in ("mul", "div"):
            return self._affine(x, constant if name == "mul" else 1.0 / constant, None, name)
        if name == "sub":
            return self._affine(x, -1.0, constant, name) if constant_first else self._affine(x, 1.0, -constant, name)
        return self._affine(x, 1.0, constant, name)

    def _affine(self, x: Value, scale: Any, shift: Any, name: str) -> Value:
        """scale x + shift with constants, for each channel where they agree within channels, else for each unit."""
        parts: list[Any] = [
            None if c is None else np.broadcast_to(np.asarray(c, float_dtype()), x.shape) for c in (scale, shift)
        ]
        rows: list[Any] = [None if c is None else c.reshape(x.shape[0] if x.shape else 1, -1) for c in parts]
        if all(r is None or (r == r[:, :1]).all() for r in rows):
            rows = [None if r is None else r[:, 0] for r in rows]
            shape = x.shape or (1,)
        else:
            rows = [None if r is None else r.reshape(-1) for r in rows]
            shape = (math.prod(x.shape),)
        scales, shifts = (None if r is None else jnp.asarray(r) for r in rows)
        assert scales is not None
        path = self._path(name)
        return Value(self.builder.per_channel(Value(x.node, shape), scales, shifts, path).node, x.shape)

    def _clipped(self, name: str, given: list[Any], x: Value) -> Value | None:
        """max(x, 0), and min of that and a constant."""
        constant = np.asarray(next(c for c in given if not isinstance(c, Value)))
        if name == "max" and not constant.any():
            return self.builder.add(Activation(None), [x], x.shape, self._path("relu"))
        before = self.builder.nodes[x.node]
        rectified = isinstance(before.op, Activation) and before.op.threshold is None
        if (
            name == "min"
            and rectified
            and constant.size
            and (constant == constant.flat[0]).all()
            and constant.flat[0] > 0
        ):
            op = Activation(jnp.asarray(constant.flat[0], float_dtype()))
            return self.builder.add(op, [Value(before.inputs[0], x.shape)], x.shape, before.path)
        return None

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
        return self._fresh(self.scope or self._after(name))

    def _after(self, name: str) -> str:
        """Name of an operation outside of any layer: after the layer before it."""
        return ".".join(part for part in (self.last, name) if part)

    def _fresh(self, path: str) -> str:
        """The path, numbered from its second use on."""
        self.seen[path] = self.seen.get(path, 0) + 1
        return path if self.seen[path] == 1 else f"{path}#{self.seen[path]}"


def _line(eqn: Any) -> str:
    """Where an operation stands in the source, if JAX knows."""
    found = re.search(r"([\w./-]+\.py):(\d+)", str(getattr(eqn.source_info.traceback, "__str__", lambda: "")()))
    return f"at {found[1].rpartition('/')[2]}:{found[2]}" if found else ""
