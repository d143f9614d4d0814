"""Weights whose gradient is added up in place, product after product.

The derivative of a scan by what its steps share is a sum of one array for each step, as large as all weights, however
few synapses met a spike. So weights go into the scan without derivative, and beside them a carrier: zeros whose change
is that of the weights. Each product hands it on; backward, what it adds to the gradient is added where that stands.
"""

from typing import Any

import jax
import jax.numpy as jnp

from .._core import Array
from ._derivatives import define_passed, define_stand_in
from ._library import require_native
from ._primitive import define_call
from ._trilinear import TARGET, WEIGHT, bind_trilinear


def _zeros(weight: Any) -> Array:
    return jnp.zeros_like(jnp.expand_dims(weight, -3))


_carrier_p = define_stand_in("carrier", _zeros, lambda change: jnp.expand_dims(change, -3))
_with_carrier_p = define_stand_in(
    "with_carrier", lambda weight, carrier: weight, lambda change, carried: change + jnp.squeeze(carried, -3)
)


def carrier(weight: Array) -> Array:
    """Zeros whose change is that of weights.

    Args:
        weight: Weights, shape (receptors, synapses).
    Returns:
        Zeros, shape (1, receptors, synapses).
    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxsyn.kernels import carrier
        >>> zeros, change = jax.jvp(carrier, (jnp.ones((1, 2)),), (jnp.full((1, 2), 3.0),))
        >>> zeros.tolist(), change.tolist()
        ([[[0.0, 0.0]]], [[[3.0, 3.0]]])
    """
    zeros: Array = _carrier_p.bind(weight)
    return zeros


def with_carrier(weight: Array, carried: Array) -> Array:
    """Weights as they are, with the change of a carrier added to their own.

    Args:
        weight: Weights, shape (receptors, synapses).
        carried: Their carrier.
    Returns:
        The weights.
    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxsyn.kernels import with_carrier
        >>> weight, zeros = jnp.ones((1, 2)), jnp.zeros((1, 1, 2))
        >>> jax.jvp(lambda carried: with_carrier(weight, carried), (zeros,), (zeros + 3.0,))[1].tolist()
        [[3.0, 3.0]]
    """
    same: Array = _with_carrier_p.bind(weight, carried)
    return same


def _change(native: bool) -> Any:
    """What a change of the weights adds at the targets, for each lane, and that change."""

    def change(row_ptr: Any, post: Any, marks: Any, source: Any, way: Any, *, n_post: int) -> list[Array]:
        params = {"n_post": n_post, "width": way.shape[-1], "batch": source.shape[:1], "native": native}
        return [bind_trilinear(TARGET, row_ptr, post, marks, way, source, **params), way]

    return change


def _shapes_of_change(row_ptr: Any, post: Any, marks: Any, source: Any, way: Any, *, n_post: int) -> list[Any]:
    change = (source.shape[0], way.shape[-2], n_post)
    return [jax.core.ShapedArray(change, way.dtype), jax.core.ShapedArray(way.shape, way.dtype)]


_change_p = define_call("push_change", _shapes_of_change, _change(native=False), _change(native=True))


def _gradient(*args: Any, sent: tuple[Any, Any], n_post: int, native: bool) -> Array:
    """The cotangent of a change of weights from those of what it adds and of itself, to which the first is added."""
    *graph, source, _ = args
    added, way = sent
    params = {"n_post": n_post, "width": way.shape[-1], "batch": (1,), "native": native}
    return bind_trilinear(WEIGHT, *graph, source, added, way, **params)


define_passed(_change_p, _gradient, _change)


def carried_change(
    row_ptr: Array, post: Array, marks: Array | None, source: Array, way: Array, *, n_post: int, native: bool
) -> tuple[Array, Array]:
    """What a change of weights adds to what `push` gives, and that change, to be handed to the next product.

    y[t, r, post[s]] = sum way[0, r, s] * source[t, row(s)]. Linear in `way`; its derivative is added in place to that
    of what it is handed to, where a scan over products would add two arrays of the size of all weights after each.

    Args:
        row_ptr, post: See `push`.
        marks: See `push`, (steps, rows).
        source: Value of each row in each step, shape (steps, rows).
        way: Change of the weights, shape (1, receptors, nnz) or (1, receptors, 1).
        n_post: Number of targets.
        native: Use the native CPU kernel where the computation runs on a CPU.
    Returns:
        What is added, shape (steps, receptors, n_post), and `way`.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.kernels import carried_change
        >>> row_ptr, post = jnp.array([0, 2, 3], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
        >>> source, way = jnp.array([[1.0, 10.0]]), jnp.ones((1, 1, 3))
        >>> carried_change(row_ptr, post, None, source, way, n_post=2, native=False)[0].tolist()
        [[[1.0, 11.0]]]
    """
    marks = jnp.zeros((1, 0), source.dtype) if marks is None else jax.lax.stop_gradient(marks)
    use = require_native(native)
    change, passed = _change_p.bind(row_ptr, post, marks, source, way, n_post=n_post, native=use)
    return change, passed
