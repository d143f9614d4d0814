"""Transforms that conversion needs besides those of `js.connect`: a factor for each channel, and any function."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array
from ..connect import AbstractBoundTransform, AbstractTransform, BoundConv, BoundDense, BoundPool, Value

Shape: TypeAlias = tuple[int, ...]


class PerChannel(AbstractBoundTransform):
    """y_c = scale_c x_c + shift_c for each channel: batch normalization with fixed statistics.

    Args:
        scale: Shape (channels,).
        shift: Shape (channels,), or None.
    Example:
        >>> import jax.numpy as jnp
        >>> PerChannel(jnp.asarray([1.0, -2.0]), None)(jnp.ones(4), ())[0].tolist()
        [1.0, 1.0, -2.0, -2.0]
    """

    scale: jax.Array
    shift: jax.Array | None

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        y = x.reshape(self.scale.shape[0], -1) * self.scale[:, None]
        return (y if self.shift is None else y + self.shift[:, None]).reshape(-1), statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


class Function(AbstractBoundTransform):
    """y = n f(x / n), where f is any function of one sample and x the sum of n steps.

    Args:
        function: f, from `input_shape` to an array; its arrays are leaves.
        n_steps: n.
        input_shape: Shape that f takes.
    Example:
        >>> import jax
        >>> Function(jax.nn.softmax, 4, (2,))(jax.numpy.zeros(2), ())[0].tolist()
        [2.0, 2.0]
    """

    function: Callable[..., Any]
    n_steps: int = eqx.field(static=True)
    input_shape: Shape = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        y = self.function((x / self.n_steps).reshape(self.input_shape))
        return y.reshape(-1) * self.n_steps, statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


Weighted: TypeAlias = BoundDense | BoundConv | PerChannel  # have weights that a factor can go into


@dataclasses.dataclass(frozen=True, eq=False)
class Bound(AbstractTransform):
    """A transform whose weights are there already, traced ones too, between two populations.

    Args:
        transform: Maps (n_pre,) to (n_post,).
    """

    transform: AbstractBoundTransform

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        return input_shape, input_shape if n_post is None else (n_post,)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> AbstractBoundTransform:
        """See `AbstractTransform`."""
        return self.transform


def carried(op: Any) -> bool:
    """Whether a transform is not linear, so that it acts on sums over time alone."""
    return isinstance(op, Function) or (isinstance(op, BoundPool) and op.maximum)


def with_weights(op: Weighted, weight: Array, bias: Array | None) -> Weighted:
    """The same transform with other numbers."""
    if isinstance(op, PerChannel):
        return PerChannel(weight, bias)
    if isinstance(op, BoundDense):
        return BoundDense(weight, bias)
    return BoundConv(weight, bias, op.input_shape, op.stride, op.padding, op.groups)


def numbers(op: Weighted) -> tuple[Array, Array | None]:
    """Weight and bias of a transform."""
    return (op.scale, op.shift) if isinstance(op, PerChannel) else (op.weight, op.bias)


def scaled(op: Weighted, size_in: Array | None, size_out: Array | None) -> Weighted:
    """The transform between units of other sizes, where given: y' = op(size_in x) / size_out."""
    weight, bias = numbers(op)
    if size_in is not None:
        weight = weight * size_in
    if size_out is not None:
        weight, bias = weight / size_out, None if bias is None else bias / size_out
    return with_weights(op, weight, bias)


def linear(op: AbstractBoundTransform) -> AbstractBoundTransform:
    """The transform without its bias."""
    return with_weights(op, numbers(op)[0], None) if isinstance(op, Weighted) else op


def before_per_channel(op: Any, scale: Array, shift: Array | None) -> Weighted | None:
    """`PerChannel(scale, shift)` behind a transform with weights, as one transform; None where that is not one."""
    if isinstance(op, BoundDense):
        weight, bias = op.weight, op.bias
        scale, shift = _each(scale, weight.shape[1]), None if shift is None else _each(shift, weight.shape[1])
        factor = scale[None, :]
    elif isinstance(op, BoundConv | PerChannel) and numbers(op)[0].shape[0] == scale.shape[0]:
        weight, bias = numbers(op)
        factor = scale.reshape(-1, *(1 for _ in weight.shape[1:]))
    else:
        return None
    return with_weights(op, weight * factor, _sum(None if bias is None else bias * scale, shift))


def after_per_channel(op: Any, scale: Array, shift: Array | None) -> Weighted | None:
    """A transform with weights behind `PerChannel(scale, shift)`, as one transform; None where that is not one.

    Before a convolution with padding a shift reaches the border unevenly, as the padding itself is not shifted.
    """
    if isinstance(op, BoundDense):
        n = op.weight.shape[0]
        offset = None if shift is None else _each(shift, n) @ op.weight
        return with_weights(op, op.weight * _each(scale, n)[:, None], _sum(op.bias, offset))
    if not isinstance(op, BoundConv) or scale.shape[0] != op.input_shape[0] or (shift is not None and any(op.padding)):
        return None
    n_out, n_in = op.weight.shape[:2]
    grouped = op.weight.reshape(op.groups, n_out // op.groups, n_in, -1)
    offset = None
    if shift is not None:
        offset = jnp.sum(grouped.sum(axis=-1) * shift.reshape(op.groups, 1, n_in), axis=-1).reshape(n_out)
    new = (grouped * scale.reshape(op.groups, 1, n_in, 1)).reshape(op.weight.shape)
    return with_weights(op, new, _sum(op.bias, offset))


def _each(values: Array, size: int) -> Array:
    """Values of channels as values of units."""
    return jnp.repeat(values, size // values.shape[0])


def _sum(a: Array | None, b: Array | None) -> Array | None:
    return b if a is None else a if b is None else a + b
