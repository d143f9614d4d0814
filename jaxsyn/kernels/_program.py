"""Elementwise programs: a jaxpr of per-neuron operations as code for the native kernel.

Every value is either *uniform*, the same for all neurons, and computed by JAX outside, or has one value for each neuron
and is computed by the program. Equal expressions are computed once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._functions import FUNCTIONS
from ._machine import Routine
from ._schedule import Value

_FLOAT, _INT, _UINT, _BOOL = (np.dtype(t) for t in ("float32", "int32", "uint32", "bool"))
CALLS = {"jit", "closed_call", "eval_jaxpr", "custom_jvp_call", "custom_vjp_call", "remat2"}
_SAME = {"copy", "optimization_barrier"}
_FLOAT_OPS = {"add", "sub", "mul", "div", "sqrt"}
_INT_OPS = {"add": "iadd", "sub": "isub", "mul": "imul"}
_ORDER = {_INT: {"max": "imax", "min": "imin"}, _UINT: {"max": "umax", "min": "umin"}}
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
_BITWISE = {"and", "or", "xor"}
# Primitives that do the same to a scalar and to an array made from it.
_POINTWISE = {*_FLOAT_OPS, *FUNCTIONS, *_COMPARISONS, *_BITWISE, "max", "min", "clamp", "neg", "abs", "sign",
              "is_finite", "rsqrt", "square", "integer_pow", "select_n", "convert_element_type", "not",
              "shift_left", "shift_right_logical"}  # fmt: skip
_SIGN = np.int32(-0x80000000)


class Unsupported(Exception):
    """The function has something that is not an operation of the kernel."""


class Tracer:
    """Walks a jaxpr once, evaluating what is uniform and collecting what is not.

    Args:
        size: n.
        others: Gives the results of an equation that is not per neuron from its inputs, or None.
    Attributes:
        values: Operations in order; the first are operands (op "operand") or the neuron's index ("index").
        operands: Arrays (n,) that the program reads.
        uniforms: Scalars that it reads.
    """

    def __init__(self, size: int, others: Callable[[Any, list[Any]], list[Any] | None] = lambda *_: None) -> None:
        self.size, self._others = size, others
        self.values: list[Value] = []
        self.operands: list[Any] = []
        self.uniforms: list[Any] = []
        self._known: dict[Value, int] = {}
        self._known_uniforms: dict[Any, int] = {}
        self._known_operands: dict[int, int] = {}

    # A traced quantity is ("value", number, dtype) or ("uniform", array).

    def operand(self, array: Any) -> Any:
        """An array (n,) that the program reads."""
        if array.dtype not in (_FLOAT, _INT, _UINT, _BOOL):
            raise Unsupported(f"operand of {array.dtype}")
        if id(array) not in self._known_operands:
            self._known_operands[id(array)] = len(self.values)
            self.values.append(Value("operand", (len(self.operands),)))
            self.operands.append(array)
        return ("value", self._known_operands[id(array)], array.dtype)

    def uniform(self, array: Any) -> int:
        """The operand number of a scalar."""
        if np.ndim(array) != 0 or array.dtype not in (_FLOAT, _INT, _UINT, _BOOL):
            raise Unsupported(f"uniform of {array.dtype}{np.shape(array)}")
        concrete = isinstance(array, np.generic | np.ndarray)
        key = (str(array.dtype), np.asarray(array).tobytes()) if concrete else id(array)
        if key not in self._known_uniforms:
            self._known_uniforms[key] = len(self.uniforms)
            self.uniforms.append(array)
        return ~self._known_uniforms[key]

    def read(self, quantity: Any) -> int:
        """How an operation names a quantity."""
        if quantity[0] == "value":
            return int(quantity[1])
        array = quantity[1]
        if np.shape(array) == (self.size,):
            return int(self.operand(array)[1])
        return self.uniform(array)

    def walk(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        """Results of a jaxpr; arguments are quantities."""
        env: dict[Any, Any] = {}

        def read(atom: Any) -> Any:
            if hasattr(atom, "val"):
                return ("uniform", np.asarray(atom.val, atom.aval.dtype))
            return env[atom]

        for variable, const in zip(jaxpr.constvars, consts, strict=True):
            env[variable] = ("uniform", const)
        env.update(zip(jaxpr.invars, arguments, strict=True))
        for eqn in jaxpr.eqns:
            inputs = [read(atom) for atom in eqn.invars]
            found = self._others(eqn, inputs)
            env.update(zip(eqn.outvars, self._equation(eqn, inputs) if found is None else found, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, eqn: Any, inputs: list[Any]) -> list[Any]:
        name, params = eqn.primitive.name, eqn.params
        if name in CALLS:
            inner = params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"]
            consts = inner.consts if hasattr(inner, "consts") else ()
            return self.walk(inner.jaxpr if hasattr(inner, "jaxpr") else inner, consts, inputs)
        if name in _SAME:
            return inputs
        per_neuron = any(quantity[0] == "value" for quantity in inputs)
        shape = eqn.outvars[0].aval.shape
        if name == "iota" and shape == (self.size,):
            if params["dtype"] not in (_INT, _UINT):
                raise Unsupported(f"iota of {params['dtype']}")
            return [("value", self.op("index"), np.dtype(params["dtype"]))]
        if name in ("broadcast_in_dim", "reshape", "squeeze") and shape == (self.size,):
            if per_neuron or np.shape(inputs[0][1]) == shape:
                return [inputs[0]]
            if np.size(inputs[0][1]) == 1:
                return [("uniform", inputs[0][1].reshape(()))]
        if not per_neuron:
            arrays = [quantity[1] for quantity in inputs]
            shapes = [v.aval.shape for v in eqn.invars]
            # A scalar may stand for an array that was broadcast from it, as long as nothing looks at its axis.
            if any(np.ndim(a) for a in arrays) or name not in _POINTWISE:
                arrays = [
                    a if np.shape(a) == s else jnp.broadcast_to(a, s) for a, s in zip(arrays, shapes, strict=True)
                ]
            return self._evaluate(eqn, arrays)
        dtype = inputs[0][2] if inputs[0][0] == "value" else inputs[0][1].dtype
        return [self._operation(name, params, inputs, np.dtype(dtype), eqn.outvars[0].aval.dtype)]

    def _evaluate(self, eqn: Any, arrays: Sequence[Any]) -> list[Any]:
        if all(isinstance(a, np.generic | np.ndarray) for a in arrays):  # a constant stays one
            with jax.ensure_compile_time_eval():
                out = eqn.primitive.bind(*arrays, **eqn.params)
            out = jax.tree.map(np.asarray, out)
        else:
            out = eqn.primitive.bind(*arrays, **eqn.params)
        return [("uniform", o) for o in (out if eqn.primitive.multiple_results else [out])]

    def _operation(self, name: str, params: Any, inputs: list[Any], dtype: Any, out: Any) -> Any:
        if name in ("convert_element_type", "bitcast_convert_type"):
            return self._convert(inputs[0], dtype, np.dtype(out), bits=name.startswith("bitcast"))
        numbers = [self.read(quantity) for quantity in inputs]
        if name == "select_n":
            if dtype != _BOOL or len(numbers) != 3:
                raise Unsupported(name)
            number = self.op("select", numbers[0], numbers[2], numbers[1])
        elif name in _COMPARISONS:
            swapped = name in ("gt", "ge")
            order = {"gt": "lt", "ge": "le"}.get(name, name)
            a, b = numbers[::-1] if swapped else numbers
            number = self._compare(order, a, b, dtype)
        elif dtype == _FLOAT:
            number = self._float_operation(name, params, numbers)
        elif name == "not":
            number = self.op("xor", numbers[0], self.whole(-1))
        elif name in _BITWISE:
            number = self.op(name, *numbers)
        elif dtype != _BOOL:
            number = self._int_operation(name, numbers, dtype)
        else:
            raise Unsupported(f"{name} of {dtype}")
        return ("value", number, np.dtype(out))

    def op(self, name: str, *numbers: int) -> int:
        """A new operation, or the equal one that there is already."""
        value = Value(name, numbers)
        if value not in self._known:
            self._known[value] = len(self.values)
            self.values.append(value)
        return self._known[value]

    def constant(self, value: float) -> int:
        """A uniform number."""
        return self.uniform(np.float32(value))

    def whole(self, value: int) -> int:
        """A uniform word."""
        return self.uniform(np.int32(value))

    @property
    def sign(self) -> int:
        """The uniform that turns the sign of a number in an exclusive or."""
        return self.whole(int(_SIGN))

    def _float_operation(self, name: str, params: Any, numbers: Sequence[int]) -> int:
        if name == "div" and numbers[1] < 0 <= numbers[0]:  # a product costs a seventh of a quotient
            return self.op("mul", numbers[0], self.uniform(np.float32(1.0) / self.uniforms[~numbers[1]]))
        if name in _FLOAT_OPS or name == "add_any":
            return self.op(name.removesuffix("_any"), *numbers)
        if name in FUNCTIONS:
            return self.op(name, numbers[0])
        if name in ("max", "min"):
            return self._extreme(f"first_{name}", *numbers)
        if name == "clamp":
            return self._extreme("first_min", self._extreme("first_max", numbers[1], numbers[0]), numbers[2])
        if name == "neg":
            return self.op("xor", numbers[0], self.sign)
        if name == "abs":
            return self.op("and", numbers[0], self.whole(0x7FFFFFFF))
        if name == "sign":
            one = self.op("or", self.op("and", numbers[0], self.sign), self.constant(1.0))
            some = self.op("lt", self.constant(0.0), self.op("and", numbers[0], self.whole(0x7FFFFFFF)))
            return self.op("select", some, one, numbers[0])  # zero and NaN stay
        if name == "is_finite":
            size = self.op("and", numbers[0], self.whole(0x7FFFFFFF))
            return self.op("lt", size, self.constant(np.inf))
        if name == "rsqrt":
            return self.op("div", self.constant(1.0), self.op("sqrt", numbers[0]))
        if name == "square" or (name == "integer_pow" and 1 <= abs(params["y"]) <= 8):
            exponent = params.get("y", 2)
            power = self._power(numbers[0], abs(exponent))
            return power if exponent > 0 else self.op("div", self.constant(1.0), power)
        raise Unsupported(name)

    def _extreme(self, op: str, a: int, b: int) -> int:
        """Larger or smaller of two, NaN where one is: the instruction gives its second operand then."""
        for known, other in ((a, b), (b, a)):
            value = self.uniforms[~known] if known < 0 else None
            if isinstance(value, np.generic | np.ndarray) and not np.isnan(value):
                return self.op(op, known, other)
        return self.op("select", self.op("unordered", a, a), a, self.op(op, a, b))

    def _power(self, base: int, exponent: int) -> int:
        result: int | None = None
        while exponent:
            if exponent & 1:
                result = base if result is None else self.op("mul", result, base)
            exponent >>= 1
            if exponent:
                base = self.op("mul", base, base)
        assert result is not None
        return result

    def _int_operation(self, name: str, numbers: Sequence[int], dtype: Any) -> int:
        if name in _INT_OPS:
            return self.op(_INT_OPS[name], *numbers)
        if name in _ORDER[dtype]:
            return self.op(_ORDER[dtype][name], *numbers)
        if name == "neg":
            return self.op("isub", self.whole(0), numbers[0])
        if name in ("shift_left", "shift_right_logical"):
            return self.op("shl" if name == "shift_left" else "shr", *numbers)
        raise Unsupported(f"{name} of {dtype}")

    def _compare(self, order: str, a: int, b: int, dtype: Any) -> int:
        if dtype == _FLOAT:
            return self.op(order, a, b)
        if order in ("eq", "ne"):
            equal = self.op("ieq", a, b)
            return equal if order == "eq" else self.op("xor", equal, self.whole(-1))
        if dtype == _UINT:
            a, b = self._flip_sign(a), self._flip_sign(b)
        if order == "lt":
            return self.op("igt", b, a)
        return self.op("xor", self.op("igt", a, b), self.whole(-1))

    def _flip_sign(self, n: int) -> int:
        """Unsigned order becomes signed order."""
        if n < 0:
            return self.uniform(self.uniforms[~n] ^ np.uint32(0x80000000))
        return self.op("xor", n, self.sign)

    def _convert(self, quantity: Any, dtype: Any, out: Any, *, bits: bool) -> Any:
        number = int(quantity[1])
        if dtype == out or (bits and _BOOL not in (dtype, out)) or {dtype, out} == {_INT, _UINT}:
            return ("value", number, out)
        if bits:
            raise Unsupported(f"bits of {dtype} as {out}")
        if out == _BOOL:
            different = self._compare("ne", number, self.uniform(np.zeros((), dtype)), dtype)
            return ("value", different, out)
        if (dtype, out) == (_INT, _FLOAT):
            return ("value", self.op("float_of_int", number), out)
        if (dtype, out) == (_UINT, _FLOAT):
            high = self.op("float_of_int", self.op("shr", number, self.whole(16)))
            low = self.op("float_of_int", self.op("and", number, self.whole(0xFFFF)))
            return ("value", self.op("fma", high, self.constant(65536.0), low), out)
        if dtype == _BOOL:
            one = self.constant(1.0) if out == _FLOAT else self.whole(1)
            return ("value", self.op("and", number, one), out)
        raise Unsupported(f"conversion of {dtype} to {out}")


def routine(tracer: Tracer, name: str) -> Routine:
    """An elementary function as operations on value 0; its constants join the uniforms of the program."""
    values = [Value("operand", (0,))]

    def op(name: str, *numbers: int) -> int:
        values.append(Value(name, numbers))
        return len(values) - 1

    return Routine(values, FUNCTIONS[name](op, tracer.constant, tracer.whole, 0))
