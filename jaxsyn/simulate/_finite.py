"""What in a state is not finite."""

import jax
import numpy as np

from ..network import Network, NetworkState


def not_finite(net: Network, state: NetworkState, group: int) -> tuple[str, str] | None:
    """The first number of a group that is not finite: its population, and "V_mV of neuron 3"; None if all are."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.groups[group].membrane):
        bad = ~np.isfinite(np.asarray(leaf))
        if bad.any():
            index = int(np.argmax(bad))
            where = next(m for m in reversed(net.groups[group].members) if m[1] <= index)
            text = "".join(str(p) for p in path)
            variable = text.replace(".neuron", "").replace("['", ".").replace("']", "").lstrip(".")
            return where[0], f"{variable.removeprefix('receptors.')} of neuron {index - where[1]}"
    return None
