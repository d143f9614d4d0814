"""Checks of what users pass to rules: each error names the field, what it got, what is allowed, and the remedy."""

import dataclasses
import math
import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_SYNAPSES = 2**31 - 2


def same_fields(a: Any, b: Any) -> bool:
    """Whether two frozen dataclasses are of one class and equal field by field, arrays by their contents."""
    if type(a) is not type(b):
        return False
    return all(_same(getattr(a, field.name), getattr(b, field.name)) for field in dataclasses.fields(a))


def _same(x: Any, y: Any) -> bool:
    if x is y:
        return True
    if isinstance(x, list) or hasattr(x, "__array__"):
        return np.array_equal(x, y)
    return type(x) is type(y) and bool(x == y)


def refuse(field: str, got: object, allowed: str, remedy: str) -> ValueError:
    """The error to raise for a bad value."""
    return ValueError(f"{field}: got {got}; allowed: {allowed}. {remedy}")


def number(field: str, value: Any, *, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite float in [low, high]."""
    bounds = " and ".join(
        text for text, used in ((f">= {low:g}", low > -math.inf), (f"<= {high:g}", high < math.inf)) if used
    )
    allowed = f"a finite number {bounds}".strip()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise refuse(field, repr(value), allowed, "Give one plain number.")
    result = float(value)
    if not math.isfinite(result) or not low <= result <= high:
        raise refuse(field, f"{result:g}", allowed, "Choose a value in that range.")
    return result


def probability(field: str, value: Any) -> float:
    """A float in [0, 1]."""
    return number(field, value, low=0.0, high=1.0)


def count(field: str, value: Any, *, low: int = 0) -> int:
    """A whole number >= low, of an integer type."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise refuse(field, repr(value), f"a whole number >= {low}", f"Give an int, as in {field.split('.')[-1]}=10.")
    if value < low:
        raise refuse(field, int(value), f"a whole number >= {low}", "Choose a larger number.")
    return int(value)


def flag(field: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise refuse(field, repr(value), "True or False", "Choose one of the two.")
    return bool(value)


def indices(field: str, value: Any) -> npt.NDArray[np.int64]:
    """A flat array of whole numbers >= 0 (which population they index is known only at build)."""
    array = np.asarray(value)
    if array.ndim != 1:
        raise refuse(field, f"shape {array.shape}", "a flat sequence of neuron indices", "Pass it through np.ravel.")
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.dtype.kind not in "iu":
        raise refuse(field, f"dtype {array.dtype}", "integers", "Convert with .astype(np.int32) if they are indices.")
    low = int(array.min())
    if low < 0:
        raise refuse(field, f"{low} at place {int(array.argmin())}", "indices >= 0", "Count neurons from 0.")
    return array.astype(np.int64)


def finite(field: str, value: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """An array of finite floats of the given shape."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise refuse(field, f"dtype {array.dtype}", "numbers", "Convert with .astype(float).")
    if array.shape != shape:
        raise refuse(field, f"shape {array.shape}", f"shape {shape}", "Give one value for each entry.")
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise refuse(field, f"{array[place]} at place {place}", "finite numbers", "Remove NaN and infinity.")
    return array


def within(field: str, index: npt.NDArray[np.int64], n: int, side: str) -> None:
    """Raise unless every index lies in a population of n neurons."""
    if index.size and int(index.max()) >= n:
        place = int(index.argmax())
        raise refuse(
            field,
            f"index {int(index[place])} at place {place}",
            f"0 to {n - 1}, the {side} population has {n} neurons" if n else f"none, the {side} population is empty",
            "Correct the index, or enlarge the population.",
        )


def same_size(rule: str, n_pre: int, n_post: int) -> None:
    """Raise unless source and target have equally many neurons."""
    if n_pre != n_post:
        raise refuse(
            rule, f"{n_pre} source and {n_post} target neurons", "equal numbers", "Use a rule for unequal populations."
        )


def synapses(rule: str, n: float) -> None:
    """Raise if a graph would have more synapses than an int32 can count."""
    if n > MAX_SYNAPSES:
        raise refuse(
            rule,
            f"about {n:.4g} synapses",
            f"at most {MAX_SYNAPSES} (2^31 - 2) in one projection",
            "Split the source population over several projections, or connect more sparsely.",
        )
