"""Trained delays rounded to the grid: a plain network again."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import is_concrete
from ..connect import BoundDelayedDense, Delays, EdgeList, arrange, build_graph
from ._build import history_slots
from ._link import AbstractLink, SparseLink, TransformLink
from ._network import Network


def freeze(net: Network) -> Network:
    """The network with its trained delays rounded to whole steps.

    Each projection with a `TrainableDelay` becomes sparse synapses with delays on the grid, weights as they are, which
    `js.simulate` delivers by events and `js.shard` deals to devices; its weights can be trained on. Where all delays
    are whole, it does what the network did before. Everything else stays.

    Args:
        net: The network.
    Returns:
        The network without trained delays.
    Raises:
        ValueError: Called inside `jax.jit` or a gradient.
    Example:
        >>> import jaxsyn as js
        >>> cells = {"in": js.Population(js.neurons.Relay(), 2), "out": js.Population(js.neurons.LeakyIntegrator(), 1)}
        >>> delay_ms = js.connect.TrainableDelay(max_ms=5.0, initial_ms=[[1.4], [2.0]])
        >>> w = js.Projection("in", "out", js.connect.Dense(), delay_ms=delay_ms)
        >>> js.freeze(js.Network(cells, {"w": w}, dt_ms=1.0)).synapses("w")["delay_ms"].tolist()
        [1.0, 2.0]
    """
    links = [_frozen(net, link) for link in net.links]
    groups = [
        dataclasses.replace(group, id_slots=slots[0], value_slots=slots[1])
        for g, group in enumerate(net.groups)
        for slots in [history_slots(links, g)]
    ]
    return net.with_parts(groups=tuple(groups), links=tuple(links))


def bounded(net: Any) -> Any:
    """A network, or a part of its tree, with every trained delay within its bounds; what an optimizer did is cut there.

    Args:
        net: Network, or what `eqx.partition` made of one.
    Returns:
        The same with delays inside their bounds.
    Example:
        >>> import jaxsyn as js
        >>> delays = js.connect.Delays(jax.numpy.asarray([-1.0, 2.0]), low=0, high=4, dt_ms=1.0)
        >>> js.network.bounded(delays).ms.tolist()
        [0.0, 2.0]
    """

    def cut(x: Any) -> Any:
        return x.bounded() if isinstance(x, Delays) and x.ms is not None else x

    return jax.tree.map(cut, net, is_leaf=lambda x: isinstance(x, Delays))


def _frozen(net: Network, link: AbstractLink) -> AbstractLink:
    if not isinstance(link, SparseLink | TransformLink) or link.delays is None:
        return link
    if not is_concrete(link.delays.ms):
        raise ValueError(f"freeze: the delays of projection {link.name!r} are traced; call it outside of jit and grad")
    source, n_post = net.groups[link.source], net.groups[link.target].size
    steps = link.delays.rounded()
    if isinstance(link, SparseLink):
        pre, post, _ = link.graph.edges()
        steps, weight = steps[: len(pre)], np.asarray(link.weight)
        rows = [row[0] if row.size == 1 else row[: len(pre)] for row in weight]
        edges = EdgeList(pre, post)
    else:
        assert isinstance(link.transform, BoundDelayedDense)
        n = link.n_targets
        pre = np.repeat(np.arange(link.n_sources, dtype=np.int32), n)
        post = np.tile(np.arange(link.first_target, link.first_target + n, dtype=np.int32), link.n_sources)
        steps, rows = steps.ravel(), [np.asarray(link.transform.weight).ravel()]
        edges = EdgeList(pre, post, is_sorted=True)
    graph, order = build_graph(edges, steps, link.n_sources, n_post)
    weights = jnp.asarray(rows)[:, None] if rows[0].ndim == 0 else arrange(rows, order, graph, rows[0].dtype)
    slots = int(np.max(steps, initial=link.delays.low)) + 1
    return SparseLink(
        graph=graph,
        weight=weights,
        scale=None,
        gain=link.gain,
        short_term=None,
        delays=None,
        name=link.name,
        population=link.population,
        source=link.source,
        target=link.target,
        first=link.first,
        n_sources=link.n_sources,
        receptors=link.receptors,
        slots=slots,
        instant=link.instant,
        form="values" if source.carries_values else "ids",
    )
