"""Which groups of a network are stepped together, and which links are followed over many steps at once."""

import graphlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._core import Array
from ..neurons import Relay
from ._link import AbstractLink, SparseLink, TransformLink
from ._network import Network
from ._step import SIMULATE, Mode


class Component(NamedTuple):
    """Groups that are stepped together, in the order of a step.

    Attributes:
        groups: Indices of the groups.
        inner: Indices of the links that are followed step by step.
        outer: Indices of the links that come from earlier components and are followed over a whole chunk.
    Example:
        >>> import jaxsyn as js
        >>> js.network.components(js.circuits.cuba(100))
        (Component(groups=(0,), inner=(0, 1), outer=()),)
    """

    groups: tuple[int, ...]
    inner: tuple[int, ...]
    outer: tuple[int, ...]


def components(net: Network, mode: Mode = SIMULATE) -> tuple[Component, ...]:
    """The parts of a network in the order in which they can run through a chunk.

    A link is followed over a chunk unless something of it changes from step to step, or its spikes travel as indices:
    such links join the parts they connect.

    Args:
        net: The network.
        mode: Whether batch statistics are trained, which couples steps.
    Returns:
        Components, each after all that reach it.
    Example:
        >>> import jaxsyn as js
        >>> cells = {"in": js.Population(js.neurons.Relay(), 3), "out": js.Population(js.neurons.DiscreteLIF(), 2)}
        >>> net = js.Network(cells, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> [part.groups for part in js.network.components(net)]
        [(0,), (1,)]
    """
    n = len(net.groups)
    reach: list[set[int]] = [{g} for g in range(n)]
    for link in net.links:
        reach[link.source].add(link.target)
        if not vectorizes(link, mode):
            reach[link.target].add(link.source)
    for middle in range(n):
        for start in range(n):
            if middle in reach[start]:
                reach[start] |= reach[middle]
    of = [min(h for h in range(n) if h in reach[g] and g in reach[h]) for g in range(n)]
    before: dict[int, set[int]] = {part: set() for part in of}
    for link in net.links:
        if of[link.source] != of[link.target]:
            before[of[link.target]].add(of[link.source])
    parts = []
    for part in graphlib.TopologicalSorter(before).static_order():
        inner = [i for i, k in enumerate(net.links) if of[k.source] == of[k.target] == part]
        outer = [i for i, k in enumerate(net.links) if of[k.target] == part != of[k.source]]
        parts.append(Component(tuple(g for g in range(n) if of[g] == part), tuple(inner), tuple(outer)))
    return tuple(parts)


def vectorizes(link: AbstractLink, mode: Mode) -> bool:
    """Whether what a link delivers in a step depends on what was sent alone."""
    if isinstance(link, SparseLink):
        return link.form == "values" and link.short_term is None
    assert isinstance(link, TransformLink)
    return not (mode.training and jax.tree.leaves(jax.eval_shape(link.init_state).statistics))


def relays(net: Network, part: Component) -> bool:
    """Whether a component is one group that hands on what arrives, all steps at once."""
    return len(part.groups) == 1 and not part.inner and isinstance(net.groups[part.groups[0]].neuron, Relay)


def takes_bits(net: Network, parts: Sequence[Component], inputs: Mapping[str, Array]) -> list[str]:
    """Names of the inputs that a chunk also takes as packed bits: bool ones, handed on as they are by their group.

    Args:
        net: The network.
        parts: What `components` gave.
        inputs: Inputs by name.
    Returns:
        Names of inputs.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 3)}, dt_ms=1.0)
        >>> js.network.takes_bits(net, js.network.components(net), {"in": jnp.ones((5, 3), bool)})
        ['in']
    """
    handing_on = {part.groups[0] for part in parts if relays(net, part)}
    fed = {link.target for link in net.links} | {p.group for s in net.stimuli.values() for p in s.parts}
    alone = {g for g in handing_on - fed if len(net.groups[g].members) == 1}
    return [key for key, x in inputs.items() if x.dtype == jnp.bool_ and net.place(key.partition(".")[0])[0] in alone]
