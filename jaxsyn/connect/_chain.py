"""Transforms one after the other."""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from . import _checks as check
from ._distributions import Value
from ._transform import AbstractBoundTransform, AbstractTransform, Shape


class BoundChain(AbstractBoundTransform):
    """y = f_n(... f_2(f_1(x))). What `Chain` becomes.

    Args:
        transforms: The bound transforms, first to last.
    Example:
        >>> from jaxsyn.connect import BoundIdentity
        >>> chain = BoundChain((BoundIdentity((2,)), BoundIdentity((2,))))
        >>> chain(jax.numpy.ones(2), chain.init_statistics())[0].tolist()
        [1.0, 1.0]
    """

    transforms: tuple[AbstractBoundTransform, ...]

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        after = []
        for transform, before in zip(self.transforms, statistics, strict=True):
            x, new = transform(x, before, training=training, axis_name=axis_name)
            after.append(new)
        return x, tuple(after)

    def init_statistics(self) -> tuple[Any, ...]:
        """The statistics of each transform."""
        return tuple(transform.init_statistics() for transform in self.transforms)


@dataclasses.dataclass(frozen=True)
class Chain(AbstractTransform):
    """Transforms one after the other between two populations, without neurons in between.

    Each takes the shape that the one before gives: only the first needs an `input_shape`, and only a `Dense` that is
    not the last needs `n_out`. Weights are given to the transforms, not to the chain.

    Args:
        transforms: The transforms, first to last, at least one.
    Raises:
        ValueError: no transforms; at bind: shapes that do not fit, or a weight.
    Example:
        >>> from jaxsyn.connect import AvgPool, BatchNorm, Conv, Dense
        >>> chain = Chain((Conv(8, (3, 3), input_shape=(1, 10, 10)), BatchNorm(), AvgPool((2, 2)), Dense()))
        >>> bound = chain.bind(100, 10, generator=np.random.default_rng(0))
        >>> bound(jax.numpy.ones(100), bound.init_statistics())[0].shape
        (10,)
    """

    transforms: tuple[AbstractTransform, ...]

    def __post_init__(self) -> None:
        transforms = tuple(self.transforms)
        if not transforms or not all(isinstance(t, AbstractTransform) for t in transforms):
            got = [type(t).__name__ for t in transforms]
            raise check.refuse("Chain.transforms", got, "one transform or more", "Write Chain((Conv(...), Dense())).")
        object.__setattr__(self, "transforms", transforms)

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        plans = self._plans(input_shape, n_post)
        return plans[0][0], plans[-1][1]

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundChain:
        """See `AbstractTransform`."""
        if weight is not None:
            raise check.refuse(
                "Chain: weight", repr(weight), "None", "Give it to a transform, as in Dense(weight=...)."
            )
        plans = self._plans(input_shape, math.prod(output_shape))
        return BoundChain(
            tuple(t.create(*shapes, generator, None) for t, shapes in zip(self.transforms, plans, strict=True))
        )

    def _plans(self, input_shape: Shape, n_post: int | None) -> list[tuple[Shape, Shape]]:
        """Shapes in and out of each transform."""
        plans = []
        for i, transform in enumerate(self.transforms):
            shapes = transform.plan(input_shape, n_post if i == len(self.transforms) - 1 else None)
            plans.append(shapes)
            input_shape = shapes[1]
        return plans
