"""Where a gradient must not pass unseen."""

from typing import NoReturn, TypeVar

import jax

T = TypeVar("T")


def without_gradient(tree: T, message: str) -> T:
    """The same arrays; differentiating through them raises instead of giving part of a gradient.

    Args:
        tree: Arrays.
        message: What to say, with the remedy.
    Returns:
        The same arrays.
    Raises:
        ValueError: On differentiation.
    Example:
        >>> import jax
        >>> jax.grad(lambda x: without_gradient(x, "no gradient here"))(1.0)
        Traceback (most recent call last):
        ValueError: no gradient here
    """

    @jax.custom_jvp
    def same(tree: T) -> T:
        return tree

    @same.defjvp
    def _refuse(primals: object, tangents: object) -> NoReturn:
        raise ValueError(message)

    return same(tree)
