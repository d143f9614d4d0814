"""One step of the network, from t to t + dt. The order is that of NEST (docs/semantics.md).

1. Populations flow from t to t + dt. 2. Arrivals due at t + dt that act at once are added. 3. Threshold; emissions are
stamped t + dt; reset. 4. Emissions enter the history. 5. Arrivals due at t + dt enter the kinetic receptors, where V
feels them from the next step on.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import kernels
from .._core import Array, float_dtype, without_gradient
from ..neurons import AbstractContinuousNeuron, AbstractDiscreteNeuron, Flow, MembraneState, Refractory
from ..stimuli import AbstractStimulus, AbstractWaveform, Draw
from ._group import Emission, Group, GroupState, Sent, emit
from ._link import AbstractLink, SparseLink, TransformLink, remember, spread
from ._network import Network, NetworkState, Part

Inputs = Mapping[str, Array]


class Prepared(eqx.Module):
    """Constants of a run: propagators of the integrators and tables of the stimuli.

    Args:
        groups: What the integrator of each group prepared.
        stimuli: What each stimulus prepared, by name.
    Example:
        >>> import jaxsyn as js
        >>> sorted(js.network.prepare(js.circuits.coba(100)).stimuli)
        ['kick']
    """

    groups: tuple[Any, ...]
    stimuli: dict[str, Any]


class Mode(eqx.Module):
    """How a step is used.

    Args:
        training: Batch normalization uses and updates the statistics of the batch.
        axis_name: Name of the batch axis of `jax.vmap`.
        exchange: Takes groups, links, what they sent and the tick, and gives groups and links with it in their
            histories: where it has to go to other devices first. None: this network keeps it itself.
    Example:
        >>> import jaxsyn as js
        >>> js.network.Mode(training=True, axis_name="batch").training
        True
    """

    training: bool = eqx.field(static=True, default=False)
    axis_name: str | None = eqx.field(static=True, default=None)
    exchange: Callable[..., Any] | None = eqx.field(static=True, default=None)


SIMULATE = Mode()


def prepare(net: Network) -> Prepared:
    """Everything that does not change from step to step; call it once outside the loop.

    Args:
        net: The network.
    Returns:
        Constants for `step`.
    Example:
        >>> import jaxsyn as js
        >>> len(js.network.prepare(js.circuits.cuba(100)).groups)
        1
    """
    groups = tuple(
        g.integrator.prepare(g.membrane, net.dt_ms) if g.integrator is not None else None for g in net.groups
    )
    stimuli = {}
    for name, bound in net.stimuli.items():
        index = jnp.arange(bound.size, dtype=jnp.uint32) if bound.index is None else bound.index
        stimuli[name] = bound.stimulus.prepare(index, net.dt_ms)
    return Prepared(groups, stimuli)


class Moment:
    """Working values of one step: what comes from outside, and the parts of the state as they become new."""

    def __init__(self, net: Network, prepared: Prepared, state: NetworkState, mode: Mode) -> None:
        self.net, self.prepared, self.mode, self.tick = net, prepared, mode, state.tick + 1
        self.groups, self.links = list(state.groups), list(state.links)
        self.stimuli: dict[str, Any] = {}
        self.currents: list[Any] = [0.0] * len(net.groups)
        self.events: list[dict[str, Array]] = [{} for _ in net.groups]
        self.emissions: dict[int, Emission] = {}
        self.amplitudes: dict[int, Array] = {}
        self.reads: list[list[Array]] = [[] for _ in net.groups]  # what was read of each group's history so far

    def draw(self, state: NetworkState) -> dict[str, Array]:
        """Values of the stimuli in this step."""
        values = {}
        for name, bound in self.net.stimuli.items():
            draw, prepared = Draw(self.net.seed, bound.stream), self.prepared.stimuli[name]
            sample = functools.partial(_sample, bound.stimulus, prepared, draw, state.tick)
            native, before = self.net.native and bound.stimulus.independent, state.stimuli[name]
            self.stimuli[name], values[name] = kernels.elementwise(
                *(sample, bound.size, before), native=native, threads=self.net.threads
            )
        return values

    def stimulate(self, state: NetworkState, inputs: Inputs) -> None:
        """Currents and events of this step, from stimuli and from the caller's inputs."""
        net, values = self.net, self.draw(state)
        for name, bound in net.stimuli.items():
            value = values[name]
            for part in bound.parts:
                size = net.groups[part.group].size
                if isinstance(bound.stimulus, AbstractWaveform):
                    self.currents[part.group] = self.currents[part.group] + placed(value, part, size)
                for receptor, weight in bound.weights.items():
                    _add(self.events[part.group], receptor, placed(weight * value, part, size))
        for key, value in inputs.items():
            population, _, receptor = key.partition(".")
            g, first, _ = net.place(population)
            given = spread(value.astype(float_dtype()), first, net.groups[g].size)
            if receptor or not net.groups[g].continuous:
                _add(self.events[g], receptor, given)
            else:
                self.currents[g] = self.currents[g] + given

    def arrivals(self, g: int, receptors: Sequence[str]) -> dict[str, Array]:
        """Summed arrivals due now at some receptors of a group, shape (n,) each; absent where nothing arrives."""
        size = self.net.groups[g].size
        total = {r: self.events[g][r] for r in receptors if r in self.events[g]}
        sums: dict[tuple[str, ...], Array] = {}
        for i, link in enumerate(self.net.links):
            if link.target != g or link.receptors[0] not in receptors:
                continue
            source = self.groups[link.source]
            if isinstance(link, SparseLink) and link.form == "ids":
                if link.receptors not in sums:  # begins with what comes from outside: one pass over memory less
                    rows = [total.pop(r, jnp.zeros((), float_dtype())) for r in link.receptors]
                    sums[link.receptors] = jnp.stack([jnp.broadcast_to(r, (size,)) for r in rows])
                assert source.ids is not None
                assert source.counts is not None
                ring = (source.ids, source.counts, self.tick)
                acc, refusal = sums[link.receptors], _refusal(self.net, link)
                sums[link.receptors] = link.deliver_ids(
                    *(acc, *ring), native=self.net.native, threads=self.net.threads, refusal=refusal
                )
                continue
            for r, row in zip(link.receptors, self._deliver_values(i, link, source), strict=True):
                _add(total, r, row)
        for names, acc in sums.items():
            for r, row in zip(names, acc, strict=True):
                _add(total, r, row)
        for other in sorted({link.source for link in self.net.links if link.target == g} - {g}):
            self.reads[other] += total.values()
        return total

    def _deliver_values(self, i: int, link: AbstractLink, source: GroupState) -> Array:
        """Arrivals (receptors, n) over a link that carries numbers: from its own history, its source's, or of now."""
        ring = self.links[i].values if self.links[i].values is not None else source.values
        if ring is None:
            ring = _numbers(self.emissions[link.source])[None, :]
        if isinstance(link, SparseLink):
            first = 0 if link.short_term is not None else link.first
            return link.deliver_values(ring, self.tick, first, native=self.net.native)
        assert isinstance(link, TransformLink)
        size, mode = self.net.groups[link.target].size, self.mode
        out, self.links[i] = link.deliver(
            *(self.links[i], link.sent(ring, self.tick), size),
            training=mode.training,
            axis_name=mode.axis_name,
            native=self.net.native,
        )
        return out

    def fire(self, g: int) -> None:
        """Flow, arrivals that act at once, threshold and reset of one group; its emissions enter the history."""
        net, group, state = self.net, self.net.groups[g], self.groups[g]
        arrivals = self.arrivals(g, [r for r in group.weight_units() if group.at_once(r)])
        current = jnp.asarray(self.currents[g], float_dtype())

        def advance(parts: Any, current: Array, jumps: list[Array]) -> tuple[Any, Emission]:
            membrane, clamp = parts
            current = jnp.zeros(group.size, current.dtype) + current
            if not group.continuous:
                return _recur(group, membrane, sum(jumps, start=current))
            return _advance(group, self.prepared.groups[g], membrane, clamp, current, jumps, net.dt_ms)

        if group.surrogate is not None:  # derivatives keep what goes in, and compute the rest again in one pass
            advance = jax.checkpoint(advance, prevent_cse=False)
        parts, emission = kernels.elementwise(
            *(advance, group.size, (state.membrane, state.clamp), current, list(arrivals.values())),
            native=net.native and group.surrogate is None,
            threads=net.threads,
        )
        state = _with(state, *parts)
        if group.real is not None:
            emission = emission.only(group.real)
        self.emissions[g] = emission
        self.groups[g] = state
        for i, link in enumerate(net.links):
            if isinstance(link, SparseLink) and link.source == g and link.short_term is not None:
                _, first, size = next(m for m in group.members if m[0] == link.population)
                spikes = without_gradient(_numbers(emission)[first : first + size], _refusal(net, link))
                self.amplitudes[i], self.links[i] = link.release(self.links[i], spikes, self.tick, net.dt_ms)
        if self.mode.exchange is None:
            self.groups[g] = emit(group, state, emission, self.tick, after=self.reads[g], native=net.native)
            self.links = [remember(k, self.amplitudes.pop(i, None), self.tick) for i, k in enumerate(self.links)]

    def sent(self) -> Sent:
        """What all groups and links emitted in this step."""
        return Sent(tuple(self.emissions.values()), self.amplitudes)

    def advance(self, groups: Sequence[int]) -> NetworkState:
        """The state after a step of some groups, in the order that zero-delay projections into them need."""
        for g in groups:
            self.fire(g)
        if self.mode.exchange is not None:
            self.groups, self.links = self.mode.exchange(self.groups, self.links, self.sent(), self.tick)
        for g in groups:
            self.receive(g)
        return NetworkState(self.tick, tuple(self.groups), tuple(self.links), self.stimuli)

    def receive(self, g: int) -> None:
        """Arrivals due now enter the kinetic receptors of a group."""
        group, state = self.net.groups[g], self.groups[g]
        arrivals = self.arrivals(g, [r for r in group.weight_units() if not group.at_once(r)])
        if not arrivals:
            return

        def arrive(receptors: dict[str, Any], arrivals: dict[str, Array]) -> tuple[dict[str, Any], tuple[()]]:
            return {name: group.receptors[name].arrive(receptors[name], arrivals[name]) for name in arrivals}, ()

        old = {name: state.membrane.receptors[name] for name in arrivals}
        new, _ = kernels.elementwise(
            *(arrive, group.size, old, arrivals), native=self.net.native, threads=self.net.threads
        )
        receptors = {name: new.get(name, s) for name, s in state.membrane.receptors.items()}
        self.groups[g] = _with(state, MembraneState(state.membrane.neuron, receptors), state.clamp)


def _refusal(net: Network, link: SparseLink) -> str:
    """What to say when somebody differentiates through spikes that travel as indices."""
    source = link.population
    if link.short_term is not None:
        return (
            f"projection {link.name!r}: short-term plasticity remembers whole spikes of population {source!r}, so "
            "their gradient would miss how a spike depresses later ones; drop short_term, or hold what they depend on "
            "constant"
        )
    return (
        f"population {source!r} has no surrogate, so its spikes reach projection {link.name!r} as integers, without "
        "gradient: give Population(..., surrogate=js.surrogate.SuperSpike()), or hold what they meet constant"
    )


def _sample(stimulus: AbstractStimulus, prepared: Any, draw: Draw, tick: Array, state: Any) -> tuple[Any, Array]:
    """State of a stimulus after the step, and its values."""
    value, after = stimulus.sample(prepared, state, draw, tick)
    return after, value


def _add(total: dict[str, Array], receptor: str, value: Array) -> None:
    total[receptor] = total[receptor] + value if receptor in total else value


def _numbers(emission: Emission) -> Array:
    return emission.spikes.astype(float_dtype()) if emission.values is None else emission.values


def placed(value: Array, part: Part, size: int) -> Array:
    """The share of a stimulus that goes to one group, as an array of the whole group (or a scalar, if all get it)."""
    if jnp.ndim(value) == 0:
        return value if part.size == size else spread(jnp.broadcast_to(value, (part.size,)), part.first, size)
    return spread(value[part.offset : part.offset + part.size], part.first, size)


def _recur(group: Group, membrane: MembraneState, drive: Array) -> tuple[tuple[MembraneState, None], Emission]:
    """One step of discrete neurons."""
    assert isinstance(group.neuron, AbstractDiscreteNeuron)

    def spike(gap: Array) -> Array:
        return group.spike(gap).astype(gap.dtype)

    neuron, values = group.neuron.step(membrane.neuron, drive, spike)
    return (MembraneState(neuron, {}), None), Emission(values > 0, values, None)


def _advance(
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
        spikes, values = out > 0, out
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


def _with(state: GroupState, membrane: MembraneState, refractory: Array | None) -> GroupState:
    return GroupState(membrane, refractory, state.ids, state.counts, state.values, state.peak)


def step(
    net: Network, prepared: Prepared, state: NetworkState, inputs: Inputs, mode: Mode = SIMULATE
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
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.cuba(100)
        >>> state, emissions = js.network.step(net, js.network.prepare(net), net.init_state(), {})
        >>> int(state.tick)
        1
    """
    moment = Moment(net, prepared, state, mode)
    moment.stimulate(state, inputs)
    done = moment.advance(range(len(net.groups)))
    return done, tuple(moment.emissions.values())
