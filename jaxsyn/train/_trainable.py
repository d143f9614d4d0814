"""Which numbers of a network are trained."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ..network import Network

_WEIGHT = re.compile(r"links\.\d+\.(weight|transform\..+)")
_DELAY = re.compile(r"links\.(\d+)\.(transform\.)?delays\.ms")


def trainable(net: Network, *, parameters: Sequence[str] = ()) -> Any:
    """Which leaves of a network are trained: its weights, and other parameters only where they are named.

    Weights are those of the synapses and of the dense transforms with their biases. Everything else stays as it is: a
    decay of the weights in the optimizer, for instance, would move a resting potential without any gradient.
    Numbers with a bound (a decay, a conductance) can leave it; keep them inside with the optimizer, e.g. with
    `optax.keep_params_nonnegative`.

    Args:
        net: The network.
        parameters: Names of further parameters: "hidden.threshold" (neuron), "E.AMPA.kinetics.tau_ms" (receptor),
            "hidden.start.v" (state at the start of a run), "E_E.gain", "E_E.short_term.U", "E_E.delay_ms" (projection;
            delays are trained where it has a `js.connect.TrainableDelay`).
    Returns:
        A tree like the network with True at every trained leaf, for `eqx.partition(net, trainable(net))`.
    Raises:
        ValueError: An unknown parameter (names those there are), or one that several populations share and that is not
            named for each of them.
    Example:
        >>> import equinox as eqx, jaxsyn as js
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 4), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)}, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> weights, rest = eqx.partition(net, trainable(net, parameters=["out.decay"]))
        >>> [leaf.shape for leaf in jax.tree.leaves(weights)]
        [(), (4, 2)]
    """
    if isinstance(parameters, str):
        parameters = (parameters,)
    paths, structure, floating = _paths(net)
    named = named_parameters(net)
    chosen = {path for path in floating if _WEIGHT.fullmatch(path) and not _DELAY.fullmatch(path)}
    for name in parameters:
        if name not in named:
            raise ValueError(f"trainable.parameters: unknown {name!r}; the network has {', '.join(sorted(named))}")
        sharers = sorted(n for n, paths in named.items() if paths & named[name] and n not in parameters)
        if sharers:
            raise ValueError(
                f"trainable.parameters: {name!r} is one array together with {', '.join(map(repr, sharers))}, as these "
                "populations are stepped as one; name them all, or give them different models"
            )
        chosen |= named[name]
    return jax.tree.unflatten(structure, [path in chosen for path in paths])


def _paths(net: Network) -> tuple[list[str], Any, set[str]]:
    """Path of each leaf, their tree, and the paths of numbers."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(net)
    paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    floating = {p for p, (_, x) in zip(paths, leaves, strict=True) if jnp.issubdtype(x.dtype, jnp.floating)}
    return paths, structure, floating


def named_parameters(net: Network) -> dict[str, set[str]]:
    """Paths in the tree by the name that a user knows, of everything that can be trained besides weights."""
    _, _, floating = _paths(net)
    named: dict[str, set[str]] = {}
    for g, group in enumerate(net.groups):
        for field, owner in (
            ("neuron", ""),
            ("receptors", ""),
            ("start.neuron", "start."),
            ("start.receptors", "start."),
        ):
            start = f"groups.{g}.{field}."
            for path in floating:
                if path.startswith(start):
                    named |= {f"{member}.{owner}{path.removeprefix(start)}": {path} for member, _, _ in group.members}
    for i, link in enumerate(net.links):  # a projection has a link for each group that it reaches
        for path in floating:
            own = path.removeprefix(f"links.{i}.")
            if (delay := _DELAY.fullmatch(path)) and int(delay[1]) == i:
                named.setdefault(f"{link.name}.delay_ms", set()).add(path)
            elif own != path and own.startswith(("gain", "short_term.")):
                named.setdefault(f"{link.name}.{own}", set()).add(path)
    return named
