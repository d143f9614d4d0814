"""One step of the network, from t to t + dt. The order is that of NEST (docs/semantics.md).

1. Populations flow from t to t + dt. 2. Arrivals due at t + dt that act at once are added. 3. Threshold; emissions are
stamped t + dt; reset. 4. Emissions enter the history. 5. Arrivals due at t + dt enter the kinetic receptors, where V
feels them from the next step on.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import kernels
from .._core import Array, float_dtype, without_gradient
from ..neurons import MembraneState
from ..stimuli import AbstractWaveform, Draw
from ._flow import integrate, recur
from ._group import Emission, GroupState, Sent, emit
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

    def __init__(
        self, net: Network, prepared: Prepared, state: NetworkState, mode: Mode, *, inside: bool = False
    ) -> None:
        self.native = net.native
        self.inside = inside  # of a program, which has no others in it
        self.programs = net.native and not inside
        self.net, self.prepared, self.before, self.mode, self.tick = net, prepared, state, mode, state.tick + 1
        self.groups, self.links = list(state.groups), list(state.links)
        self.stimuli: dict[str, Any] = {}
        self.late: Sequence[str] = ()  # stimuli that are drawn where they arrive
        self.draws_at = self.tick - 1  # the step of their random numbers
        self.currents: list[Any] = [0.0] * len(net.groups)
        self.events: list[dict[str, Array]] = [{} for _ in net.groups]
        self.emissions: dict[int, Emission] = {}
        self.amplitudes: dict[int, Array] = {}
        self.reads: list[list[Array]] = [[] for _ in net.groups]  # what was read of each group's history so far

    def draw(self) -> dict[str, Array]:
        """Values of the stimuli in this step, but of those that are drawn where they arrive."""
        values = {}
        for name, bound in self.net.stimuli.items():
            if name not in self.late:
                native = self.programs and bound.stimulus.independent
                before = self.before.stimuli[name]
                self.stimuli[name], values[name] = kernels.elementwise(
                    *(self._sample(name), bound.size, before), native=native, threads=self.net.threads
                )
        return values

    def stimulate(self, inputs: Inputs) -> None:
        """Currents and events of this step, from stimuli and from the caller's inputs."""
        net = self.net
        self.late = [
            name
            for name, bound in net.stimuli.items()
            if bound.stimulus.independent and len(bound.parts) == len(bound.weights) == 1
        ]
        values = self.draw()
        for name, bound in net.stimuli.items():
            if name in self.late:
                continue
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

    def arrivals(self, g: int, receptors: Sequence[str], onto: Mapping[str, Array]) -> dict[str, Array]:
        """What arrives now at some receptors of a group, (n,) each, added to `onto`; absent where nothing is."""
        size = self.net.groups[g].size
        total = dict(onto)
        for r in receptors:
            if r in self.events[g]:
                _add(total, r, self.events[g][r])
        for name in self.late:
            bound = self.net.stimuli[name]
            if bound.parts[0].group == g and (r := next(iter(bound.weights))) in receptors:
                if self.native and r in total and len(self.late) > 1:
                    # One after the other: operations that could begin at once are handed from thread to thread.
                    self.draws_at, total[r] = kernels.settle((self.draws_at, total[r]), native=True)
                total[r] = self._draw(name, total.get(r), size)
        for i, link in enumerate(self.net.links):
            if link.target != g or link.receptors[0] not in receptors:
                continue
            source = self.groups[link.source]
            rows = [jnp.broadcast_to(total.get(r, jnp.zeros((), float_dtype())), (size,)) for r in link.receptors]
            if isinstance(link, SparseLink) and link.form == "ids":
                assert source.ids is not None
                assert source.counts is not None
                ring, refusal = (source.ids, source.counts, self.tick), _refusal(self.net, link)
                rows = link.deliver_ids(*(rows, *ring), native=self.native, threads=self.net.threads, refusal=refusal)
            else:
                rows = self._deliver_values(i, link, source, rows)
            total.update(zip(link.receptors, rows, strict=True))
        for other in sorted({link.source for link in self.net.links if link.target == g} - {g}):
            self.reads[other] += total.values()
        return total

    def _sample(self, name: str) -> Callable[[Any], tuple[Any, Array]]:
        """Function of the state of a stimulus, to its state after the step and its values."""
        bound, prepared = self.net.stimuli[name], self.prepared.stimuli[name]
        draw, tick = Draw(self.net.seed, bound.stream), self.draws_at
        return lambda state: bound.stimulus.sample(prepared, state, draw, tick)[::-1]

    def _draw(self, name: str, total: Array | None, size: int) -> Array:
        """Draw a stimulus that goes to one receptor of one group, adding it to what arrives there in the same pass."""
        bound, sample = self.net.stimuli[name], self._sample(name)
        part, (weight,) = bound.parts[0], bound.weights.values()

        def draw(state: Any) -> tuple[Any, Array]:
            after, value = sample(state)
            return after, weight * value

        def add(state: tuple[Any, Array]) -> tuple[tuple[Any, Array], tuple[()]]:
            after, value = draw(state[0])
            return (after, state[1] + value), ()

        native, threads, before = self.programs, self.net.threads, self.before.stimuli[name]
        if total is None:
            self.stimuli[name], value = kernels.elementwise(draw, part.size, before, native=native, threads=threads)
            return spread(value, part.first, size)
        (self.stimuli[name], total), _ = kernels.elementwise(
            *(add, part.size, (before, total)), native=native, threads=threads, at=part.first
        )
        return total

    def _deliver_values(self, i: int, link: AbstractLink, source: GroupState, onto: list[Array]) -> list[Array]:
        """`onto` and what arrives at each receptor, of the numbers in a link's or its source's history, or of now."""
        ring = self.links[i].values if self.links[i].values is not None else source.values
        if ring is None:
            ring = _numbers(self.emissions[link.source])[None, :]
        if isinstance(link, SparseLink):
            first = 0 if link.short_term is not None else link.first
            marked = self.net.groups[link.source].marks
            return link.deliver_values(onto, ring, self.tick, first, marked=marked, native=self.native)
        assert isinstance(link, TransformLink)
        size, mode = self.net.groups[link.target].size, self.mode
        out, self.links[i] = link.deliver(
            *(self.links[i], link.sent(ring, self.tick), size),
            training=mode.training,
            axis_name=mode.axis_name,
            native=self.native,
        )
        return [row + new for row, new in zip(onto, out, strict=True)]

    def fire(self, g: int) -> None:
        """Flow, arrivals that act at once, threshold and reset of one group; its emissions enter the history."""
        net, group, state = self.net, self.net.groups[g], self.groups[g]
        arrivals = self.arrivals(g, [r for r in group.weight_units() if group.at_once(r)], {})
        current = jnp.asarray(self.currents[g], float_dtype())

        def advance(parts: Any, current: Array, jumps: list[Array]) -> tuple[Any, Emission]:
            membrane, clamp = parts
            current = jnp.zeros(group.size, current.dtype) + current
            if not group.continuous:
                return recur(group, membrane, sum(jumps, start=current))
            return integrate(group, self.prepared.groups[g], membrane, clamp, current, jumps, net.dt_ms)

        if group.surrogate is not None and not self.inside:  # derivatives keep what goes in, and compute the rest again
            advance = jax.checkpoint(advance, prevent_cse=False)
        # Of the few operations of discrete neurons XLA makes one loop with the stacks that derivatives live on.
        by_program = group.continuous or not any(g.carries_values for g in net.groups)
        parts, emission = kernels.elementwise(
            *(advance, group.size, (state.membrane, state.clamp), current, list(arrivals.values())),
            native=self.programs and by_program,
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
            self.groups[g] = emit(group, state, emission, self.tick, after=self.reads[g], native=self.programs)
            self.links = [remember(k, self.amplitudes.pop(i, None), self.tick) for i, k in enumerate(self.links)]

    def sent(self) -> Sent:
        """What all groups and links emitted in this step."""
        return Sent(tuple(self.emissions.values()), self.amplitudes)

    def advance(self, groups: Sequence[int]) -> NetworkState:
        """The state after a step of some groups, in the order that zero-delay projections into them need."""
        for g in groups:
            self.fire(g)
        if self.mode.exchange is not None:
            groups_now, links = self.mode.exchange(self.groups, self.links, self.sent(), self.tick)
            self.groups, self.links = list(groups_now), list(links)
        for g in groups:
            self.receive(g)
        return NetworkState(self.tick, tuple(self.groups), tuple(self.links), self.stimuli)

    def receive(self, g: int) -> None:
        """Arrivals due now enter the kinetic receptors of a group; where they can, straight into their variables."""
        group, state = self.net.groups[g], self.groups[g]
        names = [r for r in group.weight_units() if not group.at_once(r)]
        old = {r: state.membrane.receptors[r] for r in names}
        variable = {r: v for r in names if (v := group.receptors[r].input_variable()) is not None}
        arrivals = self.arrivals(g, names, {r: getattr(old[r], v) for r, v in variable.items()})
        new = {r: eqx.tree_at(operator.attrgetter(v), old[r], arrivals.pop(r)) for r, v in variable.items()}

        def arrive(receptors: dict[str, Any], arrivals: dict[str, Array]) -> tuple[dict[str, Any], tuple[()]]:
            return {r: group.receptors[r].arrive(receptors[r], arrivals[r]) for r in arrivals}, ()

        if arrivals:
            rest = {r: old[r] for r in arrivals}
            new |= kernels.elementwise(
                *(arrive, group.size, rest, arrivals), native=self.programs, threads=self.net.threads
            )[0]
        receptors = {r: new.get(r, s) for r, s in state.membrane.receptors.items()}
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


def _add(total: dict[str, Array], receptor: str, value: Array) -> None:
    total[receptor] = total[receptor] + value if receptor in total else value


def _numbers(emission: Emission) -> Array:
    return emission.spikes.astype(float_dtype()) if emission.values is None else emission.values


def placed(value: Array, part: Part, size: int) -> Array:
    """The share of a stimulus that goes to one group, as an array of the whole group (or a scalar, if all get it)."""
    if jnp.ndim(value) == 0:
        return value if part.size == size else spread(jnp.broadcast_to(value, (part.size,)), part.first, size)
    return spread(value[part.offset : part.offset + part.size], part.first, size)


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
    moment.stimulate(inputs)
    done = moment.advance(range(len(net.groups)))
    return done, tuple(moment.emissions.values())
