"""Spikes that carry a gradient: a step function forward, a pseudo-derivative backward."""

import abc
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, Parameters


class AbstractSurrogate(Parameters):
    """Pseudo-derivative of the spike function. Write `derivative`; three lines make a new one."""

    @abc.abstractmethod
    def derivative(self, gap: Array) -> Array:
        """What stands for d spike / d gap, finite for every gap, shape as given."""

    def __call__(self, gap: Array) -> Array:
        """Spikes: 1 where gap >= 0, else 0, shape and dtype of `gap`; its gradient is `derivative(gap)`."""
        return _spike(jnp.asarray(gap), self)


@eqx.filter_custom_jvp
def _spike(gap: Array, surrogate: AbstractSurrogate) -> Array:
    return (gap >= 0).astype(gap.dtype)


@_spike.def_jvp  # type: ignore[untyped-decorator]
def _spike_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    gap, surrogate = primals
    gap_dot = tangents[0]
    spikes = _spike(gap, surrogate)
    if gap_dot is None:
        return spikes, jnp.zeros_like(spikes)
    return spikes, surrogate.derivative(gap) * gap_dot


def hard_spike(gap: Array, owner: str) -> Array:
    """Spikes of a population without surrogate, bool: 1 where gap >= 0. Differentiating through it raises.

    Args:
        gap: Distance to threshold, shape (n,).
        owner: Name of the population, for the message.
    Returns:
        Spikes, bool, shape (n,).
    Raises:
        ValueError: On differentiation, naming the population and the remedy.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.surrogate import hard_spike
        >>> hard_spike(jnp.asarray([-1.0, 0.5]), "E").tolist()
        [False, True]
    """

    @jax.custom_jvp
    def spike(x: Array) -> Array:
        return x >= 0

    @spike.defjvp
    def _refuse(primals: object, tangents: object) -> NoReturn:
        raise ValueError(
            f"population {owner!r} has no surrogate, so its spikes carry no gradient: give "
            f"Population(..., surrogate=js.surrogate.SuperSpike()), or hold what it depends on constant"
        )

    return spike(gap)
