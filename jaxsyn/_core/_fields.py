"""Parameter fields: array leaves of one dtype, checked once at construction.

A physical parameter is a scalar or a vector (one value for each neuron), never a Python float: a float would be static,
so that each new value would compile anew and get no gradient. Checks look at concrete values only; a tracer passes.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ._types import float_dtype


def is_concrete(value: Any) -> bool:
    """Whether the numbers of an array are known now (not traced by jit, grad or vmap)."""
    return not isinstance(value, jax.core.Tracer)


def as_float(value: Any) -> Any:
    """An array of the float type in force; arrays that are traced keep their dtype."""
    if value is None or isinstance(value, jax.core.Tracer | jax.ShapeDtypeStruct):
        return value
    if not isinstance(value, jax.Array | np.ndarray | np.generic | float | int | list | tuple):
        return value  # a placeholder of a tree operation (None, a bool of a filter), not a number
    if isinstance(value, bool):
        return value
    try:
        numbers = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"a parameter must be a number or a flat sequence of numbers, got {value!r}") from error
    if numbers.dtype == object or numbers.dtype.kind not in "fiub":
        return value
    return jnp.asarray(numbers, dtype=float_dtype())


def param(
    default: Any = dataclasses.MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    optional: bool = False,
) -> Any:
    """A parameter field of a model: an array leaf, scalar or one value for each neuron, checked when it is constructed.

    Args:
        default: Value where none is given; without it the field must be given.
        low, high: Smallest and largest value allowed.
        above: Bound that must be exceeded.
        optional: Whether None is allowed.
    Returns:
        The field, for the body of a model class.
    Example:
        >>> import jax, jaxsyn as js
        >>> class Decay(js.receptors.AbstractReceptor):
        ...     tau_ms: jax.Array = js.param(5.0, above=0.0)
    """
    limits = {"low": low, "high": high, "above": above, "optional": optional}
    if default is dataclasses.MISSING:
        return eqx.field(converter=as_float, metadata=limits)
    return eqx.field(converter=as_float, metadata=limits, default=default)


def allowed_numbers(limits: Any) -> str:
    """What a parameter with these limits may be, as text."""
    parts = ["finite"]
    if limits.get("above") is not None:
        parts.append(f"> {limits['above']:g}")
    if limits.get("low") is not None:
        parts.append(f">= {limits['low']:g}")
    if limits.get("high") is not None:
        parts.append(f"<= {limits['high']:g}")
    return " and ".join(parts)


def outside(numbers: np.ndarray[Any, Any], limits: Any) -> np.ndarray[Any, Any]:
    """Which numbers are not finite or out of range."""
    bad = ~np.isfinite(numbers)
    for key, compare in (("above", np.less_equal), ("low", np.less), ("high", np.greater)):
        if limits.get(key) is not None:
            bad = bad | compare(numbers, limits[key])
    return np.asarray(bad)


def validate(owner: str, name: str, value: Any, limits: Any) -> None:
    """Raise `ValueError` if a concrete parameter is of the wrong rank, not finite or out of range."""
    if isinstance(value, bool | str) or not hasattr(value, "shape"):
        raise ValueError(f"{owner}.{name}: got {value!r}; allowed: a number or one number for each neuron")
    if len(value.shape) > 1:
        raise ValueError(
            f"{owner}.{name}: got shape {tuple(value.shape)}; allowed: a scalar or one value for each "
            f"neuron, shape (n,)"
        )
    if not is_concrete(value) or isinstance(value, jax.ShapeDtypeStruct):
        return
    numbers = np.asarray(value)
    bad = outside(numbers, limits)
    if bad.any():
        place = "" if numbers.ndim == 0 else f"[{int(np.argmax(bad))}]"
        got = numbers[()] if numbers.ndim == 0 else numbers[int(np.argmax(bad))]
        raise ValueError(
            f"{owner}.{name}{place}: got {got}; allowed: {allowed_numbers(limits)}. Set it when you construct {owner}."
        )


class Parameters(eqx.Module):
    """Base of everything that has parameter fields made with `param`: they are checked after construction.

    Example:
        >>> class Leak(Parameters):
        ...     tau_m_ms: object = param(20.0, above=0.0)
        >>> Leak(tau_m_ms=-1.0)
        Traceback (most recent call last):
        ValueError: Leak.tau_m_ms: got -1.0; allowed: finite and > 0. Set it when you construct Leak.
    """

    def __check_init__(self) -> None:
        lengths: dict[str, int] = {}
        for field in dataclasses.fields(self):
            if "above" not in field.metadata:
                continue
            value = getattr(self, field.name)
            if value is None and field.metadata["optional"]:
                continue
            validate(type(self).__name__, field.name, value, field.metadata)
            if value.ndim == 1:
                lengths[field.name] = value.shape[0]
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"{type(self).__name__}: per-neuron parameters disagree in length: "
                + ", ".join(f"{k} has {v}" for k, v in lengths.items())
                + "; give each the length of the population, or a scalar"
            )
