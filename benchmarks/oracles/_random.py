"""stimuli_stats: random sources and random graphs against closed-form statistics with their standard errors."""

from collections.abc import Iterator
from typing import Any

from . import _random_graphs as graphs
from . import _random_sources as sources
from ._report import Case, Document, attempt, broken

_SECTIONS = {
    "poisson_source": sources.poisson,
    "ornstein_uhlenbeck": sources.ornstein_uhlenbeck,
    "inhomogeneous_poisson": sources.inhomogeneous_poisson,
    "connectivity": graphs.random_rule,
    "distance_dependent": graphs.distance_dependent,
    "small_world": graphs.small_world,
}


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every case of every section."""
    tolerance = document["tolerance"]
    for section, value in document.items():
        if section in _SECTIONS:
            for i, case in enumerate(value):
                name = f"{section} {case.get('name', i)}"

                def work(name: str = name, section: str = section, case: dict[str, Any] = case) -> list[Case]:
                    return [Case(name, list(_SECTIONS[section](case, tolerance)))]

                yield from attempt([name], work)
        elif isinstance(value, list):
            yield broken(section, "unknown section")
