"""Values of weights, delays and initial states: a number, an array, or a distribution."""

import abc
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._exact import Floats, exp, log, normal_cdf, normal_quantile


class AbstractDistribution(abc.ABC):
    """A distribution of independent values, drawn on the host when a network is built.

    Each value comes from one uniform number through the inverse of the distribution function, computed with
    operations that every machine rounds alike: the same seed gives the same bits anywhere. One more distribution is
    one more subclass with `transform`; values are drawn through it alone, whatever `sample` of a subclass does.
    """

    @abc.abstractmethod
    def transform(self, uniform: Floats) -> Floats:
        """Values at the given uniform numbers in [0, 1), same shape."""

    def sample(
        self, generator: np.random.Generator, shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float64
    ) -> npt.NDArray[Any]:
        """Draw values of the given shape; computed as float64, stored as `dtype`."""
        out = np.empty(shape, dtype)
        flat, end = out.reshape(-1), 0
        for part in self.parts(generator, flat.size):
            flat[end : end + part.size] = part
            end += part.size
        return out

    def parts(self, generator: np.random.Generator, n: int, size: int = 1 << 16) -> Iterator[Floats]:
        """The n values that `sample` draws, float64, in parts of a size."""
        for start in range(0, n, size):
            uniform = generator.random(min(size, n - start))
            yield np.broadcast_to(np.asarray(self.transform(uniform), np.float64), uniform.shape)


@dataclasses.dataclass(frozen=True)
class Uniform(AbstractDistribution):
    """Equally likely in [low, high).

    Args:
        low: Smallest value.
        high: Upper bound, >= low.
    Raises:
        ValueError: not finite, or low > high.
    Example:
        >>> bool(Uniform(1.0, 2.0).sample(np.random.default_rng(0), 100).min() >= 1.0)
        True
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", check.number("Uniform.low", self.low))
        object.__setattr__(self, "high", check.number("Uniform.high", self.high, low=self.low))

    def transform(self, uniform: Floats) -> Floats:
        """Values at the given uniform numbers; see `AbstractDistribution`."""
        return self.low + (self.high - self.low) * uniform


@dataclasses.dataclass(frozen=True)
class Normal(AbstractDistribution):
    """Gaussian of given mean and standard deviation. Values may change sign: see `TruncatedNormal`.

    Args:
        mean: Mean.
        std: Standard deviation, >= 0.
    Raises:
        ValueError: not finite, or std < 0.
    Example:
        >>> abs(float(Normal(3.0, 1.0).sample(np.random.default_rng(0), 10000).mean()) - 3.0) < 0.1
        True
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", check.number("Normal.mean", self.mean))
        object.__setattr__(self, "std", check.number("Normal.std", self.std, low=0.0))

    def transform(self, uniform: Floats) -> Floats:
        """Values at the given uniform numbers; see `AbstractDistribution`."""
        return self.mean + self.std * _standard_normal(uniform)


@dataclasses.dataclass(frozen=True)
class LogNormal(AbstractDistribution):
    """exp of a Gaussian, given by the mean and the standard deviation of the values themselves.

    With s^2 = ln(1 + std^2 / mean^2), a value is mean exp(s z - s^2 / 2), z standard normal. (NEST and NumPy ask for
    the mean and standard deviation of the logarithm instead: ln(mean) - s^2 / 2 and s.)

    Args:
        mean: Mean of the values, > 0.
        std: Standard deviation of the values, >= 0.
    Raises:
        ValueError: not finite, mean <= 0 or std < 0.
    Example:
        >>> abs(float(LogNormal(2.0, 1.0).sample(np.random.default_rng(0), 10000).std()) - 1.0) < 0.1
        True
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", check.number("LogNormal.mean", self.mean, low=0.0))
        object.__setattr__(self, "std", check.number("LogNormal.std", self.std, low=0.0))
        if self.mean == 0.0:
            raise check.refuse("LogNormal.mean", 0.0, "> 0", "For values of both signs use Normal.")

    def transform(self, uniform: Floats) -> Floats:
        """Values at the given uniform numbers; see `AbstractDistribution`."""
        variance = float(log(np.array([1.0 + (self.std / self.mean) ** 2]))[0])
        return self.mean * exp(math.sqrt(variance) * _standard_normal(uniform) - 0.5 * variance)


@dataclasses.dataclass(frozen=True)
class TruncatedNormal(AbstractDistribution):
    """Gaussian given that the value lies in [low, high]; one bound may be infinite.

    `mean` and `std` are those of the Gaussian before truncation.

    Args:
        mean: Mean before truncation.
        std: Standard deviation before truncation, > 0.
        low: Smallest value, may be -inf.
        high: Largest value, > low, may be inf.
    Raises:
        ValueError: mean or std not finite, std <= 0, low >= high, or the interval is so far out (beyond 37 standard
            deviations) that it holds no probability.
    Example:
        >>> bool(TruncatedNormal(1.0, 1.0, low=0.0).sample(np.random.default_rng(0), 1000).min() >= 0.0)
        True
    """

    mean: float
    std: float
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", check.number("TruncatedNormal.mean", self.mean))
        object.__setattr__(self, "std", check.number("TruncatedNormal.std", self.std, low=0.0))
        if self.std == 0.0:
            raise check.refuse("TruncatedNormal.std", 0.0, "> 0", "For a constant give the number itself.")
        if not self.low < self.high:
            raise check.refuse("TruncatedNormal.low, high", f"[{self.low}, {self.high}]", "low < high", "Swap them.")
        bottom, mass, _, _ = self._lower_half()
        if not (mass > 0.0 and bottom + mass > 1e-300):
            raise check.refuse(
                "TruncatedNormal.low, high",
                f"[{self.low}, {self.high}], more than 37 std from the mean {self.mean}",
                "an interval that holds some probability",
                "Move the mean or use Uniform.",
            )

    def _lower_half(self) -> tuple[float, float, float, float]:
        """Probability below the interval and in it, and its bounds in std; mirrored where it lies above the mean."""
        a, b = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        if a > 0.0:
            a, b = -b, -a
        bottom = normal_cdf(a)
        return bottom, normal_cdf(b) - bottom, a, b

    def transform(self, uniform: Floats) -> Floats:
        """Values at the given uniform numbers; see `AbstractDistribution`."""
        bottom, mass, a, b = self._lower_half()
        p = np.clip(bottom + mass * uniform, 1e-305, 1.0 - 2.0**-53)
        z = np.clip(normal_quantile(p), a, b)
        if self.low > self.mean:
            z = -z
        return np.clip(self.mean + self.std * z, self.low, self.high)


def _standard_normal(uniform: Floats) -> Floats:
    tail = np.maximum(np.minimum(uniform, 1.0 - uniform), 2.0**-54)
    return np.where(uniform < 0.5, 1.0, -1.0) * normal_quantile(tail)


Value: TypeAlias = float | npt.ArrayLike | AbstractDistribution


def sample_values(
    value: Value,
    shape: int | tuple[int, ...],
    generator: np.random.Generator,
    *,
    name: str = "value",
    dtype: npt.DTypeLike = np.float64,
) -> npt.NDArray[Any]:
    """Resolve a number, an array or a distribution to values of a shape.

    Args:
        value: A number (stays a scalar), an array of exactly this shape, or a distribution (drawn).
        shape: Shape of the values, such as (edges,).
        generator: Where a distribution draws from; untouched otherwise.
        name: What to call the value in an error.
        dtype: Type of the result.
    Returns:
        The values, shape () for a number, else `shape`.
    Raises:
        ValueError: not finite, or an array of another shape.
    Example:
        >>> sample_values(0.5, (3,), np.random.default_rng(0)).shape
        ()
    """
    if isinstance(value, AbstractDistribution):
        return value.sample(generator, shape, dtype)
    return fixed_values(value, (shape,) if isinstance(shape, int) else shape, name).astype(dtype, copy=False)


def fixed_values(value: Any, shape: tuple[int, ...], name: str) -> Floats:
    """A number or an array of exactly this shape, as finite float64.

    Args:
        value: The number or the array.
        shape: Shape of an array.
        name: What to call the value in an error.
    Returns:
        The values, shape () for a number.
    Raises:
        ValueError: not finite, an array of another shape, or neither.
    Example:
        >>> fixed_values([1, 2], (2,), "weight_mV").tolist()
        [1.0, 2.0]
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise check.refuse(name, repr(value), "a number, an array or a distribution", "Give one of these.")
    return check.finite(name, array, shape if array.ndim else ())


class Draws:
    """Values of a distribution that are drawn whenever they are read, the same ones each time: none is kept.

    Args:
        distribution: What they are drawn from.
        n: Number of values.
        generator: Makes the generator that they are drawn with, at the start of its stream.
        dtype: Their type.
    Example:
        >>> draws = Draws(Uniform(0.0, 1.0), 1000, lambda: np.random.default_rng(0), np.float32)
        >>> [part.size for part in draws.parts(600)], draws.all().shape
        ([600, 400], (1000,))
    """

    ndim = 1

    def __init__(
        self,
        distribution: AbstractDistribution,
        n: int,
        generator: Callable[[], np.random.Generator],
        dtype: npt.DTypeLike,
    ) -> None:
        self._distribution, self.size, self._generator, self.dtype = distribution, n, generator, np.dtype(dtype)

    def parts(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """The values in parts of a size."""
        for part in self._distribution.parts(self._generator(), self.size, size):
            yield part.astype(self.dtype)

    def all(self) -> npt.NDArray[Any]:
        """All values, shape (n,)."""
        out, end = np.empty(self.size, self.dtype), 0
        for part in self.parts(1 << 16):
            out[end : end + part.size] = part
            end += part.size
        return out


def parts_of(values: npt.NDArray[Any] | Draws, size: int) -> Iterator[npt.NDArray[Any]]:
    """Values, shape (n,), in parts of a size.

    Args:
        values: An array, or values that are yet to be drawn.
        size: Values of a part; the last one may be shorter.
    Example:
        >>> [part.tolist() for part in parts_of(np.arange(3), 2)]
        [[0, 1], [2]]
    """
    if isinstance(values, Draws):
        yield from values.parts(size)
        return
    for start in range(0, values.size, size):
        yield values[start : start + size]
