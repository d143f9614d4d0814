"""Learning rates of their own for some parameters."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import optax

from ..network import Network
from ._trainable import named_parameters


def scaled(net: Network, factors: Mapping[str, float]) -> optax.GradientTransformation:
    """Updates of some parameters multiplied: what has a unit needs steps of another size than a weight.

    Put it behind the optimizer. Adam with 1e-3 moves every number by about 1e-3 in a step; a delay of some hundred ms
    wants some hundred times that.

    Args:
        net: The network that is trained.
        factors: Factor by name, as in `trainable`, finite and >= 0.
    Returns:
        A transformation of optax.
    Raises:
        ValueError: An unknown parameter, or a factor that is not a finite number >= 0.
    Example:
        >>> import jaxsyn as js, optax
        >>> w = js.Projection("in", "out", js.connect.Dense(), delay_ms=js.connect.TrainableDelay(max_ms=200.0))
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 4), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)}, {"w": w}, dt_ms=10.0)
        >>> optimizer = optax.chain(optax.adam(1e-3), js.train.scaled(net, {"w.delay_ms": 500.0}))
    """
    named = named_parameters(net)
    by_path: dict[str, float] = {}
    for name, factor in factors.items():
        if name not in named:
            raise ValueError(f"scaled.factors: unknown {name!r}; the network has {', '.join(sorted(named))}")
        if isinstance(factor, bool) or not isinstance(factor, float | int | np.number) or not 0 <= factor < np.inf:
            raise ValueError(f"scaled.factors[{name!r}]: got {factor!r}; allowed: a finite number >= 0")
        by_path |= dict.fromkeys(named[name], float(factor))
    leaves, structure = jax.tree_util.tree_flatten_with_path(net)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    tree = jax.tree.unflatten(structure, [by_path.get(path, 1.0) for path in paths])

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        def one(change: Any, factor: Any) -> Any:
            return None if change is None else factor * change

        return jax.tree.map(one, updates, tree, is_leaf=lambda x: x is None), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
