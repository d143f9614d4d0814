"""Memory of building and of running, and the time of building, from the shapes of a network."""

from typing import NamedTuple

import numpy as np

from ..connect import AbstractDistribution, AbstractRule
from ..cost import Machine, compiling, tree_bytes
from ..network import Network, Projection, Sketch, SparseLink
from ..simulate import Outline

# What a rule needs for each edge while it draws (bytes that are resident, at millions of edges), and how long
# it takes, relative to `FixedProbability`. A rule that is not listed is taken for a dear one.
_DRAWING = {
    "FixedProbability": (5.0, 1.0),
    "BlockModel": (21.0, 1.6),
    "FixedInDegree": (9.0, 0.9),
    "FixedOutDegree": (5.0, 0.5),
    "FixedTotal": (19.0, 1.5),
    "AllToAll": (4.0, 0.5),
    "SmallWorld": (24.0, 4.3),
    "Edges": (8.0, 0.1),
    "OneToOne": (4.0, 0.1),
    "DistanceDependent": (28.0, 15.0),
}
_UNKNOWN = (25.0, 3.0)
_INDEX = 4.0  # bytes of a source, of a target, or of the place in the graph
_CHOSEN = 8.0  # of the number of an edge that leads to one of several groups
_START = 8.0  # of where the edges of a source start
_UNSORTED = 4.0  # how much longer edges in no order take to sort
_STATES = 3  # copies of the state: before the chunk, inside it, after it
_UNPACKING = 100.0  # bytes of a spike while those of a chunk are unpacked
_TRACES = 2  # copies of samples: the chunks, and the traces made of them in the end, from files or not
_CHUNKS = 2  # the records of a chunk are there until those of the next one are


class Building(NamedTuple):
    """Building a network: the most memory beside the floor, and seconds."""

    peak_bytes: float
    seconds: float


def building(sketch: Sketch, machine: Machine) -> Building:
    """What drawing, sorting and storing all projections takes, one after the other."""
    stored = float(tree_bytes((sketch.network.groups, sketch.network.stimuli)))
    peak, seconds = stored, _parts(sketch.network) * machine.part_s
    transforms = [link for link in sketch.network.links if not isinstance(link, SparseLink)]
    stored += tree_bytes(transforms)
    for name, projection in sketch.projections.items():
        links = [link for link in sketch.network.links if isinstance(link, SparseLink) and link.name == name]
        if not links:
            continue
        edges, rows = sketch.edges[name], float(links[0].graph.n_rows)
        rule_bytes, rule_time = _rule(projection)
        unsorted, delays = _is_unsorted(projection) or len(links) > 1, _delay_bytes(projection, links)
        listed = (_INDEX + (_INDEX if unsorted else 0.0) + delays) * edges + _START * rows / links[0].graph.n_delays
        listed += max(link.graph.n_padded for link in links) * (_CHOSEN + _INDEX) * (len(links) > 1)
        graphs, weights = (
            sum(map(tree_bytes, part)) for part in zip(*((k.graph, k.weight) for k in links), strict=True)
        )
        order = (_INDEX if unsorted else delays) * edges
        held = weights if unsorted else 0.0  # values that are drawn before they are put in order
        own = graphs + weights
        sorting = listed + _INDEX * unsorted * edges + graphs
        peak = max(peak, stored + rule_bytes * edges, stored + sorting, stored + order + held + own)
        drawn, sorts = _drawn(projection), links[0].graph.n_delays > 1 or unsorted
        stored += own
        seconds += edges * (rule_time * machine.edge_s + drawn * machine.value_s)
        seconds += edges * machine.sort_s * sorts * (_UNSORTED if unsorted else 1.0)
    return Building(max(peak, stored), seconds)


def _rules(projection: Projection) -> tuple[AbstractRule, ...]:
    rules = projection.connectivity
    if isinstance(rules, tuple):
        return rules
    return (rules,) if isinstance(rules, AbstractRule) else ()


def _rule(projection: Projection) -> tuple[float, float]:
    """Bytes and relative time of an edge while it is drawn; of the dearest rule where there are several."""
    costs = [_DRAWING.get(type(rule).__name__, _UNKNOWN) for rule in _rules(projection)]
    several = 8.0 if len(costs) > 1 else 0.0  # the edges of all rules are there when they are joined
    return max(c[0] for c in costs) + several, max(c[1] for c in costs)


def _is_unsorted(projection: Projection) -> bool:
    rules = _rules(projection)
    return len(rules) > 1 or any(type(rule).__name__ == "Edges" for rule in rules)


def _delay_bytes(projection: Projection, links: list[SparseLink]) -> float:
    """Bytes of the delay of an edge while the graph is made."""
    if not isinstance(projection.delay_ms, AbstractDistribution):
        return 4.0 * (np.ndim(projection.delay_ms) > 0)
    return float(np.min_scalar_type(max(link.slots for link in links)).itemsize)


def _drawn(projection: Projection) -> int:
    """How many values are drawn for each synapse."""
    weights = () if projection.weights is None else projection.weights.values.values()
    return sum(isinstance(value, AbstractDistribution) for value in (*weights, projection.delay_ms))


def _parts(net: Network) -> int:
    """Populations, projections and stimuli."""
    return len(list(net.populations())) + len(net.links) + len(net.stimuli)


def running(
    net: Network, outline: Outline, spikes: dict[str, float], machine: Machine, stream: bool
) -> dict[str, float]:
    """Bytes of a run by what takes them; `spikes` of the whole run by population."""
    kept = sum(outline.spike_bytes[name] * n for name, n in spikes.items())
    share = outline.chunk_steps / max(outline.steps, 1)
    unpacking = _UNPACKING * share * sum(n for name, n in spikes.items() if outline.spike_bytes[name])
    graphs = [link.graph for link in net.links if isinstance(link, SparseLink)]
    weights = [link.weight for link in net.links if isinstance(link, SparseLink)]
    rows = tree_bytes([graph.row_ptr for graph in graphs])
    synapses = tree_bytes([graph.post for graph in graphs])
    return {
        "interpreter": machine.floor_bytes + _parts(net) * machine.part_bytes,
        "compiling": compiling(outline.work, machine)[1],
        "targets": float(synapses),
        "weights": float(tree_bytes(weights)),
        "rows": float(rows),
        "parameters": float(tree_bytes(net) - synapses - rows - tree_bytes(weights)),
        "state": float(_STATES * outline.state_bytes),
        "chunk": float(_CHUNKS * outline.chunk_bytes + outline.chunk_kept_bytes + unpacking),
        "records": float((0.0 if stream else kept) + _TRACES * outline.kept_bytes),
    }
