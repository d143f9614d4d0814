"""A place where values are computed once."""

from typing import TypeVar

import jax

from ._library import require_native
from ._primitive import define_barrier

T = TypeVar("T")

_settle_p = define_barrier("settle")


def settle(tree: T, *, native: bool) -> T:
    """The same values, computed once.

    XLA on a CPU evaluates a value again for each fused consumer, a random draw or a Newton iteration as well. Behind
    this call the values are in memory. The identity in every other respect, derivatives and lanes included.

    Args:
        tree: Arrays.
        native: Use the native CPU call; without it XLA may still fuse through.
    Returns:
        The same arrays.
    Raises:
        ValueError: native kernels asked for but not available.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn import kernels
        >>> kernels.settle(jnp.ones(2), native=False).tolist()
        [1.0, 1.0]
    """
    leaves, structure = jax.tree.flatten(tree)
    if not leaves:
        return tree
    settled: T = jax.tree.unflatten(structure, _settle_p.bind(*leaves, native=require_native(native)))
    return settled
