"""One step of a group by itself: flow, jumps, threshold and reset, or the recurrence of discrete neurons."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array
from ..neurons import AbstractContinuousNeuron, AbstractDiscreteNeuron, Flow, MembraneState, Refractory
from ._group import Emission, Group


def recur(group: Group, membrane: MembraneState, drive: Array) -> tuple[tuple[MembraneState, None], Emission]:
    """One step of discrete neurons."""
    assert isinstance(group.neuron, AbstractDiscreteNeuron)

    def spike(gap: Array) -> Array:
        return group.spike(gap).astype(gap.dtype)

    neuron, values = group.neuron.step(membrane.neuron, drive, spike)
    return (MembraneState(neuron, {}), None), Emission(values > 0, values, None)


def integrate(
    group: Group,
    prepared: Any,
    membrane: MembraneState,
    clamp: Array | None,
    current: Array,
    jumps: list[Array],
    dt_ms: float,
) -> tuple[tuple[MembraneState, Array | None], Emission]:
    """Flow of continuous neurons, jumps of V at its end, threshold and reset."""
    assert group.integrator is not None
    refractory = group.refractory_of(clamp, dt_ms)
    flow = group.integrator.flow(prepared, group.membrane, membrane, current, refractory, group.spike)
    if flow.crossed is not None and not jumps:
        return (flow.state, flow.refractory_ms), Emission(flow.crossed, None, flow.fraction)
    return _threshold(group, membrane, clamp, flow, jumps, refractory)


def _threshold(
    group: Group,
    before: MembraneState,
    clamp: Array | None,
    flow: Flow,
    jumps: list[Array],
    refractory: Refractory | None,
) -> tuple[tuple[MembraneState, Array | None], Emission]:
    """Jumps of V at the end of the step, threshold there, reset. A spike located inside the step has already reset."""
    neuron, after = group.neuron, flow.state.neuron
    assert isinstance(neuron, AbstractContinuousNeuron)
    left = flow.refractory_ms if flow.crossed is not None else clamp
    free = None if left is None else left <= 0
    if jumps:
        jump = sum(jumps[1:], start=jumps[0])
        V = after.V_mV + (jump if free is None else jnp.where(free, jump, 0.0))
        after = eqx.tree_at(lambda s: s.V_mV, after, V)
    gap = neuron.threshold_gap(after)
    if not neuron.resets:
        gap = jnp.where(neuron.threshold_gap(before.neuron) < 0, gap, -1.0)
    if free is not None:
        gap = jnp.where(free, gap, -1.0)
    if flow.crossed is not None:
        gap = jnp.where(flow.crossed, -1.0, gap)  # one spike in a step
    out = group.spike(gap)
    fresh = neuron.reset(after)
    if group.surrogate is None:
        spikes, values = out, None
        after = jax.tree.map(lambda r, a: jnp.where(spikes, r, a), fresh, after)
    else:
        spikes, values = out > 0, group.marked(out, gap)
        after = jax.tree.map(lambda r, a: a + out * (r - a), fresh, after)
    if refractory is not None and left is not None:
        if flow.crossed is None:
            left = jnp.maximum(left - 1, 0)
        left = jnp.where(spikes, refractory.total_ms, left)
    fraction = None
    if flow.crossed is not None and flow.fraction is not None:
        fraction = jnp.where(flow.crossed, flow.fraction, 1.0)
        spikes = spikes | flow.crossed
    return (MembraneState(after, flow.state.receptors), left), Emission(spikes, values, fraction)
