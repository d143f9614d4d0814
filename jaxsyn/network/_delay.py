"""Delays of a projection while a network is built: given, drawn, or to be trained."""

from typing import Any

import numpy as np

from ..connect import (
    AbstractBoundTransform,
    AbstractDistribution,
    BoundDelayedDense,
    BoundDense,
    Delays,
    EdgeList,
    GraphKey,
    SparseGraph,
    TrainableDelay,
    arrange,
    delay_span,
    sample_delays,
)
from ._projection import Projection

Steps = np.ndarray[Any, Any]


def has_zero_delay(projection: Projection, dt_ms: float) -> bool:
    """Whether a projection has synapses of delay 0 (sampled delays have none), also where 0 is a rounded difference."""
    delay_ms = projection.delay_ms
    if isinstance(delay_ms, AbstractDistribution):
        return False
    shortest = delay_ms.min_ms if isinstance(delay_ms, TrainableDelay) else delay_ms
    return bool(np.any(np.abs(shortest) < 0.5 * dt_ms))


def given_delays(name: str, projection: Projection, n_edges: int, dt_ms: float) -> Steps:
    """Delays in steps that are not drawn: () or (edges,); the longest where they are trained."""
    if isinstance(projection.delay_ms, TrainableDelay):
        return np.asarray(projection.delay_ms.bounds(dt_ms)[1], np.int32)
    nothing = np.random.default_rng(0)
    return sample_delays(projection.delay_ms, n_edges, dt_ms, nothing, name=f"projection {name!r}: delay_ms")


def edge_delays(
    name: str, projection: Projection, n_edges: int, dt_ms: float, key: GraphKey
) -> tuple[Steps, Delays | None]:
    """Delays of all edges in steps, () or (edges,); and those that are trained, in the order of the list, or None."""
    delay_ms, generator, where = projection.delay_ms, key.generator("delay"), f"projection {name!r}: delay_ms"
    if isinstance(delay_ms, TrainableDelay):
        return given_delays(name, projection, n_edges, dt_ms), delay_ms.bind((n_edges,), dt_ms, generator)
    return sample_delays(delay_ms, n_edges, dt_ms, generator, name=where), None


def usual_span(value: Any, steps: Steps, edges: EdgeList, dt_ms: float) -> tuple[int, int] | None:
    """Delays for which the graph has rows whatever the seed; None where a long tail would make too many of them."""
    if isinstance(value, TrainableDelay):
        return None
    span = delay_span(value, max(len(edges), edges.room), dt_ms)
    if span is None or not steps.size:
        return span
    drawn = int(steps.max()) - int(steps.min())
    return span if span[1] - span[0] <= 2 * drawn + 32 else None


def arranged(delays: Delays | None, which: Any, order: Any, graph: SparseGraph) -> Delays | None:
    """Trained delays of some edges (None: all) in the order of their graph."""
    if delays is None:
        return None
    given = np.asarray(delays.ms)
    ms = arrange([given if which is None else given[which]], order, graph, given.dtype)[0]
    return Delays(ms, delays.low, delays.high, delays.dt_ms)


def check_trained(name: str, projection: Projection) -> None:
    """Refuse what does not go together with trained delays.

    Raises:
        ValueError: Such a thing was asked for.
    """
    if not isinstance(projection.delay_ms, TrainableDelay):
        return
    for field, is_so in (
        ("short_term", projection.short_term is not None),
        (f"storage={projection.storage!r}", projection.storage != "full"),
        ("propagation='bcoo'", projection.propagation == "bcoo"),
    ):
        if is_so:
            raise ValueError(f"projection {name!r}: trained delays take no {field}; drop it")


def delayed(
    name: str, projection: Projection, bound: AbstractBoundTransform, drawing: tuple[float, GraphKey | None]
) -> tuple[AbstractBoundTransform, int]:
    """A transform with its delays, where they are trained, and the longest delay in steps."""
    dt_ms, key = drawing
    delay = projection.delay_ms
    if isinstance(delay, TrainableDelay):
        if not isinstance(bound, BoundDense) or bound.bias is not None:
            raise ValueError(
                f"projection {name!r}: trained delays need js.connect.Dense() without bias, or a sparse rule; give the "
                "target a constant stimulus in place of a bias"
            )
        generator = None if key is None else key.generator("delay")
        bound = BoundDelayedDense(bound.weight, delay.bind(bound.weight.shape, dt_ms, generator))
    elif np.ndim(delay) or isinstance(delay, AbstractDistribution):
        raise ValueError(
            f"projection {name!r}: a transform has one delay for all; give delay_ms as a number, or "
            "js.connect.TrainableDelay(...)"
        )
    return bound, int(given_delays(name, projection, 0, dt_ms))
