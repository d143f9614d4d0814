"""What pictures are drawn from: a solution, or plain arrays."""

import math
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..analysis import HasSpikes, SpikesLike, SpikeTable, cut, spike_table

Number: TypeAlias = float | int
Floats: TypeAlias = npt.NDArray[np.float64]


@runtime_checkable
class HasPopulations(Protocol):
    """A solution: spike trains by name of population."""

    @property
    def spikes(self) -> Mapping[str, Any]: ...


# A solution, spikes by name of population, or the spikes of one population in any form of `analysis.spike_table`.
Activity: TypeAlias = HasPopulations | Mapping[str, Any] | SpikesLike


def _last_time(spikes: SpikesLike) -> float:
    """End of the recorded window; without one, the first whole ms behind the last spike."""
    table = spike_table(spikes, t_start_ms=None if isinstance(spikes, HasSpikes) else -math.inf)
    if math.isfinite(table.t_stop_ms):
        return table.t_stop_ms
    return math.floor(table.times_ms.max()) + 1.0 if table.times_ms.size else 1.0


def populations(activity: Activity, t_start_ms: Number | None, t_stop_ms: Number | None) -> dict[str, SpikeTable]:
    """Spikes by name of population, all cut to one window; populations without neurons are left out."""
    if isinstance(activity, HasPopulations):
        named = dict(activity.spikes)
        if not named:
            raise ValueError("the solution holds no spikes; record them: simulate(..., record=[record.Spikes()])")
    elif isinstance(activity, Mapping):
        named = dict(activity)
    else:
        named = {"": activity}
    starts = [float(getattr(spikes, "t_start_ms", 0.0)) for spikes in named.values()]
    start = min(starts, default=0.0) if t_start_ms is None else float(t_start_ms)
    stop = max(map(_last_time, named.values()), default=1.0) if t_stop_ms is None else float(t_stop_ms)
    tables = {name: _in_window(spikes, start, stop) for name, spikes in named.items()}
    tables = {name: table for name, table in tables.items() if table.n}
    if not tables:
        raise ValueError("got no population with neurons; give the spikes of at least one")
    return tables


def _in_window(spikes: SpikesLike, start: float, stop: float) -> SpikeTable:
    """The spikes of [start, stop) as a table of that window, also where less was recorded."""
    table = spike_table(spikes, t_start_ms=None if isinstance(spikes, HasSpikes) else -math.inf)
    first, last = max(start, table.t_start_ms), min(stop, table.t_stop_ms)
    if last <= first:
        raise ValueError(
            f"window [{start:g}, {stop:g}] ms; allowed: one that meets the recorded "
            f"[{table.t_start_ms:g}, {table.t_stop_ms:g}] ms. Name a time that was simulated"
        )
    inside = cut(table, first, last)
    return SpikeTable(inside.times_ms, inside.neurons, inside.n, start, stop)
