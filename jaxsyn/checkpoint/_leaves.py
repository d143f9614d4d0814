"""Trees as named arrays and back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._entry import Arrays, host

_NUMBERS = (bool, int, float, complex)


def leaf_name(path: Any) -> str:
    """Path of a leaf as dotted text, `groups.0.membrane.neuron.V_mV`."""
    return ".".join(_part(key) for key in path) or "value"


def _part(key: Any) -> str:
    for attribute in ("name", "key", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def is_key(leaf: Any) -> bool:
    """Whether a leaf holds typed random keys, which are stored as their integers."""
    return hasattr(leaf, "dtype") and bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def named_leaves(tree: Any) -> dict[str, Any]:
    """Leaves of a tree by name.

    Raises:
        ValueError: Two leaves have the same name, as in `{"a": {"b": x}, "a.b": y}`.
    """
    out: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = leaf_name(path)
        if name in out:
            raise ValueError(f"tree: two leaves are called {name}; rename one, dots separate the levels")
        out[name] = leaf
    return out


def to_arrays(tree: Any) -> Arrays:
    """The leaves of a tree as host arrays by name.

    Raises:
        ValueError: A leaf is neither an array nor a number.
    """
    out: Arrays = {}
    for name, leaf in named_leaves(tree).items():
        if is_key(leaf):
            leaf = jax.random.key_data(leaf)
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex):
            raise ValueError(
                f"tree: {name} is {type(leaf).__name__}; allowed: arrays and numbers. Take them with "
                "eqx.filter(tree, eqx.is_array)"
            )
        out[name] = np.asarray(leaf) if isinstance(leaf, _NUMBERS) else host(leaf)
    return out


def like(leaf: Any, array: np.ndarray[Any, Any]) -> Any:
    """A stored array in the form of the leaf that it replaces: device array, NumPy array, number or random keys."""
    if is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    if isinstance(leaf, _NUMBERS):
        return array.item()
    if isinstance(leaf, np.ndarray | np.generic):
        return array.copy()
    return jnp.array(array)


def stored_form(leaf: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype under which a leaf is stored."""
    if is_key(leaf):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    if isinstance(leaf, _NUMBERS):
        leaf = np.asarray(leaf)
    return tuple(leaf.shape), np.dtype(leaf.dtype)
