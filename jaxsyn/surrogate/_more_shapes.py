"""Pseudo-derivatives of compact and of Gaussian form, and none at all."""

import jax.numpy as jnp

from .._core import Array, Parameter, param
from ._base import AbstractSurrogate


class Boxcar(AbstractSurrogate):
    """psi(x) = k/2 for |x| < 1/k, else 0.

    Args:
        k: Sharpness, > 0; the height is k/2.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Wu et al. (2018), Front. Neurosci. 12:331, eq. 24.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.Boxcar(k=1.0))(0.5))
        0.5
    """

    k: Parameter = param(1.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return jnp.where(self.k * jnp.abs(gap) < 1.0, 0.5 * self.k, 0.0).astype(gap.dtype)


class Exponential(AbstractSurrogate):
    """psi(x) = (k/2) exp(-k |x|).

    Args:
        k: Sharpness, > 0.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Shrestha and Orchard (2018), NeurIPS 31, eq. 12 (probability density of a spike).
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.Exponential(k=2.0))(0.0))
        1.0
    """

    k: Parameter = param(2.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return 0.5 * self.k * jnp.exp(-self.k * jnp.abs(gap))


class Gaussian(AbstractSurrogate):
    """psi(x) = k / sqrt(2 pi) exp(-(k x)^2 / 2).

    Args:
        k: Sharpness, > 0: one over the standard deviation.
    Raises:
        ValueError: `k` is not finite or not positive.
    References:
        Yin, Corradi and Bohte (2021), Nat. Mach. Intell. 3:905, methods (Gaussian).
    Example:
        >>> import jax, jaxsyn as js
        >>> round(float(jax.grad(js.surrogate.Gaussian(k=2.0))(0.0)), 4)
        0.7979
    """

    k: Parameter = param(2.0, above=0.0)

    def derivative(self, gap: Array) -> Array:
        return _normal(gap, self.k)


class MultiGaussian(AbstractSurrogate):
    """psi(x) = (1 + h) N(x; 0, s) - h N(x; s, 6 s) - h N(x; -s, 6 s), with s = 1/k: negative far from the threshold.

    Args:
        k: Sharpness, > 0: one over the standard deviation s of the peak.
        h: Weight of the negative parts, >= 0.
    Raises:
        ValueError: `k` or `h` is out of range.
    References:
        Yin, Corradi and Bohte (2021), Nat. Mach. Intell. 3:905, methods (multi-Gaussian, h = 0.15, s = 0.5).
    Example:
        >>> import jax, jaxsyn as js
        >>> bool(jax.grad(js.surrogate.MultiGaussian())(2.0) < 0.0)
        True
    """

    k: Parameter = param(2.0, above=0.0)
    h: Parameter = param(0.15, low=0.0)

    def derivative(self, gap: Array) -> Array:
        s = 1.0 / self.k
        sides = _normal(gap - s, self.k / 6.0) + _normal(gap + s, self.k / 6.0)
        return (1.0 + self.h) * _normal(gap, self.k) - self.h * sides


class StraightThrough(AbstractSurrogate):
    """psi(x) = 1: the gradient passes as if the spike were the membrane variable itself.

    References:
        Bengio, Leonard and Courville (2013), arXiv:1308.3432, section 4.
    Example:
        >>> import jax, jaxsyn as js
        >>> float(jax.grad(js.surrogate.StraightThrough())(-3.0))
        1.0
    """

    def derivative(self, gap: Array) -> Array:
        return jnp.ones_like(gap)


def _normal(x: Array, k: Array) -> Array:
    """Normal density of standard deviation 1/k; far away 0, without overflow of the square."""
    z = jnp.minimum(k * jnp.abs(x), 30.0)
    return k * 0.3989422804014327 * jnp.exp(-0.5 * z**2)
