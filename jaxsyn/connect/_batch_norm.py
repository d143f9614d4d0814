"""Normalization by the statistics of the batch."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import float_dtype
from . import _checks as check
from ._distributions import Value
from ._transform import AbstractBoundTransform, AbstractTransform, Shape, check_entries, check_input, no_weight, sizes


class BatchNormState(eqx.Module):
    """Running mean and variance of each channel, shape (channels,). Changes in training: state, not a parameter."""

    mean: jax.Array
    variance: jax.Array


class BoundBatchNorm(AbstractBoundTransform):
    """y = scale (x - mean) / sqrt(variance + epsilon) + shift for each channel. What `BatchNorm` becomes.

    Args:
        scale: Shape (channels,), or None.
        shift: Shape (channels,), or None.
        input_shape: (channels, *axes).
        momentum: Weight of a new batch in the running statistics.
        epsilon: Added to the variance.
    Example:
        >>> norm = BoundBatchNorm(None, None, input_shape=(2,), momentum=0.1, epsilon=1e-5)
        >>> norm(jnp.zeros(2), norm.init_statistics())[0].tolist()
        [0.0, 0.0]
    """

    scale: jax.Array | None
    shift: jax.Array | None
    input_shape: Shape = eqx.field(static=True)
    momentum: float = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`. In training `jax.vmap` gives statistics with `in_axes=None, out_axes=None`."""
        check_input("BatchNorm", x, self.input_shape)
        samples = x.reshape(self.input_shape[0], -1)
        mean, variance = statistics.mean, statistics.variance
        if training:
            if axis_name is None:
                raise ValueError(
                    "BatchNorm: axis_name: got None in training; allowed: the name of the batch axis. "
                    "Write jax.vmap(..., axis_name='batch') and pass axis_name='batch'."
                )
            mean = _batch_mean(samples.mean(axis=1), axis_name)
            variance = _batch_mean(jnp.square(samples - mean[:, None]).mean(axis=1), axis_name)
            statistics = self._updated(statistics, mean, variance, samples.shape[1] * jax.lax.axis_size(axis_name))
        y = (samples - mean[:, None]) * jax.lax.rsqrt(variance + self.epsilon)[:, None]
        if self.scale is not None and self.shift is not None:
            y = y * self.scale[:, None] + self.shift[:, None]
        return y.reshape(-1), statistics

    def _updated(self, old: BatchNormState, mean: jax.Array, variance: jax.Array, n: int) -> BatchNormState:
        unbiased = variance * (n / max(n - 1, 1))
        m = self.momentum
        mean, variance = (1 - m) * old.mean + m * mean, (1 - m) * old.variance + m * unbiased
        return BatchNormState(jax.lax.stop_gradient(mean), jax.lax.stop_gradient(variance))

    def init_statistics(self) -> BatchNormState:
        """Mean 0 and variance 1."""
        n = self.input_shape[0]
        return BatchNormState(jnp.zeros(n, float_dtype()), jnp.ones(n, float_dtype()))


def _batch_mean(x: jax.Array, axis_name: str) -> jax.Array:
    mean: jax.Array = jax.lax.pmean(x, axis_name)  # type: ignore[no-untyped-call]
    return mean


@dataclasses.dataclass(frozen=True)
class BatchNorm(AbstractTransform):
    """Normalize each channel by its mean and variance: over batch and axes in training, running otherwise.

    y = scale (x - mean) / sqrt(variance + epsilon) + shift. The batch variance divides by the number of values, the
    running variance takes the unbiased one, as PyTorch does. The first axis of the input shape is the channel.

    Args:
        momentum: Weight of a new batch in the running statistics, in [0, 1].
        epsilon: Added to the variance, > 0.
        affine: Whether there are scale and shift to learn; they start at 1 and 0.
        input_shape: (channels, *axes); None takes the shape of what comes before in a `Chain`, or one channel for each
            neuron.
    Raises:
        ValueError: momentum outside [0, 1], epsilon <= 0; at bind: shapes that do not fit, or a weight; at a call in
            training: no axis_name.
    References:
        Ioffe, Szegedy (2015), Batch normalization, ICML 37:448, algorithms 1 and 2.
    Example:
        >>> norm = BatchNorm().bind(3, 3, generator=np.random.default_rng(0))
        >>> x = jnp.arange(6.0).reshape(2, 3)
        >>> call = lambda x, s: norm(x, s, training=True, axis_name="batch")
        >>> y, s = jax.vmap(call, in_axes=(0, None), out_axes=(0, None), axis_name="batch")(x, norm.init_statistics())
        >>> s.mean.shape
        (3,)
    """

    momentum: float = 0.1
    epsilon: float = 1e-5
    affine: bool = True
    input_shape: Shape | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", check.probability("BatchNorm.momentum", self.momentum))
        object.__setattr__(self, "epsilon", check.number("BatchNorm.epsilon", self.epsilon, low=0.0))
        if self.epsilon == 0.0:
            raise check.refuse("BatchNorm.epsilon", 0.0, "> 0", "A silent channel has variance 0; take 1e-5.")
        check.flag("BatchNorm.affine", self.affine)
        if self.input_shape is not None:
            object.__setattr__(self, "input_shape", sizes("BatchNorm.input_shape", self.input_shape))

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        shape = input_shape if self.input_shape is None else self.input_shape
        check_entries("BatchNorm.input_shape", shape, input_shape)
        return shape, shape

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundBatchNorm:
        """See `AbstractTransform`."""
        no_weight("BatchNorm", weight)
        n = input_shape[0]
        scale = jnp.ones(n, float_dtype()) if self.affine else None
        shift = jnp.zeros(n, float_dtype()) if self.affine else None
        return BoundBatchNorm(scale, shift, input_shape, self.momentum, self.epsilon)
