"""What streamed runs left in a folder, read back as one solution."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import record as records
from ..network import Network, NetworkState
from ._assemble import assemble
from ._plan import Plan, make_plan
from ._solution import Solution
from ._store import AbstractStore, Arrays, chunk_files, read_chunks


class _Stream(AbstractStore):
    """The chunks of a folder, to read."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    def append(self, tick: int, arrays: Arrays) -> None:
        raise ValueError("a stream that was loaded is read only; run simulate(..., stream=folder) to go on")

    def read(self, name: str) -> list[np.ndarray[Any, Any]]:
        return read_chunks(self._paths, name)


def load_stream(
    folder: str | os.PathLike[str],
    net: Network,
    *,
    record: records.AbstractRecord | Sequence[records.AbstractRecord],
    state: NetworkState,
) -> Solution:
    """Read what a run, and the runs that went on from its checkpoints, streamed to one folder.

    Args:
        folder: The `stream` of `simulate`.
        net: The network that was simulated.
        record: What was recorded.
        state: State at the end of the stream, `solution.final_state` or the last checkpoint.
    Returns:
        One solution from the first chunk to the last, with no computing time; a trace is read into memory when it is
        made, spikes of a population when they are asked for.
    Raises:
        ValueError: Nothing there, a gap, a damaged file, something that was not recorded, or a state of another time.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> spikes = js.record.Spikes()
        >>> half = js.simulate(net, 5.0, record=spikes, stream="records")
        >>> whole = js.simulate(net, 5.0, record=spikes, stream="records", state=half.final_state)
        >>> load_stream("records", net, record=spikes, state=whole.final_state).t_start_ms
        0.0
    """
    paths = chunk_files(folder)
    if not paths:
        raise ValueError(f"stream {folder}: no chunks there; give the folder that was given to simulate(stream=...)")
    asked = [record] if isinstance(record, records.AbstractRecord) else list(record)
    plan = make_plan(net, asked, packed=True, capacity=None)
    spans = np.stack(read_chunks(paths, "span"))
    gaps = np.flatnonzero(spans[1:, 0] != spans[:-1, 1])
    if gaps.size:
        raise ValueError(
            f"stream {folder}: steps {spans[gaps[0], 1]} to {spans[gaps[0] + 1, 0]} are missing; run them again"
        )
    if int(state.tick) != spans[-1, 1]:
        raise ValueError(
            f"stream {folder}: ends at step {spans[-1, 1]}, but state is that of step {int(state.tick)}; "
            f"give the state at its end"
        )
    for name in _needed(net, plan):
        if len(read_chunks(paths[:1], name)) == 0:
            raise ValueError(f"stream {folder}: {name} was not recorded; load with the records of the run")
    return assemble(net, plan, _Stream(paths), state, int(spans[0, 0]), "done", (0.0, 0.0))


def _needed(net: Network, plan: Plan) -> Iterator[str]:
    """Names of the arrays that a plan writes for each chunk."""
    yield from (f"spikes/{g}/tick" for g in plan.recorded_groups(net))
    yield from (f"sample/{s.name}" for s in plan.samplers)
    yield from (f"window/{p}" for p, _ in plan.windows)
    yield from (f"count/{p}" for p in plan.counts)
