"""The usual pseudo-derivatives. Each has a sharpness k; larger is narrower."""

import jax.numpy as jnp

from .._core import Array, Parameter, param
from ._base import AbstractSurrogate


class SuperSpike(AbstractSurrogate):
    """psi(x) = 1 / (1 + k |x|)^2.

    Args:
        k: Sharpness, > 0.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Zenke and Ganguli (2018), Neural Comput. 30:1514, eq. 8.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.SuperSpike(k=10.0))(0.1))
        0.25
    """

    k: Parameter = param(10.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return 1.0 / (1.0 + self.k * jnp.abs(gap)) ** 2


class Triangle(AbstractSurrogate):
    """psi(x) = k max(0, 1 - |x|).

    Args:
        k: Height, > 0.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Bellec et al. (2018), NeurIPS 31, eq. 5; Esser et al. (2016), PNAS 113:11441.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.Triangle(k=0.5))(0.5))
        0.25
    """

    k: Parameter = param(1.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return self.k * jnp.maximum(0.0, 1.0 - jnp.abs(gap))


class Arctangent(AbstractSurrogate):
    """psi(x) = (k/2) / (1 + (pi k x / 2)^2).

    Args:
        k: Sharpness, > 0.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Fang et al. (2021), ICCV, eq. 12.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.Arctangent(k=2.0))(0.0))
        1.0
    """

    k: Parameter = param(2.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return (self.k / 2.0) / (1.0 + (jnp.pi / 2.0 * self.k * gap) ** 2)


class Sigmoid(AbstractSurrogate):
    """psi(x) = k sigma(k x) (1 - sigma(k x)), written so that no exponential overflows.

    Args:
        k: Sharpness, > 0.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Zenke and Vogels (2021), Neural Comput. 33:899, eq. 6.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.Sigmoid(k=4.0))(0.0))
        1.0
    """

    k: Parameter = param(4.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        e = jnp.exp(-self.k * jnp.abs(gap))
        return self.k * e / (1.0 + e) ** 2
