"""What `simulate` will do with a network, known from shapes alone."""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx

from .. import record as records
from ..cost import Work, tree_bytes, work_of
from ..network import Network, NetworkState
from ._machine import Chunk, are_finite
from ._plan import Plan, make_plan, to_steps
from ._run import advance
from ._simulate import chunk_steps, initial_capacity

_SPIKE_BYTES, _FRACTION_BYTES = 12, 4  # step and neuron of a spike, and where in the step


class Outline(NamedTuple):
    """A run before it runs.

    Args:
        steps: Steps of the run.
        chunk_steps: Steps of a chunk.
        work: Work of a step, records included.
        state_bytes: Memory of the state.
        chunk_bytes: Memory of what a chunk gives back beside the state: its records on the device.
        kept_bytes: Memory of the records of the whole run on the host, without spikes.
        chunk_kept_bytes: The same of one chunk.
        spike_bytes: Memory of a kept spike by population; 0 where spikes are not kept.
    Example:
        >>> import jaxsyn as js
        >>> from jaxsyn.simulate import outline
        >>> outline(js.circuits.coba(100), 100.0).steps
        1000
    """

    steps: int
    chunk_steps: int
    work: Work
    state_bytes: int
    chunk_bytes: int
    kept_bytes: int
    chunk_kept_bytes: int
    spike_bytes: dict[str, int]


def outline(
    net: Network, duration_ms: float, *, record: records.AbstractRecord | Sequence[records.AbstractRecord] = ()
) -> Outline:
    """What `simulate(net, duration_ms, record=record)` will do, without doing it.

    Args:
        net: The network, or its shapes (`js.network.sketch`).
        duration_ms: Model time, ms.
        record: What to keep.
    Returns:
        Steps, work and memory.
    Raises:
        ValueError: Duration off the grid, unknown records.
    Example:
        >>> import jaxsyn as js
        >>> spikes = js.record.Spikes()
        >>> outline(js.circuits.coba(100), 100.0, record=spikes).spike_bytes
        {'E': 12, 'I': 12}
    """
    steps = to_steps("duration_ms", duration_ms, net.dt_ms)
    capacity = initial_capacity(net, None)
    asked = [record] if isinstance(record, records.AbstractRecord) else list(record)
    plan = make_plan(net, asked, packed=True, capacity=capacity)
    length = chunk_steps(net, plan, steps, None, None)
    state = eqx.filter_eval_shape(lambda n: n.init_state(capacity), net)

    def chunk(net: Network, state: NetworkState) -> Chunk:
        final, kept, samples, counts = advance(net, state, {}, plan, (length, 0))
        return Chunk(final, kept, samples, counts, are_finite(final))

    jaxpr, out, _ = eqx.filter_make_jaxpr(chunk)(net, state)
    fractions = {g: "fraction" in out.kept[str(g)] for g in plan.recorded_groups(net)}
    spike_bytes = dict.fromkeys(net.populations(), 0)
    for name in net.populations():
        g = net.place(name)[0]
        if g in fractions:  # a group is kept whole
            spike_bytes[name] = _SPIKE_BYTES + _FRACTION_BYTES * fractions[g]
    return Outline(
        steps=steps,
        chunk_steps=length,
        work=work_of(jaxpr).scaled(1.0 / length),
        state_bytes=tree_bytes(state),
        chunk_bytes=tree_bytes((out.kept, out.samples, out.counts)),
        kept_bytes=_kept_bytes(net, plan, steps, -(-steps // length)),
        chunk_kept_bytes=_kept_bytes(net, plan, length, 1),
        spike_bytes=spike_bytes,
    )


def _kept_bytes(net: Network, plan: Plan, steps: int, chunks: int) -> int:
    """Samples with their times, windows, and counts (one for each chunk), on the host."""
    total = 0
    for s in plan.samplers:
        width = 1 if s.kind == "mean" else s.place[2] if s.columns is None else len(s.columns)
        total += (steps // s.period) * (4 * width + 8)
    total += sum((steps // plan.stride) * 12 for _ in plan.windows)
    return total + sum(4 * net.size(p) * chunks for p in plan.counts)
