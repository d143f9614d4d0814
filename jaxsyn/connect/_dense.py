"""The full matrix."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from .. import kernels
from . import _checks as check
from ._distributions import Value
from ._transform import AbstractBoundTransform, AbstractTransform, Shape, check_input, initial, one_weight


class BoundDense(AbstractBoundTransform):
    """y_j = sum_i x_i w_ij + b_j. What `Dense` becomes.

    Args:
        weight: Weights, shape (n_pre, n_post).
        bias: Bias, shape (n_post,), or None.
    Example:
        >>> BoundDense(jax.numpy.eye(2), bias=None)(jax.numpy.ones(2), ())[0].tolist()
        [1.0, 1.0]
    """

    weight: jax.Array
    bias: jax.Array | None

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("Dense", x, self.weight.shape[:1])
        y = x @ self.weight
        return (y if self.bias is None else y + self.bias), statistics

    def of_spikes(self, x: jax.Array, *, native: bool, moving: jax.Array | None = None) -> jax.Array:
        """The same for spikes, `moving` too, as `kernels.spike_matmul` takes them: zeros among them cost nothing."""
        y = kernels.spike_matmul(x, self.weight, native=native, moving=moving)
        return y if self.bias is None else y + self.bias

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True, eq=False)
class Dense(AbstractTransform):
    """Every source reaches every target through a full matrix: y_j = sum_i x_i w_ij + b_j.

    Args:
        n_out: Number of outputs; None takes the size of the target population (needed only inside a `Chain`).
        bias: False for none, True to draw it like the weights, or a number, array (n_post,) or distribution.
        weight: Number, array (n_pre, n_post) or distribution; None draws uniformly within 1/sqrt(n_pre).
    Raises:
        ValueError: n_out no whole number >= 1; at bind: sizes or shapes that do not fit.
    Example:
        >>> layer = Dense(bias=True).bind(64, 10, generator=np.random.default_rng(0))
        >>> layer(jax.numpy.ones(64), ())[0].shape
        (10,)
    """

    n_out: int | None = None
    bias: bool | Value = False
    weight: Value | None = None

    def __post_init__(self) -> None:
        if self.n_out is not None:
            object.__setattr__(self, "n_out", check.count("Dense.n_out", self.n_out, low=1))

    def __eq__(self, other: object) -> bool:
        return check.same_fields(self, other)

    def __hash__(self) -> int:
        return hash((Dense, self.n_out))

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        n_out = n_post if self.n_out is None else self.n_out
        if n_out is None:
            raise check.refuse("Dense.n_out", None, "the number of outputs", "Give n_out inside a Chain.")
        return input_shape, (n_out,)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundDense:
        """See `AbstractTransform`."""
        n_pre, n_post = math.prod(input_shape), output_shape[0]
        value = one_weight("Dense", self.weight, weight)
        matrix = initial(value, (n_pre, n_post), n_pre, generator, "Dense.weight")
        return BoundDense(matrix, initial_bias(self.bias, n_post, n_pre, generator, "Dense.bias"))


def initial_bias(
    bias: bool | Value, n: int, fan_in: int, generator: np.random.Generator | None, name: str
) -> jax.Array | None:
    """The bias of a transform, shape (n,), or None."""
    if bias is False:
        return None
    return initial(None if bias is True else bias, (n,), fan_in, generator, name)
