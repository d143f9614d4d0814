"""A sparse projection, drawn, sorted and bound to groups."""

import functools
from typing import Any, TypeAlias

import numpy as np

from .._core import float_dtype
from ..connect import (
    CHUNK,
    AbstractDistribution,
    AbstractRule,
    Draws,
    EdgeList,
    GraphKey,
    TrainableDelay,
    build_graph,
    fixed_values,
    join_edges,
)
from ._delay import arranged, check_trained, edge_delays, has_zero_delay, usual_span
from ._group import carries_values
from ._layout import Layout, Populations
from ._link import SparseLink
from ._population import Population
from ._projection import Projection
from ._storage import Format, check_form

EdgeValues: TypeAlias = np.ndarray[Any, Any] | Draws


def sparse_links(
    name: str,
    projection: Projection,
    populations: Populations,
    layout: Layout,
    weights: dict[str, Any],
    dt_ms: float,
    key: GraphKey,
) -> list[SparseLink]:
    source = populations[projection.source]
    edges = _edges(name, projection, populations, key)
    steps, trained = edge_delays(name, projection, len(edges), dt_ms, key)
    instant = has_zero_delay(projection, dt_ms)
    span = usual_span(projection.delay_ms, steps, edges, dt_ms)
    longest = max(int(np.max(steps, initial=0 if instant else 1)), 0 if span is None else span[1])
    values = [_edge_weights(name, r, w, edges, key) for r, w in weights.items()]
    stored = Format(f"projection {name!r}: weight", values, projection.storage)
    form = propagation_form(name, projection, source)
    links = []
    parts = _split_targets(projection, populations, layout, edges)
    del edges  # here and below: what is no longer needed makes room for the weights
    while parts:
        g_target, which, sub = parts.pop()
        sub_steps = steps if which is None or steps.ndim == 0 else steps[which]
        graph, order = build_graph(
            *(sub, sub_steps, source.size, layout.sizes[g_target]), span=span, compact=stored.compact
        )
        del sub
        weight = stored.arrange([_some(v, which) for v in values], order, graph)
        g_source, first = layout.places[projection.source]
        links.append(
            SparseLink(
                graph=graph,
                weight=weight,
                scale=stored.scale,
                gain=projection.gain,
                short_term=projection.short_term,
                delays=arranged(trained, which, order, graph),
                name=name,
                population=projection.source,
                source=g_source,
                target=g_target,
                first=first,
                n_sources=source.size,
                receptors=tuple(weights),
                slots=longest + 1,
                instant=instant,
                form=form,
            )
        )
    return links


def _edges(name: str, projection: Projection, populations: Populations, key: GraphKey) -> EdgeList:
    rule, n_pre = projection.connectivity, populations[projection.source].size
    if isinstance(rule, tuple):
        parts = []
        for target, one in zip(projection.target, rule, strict=True):
            own, same = GraphKey(key.seed, f"{name} to {target}"), target == projection.source
            parts.append(one.build(n_pre, populations[target].size, key=own, same_population=same))
        return join_edges(parts, [populations[t].size for t in projection.target])
    assert isinstance(rule, AbstractRule)
    same = is_recurrent(name, projection)
    n_post = sum(populations[t].size for t in projection.target)
    return rule.build(n_pre, n_post, key=key, same_population=same)


def is_recurrent(name: str, projection: Projection) -> bool:
    """Whether a projection with one rule leads to its own source alone, so that edge i -> i is an autapse."""
    same, autapses = projection.target == (projection.source,), getattr(projection.connectivity, "autapses", True)
    if projection.source in projection.target and not same and autapses is False:
        raise ValueError(
            f"projection {name!r}: autapses=False with several targets is ambiguous; make one projection for each"
        )
    return same


def _edge_weights(name: str, receptor: str, value: Any, edges: EdgeList, key: GraphKey) -> EdgeValues:
    where = weight_name(name, receptor)
    check_given(where, value, edges.weight is not None)
    if edges.weight is not None:
        return edges.weight
    if isinstance(value, AbstractDistribution):
        return Draws(value, len(edges), functools.partial(key.generator, f"weight {receptor}"), float_dtype())
    return fixed_values(value, (len(edges),), where).astype(float_dtype(), copy=False)


def _some(values: EdgeValues, which: Any) -> EdgeValues:
    """The values of some edges; None: of all."""
    if which is None or values.ndim == 0:
        return values
    held: EdgeValues = (values.all() if isinstance(values, Draws) else values)[which]
    return held


def weight_name(projection: str, receptor: str) -> str:
    """What to call a weight in an error."""
    return f"projection {projection!r}: weight" + (f" of {receptor}" if receptor else "")


def check_given(where: str, value: Any, weighted: bool) -> None:
    """A weight is given by the projection or by its connectivity, not by both or none."""
    if value is None and not weighted:
        raise ValueError(f"{where}: none given, and the connectivity brings none; give a number or a distribution")
    if value is not None and weighted:
        raise ValueError(f"{where}: given twice, by the connectivity and by the projection; drop one")


def _split_targets(
    projection: Projection, populations: Populations, layout: Layout, edges: EdgeList
) -> list[tuple[int, Any, EdgeList]]:
    """For each target group, the last one first, which edges lead there (None: all), and these with targets in it."""
    places = [layout.places[t] for t in projection.target]
    sizes = [populations[t].size for t in projection.target]
    groups = sorted({g for g, _ in places}, reverse=True)
    starts = np.cumsum([0, *sizes[:-1]])
    shift = np.repeat([first - start for (_, first), start in zip(places, starts, strict=True)], sizes)
    if len(groups) == 1:
        moved = _shifted(edges.post, shift.astype(np.int32)) if shift.any() else edges.post
        kept = edges.is_sorted and places == sorted(places)
        return [(groups[0], None, edges.onto(moved, is_sorted=kept))]
    group, out = np.repeat([g for g, _ in places], sizes).astype(np.int32), []
    for g in groups:
        which = np.flatnonzero(group[edges.post] == g)
        post = _shifted(edges.post[which], shift.astype(np.int32))
        out.append((g, which, EdgeList(edges.sources(which), post, room=edges.room)))
    return out


def _shifted(post: np.ndarray[Any, Any], shift: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each target, and what it is moved by."""
    moved = np.empty_like(post)
    for start in range(0, post.size, CHUNK):
        where = slice(start, start + CHUNK)
        moved[where] = post[where] + shift[post[where]]
    return moved


def propagation_form(name: str, projection: Projection, source: Population) -> str:
    """How emissions travel: ids of spikes, or numbers where gradients or amplitudes do."""
    check_trained(name, projection)
    trained = isinstance(projection.delay_ms, TrainableDelay)
    numbers = trained or projection.short_term is not None or carries_values(source.neuron, source.surrogate)
    form = "bcoo" if projection.propagation == "bcoo" else "values" if numbers else "ids"
    return check_form(name, projection.storage, form)
