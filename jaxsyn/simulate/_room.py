"""Room for spikes in the state of a network, and whether a state belongs to a network at all."""

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import float_dtype
from ..network import Network, NetworkState


def resize(net: Network, state: NetworkState, capacity: int) -> NetworkState:
    """The same state with other room for spikes in a step; nothing in flight is lost when it grows."""
    groups = []
    for group, s in zip(net.groups, state.groups, strict=True):
        room = max(1, min(capacity, group.size))
        if s.ids is None or s.ids.shape[1] == room:
            groups.append(s)
            continue
        ids = jnp.zeros((s.ids.shape[0], room), jnp.int32).at[:, : s.ids.shape[1]].set(s.ids[:, :room])
        groups.append(eqx.tree_at(lambda x: x.ids, s, ids))
    return NetworkState(state.tick, tuple(groups), state.links, state.stimuli)


def capacity_of(state: NetworkState) -> int:
    """The room for spikes in a step that the largest group has; 1 where none keeps ids."""
    return max((g.ids.shape[-1] for g in state.groups if g.ids is not None), default=1)


def check_floats(net: Network) -> None:
    """Raise if the network was built with floats of another width than JAX uses now.

    Raises:
        ValueError: `jax_enable_x64` was switched in between.
    """
    for leaf in jax.tree.leaves([group.start for group in net.groups]):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype != float_dtype():
            raise ValueError(
                f"network: built with {leaf.dtype}, but jax_enable_x64 makes floats {float_dtype()} now; build, run it "
                "under the same setting"
            )


def check_state(net: Network, state: NetworkState) -> NetworkState:
    """The state, if it has the structure of this network; its room for spikes may differ.

    Raises:
        ValueError: It does not; names the first difference.
    """
    wanted = jax.eval_shape(net.init_state)
    found, expected = (dict(jax.tree_util.tree_leaves_with_path(s)) for s in (state, wanted))
    remedy = "it belongs to another network; start from net.init_state(), or from a run of this network"
    for path in (*expected, *found):
        name = jax.tree_util.keystr(path).lstrip(".")
        if path not in found or path not in expected:
            raise ValueError(f"state: {name} is {'missing' if path in expected else 'not in this network'}; {remedy}")
    for path, leaf in expected.items():
        name, got = jax.tree_util.keystr(path).lstrip("."), found[path]
        shape = (*leaf.shape[:1], got.shape[1]) if name.endswith(".ids") and len(got.shape) == 2 else leaf.shape
        if (got.shape, got.dtype) != (shape, leaf.dtype):
            shown = f"{got.dtype}{list(got.shape)}, allowed: {leaf.dtype}{list(leaf.shape)}"
            raise ValueError(f"state: {name}: got {shown}; {remedy}")
    return state
