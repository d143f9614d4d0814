"""Names, receptors, order: what is decided of a network before anything is drawn."""

import graphlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ._delay import has_zero_delay
from ._group import model_key
from ._population import Population
from ._projection import Projection

Populations: TypeAlias = Mapping[str, Population]
Place: TypeAlias = tuple[int, int]  # group, first index of the population within it


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
        for end in (*projection.sources, *projection.target):
            if end not in populations:
                raise ValueError(
                    f"projection {name!r}: unknown population {end!r}; the network has {sorted(populations)}"
                )


def receptor_units(population: Population) -> dict[str, str]:
    """Unit of an arrival by receptor; the nameless receptor of discrete neurons takes pure numbers."""
    if population.integrator is None:
        return {"": "1"}
    return {name: r.weight_unit for name, r in population.receptors.items()}


def _acts_at_once(population: Population, receptor: str) -> bool:
    return population.integrator is None or population.receptors[receptor].at_once


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

    Sources of one projection stand on one level.

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
                before[target].update(projection.sources)
    try:
        order = list(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        loop = " -> ".join(reversed(error.args[1]))
        raise ValueError(
            f"populations {loop} form a loop of zero-delay projections into delta receptors or discrete neurons, so no "
            "order within a step exists; give one of them a delay of at least one step"
        ) from None
    level = dict.fromkeys(order, 0)
    for _ in range(len(order) + 1):
        old = dict(level)
        for name in order:
            level[name] = max([level[name], *(level[b] + 1 for b in before[name])])
        for projection in projections.values():
            level |= dict.fromkeys(projection.sources, max(level[s] for s in projection.sources))
        if level == old:
            return level
    joined = [name for name, projection in projections.items() if len(projection.sources) > 1]
    raise ValueError(
        f"projections {joined}: sources of one projection are stepped together, but one of them needs another one of "
        "the same step; give a projection between them a delay of at least one step"
    )


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

    def joined(self, name: str, sources: Sequence[str], sizes: Sequence[int]) -> Place:
        """Where the sources of a projection begin, one behind the other."""
        group, first = self.places[sources[0]]
        for source, offset in zip(sources, itertools.accumulate([0, *sizes[:-1]]), strict=True):
            if self.places[source] != (group, first + offset):
                raise ValueError(
                    f"projection {name!r}: sources {list(sources)} do not stand one behind the other; give them the "
                    f"same neuron model and surrogate, and define {source!r} right behind the one before it"
                )
        return group, first
