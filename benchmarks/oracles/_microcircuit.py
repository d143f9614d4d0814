"""The microcircuit of Potjans and Diesmann, scaled: derived numbers, and rates and CV over seeds."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxsyn as js

from ._networks import STATISTICS, compare
from ._report import Case, Document, Figure, attempt

PRECISIONS = ("float32",)  # statistics do not depend on it


def check(document: Document, precision: str) -> Iterator[Case]:
    """Each variant is a case."""
    tolerance = document["tolerance"]
    span = float(document["T_ms"]), float(document["analysed_from_ms"])
    for name, variant in document["variants"].items():

        def work(name: str = name, variant: dict[str, Any] = variant) -> list[Case]:
            nets = [_network(variant, seed) for seed in range(int(tolerance.get("min_seeds", 3)))]
            case = compare(name, [_statistics(net, *span) for net in nets], variant["expected"], tolerance)
            return [Case(name, [*_derived(nets[0], variant), *case.figures])]

        yield from attempt([name], work)


def _network(variant: dict[str, Any], seed: int) -> js.Network:
    external = "poisson" if variant["poisson"] else "dc"
    return js.circuits.potjans_diesmann(variant["N"], variant["K"], external=external, seed=seed)


def _derived(net: js.Network, variant: dict[str, Any]) -> Iterator[Figure]:
    """Sizes, numbers of synapses (target, source), inputs and currents that the file lists."""
    derived = variant["derived"]
    names = list(net.populations())
    found = np.zeros((len(names), len(names)), int)
    for name in {link.name for link in net.links}:
        synapses = net.synapses(name)
        source = names.index(name.split("_")[0])
        for i, target in enumerate(names):
            found[i, source] += int(np.count_nonzero(synapses["post_population"] == target))
    yield Figure("sizes", float(np.abs(np.subtract([net.size(p) for p in names], derived["n"])).max()), 0.0)
    yield Figure("synapses", float(np.abs(found - derived["synapses"]).max()), 0.0)
    dc: Any = net.stimuli["dc"].stimulus
    starts = np.cumsum([0, *(net.size(p) for p in names[:-1])])
    wanted = np.asarray(derived["dc_pA"])
    yield Figure("dc_pA", float(np.abs(np.asarray(dc.amplitude)[starts] - wanted).max()), 1e-6 * wanted.max())
    if variant["poisson"]:
        externals: list[Any] = [net.stimuli[f"external_{p}"].stimulus for p in names]
        inputs = [round(float(s.rate_Hz) / 8.0) for s in externals]
        yield Figure("K_ext", float(np.abs(np.subtract(inputs, derived["K_ext"])).max()), 0.0)


def _statistics(net: js.Network, stop_ms: float, start_ms: float) -> dict[str, float]:
    solution = js.simulate(net, stop_ms, record=js.record.Spikes())
    out: dict[str, float] = {}
    for population in net.populations():
        own = js.analysis.network_statistics(solution.spikes[population], t_start_ms=start_ms, t_stop_ms=stop_ms)
        out |= {f"{population}_{key}": getattr(own, field) for key, field in STATISTICS.items()}
    return out
