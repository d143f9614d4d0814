"""Building a network: order, groups, links. Everything here runs once, on the host."""

import graphlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Weights, float_dtype, named
from ..connect import (
    AbstractDistribution,
    AbstractRule,
    AbstractTransform,
    BoundDense,
    EdgeList,
    GraphKey,
    arrange,
    build_graph,
    delay_span,
    join_edges,
    sample_delays,
    sample_values,
)
from ..neurons import IzhikevichPublished, LeakyIntegrator
from ._group import Group, carries_values, fuse, model_key
from ._link import AbstractLink, SparseLink, TransformLink
from ._population import Population
from ._projection import Projection
from ._storage import Format, check_form

Populations = Mapping[str, Population]
Place = tuple[int, int]  # group, first index of the population within it


def has_zero_delay(projection: Projection, dt_ms: float) -> bool:
    """Whether a projection has synapses of delay 0 (sampled delays have none), also where 0 is a rounded difference."""
    if isinstance(projection.delay_ms, AbstractDistribution):
        return False
    return bool(np.any(np.abs(projection.delay_ms) < 0.5 * dt_ms))


def receptor_units(population: Population) -> dict[str, str]:
    """Unit of an arrival by receptor; the nameless receptor of discrete neurons takes pure numbers."""
    if population.integrator is None:
        return {"": "1"}
    return {name: r.weight_unit for name, r in population.receptors.items()}


def _acts_at_once(population: Population, receptor: str) -> bool:
    return population.integrator is None or population.receptors[receptor].at_once


def check_names(populations: Populations, projections: Mapping[str, Projection]) -> None:
    """Every name is usable and every projection ends at populations that exist."""
    if not populations:
        raise ValueError("Network.populations: got none; allowed: at least one, e.g. {'E': js.Population(...)}")
    for name in (*populations, *projections):
        if not isinstance(name, str) or not name or "." in name or "+" in name:
            raise ValueError(f"Network: got name {name!r}; allowed: a non-empty text without '.' and '+'")
    for name, p in populations.items():
        if not isinstance(p, Population):
            raise ValueError(f"Network.populations[{name!r}]: got {type(p).__name__}; allowed: js.Population(...)")
    for name, projection in projections.items():
        if not isinstance(projection, Projection):
            raise ValueError(
                f"Network.projections[{name!r}]: got {type(projection).__name__}; allowed: js.Projection(...)"
            )
        for end in (projection.source, *projection.target):
            if end not in populations:
                raise ValueError(
                    f"projection {name!r}: unknown population {end!r}; the network has {sorted(populations)}"
                )


def resolve_weights(name: str, projection: Projection, populations: Populations) -> dict[str, Any]:
    """Weights of a projection by receptor, the same for each of its targets."""
    out: dict[str, Any] | None = None
    for target in projection.target:
        units = receptor_units(populations[target])
        if projection.weights is None:
            if len(units) == 1:
                found: dict[str, Any] = {next(iter(units)): None}
            else:
                raise ValueError(
                    f"projection {name!r}: no weight given; {target!r} has receptors {sorted(units) or 'none'}"
                )
        else:
            found = projection.weights.resolve(f"projection {name!r} -> {target!r}", units)
        kinds = {_acts_at_once(populations[target], r) for r in found}
        if len(kinds) > 1:
            raise ValueError(
                f"projection {name!r}: {sorted(found)} mix receptors that act at once (delta) with kinetic ones; make "
                "one projection for each kind"
            )
        if out is not None and out.keys() != found.keys():
            raise ValueError(f"projection {name!r}: its targets have different receptors; make one projection for each")
        out = found
    assert out is not None
    return dict(sorted(out.items()))


def levels(populations: Populations, projections: Mapping[str, Projection], dt_ms: float) -> dict[str, int]:
    """Order within a step: a population stands above all that reach it without delay and at once.

    Raises:
        ValueError: Populations form a loop of such projections.
    """
    before: dict[str, set[str]] = {name: set() for name in populations}
    for name, projection in projections.items():
        if not has_zero_delay(projection, dt_ms):
            continue
        receptors = resolve_weights(name, projection, populations)
        for target in projection.target:
            if any(_acts_at_once(populations[target], r) for r in receptors):
                before[target].add(projection.source)
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        loop = " -> ".join(reversed(error.args[1]))
        raise ValueError(
            f"populations {loop} form a loop of zero-delay projections into delta receptors or discrete neurons, so no "
            "order within a step exists; give one of them a delay of at least one step"
        ) from None
    level: dict[str, int] = {}
    for name in order:
        level[name] = max((level[b] + 1 for b in before[name]), default=0)
    return level


class Layout:
    """Which population stands in which group, and where."""

    def __init__(self, populations: Populations, level: dict[str, int]) -> None:
        keys: dict[Any, list[str]] = {}
        for name in sorted(populations, key=lambda n: level[n]):  # stable: order of definition within a level
            keys.setdefault((level[name], model_key(populations[name])), []).append(name)
        self.groups = list(keys.values())
        self.places: dict[str, Place] = {}
        self.sizes = [sum(populations[n].size for n in members) for members in self.groups]
        for g, members in enumerate(self.groups):
            first = 0
            for name in members:
                self.places[name] = (g, first)
                first += populations[name].size


def build_links(
    populations: Populations, projections: Mapping[str, Projection], layout: Layout, dt_ms: float, seed: int
) -> list[AbstractLink]:
    """All projections, drawn, sorted and bound to groups."""
    links: list[AbstractLink] = []
    for name, projection in projections.items():
        weights, key = resolve_weights(name, projection, populations), GraphKey(seed, name)
        with named(f"projection {name!r}"):
            if isinstance(projection.connectivity, AbstractTransform):
                links.append(transform_link(name, projection, populations, layout, weights, (dt_ms, key)))
            else:
                links += _sparse_links(name, projection, populations, layout, weights, dt_ms, key)
    return links


def transform_link(
    name: str,
    projection: Projection,
    populations: Populations,
    layout: Layout,
    weights: dict[str, Any],
    drawing: tuple[float, GraphKey | None],
) -> TransformLink:
    """A projection through a transform, its weights drawn (or zeros, without a key)."""
    dt_ms, key = drawing
    if len(projection.target) != 1 or len(weights) != 1:
        raise ValueError(
            f"projection {name!r}: a transform has one target and one receptor; make one projection for each"
        )
    if projection.storage != "full":
        raise ValueError(f"projection {name!r}: storage={projection.storage!r} is for sparse connectivity; drop it")
    if projection.short_term is not None:
        raise ValueError(f"projection {name!r}: short_term needs a sparse connectivity, e.g. js.connect.AllToAll()")
    if np.ndim(projection.delay_ms) or isinstance(projection.delay_ms, AbstractDistribution):
        raise ValueError(f"projection {name!r}: a transform has one delay for all; give delay_ms as a number")
    source, target = populations[projection.source], populations[projection.target[0]]
    (receptor, weight), *_ = weights.items()
    generator = None if key is None else key.generator("weight")
    assert isinstance(projection.connectivity, AbstractTransform)
    bound = projection.connectivity.bind(source.size, target.size, generator=generator, weight=weight)
    delay = int(given_delays(name, projection, 0, dt_ms))
    (g_source, first), (g_target, first_target) = layout.places[projection.source], layout.places[projection.target[0]]
    return TransformLink(
        transform=bound,
        gain=projection.gain,
        delay_steps=jnp.asarray(delay, jnp.int32),
        name=name,
        population=projection.source,
        source=g_source,
        target=g_target,
        first=first,
        n_sources=source.size,
        first_target=first_target,
        n_targets=target.size,
        receptors=(receptor,),
        slots=delay + 1,
        instant=delay == 0,
        by_events=isinstance(bound, BoundDense) and not isinstance(source.neuron, LeakyIntegrator),
    )


def _sparse_links(
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
    steps = sample_delays(
        projection.delay_ms, len(edges), dt_ms, key.generator("delay"), name=f"projection {name!r}: delay_ms"
    )
    instant = has_zero_delay(projection, dt_ms)
    span = _usual_span(projection.delay_ms, steps, edges, dt_ms)
    longest = max(int(np.max(steps, initial=0 if instant else 1)), 0 if span is None else span[1])
    values = [_edge_weights(name, r, w, edges, key) for r, w in weights.items()]
    stored = Format(f"projection {name!r}: weight", values, projection.storage)
    form = propagation_form(name, projection, source)
    links = []
    for g_target, (which, post) in _split_targets(projection, populations, layout, edges).items():
        sub = EdgeList(
            edges.pre if which is None else edges.pre[which],
            post,
            is_sorted=edges.is_sorted and bool(which is None and _is_monotone(projection, layout)),
            room=edges.room,
        )
        sub_steps = steps if which is None or steps.ndim == 0 else steps[which]
        graph, order = build_graph(
            *(sub, sub_steps, source.size, layout.sizes[g_target]), span=span, compact=stored.compact
        )
        rows = [
            v if v.ndim == 0 else arrange(v if which is None else v[which], order, graph, stored.dtype, scale=scale)
            for v, scale in zip(values, stored.scales, strict=True)
        ]
        g_source, first = layout.places[projection.source]
        links.append(
            SparseLink(
                graph=graph,
                weight=stored.stack(rows, graph.n_padded),
                scale=stored.scale,
                gain=projection.gain,
                short_term=projection.short_term,
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


def given_delays(name: str, projection: Projection, n_edges: int, dt_ms: float) -> np.ndarray[Any, Any]:
    """Delays in steps that are not drawn: () or (edges,)."""
    nothing = np.random.default_rng(0)
    return sample_delays(projection.delay_ms, n_edges, dt_ms, nothing, name=f"projection {name!r}: delay_ms")


def _usual_span(value: Any, steps: np.ndarray[Any, Any], edges: EdgeList, dt_ms: float) -> tuple[int, int] | None:
    """Delays for which the graph has rows whatever the seed; None where a long tail would make too many of them."""
    span = delay_span(value, max(len(edges), edges.room), dt_ms)
    if span is None or not steps.size:
        return span
    drawn = int(steps.max()) - int(steps.min())
    return span if span[1] - span[0] <= 2 * drawn + 32 else None


def _is_monotone(projection: Projection, layout: Layout) -> bool:
    places = [layout.places[t] for t in projection.target]
    return places == sorted(places)


def _edge_weights(name: str, receptor: str, value: Any, edges: EdgeList, key: GraphKey) -> np.ndarray[Any, Any]:
    where = weight_name(name, receptor)
    check_given(where, value, edges.weight is not None)
    if edges.weight is not None:
        return edges.weight
    return sample_values(value, (len(edges),), key.generator(f"weight {receptor}"), name=where, dtype=float_dtype())


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
) -> dict[int, tuple[Any, np.ndarray[Any, Any]]]:
    """Edges by target group (None: all of them), with targets as indices in the group."""
    groups = {layout.places[t][0] for t in projection.target}
    starts = np.cumsum([0] + [populations[t].size for t in projection.target])
    shift = np.concatenate(
        [
            np.full(populations[t].size, layout.places[t][1] - s, np.int32)
            for t, s in zip(projection.target, starts, strict=False)
        ]
    )
    if len(groups) == 1:
        moved = edges.post if not shift.any() else edges.post + shift[edges.post]
        return {next(iter(groups)): (None, moved.astype(np.int32, copy=False))}
    of = np.concatenate([np.full(populations[t].size, layout.places[t][0], np.int32) for t in projection.target])
    out = {}
    for g in sorted(groups):
        which = np.flatnonzero(of[edges.post] == g)
        post = edges.post[which]
        out[g] = (which, (post + shift[post]).astype(np.int32))
    return out


def build_groups(populations: Populations, layout: Layout, links: list[AbstractLink], seed: int) -> list[Group]:
    """Fuse populations of equal model; each group keeps the history that the links from it need."""
    groups = []
    for g, members in enumerate(layout.groups):
        ids = [k.slots for k in links if k.source == g and isinstance(k, SparseLink) and k.form == "ids"]
        values = [k.slots for k in links if k.source == g and k.reads_values]
        slots = (max(ids, default=0), max(values, default=0) if max(values, default=0) > 1 else 0)
        groups.append(fuse({n: populations[n] for n in members}, seed, slots))
    return groups


def propagation_form(name: str, projection: Projection, source: Population) -> str:
    """How emissions travel: ids of spikes, or numbers where gradients or amplitudes do."""
    numbers = projection.short_term is not None or carries_values(source.neuron, source.surrogate)
    form = "bcoo" if projection.propagation == "bcoo" else "values" if numbers else "ids"
    return check_form(name, projection.storage, form)


def check_step(populations: Populations, dt_ms: float) -> None:
    """Whatever has to fit the step: refractory times on the grid, the published Izhikevich step."""
    for name, p in populations.items():
        if isinstance(p.neuron, IzhikevichPublished) and abs(p.neuron.dt_ms - dt_ms) > 1e-9:
            raise ValueError(
                f"population {name!r}: IzhikevichPublished has dt_ms={p.neuron.dt_ms}, the network {dt_ms}; its step "
                "is part of the model, so make them equal"
            )
        if p.refractory_ms is None or p.integrator is None or not p.integrator.on_grid:
            continue
        steps = np.asarray(p.refractory_ms, np.float64) / dt_ms
        if np.any(np.abs(steps - np.rint(steps)) > 1e-4):
            raise ValueError(
                f"population {name!r}: refractory_ms={np.asarray(p.refractory_ms)} is not a multiple of dt_ms={dt_ms}; "
                "on the grid it must be (integrators with on_grid=False take any value)"
            )


def resolve_stimulus_weights(
    name: str, weights: Weights | None, targets: list[Population]
) -> tuple[dict[str, Any], ...]:
    """Weights of an event by receptor, for each target; empty for waveforms."""
    if weights is None:
        return tuple({} for _ in targets)
    return tuple(weights.resolve(f"stimulus {name!r}", receptor_units(t)) for t in targets)
