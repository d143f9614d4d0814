"""How much work an elementwise program is, known from its jaxpr."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from ._library import elementwise_supported
from ._program import Tracer, Unsupported
from ._schedule import program_cost


class Operations(NamedTuple):
    """Work of an elementwise program for one neuron.

    Args:
        always: Operations done for each neuron; a quotient counts as 4, a function such as exp as 20.
        seldom: Operations done only for blocks of neurons in which one needs them, mostly because it spikes.
        n_bytes: Bytes read and written.
        stored: Operations in the program, whatever they cost: what there is to compile.
    Example:
        >>> Operations(always=10.0, seldom=0.0, n_bytes=8.0, stored=10).always
        10.0
    """

    always: float
    seldom: float
    n_bytes: float
    stored: int


def count_operations(jaxpr: Any, operands: Sequence[Any]) -> Operations | None:
    """Count the operations of an elementwise program; None where it is left to XLA.

    Args:
        jaxpr: The closed jaxpr of a call of `elementwise`.
        operands: What it is called with: arrays, or their shapes and dtypes.
    Returns:
        The work for one neuron.
    Example:
        >>> import jax, jax.numpy as jnp
        >>> x = jax.ShapeDtypeStruct((100,), jnp.float32)
        >>> work = count_operations(jax.make_jaxpr(lambda x: x * x + 1.0)(x), [x])
        >>> work is None or work.always
        2.0
    """
    size, found = jaxpr.out_avals[0].shape[0], []

    def count(*args: Any) -> int:
        tracer = Tracer(size)
        inputs = [tracer.operand(a) if np.shape(a) == (size,) else ("uniform", a) for a in args]
        outputs = tracer.walk(jaxpr.jaxpr, jaxpr.consts, inputs)
        results = [out[1] for out in outputs if out[0] == "value"]
        arrays = [a.dtype for a in tracer.operands] + [out.dtype for out in jaxpr.out_avals]
        always, seldom = program_cost(tracer.values, results)
        n_bytes = float(sum(dtype.itemsize for dtype in arrays))
        found.append(Operations(float(always), float(seldom), n_bytes, len(tracer.values)))
        return 0

    if not elementwise_supported():
        return None
    shape: Any = jax.ShapeDtypeStruct
    try:
        jax.eval_shape(count, *(shape(x.shape, x.dtype) for x in operands))
    except Unsupported:
        return None
    return found[0]
