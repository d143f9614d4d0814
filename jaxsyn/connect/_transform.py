"""What every dense transform promises, and the simplest: identity and reshaping."""

import abc
import dataclasses
import math
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import float_dtype
from . import _checks as check
from ._distributions import Uniform, Value, sample_values

Shape: TypeAlias = tuple[int, ...]


class AbstractBoundTransform(eqx.Module):
    """A transform with its sizes and weights: arrays are leaves, sizes are static.

    Populations are flat: x has shape (n_pre,) and y (n_post,), of one sample; `jax.vmap` makes batches. Shapes such as
    (channels, height, width) live in here.
    """

    @abc.abstractmethod
    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """Transform one sample.

        Args:
            x: Arrivals from the source neurons, shape (n_pre,).
            statistics: What `init_statistics` gave, or the last call returned.
            training: Use and update the statistics of the batch instead of the running ones.
            axis_name: Name of the `jax.vmap` axis that the batch lies on.
        Returns:
            Input of the target neurons, shape (n_post,), and the statistics.
        Raises:
            ValueError: x has another shape (trace time).
        """

    @abc.abstractmethod
    def init_statistics(self) -> Any:
        """Statistics before training; the empty tuple where there are none."""


class AbstractTransform(abc.ABC):
    """The specification of a dense transform: everything but sizes and weights. A frozen dataclass.

    One more transform is one more subclass with `plan` (shapes) and `create` (weights), and the bound transform that
    `create` gives.
    """

    @abc.abstractmethod
    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """Shapes in and out, given the shape of what arrives and the number of targets (None: not known).

        Raises:
            ValueError: the transform does not take such an input.
        """

    @abc.abstractmethod
    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> AbstractBoundTransform:
        """Make the weights (zeros without a generator) and bind the shapes that `plan` gave."""

    def bind(
        self, n_pre: int, n_post: int, *, generator: np.random.Generator | None, weight: Value | None = None
    ) -> AbstractBoundTransform:
        """Fit the transform between two populations and create its weights.

        Args:
            n_pre: Number of source neurons.
            n_post: Number of target neurons.
            generator: Where initial weights are drawn from; None makes them zero, to learn their shapes.
            weight: Number, array or distribution; None draws uniformly within 1/sqrt(inputs of a target neuron).
        Returns:
            The bound transform.
        Raises:
            ValueError: the sizes do not fit, with both sizes named; weights of a wrong shape.
        """
        name = type(self).__name__
        input_shape, output_shape = self.plan((n_pre,), n_post)
        for shape, n, side in ((input_shape, n_pre, "source"), (output_shape, n_post, "target")):
            if math.prod(shape) != n:
                raise check.refuse(
                    name,
                    f"a {side} population of {n} neurons",
                    f"{math.prod(shape)} neurons, as {name} has shape {input_shape} -> {output_shape}",
                    f"Change the size of the {side} population or the shapes of the transform.",
                )
        return self.create(input_shape, output_shape, generator, weight)


def initial(
    value: Value | None, shape: Shape, fan_in: int, generator: np.random.Generator | None, name: str
) -> jax.Array:
    """Weights of a shape: given, drawn from a given distribution, or uniform within 1/sqrt(fan_in)."""
    if generator is None:
        return jnp.zeros(shape, float_dtype())
    if value is None:
        bound = 1.0 / math.sqrt(max(fan_in, 1))
        value = Uniform(-bound, bound)
    values = np.broadcast_to(sample_values(value, shape, generator, name=name), shape)
    return jnp.asarray(values, float_dtype())


def no_weight(name: str, weight: Value | None) -> None:
    """Refuse weights for a transform that has none."""
    if weight is not None:
        raise check.refuse(
            f"{name}: weight", repr(weight), f"None, {name} has no weights", "Use the gain of the projection."
        )


def one_weight(name: str, own: Value | None, weight: Value | None) -> Value | None:
    """The weight of the specification or the one given to `bind`; not both."""
    if own is not None and weight is not None:
        raise check.refuse(f"{name}: weight", "two weights", "one", f"Give it to {name} or to the projection.")
    return own if weight is None else weight


def check_input(name: str, x: jax.Array, shape: Shape) -> None:
    """Raise at trace time unless x is one flat sample of the given shape."""
    if x.shape != (math.prod(shape),):
        raise check.refuse(
            f"{name}: x", f"shape {x.shape}", f"shape ({math.prod(shape)},), one flat sample", "Batch with jax.vmap."
        )


def check_entries(field: str, shape: Shape, arriving: Shape) -> None:
    """Raise unless two shapes have equally many entries."""
    if math.prod(shape) != math.prod(arriving):
        raise check.refuse(
            field,
            f"{shape} with {math.prod(shape)} entries",
            f"{math.prod(arriving)} entries, the size of its input {arriving}",
            "Correct the shape or the size of the source population.",
        )


class BoundIdentity(AbstractBoundTransform):
    """y = x. What `Identity` and `Reshape` become.

    Args:
        shape: Shape of what arrives; x is flat all the same.
    Example:
        >>> BoundIdentity((2, 2))(jnp.arange(4), ())[0].tolist()
        [0, 1, 2, 3]
    """

    shape: Shape = eqx.field(static=True)

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`."""
        check_input("Identity", x, self.shape)
        return x, statistics

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()


@dataclasses.dataclass(frozen=True)
class Identity(AbstractTransform):
    """y = x: target i receives what source i emits. Shapes (n,) -> (n,).

    Raises:
        ValueError: at bind: populations of different size, or a weight.
    Example:
        >>> Identity().bind(3, 3, generator=np.random.default_rng(0))(jnp.ones(3), ())[0].tolist()
        [1.0, 1.0, 1.0]
    """

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        return input_shape, input_shape

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundIdentity:
        """See `AbstractTransform`."""
        no_weight("Identity", weight)
        return BoundIdentity(input_shape)


@dataclasses.dataclass(frozen=True)
class Reshape(AbstractTransform):
    """y = x, read as an array of another shape by what follows in a `Chain`.

    Args:
        shape: The new shape; its product is the number of neurons.
    Raises:
        ValueError: sizes that are no whole numbers >= 1; at bind: another number of neurons.
    Example:
        >>> Reshape((1, 28, 28)).plan((784,), None)[1]
        (1, 28, 28)
    """

    shape: Shape

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", sizes("Reshape.shape", self.shape))

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        check_entries("Reshape.shape", self.shape, input_shape)
        return input_shape, self.shape

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundIdentity:
        """See `AbstractTransform`."""
        no_weight("Reshape", weight)
        return BoundIdentity(input_shape)


@dataclasses.dataclass(frozen=True)
class Flatten(AbstractTransform):
    """y = x, read as a flat array by what follows in a `Chain`.

    Raises:
        ValueError: at bind: a weight.
    Example:
        >>> Flatten().plan((16, 7, 7), None)[1]
        (784,)
    """

    def plan(self, input_shape: Shape, n_post: int | None) -> tuple[Shape, Shape]:
        """See `AbstractTransform`."""
        return input_shape, (math.prod(input_shape),)

    def create(
        self, input_shape: Shape, output_shape: Shape, generator: np.random.Generator | None, weight: Value | None
    ) -> BoundIdentity:
        """See `AbstractTransform`."""
        no_weight("Flatten", weight)
        return BoundIdentity(input_shape)


def sizes(field: str, value: Any, *, low: int = 1) -> Shape:
    """A tuple of whole numbers >= low."""
    if not isinstance(value, tuple | list):
        raise check.refuse(field, repr(value), f"a tuple of whole numbers >= {low}", "Write it as (1, 28, 28).")
    return tuple(check.count(field, n, low=low) for n in value)
