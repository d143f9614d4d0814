"""Any tree of arrays: trained parameters, optimizer states, whole networks."""

from typing import Any

import jax

from ._checks import check_keep, check_step
from ._entry import read_arrays, read_metadata, write_checkpoint
from ._folder import Folder, choose
from ._leaves import like as in_form_of
from ._leaves import named_leaves, stored_form, to_arrays

KIND = "tree"


def save_tree(folder: Folder, tree: Any, *, step: int = 0, keep: int = 1) -> None:
    """Write a pytree of arrays, such as `(params, opt_state)`; a kill meanwhile leaves the previous one valid.

    Args:
        folder: Folder of the checkpoints; made if absent.
        tree: Arrays, numbers and random keys in any containers; structure and static fields are not written.
        step: What it is found by, e.g. the epoch, >= 0.
        keep: Number of checkpoints to leave in the folder, >= 1.
    Raises:
        ValueError: A leaf is no array, two leaves share a name, step or keep out of range.
    Example:
        >>> import jax.numpy as jnp
        >>> save_tree("trained", {"w": jnp.ones(3)}, step=5)
        >>> restore_tree("trained", {"w": jnp.zeros(3)})["w"].tolist()
        [1.0, 1.0, 1.0]
    """
    check_step("save_tree", step)
    check_keep("save_tree", keep)
    write_checkpoint(folder, step, keep, to_arrays(tree), {"kind": KIND})


def restore_tree(folder: Folder, like: Any, *, step: int | None = None) -> Any:
    """Read a pytree of arrays back into the structure of `like`.

    Args:
        folder: Folder that was given to `save_tree`.
        like: A tree of the same structure, shapes and dtypes, e.g. freshly initialized; its numbers are not used.
        step: Which checkpoint; None takes the one written last.
    Returns:
        The tree.
    Raises:
        ValueError: No such checkpoint, a damaged one, or one of another structure; names the first difference.
    Example:
        >>> import jax.numpy as jnp
        >>> save_tree("two", {"w": jnp.ones(3), "b": jnp.zeros(())})
        >>> restore_tree("two", {"w": jnp.zeros(4), "b": jnp.zeros(())})
        Traceback (most recent call last):
        ValueError: checkpoint two: w has shape (4,) here, (3,) in the checkpoint; restore into the tree that was saved
    """
    entry = choose(folder, step)
    metadata = read_metadata(entry)
    if metadata.get("kind") != KIND:
        raise ValueError(f"checkpoint {folder}: holds a {metadata.get('kind')}; use jaxsyn.checkpoint.restore")
    wanted = named_leaves(like)
    saved = {spec["name"]: spec for spec in metadata["arrays"]}
    remedy = "restore into the tree that was saved"
    for name in [*wanted, *saved]:
        if name not in saved or name not in wanted:
            where = "the checkpoint" if name in saved else "the tree here"
            raise ValueError(f"checkpoint {folder}: {name} is only in {where}; {remedy}")
        shape, dtype = stored_form(wanted[name])
        there = tuple(saved[name]["shape"]), saved[name]["dtype"]
        if shape != there[0]:
            raise ValueError(
                f"checkpoint {folder}: {name} has shape {shape} here, {there[0]} in the checkpoint; {remedy}"
            )
        if str(dtype) != there[1]:
            raise ValueError(f"checkpoint {folder}: {name} is {dtype} here, {there[1]} in the checkpoint; {remedy}")
    arrays = read_arrays(entry, metadata)
    leaves = [in_form_of(leaf, arrays[name]) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
