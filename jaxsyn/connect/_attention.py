"""Attention: products of spikes of several sources, which a projection reads as one long array."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from . import _checks as check
from ._distributions import Value
from ._transform import AbstractBoundTransform, AbstractTransform, Shape, check_entries, check_input, no_weight, sizes


class BoundSelfAttention(AbstractBoundTransform):
    """Queries, keys and values, multiplied head by head in the cheaper order. What `SelfAttention` becomes.

    Args:
        shape: (channels, *axes) of each source.
        heads: Number of groups of channels.
        scale: Factor of the products.
    Example:
        >>> attention = BoundSelfAttention((1, 2), heads=1, scale=1.0)
        >>> attention(jnp.asarray([1.0, 0.0, 1.0, 1.0, 0.0, 1.0]), ())[0].tolist()
        [1.0, 0.0]
    """

    shape: Shape = eqx.field(static=True)
    heads: int = eqx.field(static=True)
    scale: float = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("SelfAttention", x, (3, *self.shape))
        channels, tokens = self.shape[0] // self.heads, math.prod(self.shape[1:])
        query, key, value = x.reshape(3, self.heads, channels, tokens)
        if channels < tokens:
            joint = jnp.einsum("hct,hdt->hcd", key, value)
            y = jnp.einsum("hct,hcd->hdt", query, joint)
        else:
            score = jnp.einsum("hct,hcu->htu", query, key)
            y = jnp.einsum("htu,hdu->hdt", score, value)
        return self.scale * y.reshape(-1), statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True)
class SelfAttention(AbstractTransform):
    """Spiking self-attention without softmax: y = scale (Q K^T) V in each head, tokens t, channels c and d.

    y_td = scale sum_u (sum_c Q_tc K_uc) V_ud. Three sources of equal shape (channels, *axes), whose axes are the
    tokens: queries, keys and values, in this order. They are three populations, as in
    `Projection(("q", "k", "v"), "attention", SelfAttention((64, 7, 7), heads=4))`, or three parts of one.

    Args:
        shape: (channels, *axes) of each source, and of the target.
        heads: Groups of channels that attend by themselves; divides the channels.
        scale: Factor of the products, > 0.
    Raises:
        ValueError: heads that do not divide the channels, no axis of tokens, scale out of range; at bind: sizes that do
            not fit, or a weight.
    References:
        Zhou et al. (2023), Spikformer, ICLR, eqs. 5-6 (scale 0.125).
    Example:
        >>> SelfAttention((64, 7, 7), heads=4).plan((3 * 64 * 49,), None)
        ((3, 64, 7, 7), (64, 7, 7))
    """

    shape: Shape
    heads: int = 1
    scale: float = 0.125

    def __post_init__(self) -> None:
        _check(self, "SelfAttention")
        scale = check.number("SelfAttention.scale", self.scale, low=0.0)
        if scale == 0.0:
            raise check.refuse("SelfAttention.scale", 0.0, "> 0", "Take 0.125, or 1 / sqrt(channels of a head).")
        object.__setattr__(self, "scale", scale)

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        check_entries("SelfAttention.shape", (3, *self.shape), input_shape)
        return (3, *self.shape), self.shape

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundSelfAttention:
        """See `AbstractTransform`."""
        no_weight("SelfAttention", weight)
        return BoundSelfAttention(self.shape, self.heads, self.scale)


class BoundQuerySum(AbstractBoundTransform):
    """Sum over the channels of each head. What `QuerySum` becomes.

    Args:
        shape: (channels, *axes).
        heads: Number of groups of channels.
    Example:
        >>> BoundQuerySum((2, 2), heads=1)(jnp.asarray([1.0, 0.0, 1.0, 0.0]), ())[0].tolist()
        [2.0, 0.0]
    """

    shape: Shape = eqx.field(static=True)
    heads: int = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("QuerySum", x, self.shape)
        return x.reshape(self.heads, self.shape[0] // self.heads, -1).sum(axis=1).reshape(-1), statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True)
class QuerySum(AbstractTransform):
    """Evidence for each token: y_ht = sum of Q_tc over the channels c of head h. Neurons behind it choose tokens.

    First half of query-key token attention; the second is `QueryKeyAttention`.

    Args:
        shape: (channels, *axes) of the queries; the target has (heads, *axes).
        heads: Groups of channels; divides the channels.
    Raises:
        ValueError: heads that do not divide the channels, no axis of tokens; at bind: sizes that do not fit, or a
            weight.
    References:
        Zhou et al. (2024), QKFormer, NeurIPS 37, eqs. 4-5.
    Example:
        >>> QuerySum((64, 7, 7), heads=4).plan((64 * 49,), None)[1]
        (4, 7, 7)
    """

    shape: Shape
    heads: int = 1

    def __post_init__(self) -> None:
        _check(self, "QuerySum")

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        check_entries("QuerySum.shape", self.shape, input_shape)
        return self.shape, (self.heads, *self.shape[1:])

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundQuerySum:
        """See `AbstractTransform`."""
        no_weight("QuerySum", weight)
        return BoundQuerySum(self.shape, self.heads)


class BoundQueryKeyAttention(AbstractBoundTransform):
    """Keys of the chosen tokens. What `QueryKeyAttention` becomes.

    Args:
        shape: (channels, *axes) of the keys.
        heads: Number of groups of channels.
    Example:
        >>> attention = BoundQueryKeyAttention((1, 2), heads=1)
        >>> attention(jnp.asarray([1.0, 0.0, 1.0, 1.0]), ())[0].tolist()
        [1.0, 0.0]
    """

    shape: Shape = eqx.field(static=True)
    heads: int = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        tokens = math.prod(self.shape[1:])
        check_input("QueryKeyAttention", x, ((self.heads + self.shape[0]) * tokens,))
        chosen, key = jnp.split(x, [self.heads * tokens])
        each = key.reshape(self.heads, -1, tokens)
        return (jnp.broadcast_to(chosen.reshape(self.heads, 1, tokens), each.shape) * each).reshape(-1), statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True)
class QueryKeyAttention(AbstractTransform):
    """Query-key token attention: y_tc = A_th K_tc, channels c of head h. Masks and sums only, linear in the tokens.

    Two sources, the chosen tokens A (heads, *axes) and the keys K (channels, *axes), in this order:

        "chosen": Projection("q", "chosen", QuerySum(shape, heads))
        "attention": Projection(("chosen", "k"), "attention", QueryKeyAttention(shape, heads))

    Args:
        shape: (channels, *axes) of the keys, and of the target.
        heads: Groups of channels; divides the channels.
    Raises:
        ValueError: heads that do not divide the channels, no axis of tokens; at bind: sizes that do not fit, or a
            weight.
    References:
        Zhou et al. (2024), QKFormer, NeurIPS 37, eq. 6.
    Example:
        >>> QueryKeyAttention((64, 7, 7), heads=4).plan(((4 + 64) * 49,), None)[1]
        (64, 7, 7)
    """

    shape: Shape
    heads: int = 1

    def __post_init__(self) -> None:
        _check(self, "QueryKeyAttention")

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        arriving = ((self.heads + self.shape[0]), *self.shape[1:])
        check_entries("QueryKeyAttention.shape", arriving, input_shape)
        return arriving, self.shape

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundQueryKeyAttention:
        """See `AbstractTransform`."""
        no_weight("QueryKeyAttention", weight)
        return BoundQueryKeyAttention(self.shape, self.heads)


def _check(transform: Any, name: str) -> None:
    """Shape and heads of a specification."""
    shape = sizes(f"{name}.shape", transform.shape)
    if len(shape) < 2:
        raise check.refuse(f"{name}.shape", shape, "(channels, *axes), as (64, 7, 7)", "Name the axes of the tokens.")
    heads = check.count(f"{name}.heads", transform.heads, low=1)
    if shape[0] % heads:
        raise check.refuse(f"{name}.heads", heads, f"a divisor of the {shape[0]} channels", "Choose such a number.")
    object.__setattr__(transform, "shape", shape)
    object.__setattr__(transform, "heads", heads)
