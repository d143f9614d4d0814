"""Pooling over windows."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import numpy as np

from . import _checks as check
from ._conv import strides, window, window_shapes
from ._distributions import Value
from ._transform import AbstractBoundTransform, AbstractTransform, Shape, check_input, no_weight


class BoundPool(AbstractBoundTransform):
    """Mean or maximum of each channel over sliding windows. What `AvgPool` and `MaxPool` become.

    Args:
        input_shape: (channels, *axes).
        kernel: Size of the window along each axis.
        stride: Step along each axis.
        padding: Padding before and behind each axis.
        maximum: Whether the maximum is taken; otherwise the mean.
    Example:
        >>> pool = BoundPool((1, 4), kernel=(2,), stride=(2,), padding=(0,), maximum=True)
        >>> pool(jax.numpy.arange(4.0), ())[0].tolist()
        [1.0, 3.0]
    """

    input_shape: Shape = eqx.field(static=True)
    kernel: Shape = eqx.field(static=True)
    stride: Shape = eqx.field(static=True)
    padding: Shape = eqx.field(static=True)
    maximum: bool = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("MaxPool" if self.maximum else "AvgPool", x, self.input_shape)
        y = jax.lax.reduce_window(
            x.reshape(self.input_shape),
            np.array(-np.inf if self.maximum else 0.0, x.dtype),  # a jnp array is traced under jit: no gradient
            jax.lax.max if self.maximum else jax.lax.add,
            window_dimensions=(1, *self.kernel),
            window_strides=(1, *self.stride),
            padding=[(0, 0), *((p, p) for p in self.padding)],
        ).reshape(-1)
        return (y if self.maximum else y / math.prod(self.kernel)), statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True)
class AvgPool(AbstractTransform):
    """Mean of each channel over windows; padding counts as zeros.

    Args:
        kernel: Size of the window along each axis: (2, 2) or (2,).
        stride: Step along each axis, one number or a tuple; None takes the size of the window.
        padding: Zeros before and behind each axis, one number or a tuple, at most half the window.
        input_shape: (channels, *axes); None takes the shape of what comes before in a `Chain`.
    Raises:
        ValueError: sizes that are no whole numbers, padding over half the window; at bind: shapes that do not fit, or a
            weight.
    Example:
        >>> AvgPool((2, 2), input_shape=(1, 4, 4)).plan((16,), None)[1]
        (1, 2, 2)
    """

    kernel: Shape
    stride: int | Shape | None = None
    padding: int | Shape = 0
    input_shape: Shape | None = None

    def __post_init__(self) -> None:
        _check(self)

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        return _plan(self, input_shape)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundPool:
        """See `AbstractTransform`."""
        no_weight("AvgPool", weight)
        return BoundPool(input_shape, *strides(self), maximum=False)


@dataclasses.dataclass(frozen=True)
class MaxPool(AbstractTransform):
    """Maximum of each channel over windows; padding never wins.

    Args:
        kernel: Size of the window along each axis: (2, 2) or (2,).
        stride: Step along each axis, one number or a tuple; None takes the size of the window.
        padding: Padding before and behind each axis, one number or a tuple, at most half the window.
        input_shape: (channels, *axes); None takes the shape of what comes before in a `Chain`.
    Raises:
        ValueError: sizes that are no whole numbers, padding over half the window; at bind: shapes that do not fit, or a
            weight.
    Example:
        >>> MaxPool((2, 2), input_shape=(1, 4, 4)).plan((16,), None)[1]
        (1, 2, 2)
    """

    kernel: Shape
    stride: int | Shape | None = None
    padding: int | Shape = 0
    input_shape: Shape | None = None

    def __post_init__(self) -> None:
        _check(self)

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        return _plan(self, input_shape)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundPool:
        """See `AbstractTransform`."""
        no_weight("MaxPool", weight)
        return BoundPool(input_shape, *strides(self), maximum=True)


def _check(pool: AvgPool | MaxPool) -> None:
    name = type(pool).__name__
    window(pool, name, pool.kernel)
    kernel, _, padding = strides(pool)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise check.refuse(f"{name}.padding", padding, f"at most half of kernel={kernel}", "Choose less padding.")


def _plan(pool: AvgPool | MaxPool, input_shape: Shape) -> tuple[Shape, Shape]:
    shape, axes = window_shapes(pool, type(pool).__name__, input_shape)
    return shape, (shape[0], *axes)
