"""Convolution over one or two axes."""

import dataclasses
import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import _checks as check
from ._dense import initial_bias
from ._distributions import Value
from ._transform import (
    AbstractBoundTransform,
    AbstractTransform,
    Shape,
    check_entries,
    check_input,
    initial,
    one_weight,
    sizes,
)


class BoundConv(AbstractBoundTransform):
    """Cross-correlation of x, read as (channels, *axes), with the kernels. What `Conv` becomes.

    One matrix product for each row of the kernel: XLA has no fast convolution for loops on a CPU.

    Args:
        weight: Kernels, shape (channels_out, channels_in / groups, *kernel).
        bias: Bias of each channel, shape (channels_out,), or None.
        input_shape: (channels_in, *axes).
        stride: Step along each axis.
        padding: Zeros before and behind each axis.
        groups: Number of groups of channels.
    Example:
        >>> ones = jax.numpy.ones
        >>> conv = BoundConv(ones((1, 1, 3)), None, input_shape=(1, 4), stride=(1,), padding=(0,), groups=1)
        >>> conv(ones(4), ())[0].tolist()
        [3.0, 3.0]
    """

    weight: jax.Array
    bias: jax.Array | None
    input_shape: Shape = eqx.field(static=True)
    stride: Shape = eqx.field(static=True)
    padding: Shape = eqx.field(static=True)
    groups: int = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("Conv", x, self.input_shape)
        n_out = self.weight.shape[0]
        weight = self.weight.reshape(self.groups, n_out // self.groups, self.weight.shape[1], -1, self.weight.shape[-1])
        kernels = jnp.moveaxis(weight, 2, -1)  # (groups, outputs of a group, rows, columns, inputs)
        products = [
            jnp.einsum("gkp,gok->gop", seen, kernels[:, :, row].reshape(*kernels.shape[:2], -1))
            for row, seen in enumerate(self._columns(x))
        ]
        y = sum(products[1:], products[0]).reshape(n_out, -1)
        if self.bias is not None:
            y = y + self.bias[:, None]
        return y.reshape(-1), statistics

    def _columns(self, x: jax.Array) -> list[jax.Array]:
        """What each output sees through each row of the kernel, (groups, places of the row x channels, outputs)."""
        x = jnp.pad(x.reshape(self.input_shape), [(0, 0), *((p, p) for p in self.padding)])
        n_in, kernel = self.weight.shape[1], self.weight.shape[2:]
        lengths = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:], kernel, self.stride, strict=True)]

        def seen(offset: tuple[int, ...]) -> jax.Array:
            windows = zip(offset, lengths, self.stride, strict=True)
            place = x[:, *(slice(first, first + s * (n - 1) + 1, s) for first, n, s in windows)]
            return place.reshape(self.groups, n_in, -1)

        rows = itertools.product(*map(range, kernel[:-1]))
        return [jnp.concatenate([seen((*row, column)) for column in range(kernel[-1])], axis=1) for row in rows]

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True, eq=False)
class Conv(AbstractTransform):
    """Convolution over one or two axes, channels first: y_c = sum_k w_ck * x_k + b_c (cross-correlation).

    An axis of length n becomes floor((n + 2 padding - kernel) / stride) + 1.

    Args:
        channels: Number of output channels.
        kernel: Size of the kernel along each axis: (3, 3) is two-dimensional, (3,) one-dimensional.
        stride: Step along each axis, one number or a tuple.
        padding: Zeros before and behind each axis, one number or a tuple.
        groups: Channels are split into this many groups that do not see each other.
        input_shape: (channels_in, *axes); None takes the shape of what comes before in a `Chain`.
        bias: False for none, True to draw it like the weights, or a number, array (channels,) or distribution.
        weight: Number, array (channels, channels_in / groups, *kernel) or distribution; None draws uniformly within
            1/sqrt(inputs of an output).
    Raises:
        ValueError: sizes that are no whole numbers, groups that do not divide the channels; at bind: shapes that do not
            fit, a kernel larger than its input.
    Example:
        >>> conv = Conv(16, (3, 3), padding=1, input_shape=(1, 28, 28))
        >>> bound = conv.bind(784, 16 * 28 * 28, generator=np.random.default_rng(0))
        >>> bound.weight.shape
        (16, 1, 3, 3)
    """

    channels: int
    kernel: Shape
    stride: int | Shape = 1
    padding: int | Shape = 0
    groups: int = 1
    input_shape: Shape | None = None
    bias: bool | Value = False
    weight: Value | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", check.count("Conv.channels", self.channels, low=1))
        object.__setattr__(self, "groups", check.count("Conv.groups", self.groups, low=1))
        if self.channels % self.groups:
            raise check.refuse(
                "Conv.groups", self.groups, f"a divisor of channels={self.channels}", "Choose such a number."
            )
        window(self, "Conv", self.kernel)

    def __eq__(self, other: object) -> bool:
        return check.same_fields(self, other)

    def __hash__(self) -> int:
        return hash((Conv, self.channels, self.kernel, self.input_shape))

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        shape, axes = window_shapes(self, "Conv", input_shape)
        if shape[0] % self.groups:
            raise check.refuse(
                "Conv.groups", self.groups, f"a divisor of the {shape[0]} input channels", "Choose such a number."
            )
        return shape, (self.channels, *axes)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundConv:
        """See `AbstractTransform`."""
        shape = (self.channels, input_shape[0] // self.groups, *self.kernel)
        fan_in = math.prod(shape[1:])
        value = one_weight("Conv", self.weight, weight)
        kernels = initial(value, shape, fan_in, generator, "Conv.weight")
        bias = initial_bias(self.bias, self.channels, fan_in, generator, "Conv.bias")
        _, stride, padding = strides(self)
        return BoundConv(kernels, bias, input_shape, stride, padding, self.groups)


def window(transform: Any, name: str, kernel: Any) -> None:
    """Check and normalize the fields kernel, stride, padding and input_shape of a frozen transform."""
    kernel = sizes(f"{name}.kernel", kernel)
    if len(kernel) not in (1, 2):
        raise check.refuse(f"{name}.kernel", kernel, "one or two axes", "Write (3,) or (3, 3).")
    object.__setattr__(transform, "kernel", kernel)
    for field, low in (("stride", 1), ("padding", 0)):
        value = getattr(transform, field)
        if value is None:
            continue
        value = value if isinstance(value, tuple | list) else (value,) * len(kernel)
        value = sizes(f"{name}.{field}", value, low=low)
        if len(value) != len(kernel):
            raise check.refuse(f"{name}.{field}", value, f"{len(kernel)} numbers, as kernel={kernel}", "Match them.")
        object.__setattr__(transform, field, value)
    if transform.input_shape is not None:
        object.__setattr__(transform, "input_shape", sizes(f"{name}.input_shape", transform.input_shape))


def strides(transform: Any) -> tuple[Shape, Shape, Shape]:
    """Kernel, stride (the kernel where it is None) and padding of a checked transform."""
    return transform.kernel, transform.stride or transform.kernel, transform.padding


def window_shapes(transform: Any, name: str, arriving: Shape) -> tuple[Shape, Shape]:
    """Input shape (channels, *axes) and output axes of a transform with a sliding window."""
    kernel, stride, padding = strides(transform)
    shape = arriving if transform.input_shape is None else transform.input_shape
    if len(shape) != len(kernel) + 1:
        raise check.refuse(
            f"{name}.input_shape",
            transform.input_shape if transform.input_shape is not None else f"None, and an input of shape {arriving}",
            f"(channels, {', '.join('axis' for _ in kernel)}), as kernel={kernel}",
            f"Write {name}(..., input_shape=(1, 28, 28)) with the shape of the source population.",
        )
    check_entries(f"{name}.input_shape", shape, arriving)
    axes = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True))
    if any(n + 2 * p < k for n, k, p in zip(shape[1:], kernel, padding, strict=True)):
        raise check.refuse(f"{name}.kernel", kernel, f"no larger than its padded input {shape}", "Add padding.")
    return shape, axes
