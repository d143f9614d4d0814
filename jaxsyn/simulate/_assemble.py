"""From stored chunks to a `Solution`."""

from typing import Any

import numpy as np

from .._core import float_dtype
from ..network import Network, NetworkState, SparseLink
from ._plan import Plan, Sampler
from ._solution import LazySpikes, Solution, Trace
from ._store import AbstractStore

_UNITS = ("mV", "pA", "nS", "ms", "Hz")


def assemble(
    net: Network,
    plan: Plan,
    store: AbstractStore,
    state: NetworkState,
    first: int,
    result: str,
    seconds: tuple[float, float],
) -> Solution:
    """Collect what a run left in its store."""
    t_start, t_stop = first * net.dt_ms, int(state.tick) * net.dt_ms
    layout = {p: net.place(p) for p in plan.spikes or ()}
    states: dict[str, Trace] = {}
    reductions: dict[str, Any] = {}
    for s in plan.samplers:
        (reductions if s.kind == "mean" else states)[s.name] = _trace(net, store, s)
    for p, window in plan.windows:
        reductions[f"rate {p}"] = _rate(net, store, p, window, (first, int(state.tick)))
    for p in plan.counts:
        parts = store.read(f"count/{p}")
        reductions[f"count {p}"] = (
            np.sum(np.concatenate(parts), axis=0, dtype=np.int64) if parts else np.zeros(net.place(p)[2], int)
        )
    return Solution(
        spikes=LazySpikes(store, layout, (net.dt_ms, t_start, t_stop)),
        states=states,
        reductions=reductions,
        final_state=state,
        result=result,
        t_start_ms=t_start,
        t_stop_ms=t_stop,
        wall_s=seconds[0],
        compile_s=seconds[1],
    )


def _trace(net: Network, store: AbstractStore, s: Sampler) -> Trace:
    values, ticks = store.read(f"sample/{s.name}"), store.read(f"time/{s.name}")
    times = np.concatenate(ticks).astype(np.float64) * net.dt_ms if ticks else np.zeros(0)
    width = s.place[2] if s.columns is None else len(s.columns)
    shape: tuple[int, ...] = () if s.kind == "mean" else (width,)
    link = net.links[s.place[0]] if s.kind == "weights" else None
    if isinstance(link, SparseLink):
        shape = (len(link.receptors), width)
    data = np.concatenate(values) if values else s.trim(net, np.zeros((0, *shape), float_dtype()))
    if isinstance(link, SparseLink):
        unit = next((net.groups[link.target].weight_units()[r] for r in link.receptors), "1")
        return Trace(times, data[:, 0] if data.shape[1:2] == (1,) else data, s.index, "" if unit == "1" else unit)
    suffix = s.path[-1].rsplit("_", 1)[-1]
    unit = suffix if suffix in _UNITS else ""
    if s.path[0] == "receptors":
        unit = net.groups[s.place[0]].receptors[s.path[1]].weight_unit if s.path[-1] == "value" else ""
    return Trace(times, data, s.index, unit)


def _rate(net: Network, store: AbstractStore, population: str, window: int, span: tuple[int, int]) -> Trace:
    counts, edges = store.read(f"window/{population}"), store.read(f"edge/{population}")
    first, last = -(-span[0] // window), span[1] // window  # whole windows only
    total = np.zeros(max(last - first, 0))
    if counts:
        at = (np.concatenate(edges) - 1) // window - first
        keep = (at >= 0) & (at < len(total))
        np.add.at(total, at[keep], np.concatenate(counts)[keep])
    size = net.place(population)[2]
    times = (first + 1 + np.arange(len(total), dtype=np.float64)) * window * net.dt_ms
    return Trace(times, total / (max(size, 1) * window * net.dt_ms * 1e-3), None, "Hz")
