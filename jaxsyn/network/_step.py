"""One step of the network, from t to t + dt. The order is that of NEST (docs/semantics.md).

1. Populations flow from t to t + dt. 2. Arrivals due at t + dt that act at once are added. 3. Threshold; emissions are
stamped t + dt; reset. 4. Emissions enter the history. 5. Arrivals due at t + dt enter the kinetic receptors, where V
feels them from the next step on.
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, float_dtype
from ..neurons import AbstractDiscreteNeuron, MembraneState
from ..stimuli import AbstractWaveform, Draw
from ._group import Emission, Group, GroupState, emit
from ._link import LinkState, SparseLink, TransformLink, spread
from ._network import Network, NetworkState

Inputs = Mapping[str, Array]
Arrivals = dict[tuple[str, ...], Array]  # receptors -> (receptors, n)


class Prepared(eqx.Module):
    """Constants of a run: propagators of the integrators and tables of the stimuli."""

    groups: tuple[Any, ...]
    stimuli: dict[str, Any]


class Mode(eqx.Module):
    """How a step is used: `training` selects batch statistics, `axis_name` names the batch axis of `jax.vmap`."""

    training: bool = eqx.field(static=True, default=False)
    axis_name: str | None = eqx.field(static=True, default=None)


def prepare(net: Network) -> Prepared:
    """Everything that does not change from step to step; call it once outside the loop."""
    groups = tuple(g.integrator.prepare(g.membrane, net.dt_ms) if g.integrator is not None else None for g in net.groups)
    return Prepared(groups, {name: s.stimulus.prepare(s.size, net.dt_ms) for name, s in net.stimuli.items()})


class _Drives:
    """What comes from outside in one step: currents and events for each group."""

    def __init__(self, net: Network) -> None:
        self.currents: list[Any] = [0.0] * len(net.groups)
        self.events: list[dict[str, Array]] = [{} for _ in net.groups]

    def add_event(self, group: int, receptor: str, value: Array) -> None:
        events = self.events[group]
        events[receptor] = events[receptor] + value if receptor in events else value


def _stimulate(net: Network, prepared: Prepared, state: NetworkState, inputs: Inputs) -> tuple[_Drives, dict[str, Any]]:
    drives, states = _Drives(net), {}
    for name, bound in net.stimuli.items():
        draw = Draw(net.seed, bound.stream)
        value, states[name] = bound.stimulus.sample(prepared.stimuli[name], state.stimuli[name], draw, state.tick)
        for part in bound.parts:
            size = net.groups[part.group].size
            if isinstance(bound.stimulus, AbstractWaveform):
                drives.currents[part.group] = drives.currents[part.group] + _placed(value, part, size)
            for receptor, weight in bound.weights.items():
                drives.add_event(part.group, receptor, _placed(weight * value, part, size))
    for key, value in inputs.items():
        population, _, receptor = key.partition(".")
        g, first, _ = net.place(population)
        group = net.groups[g]
        placed = spread(value.astype(float_dtype()), first, group.size)
        if receptor or not group.continuous:
            drives.add_event(g, receptor, placed)
        else:
            drives.currents[g] = drives.currents[g] + placed
    return drives, states


def _placed(value: Array, part: Any, size: int) -> Array:
    """The share of a stimulus that goes to one group, as an array of the whole group (or a scalar, if all get it)."""
    if jnp.ndim(value) == 0:
        return value if part.size == size else spread(jnp.broadcast_to(value, (part.size,)), part.first, size)
    return spread(value[part.offset : part.offset + part.size], part.first, size)


def _collect(
    net: Network,
    g: int,
    receptors: Any,
    events: dict[str, Array],
    emissions: list[Emission | None],
    states: list[GroupState],
    links: list[LinkState],
    tick: Array,
    mode: Mode,
) -> dict[str, Array]:
    """Summed arrivals due at `tick` for some receptors of a group, shape (n,) each; absent where nothing arrives."""
    group = net.groups[g]
    dtype = float_dtype()
    total = {r: events[r] for r in receptors if r in events}
    sums: Arrivals = {}
    for i, link in enumerate(net.links):
        if link.target != g or not set(link.receptors) <= set(receptors):
            continue
        source = states[link.source]
        if isinstance(link, SparseLink) and link.form == "ids":
            acc = sums.get(link.receptors)
            if acc is None:
                rows = [total.pop(r, jnp.zeros((), dtype)) for r in link.receptors]
                acc = jnp.stack([jnp.broadcast_to(r.astype(dtype), (group.size,)) for r in rows])
            assert source.ids is not None and source.counts is not None
            sums[link.receptors] = link.deliver_ids(acc, source.ids, source.counts, tick, native=net.native)
            continue
        ring = _ring(link, links[i], source, emissions[link.source])
        if isinstance(link, SparseLink):
            first = 0 if link.short_term is not None else link.first
            out = link.deliver_values(ring, tick, first, native=net.native)
        else:
            assert isinstance(link, TransformLink)
            out, links[i] = link.deliver(links[i], ring, tick, group.size, training=mode.training, axis_name=mode.axis_name)
        for r, row in zip(link.receptors, out, strict=True):
            total[r] = total[r] + row if r in total else row
    for names, acc in sums.items():
        for r, row in zip(names, acc, strict=True):
            total[r] = total[r] + row if r in total else row
    return total


def _ring(link: Any, state: LinkState, source: GroupState, emission: Emission | None) -> Array:
    """History of numbers that a link reads: its own, that of the source group, or just this step's emission."""
    if state.values is not None:
        return state.values
    if source.values is not None:
        return source.values
    assert emission is not None and emission.values is not None
    return emission.values[None, :]


def _finish(
    net: Network, group: Group, prepared: Any, state: GroupState, current: Any, arrivals: dict[str, Array]
) -> tuple[GroupState, Emission]:
    """Flow, arrivals that act at once, threshold and reset of one group; the history is written later."""
    zero = jnp.zeros(group.size, float_dtype())
    if isinstance(group.neuron, AbstractDiscreteNeuron):
        drive = zero + current + arrivals.get("", 0.0)

        def spike(gap: Array) -> Array:
            return group.spike(gap).astype(gap.dtype)

        neuron, values = group.neuron.step(state.membrane.neuron, drive, spike)
        membrane = MembraneState(neuron, state.membrane.receptors)
        return _with(state, membrane, state.refractory), Emission(values > 0, values, None)
    membrane = group.membrane
    refractory = group.refractory_of(state, net.dt_ms)
    flow = group.integrator.flow(prepared, membrane, state.membrane, zero + current, refractory, group.spike)  # type: ignore[union-attr]
    after = flow.state.neuron
    left = flow.refractory_ms if flow.crossed is not None else state.refractory
    free = None if left is None else left <= 0
    jumps = [value for receptor, value in arrivals.items()]
    if jumps:
        jump = sum(jumps[1:], start=jumps[0])
        V = after.V_mV + (jump if free is None else jnp.where(free, jump, 0.0))
        after = eqx.tree_at(lambda s: s.V_mV, after, V)
    return _threshold(group, state, flow, after, free, refractory, bool(jumps))


def _threshold(
    group: Group, state: GroupState, flow: Any, after: Any, free: Array | None, refractory: Any, jumped: bool
) -> tuple[GroupState, Emission]:
    neuron = group.neuron
    located = flow.crossed is not None
    if located and not jumped:
        membrane = MembraneState(after, flow.state.receptors)
        return _with(state, membrane, flow.refractory_ms), Emission(flow.crossed, None, flow.fraction)
    gap = neuron.threshold_gap(after)  # type: ignore[attr-defined]
    if not neuron.resets:  # type: ignore[attr-defined]
        before = neuron.threshold_gap(state.membrane.neuron)  # type: ignore[attr-defined]
        gap = jnp.where(before < 0, gap, -1.0)
    if free is not None:
        gap = jnp.where(free, gap, -1.0)
    out = group.spike(gap)
    spikes = out if out.dtype == jnp.bool_ else out > 0
    values = None if group.surrogate is None else out
    fresh = neuron.reset(after)  # type: ignore[attr-defined]
    if values is None:
        after = jax.tree.map(lambda r, a: jnp.where(spikes, r, a), fresh, after)
    else:
        after = jax.tree.map(lambda r, a: a + values * (r - a), fresh, after)
    left, fraction = state.refractory, None
    if refractory is not None:
        left = flow.refractory_ms if located else jnp.maximum(state.refractory - 1, 0)  # type: ignore[operator]
        left = jnp.where(spikes, refractory.total_ms, left)
    if located:
        fraction = jnp.where(flow.crossed, flow.fraction, 1.0)
        spikes = spikes | flow.crossed
    return _with(state, MembraneState(after, flow.state.receptors), left), Emission(spikes, values, fraction)


def _with(state: GroupState, membrane: MembraneState, refractory: Array | None) -> GroupState:
    return GroupState(membrane, refractory, state.ids, state.counts, state.values, state.peak)


def step(
    net: Network, prepared: Prepared, state: NetworkState, inputs: Inputs, mode: Mode = Mode()
) -> tuple[NetworkState, tuple[Emission, ...]]:
    """Advance the network by one step.

    Args:
        net: The network.
        prepared: What `prepare(net)` gave.
        state: State at t.
        inputs: External input of this step by population ("E": pA, or drive of discrete neurons) or receptor
            ("E.AMPA": arrivals in its weight unit), shape (n,).
        mode: Whether batch statistics are trained, and the batch axis.
    Returns:
        State at t + dt, and what each group emitted.
    """
    tick = state.tick + 1
    drives, stimuli = _stimulate(net, prepared, state, inputs)
    states, links = list(state.groups), list(state.links)
    emissions: list[Emission | None] = [None] * len(net.groups)
    for g, group in enumerate(net.groups):
        names = list(group.weight_units())
        now = [r for r in names if group.at_once(r)]
        arrivals = _collect(net, g, now, drives.events[g], emissions, states, links, tick, mode)
        states[g], emission = _finish(net, group, prepared.groups[g], states[g], drives.currents[g], arrivals)
        emissions[g] = emission
        states[g] = emit(group, states[g], emission, tick, native=net.native)
        for i, link in enumerate(net.links):
            if isinstance(link, SparseLink) and link.source == g:
                links[i] = link.release(links[i], emission.spikes, tick, net.dt_ms)
    for g, group in enumerate(net.groups):
        later = [r for r in group.weight_units() if not group.at_once(r)]
        arrivals = _collect(net, g, later, drives.events[g], emissions, states, links, tick, mode)
        membrane = states[g].membrane
        receptors = {
            r: group.receptors[r].arrive(s, arrivals[r]) if r in arrivals else s for r, s in membrane.receptors.items()
        }
        states[g] = _with(states[g], MembraneState(membrane.neuron, receptors), states[g].refractory)
    done = tuple(e for e in emissions if e is not None)
    return NetworkState(tick, tuple(states), tuple(links), stimuli), done
