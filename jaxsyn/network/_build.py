"""Building a network: links and groups. Everything here runs once, on the host."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Weights, named
from ..connect import AbstractTransform, BoundDense, GraphKey
from ..neurons import IzhikevichPublished, LeakyIntegrator
from ._delay import delayed, has_zero_delay
from ._group import Group, fuse
from ._layout import Layout, Populations, receptor_units, resolve_weights
from ._link import AbstractLink, SparseLink, TransformLink
from ._population import Population
from ._projection import Projection
from ._sparse import sparse_links


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
                links += sparse_links(name, projection, populations, layout, weights, dt_ms, key)
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
    sources, target = [populations[s] for s in projection.sources], populations[projection.target[0]]
    sizes = [s.size for s in sources]
    (receptor, weight), *_ = weights.items()
    generator = None if key is None else key.generator("weight")
    assert isinstance(projection.connectivity, AbstractTransform)
    bound = projection.connectivity.bind(sum(sizes), target.size, generator=generator, weight=weight)
    with_delays, delay = delayed(name, projection, bound, drawing)
    g_source, first = layout.joined(name, projection.sources, sizes)
    g_target, first_target = layout.places[projection.target[0]]
    return TransformLink(
        transform=with_delays,
        gain=projection.gain,
        delay_steps=jnp.asarray(delay, jnp.int32),
        name=name,
        population=projection.source,
        source=g_source,
        target=g_target,
        first=first,
        n_sources=sum(sizes),
        first_target=first_target,
        n_targets=target.size,
        receptors=(receptor,),
        slots=delay + 1,
        instant=has_zero_delay(projection, dt_ms),
        by_events=isinstance(bound, BoundDense) and not isinstance(sources[0].neuron, LeakyIntegrator),
    )


def build_groups(populations: Populations, layout: Layout, links: list[AbstractLink], seed: int) -> list[Group]:
    """Fuse populations of equal model; each group keeps the history that the links from it need."""
    groups = []
    for g, members in enumerate(layout.groups):
        groups.append(fuse({n: populations[n] for n in members}, seed, history_slots(links, g)))
    return groups


def history_slots(links: Sequence[AbstractLink], g: int) -> tuple[int, int]:
    """Steps of history that a group keeps as ids and as numbers."""
    ids = [k.slots for k in links if k.source == g and isinstance(k, SparseLink) and k.form == "ids"]
    values = [k.slots for k in links if k.source == g and k.reads_values]
    return max(ids, default=0), max(values, default=0) if max(values, default=0) > 1 else 0


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
