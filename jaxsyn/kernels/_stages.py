"""Steps of a recurrence as code: stages of what each neuron computes by itself, products with matrices between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ._elementwise import MOST_ARRAYS, MOST_UNIFORMS, compiled, word
from ._program import CALLS, Tracer, Unsupported
from ._schedule import Store, Value, needed_values

_MOST_STAGES = 8  # kMaxStages in csrc/elementwise.cc
# What leaves values as they are where there are as many of them afterwards.
_RESHAPES = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "slice", "reduce_sum"}


class _Product(NamedTuple):
    """A product of neighbouring entries, from `first` on, with a matrix; its sums stand from `place` on."""

    matrix: Any
    first: int
    place: int
    by_events: bool


class Walk:
    """A walk through the jaxpr of a step, in which neurons may meet in products with matrices that no step changes.

    A product is the value ("product", (what is multiplied, its number)). What stands for some neighbouring entries is
    the quantity ("part", number, first, size, dtype), for sums without their place among the neurons ("sums", ...).

    Attributes:
        tracer: Has the values, operands and uniforms.
        products: The products by their numbers.
    """

    def __init__(self, size: int) -> None:
        self.tracer = Tracer(size, self._equation)
        self.products: list[_Product] = []
        self._turned: dict[int, tuple[Any, Any]] = {}

    def _form(self, rows: Any, axis: int) -> Any:
        """A matrix as it is or turned: one object for each, so that equal products are found."""
        if not axis:
            return rows
        if id(rows) not in self._turned:
            self._turned[id(rows)] = (rows, rows.T)
        return self._turned[id(rows)][1]

    def _equation(self, eqn: Any, inputs: list[Any]) -> list[Any] | None:
        name, params, out = eqn.primitive.name, eqn.params, eqn.outvars[0].aval
        kind, kinds = inputs[0][0] if inputs else "", {quantity[0] for quantity in inputs}
        if name == "jaxsyn_spike_product" and kind in ("value", "part") and not params["swap"]:
            return [self._product(inputs[0], inputs[1], 0, by_events=True)]
        if name == "dot_general" and kinds in ({"value", "uniform"}, {"part", "uniform"}):
            (axes, others), lanes = params["dimension_numbers"]
            (x, matrix), axis = (inputs, others) if kind != "uniform" else (inputs[::-1], axes)
            if len(axis) != 1 or any(lanes) or out.ndim != 1:
                raise Unsupported(name)
            return [self._product(x, matrix, axis[0], by_events=False)]
        if kind in ("value", "part") and name in _RESHAPES and out.size == eqn.invars[0].aval.size:
            return [inputs[0]]
        if kind in ("value", "part") and name == "slice" and out.ndim == 1 and params["strides"] in (None, (1,)):
            return [self._part(inputs[0], params["start_indices"][0], out.size)]
        if name == "pad" and not any(any(one) for one in params["padding_config"]):
            return [inputs[0]]
        if kind in ("value", "part", "sums") and name == "pad":
            return [self._padded(inputs, params["padding_config"])]
        if name not in CALLS and kinds & {"part", "sums"}:
            raise Unsupported(f"{name} of some of the neurons")
        return None

    def _part(self, quantity: Any, first: int, size: int) -> Any:
        before = quantity[2] if quantity[0] == "part" else 0
        return ("part", quantity[1], before + first, size, quantity[-1])

    def _padded(self, inputs: Sequence[Any], config: Any) -> Any:
        quantity, padding = inputs
        if len(config) != 1 or config[0][2]:
            raise Unsupported("pad")
        low, high = (int(n) for n in config[0][:2])
        if quantity[0] != "sums":
            size = quantity[3] if quantity[0] == "part" else self.tracer.size
            if low > 0 or high > 0:
                raise Unsupported("pad")
            return self._part(quantity, -low, size + low + high)
        _, x, product, dtype = quantity
        concrete = isinstance(padding[1], np.generic | np.ndarray) and padding[1] == 0
        if not concrete or low < 0 or high < 0 or low + product.matrix.shape[1] + high != self.tracer.size:
            raise Unsupported("pad")
        return ("value", self._multiply(x, product._replace(place=low)), dtype)

    def _product(self, x: Any, matrix: Any, axis: int, *, by_events: bool) -> Any:
        """Sums along an axis of a matrix at all neurons, or at some."""
        first, size = x[2:4] if x[0] == "part" else (0, self.tracer.size)
        rows = matrix[1]
        if rows.ndim != 2 or x[-1] != rows.dtype or rows.dtype != np.float32:
            raise Unsupported("product of other numbers")
        product = _Product(self._form(rows, axis), first, 0, by_events)
        if product.matrix.shape[0] != size:
            raise Unsupported("product of another number of neurons")
        if product.matrix.shape[1] != self.tracer.size:
            return ("sums", x[1], product, np.dtype(np.float32))
        return ("value", self._multiply(x[1], product), np.dtype(np.float32))

    def _multiply(self, x: int, product: _Product) -> int:
        known = [k for k, one in enumerate(self.products) if one[1:] == product[1:] and one.matrix is product.matrix]
        if not known:
            self.products.append(product)
        return self.tracer.op("product", x, known[0] if known else len(self.products) - 1)


class Stages(NamedTuple):
    """The code of a step, and what it needs.

    Attributes:
        code: Machine code of all stages, one after the other.
        lengths, digests: Words of code of each stage and what its code is known by, as bytes.
        couplings: The products, six words each: stage they follow, arrays from and to, first entry, place, by events.
        matrices: Their matrices.
        uniforms: What all neurons share, as words.
        n_scratch: Arrays, behind operands and results, for what passes from stage to stage.
    """

    code: bytes
    lengths: bytes
    digests: bytes
    couplings: bytes
    matrices: tuple[Any, ...]
    uniforms: tuple[Any, ...]
    n_scratch: int


def stages(walk: Walk, results: Sequence[int], truths: Sequence[bool], replaced: dict[int, int]) -> Stages:
    """Code that computes results; `replaced`: the operand in whose place a result is written.

    Results are computed as early as the products that they depend on allow, and what else there is where it is first
    needed. What a later stage or a product needs passes through scratch arrays.
    """
    tracer, values, n_operands = walk.tracer, walk.tracer.values, len(walk.tracer.operands)
    wanted = needed_values(values, results)
    products = [n for n in wanted if values[n].op == "product"]
    made = _stages_of(values, wanted, results)
    ends = dict(made)  # the last stage that reads a value
    for n in wanted:
        for o in values[n].reads():
            ends[o] = max(ends[o], made[n])
    operand_of = {v.operands[0]: n for n, v in enumerate(values) if v.op == "operand"}
    when = [max(made[n], ends.get(operand_of[replaced[r]], 0) if r in replaced else 0) for r, n in enumerate(results)]
    for n, at in zip(results, when, strict=True):
        ends[n] = max(ends[n], at)
    inner = [values[n].operands[0] for n in products]
    passed = [n for n in wanted if values[n].op != "operand" and (ends[n] > made[n] or n in inner)]
    passed = sorted({*passed, *products})
    n_stages = 1 + max(made.values())
    first = n_operands + len(results)
    scratch = {n: first + k for k, n in enumerate(passed)}
    if first + len(passed) > MOST_ARRAYS or max(n_stages, len(products)) > _MOST_STAGES:
        raise Unsupported("too many arrays or stages")
    codes, digests = [], []
    for stage in range(n_stages):
        # What earlier stages computed, and the products, are operands of this one.
        own = [Value("operand", (scratch[n],)) if n in scratch and (made[n] < stage or n in products) else v
               for n, v in enumerate(values)]  # fmt: skip
        stores: list[Store] = []
        in_place: dict[int, int] = {}
        for r, (n, at) in enumerate(zip(results, when, strict=True)):
            if at == stage:
                if r in replaced:
                    in_place[len(stores)] = replaced[r]
                stores.append(Store(_copied(own, n), n_operands + r, truths[r]))
        stores += [Store(n, scratch[n], False) for n in passed if made[n] == stage and n not in products]
        code, digest = compiled(tracer, own, stores, in_place) if stores else (b"", np.int64(0))
        codes.append(code)
        digests.append(digest)
    words = []
    for n in products:
        x, k = values[n].operands
        product = walk.products[k]
        source = values[x].operands[0] if values[x].op == "operand" else scratch[x]
        words.append([made[n] - 1, source, scratch[n], product.first, product.place, int(product.by_events)])
    if len(tracer.uniforms) > MOST_UNIFORMS:
        raise Unsupported("too many uniforms")
    return Stages(
        b"".join(codes),
        np.array([len(code) // 4 for code in codes], np.int32).tobytes(),
        np.array(digests, np.int64).tobytes(),
        np.array(words, np.int32).tobytes(),
        tuple(walk.products[values[n].operands[1]].matrix for n in products),
        tuple(word(u) for u in tracer.uniforms),
        len(passed),
    )


def _stages_of(values: Sequence[Value], wanted: Sequence[int], results: Sequence[int]) -> dict[int, int]:
    """In which stage each value is computed; products before the stage that they are said to be in."""
    earliest: dict[int, int] = {}
    for n in wanted:
        before = max((earliest[o] for o in values[n].reads()), default=0)
        earliest[n] = before + (values[n].op == "product")
    made: dict[int, int] = {n: earliest[n] for n in wanted if n in results or values[n].op == "product"}
    for n in reversed(wanted):
        if values[n].op == "operand":
            made[n] = 0
        for o in values[n].reads():
            at = made[n] - (values[n].op == "product")
            made[o] = earliest[o] if values[o].op == "product" else min(made.get(o, at), at)
    return made


def _copied(values: list[Value], n: int) -> int:
    """A value that a stage computes: a copy where it would only read it."""
    if values[n].op != "operand":
        return n
    values.append(Value("or", (n, n)))
    return len(values) - 1
