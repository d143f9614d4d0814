"""What every code promises, and the checks of what goes in."""

import abc
import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete, validate, without_gradient


def number(
    default: Any = dataclasses.MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    optional: bool = False,
) -> Any:
    """A field of a code: one number, or one for each of the n values; checked when the code is made."""
    limits = {"low": low, "high": high, "above": above, "optional": optional}
    return dataclasses.field(default=default, metadata=limits)


@dataclasses.dataclass(frozen=True)
class AbstractEncoder(abc.ABC):
    """A code: values (..., n) to spikes (T, ..., m), time first.

    A frozen dataclass of plain numbers, so that `jax.jit(code.encode)` works and an equal code compiles nothing. To
    scan over a number or a seed, make the code inside the function that `jax.vmap` or `jax.jit` traces. Values and
    numbers that are traced cannot be checked and are taken as they are.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "above" not in field.metadata or not is_concrete(value):
                continue
            if value is None and field.metadata["optional"]:
                continue
            object.__setattr__(self, field.name, _plain(type(self).__name__, field.name, value, field.metadata))

    @abc.abstractmethod
    def encode(self, x: Any) -> Array:
        """Spikes of some values, in the float type in force."""


def _plain(owner: str, name: str, value: Any, limits: Any) -> float | tuple[float, ...]:
    """A checked number, or a tuple of them."""
    try:
        array: Any = value if isinstance(value, bool | str) else np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = value
    validate(owner, name, array, limits)
    plain: float | tuple[float, ...] = float(array) if array.ndim == 0 else tuple(array.tolist())
    return plain


def whole(owner: str, name: str, value: Any, low: int = 1) -> None:
    """Raise unless a static field is a whole number >= low."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ValueError(f"{owner}.{name}: got {value!r}; allowed: a whole number >= {low}")


def numbers(owner: str, name: str, x: Any) -> Array:
    """Anything that holds real numbers as a float array; finite where that can be seen."""
    if not hasattr(x, "dtype"):
        try:
            x = np.asarray(x)
        except (TypeError, ValueError):
            raise ValueError(f"{owner}: {name} is {type(x).__name__}; allowed: an array of real numbers") from None
    if x.dtype != bool and not jnp.issubdtype(x.dtype, jnp.integer) and not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{owner}: {name} has values of type {x.dtype}; allowed: an array of real numbers")
    array = jnp.asarray(x, float_dtype())
    _refuse_any(owner, name, array, lambda host: ~np.isfinite(host), "finite", "Repair it or leave it out.")
    return array


def checked(owner: str, x: Any, low: Any = 0.0, high: Any = 1.0) -> Array:
    """Values to encode as a float array that carries no gradient, within [low, high] where that can be seen."""
    array = numbers(owner, "x", x)
    if is_concrete(array) and is_concrete(low) and is_concrete(high):
        lowest, highest = (np.asarray(bound if np.ndim(bound) == 0 else like(bound, array)) for bound in (low, high))
        allowed = f"from {lowest.min():g} to {highest.max():g}"
        remedy = f"Rescale, e.g. {lowest.min():g} + {np.ptp([lowest.min(), highest.max()]):g} * x / x.max()."
        _refuse_any(owner, "x", array, lambda host: (host < lowest) | (host > highest), allowed, remedy)
    return flat(owner, array)


def flat(owner: str, x: Array) -> Array:
    """The same values; differentiating through them raises, as spikes are no smooth function of them."""
    message = (
        f"{owner}: its spikes carry no gradient to the values that it encodes; hold them constant, or feed values "
        "that are trained as a current, js.encode.Direct"
    )
    return without_gradient(x, message)


def steps_of(owner: str, spikes: Any, n_steps: int | None = None) -> Array:
    """Spikes to decode as a float array, with as many steps as the code has."""
    array = numbers(owner, "spikes", spikes)
    if array.ndim < 1 or array.shape[0] < 1 or n_steps not in (None, array.shape[0]):
        want = "at least 1" if n_steps is None else str(n_steps)
        raise ValueError(
            f"{owner}: spikes have shape {array.shape}; allowed: ({want}, ...), time first, as encode gives them"
        )
    return array


def like(parameter: Any, x: Array) -> Array:
    """A parameter, one number or one for each of the n values, in the shape of the values (..., n)."""
    p = jnp.asarray(parameter, x.dtype)
    if p.ndim and p.shape[0] != (x.shape[-1] if x.ndim else 1):
        raise ValueError(f"encode: a parameter has {p.shape[0]} values for x of shape {x.shape}; allowed: 1 or its n")
    return jnp.broadcast_to(p, x.shape)


def clock(n_steps: int, x: Array) -> Array:
    """The steps 0 .. T - 1 as floats, (T, 1, ...), to be broadcast against values (..., n)."""
    return jnp.arange(n_steps, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)


def one_spike(times_steps: Array, fires: Array, n_steps: int) -> Array:
    """A spike at the step nearest to each time, half to even; none where that is no step, or where `fires` is False."""
    hit = (clock(n_steps, times_steps) == jnp.rint(times_steps)[None]) & fires[None]
    return hit.astype(times_steps.dtype)


def first_step(spikes: Array) -> tuple[Array, Array]:
    """Step of the first spike of each neuron as float, and whether there is one."""
    return jnp.argmax(spikes > 0, axis=0).astype(spikes.dtype), jnp.any(spikes > 0, axis=0)


def accumulate(x: Array, threshold: Array, start: Array, n_steps: int) -> Array:
    """Spikes of an integrator without leak: v += x; a spike and v -= threshold where v >= threshold.

    For 0 <= x <= threshold there have been min(t, floor((start + t x) / threshold)) spikes after t steps, at least 0:
    no sum of floats that drifts, and no loop over steps. More input than one spike a step can carry waits in v.
    """
    after = clock(n_steps + 1, x)
    due = jnp.floor((start[None] + after * x[None]) / threshold[None])
    return jnp.diff(jnp.clip(due, 0.0, after), axis=0)


def _refuse_any(owner: str, name: str, array: Array, bad: Any, allowed: str, remedy: str) -> None:
    """Raise for the first bad value of an array that is not traced."""
    if not is_concrete(array):
        return
    host = np.asarray(array)
    wrong = bad(host)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), host.shape)
        where = f"{name}[{', '.join(map(str, place))}]" if place else name
        raise ValueError(f"{owner}: {where} is {host[place]:g}; allowed: {allowed}. {remedy}")
