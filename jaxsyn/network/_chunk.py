"""Many steps at once: the network part by part, each over a chunk of the time axis.

Groups that reach each other in a loop are stepped together; what lies before them has emitted for the whole chunk
already, so that its arrivals are one product over all steps. The result is that of `step`, up to the rounding of sums.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import kernels
from .._core import Array, float_dtype
from ..connect import BoundDense
from ..stimuli import AbstractWaveform
from ._arrivals import Emitted, arrivals_of, ticks_of, unrolled, with_past
from ._carriers import Carriers, with_carrier
from ._components import Component, relays, vectorizes
from ._group import Emission, Group, GroupState
from ._link import AbstractLink, SparseLink, TransformLink, number, spread
from ._network import Network, NetworkState
from ._step import Mode, Moment, Prepared, placed

# Steps that are written out, so that what derivatives need of them is not copied into stacks: so few of any component;
# of one whose steps are native calls as many as are compiled in a second or two, calls in all, and stay in the cache.
_FEW, _MOST, _CALLS = 4, 16, 64

Sample = Callable[[Component, NetworkState], dict[str, Array]]


class Chunk(eqx.Module):
    """A chunk of steps of a network, component by component.

    Args:
        net: The network, as `carried` gave it.
        prepared: What `prepare(net)` gave.
        n_steps: Number of steps.
        mode: See `step`.
        parts: What `components(net, mode)` gave.
        sample: What to keep of a component at the end of each step, by name.
        spikes_only: Whether the histories of groups whose emissions come as bits hold nothing but 0 and 1.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> parts = js.network.components(net)
        >>> chunk = js.network.Chunk(net, js.network.prepare(net), 5, js.network.SIMULATE, parts, lambda *_: {})
        >>> state, _, emissions, _ = chunk.advance(net.init_state(), {}, {})
        >>> emissions[0].shape
        (5, 2)
    """

    net: Network
    prepared: Prepared
    n_steps: int = eqx.field(static=True)
    mode: Mode = eqx.field(static=True)
    parts: tuple[Component, ...] = eqx.field(static=True)
    sample: Sample = eqx.field(static=True)
    spikes_only: bool = eqx.field(static=True, default=False)

    def advance(
        self, state: NetworkState, inputs: Mapping[str, Array], carriers: Carriers
    ) -> tuple[NetworkState, Carriers, list[Array], dict[str, Array]]:
        """Run all components through the steps; inputs are (n_steps, size), carriers what `carried(net)` gave.

        Returns:
            State after the chunk; the carriers; what each group emitted, (n_steps, n); samples of each step by name.
        """
        net = self.net
        stimuli, currents, events = self._external(state, inputs)
        emissions: list[Any] = [None] * len(net.groups)
        groups, links = list(state.groups), list(state.links)
        samples: dict[str, Array] = {}
        carriers = dict(carriers)
        for part in self.parts:
            for i in part.outer:
                link = net.links[i]
                arrivals = arrivals_of(net, link, state, i, emissions[link.source], spikes_only=self.spikes_only)
                for k, receptor in enumerate(link.receptors):
                    _add(events[link.target], receptor, arrivals[:, k])
            if relays(net, part):
                (g,) = part.groups
                nothing = jnp.zeros((self.n_steps, net.groups[g].size), float_dtype())
                emissions[g] = Emitted(events[g].get("", nothing))
            else:
                inner = tuple(net.links[i] for i in part.inner)
                rest = _Rest(eqx.tree_at(lambda n: n.links, net, ()), self.prepared, state, (currents, events))
                fixed = _Fixed(self, part)
                own = {i: carriers[i] for i in part.inner if i in carriers}
                batch = self.mode.axis_name is not None  # a rule for derivatives cannot name the batch axis under jit
                (ends, link_ends, emitted, kept), own = (
                    (_scan(inner, rest, (), fixed, moving=True), own) if batch else _stepped(inner, own, rest, fixed)
                )
                carriers |= own
                for g, end, values in zip(part.groups, ends, emitted, strict=True):
                    groups[g], emissions[g] = end, values
                for i, end in zip(part.inner, link_ends, strict=True):
                    links[i] = end
                samples |= kept
            for g in part.groups:
                history = _history(net, part, g)
                groups[g] = _remember(groups[g], state.groups[g], emissions[g].values, state.tick, history)
        after = NetworkState(state.tick + self.n_steps, tuple(groups), tuple(links), stimuli)
        return after, carriers, [one.values for one in emissions], samples

    def _external(self, state: NetworkState, inputs: Mapping[str, Array]) -> Any:
        """Stimuli and inputs of all steps: state of the stimuli, currents and events of each group."""
        net = self.net
        currents: list[Any] = [None] * len(net.groups)
        events: list[dict[str, Array]] = [{} for _ in net.groups]

        def draw(carry: Any, _: None) -> Any:
            moment = Moment(net, self.prepared, carry, self.mode)
            values = moment.draw()
            after = NetworkState(carry.tick + 1, carry.groups, carry.links, moment.stimuli)
            return after, values

        start = NetworkState(state.tick, (), (), state.stimuli)
        end, values = jax.lax.scan(draw, start, None, length=self.n_steps) if net.stimuli else (start, {})
        for name, bound in net.stimuli.items():
            for part in bound.parts:
                size = net.groups[part.group].size
                place = jax.vmap(functools.partial(placed, part=part, size=size))
                if isinstance(bound.stimulus, AbstractWaveform):
                    current = place(values[name])
                    before = currents[part.group]
                    currents[part.group] = current if before is None else _plus(before, current)
                for receptor, weight in bound.weights.items():
                    weighted = jax.vmap(functools.partial(jnp.multiply, weight))(values[name])
                    _add(events[part.group], receptor, place(weighted))
        for key, value in inputs.items():
            population, _, receptor = key.partition(".")
            g, first, size = net.place(population)
            group = net.groups[g]
            rows = value
            if value.dtype != jnp.uint32:
                rows = jax.vmap(lambda x, f=first, n=group.size: spread(x, f, n))(number(value, size))
            if receptor or not group.continuous:
                _add(events[g], receptor, rows)
            else:
                before = currents[g]
                currents[g] = rows if before is None else _plus(before, rows)
        return end.stimuli, currents, events


class _Rest(eqx.Module):
    """What stepping a component depends on besides its inner links: the network without links, and what came before."""

    net: Network
    prepared: Prepared
    state: NetworkState
    drive: Any


class _Fixed(eqx.Module):
    """What it depends on without derivative."""

    n_steps: int = eqx.field(static=True)
    mode: Mode = eqx.field(static=True)
    sample: Sample = eqx.field(static=True)
    part: Component = eqx.field(static=True)

    def __init__(self, chunk: Chunk, part: Component) -> None:
        self.n_steps, self.mode, self.sample, self.part = chunk.n_steps, chunk.mode, chunk.sample, part


def _scan(links: tuple[AbstractLink, ...], rest: _Rest, more: Any, fixed: _Fixed, *, moving: bool) -> Any:
    """Step a component; `more` is added to the arrivals of a group, (steps, n), by group and receptor.

    What is only spikes leaves the loop as numbers too where it is `moving`, that is, where these have derivatives.
    """
    part, state = fixed.part, rest.state
    net = eqx.tree_at(lambda n: n.links, rest.net, links)
    currents, events = rest.drive
    xs = [(currents[g], dict(events[g])) for g in part.groups]
    for g, receptor, rows in more:
        _add(xs[part.groups.index(g)][1], receptor, rows)

    def one(carry: Any, x: Any, *, inside: bool = False) -> Any:
        now = list(state.groups)
        for g, own in zip(part.groups, carry[1], strict=True):
            now[g] = own
        moment = Moment(net, rest.prepared, NetworkState(carry[0], tuple(now), carry[2], {}), fixed.mode, inside=inside)
        for g, (current, arriving) in zip(part.groups, x, strict=True):
            moment.currents[g] = 0.0 if current is None else current
            moment.events[g] = dict(arriving)
        after = moment.advance(part.groups)
        kept = [_emitted(net.groups[g], moment.emissions[g], moving=moving) for g in part.groups]
        mine = tuple(after.groups[g] for g in part.groups)
        return (after.tick, mine, after.links), (kept, fixed.sample(part, after))

    start = tuple(_carried(state.groups[g], state.tick, _history(net, part, g, links)) for g in part.groups)
    carry = (state.tick, start, tuple(state.links[i] for i in part.inner))
    if _by_neuron(net, part, links) and fixed.n_steps > _FEW:
        (_, ends, link_ends), (emitted, samples) = _in_one_call(
            functools.partial(one, inside=True), carry, xs, fixed.n_steps, net.groups[part.groups[0]].size
        )
    else:
        unroll = fixed.n_steps if fixed.n_steps <= max(_FEW, written_out(net, part, links)) else 1
        (_, ends, link_ends), (emitted, samples) = jax.lax.scan(one, carry, xs, length=fixed.n_steps, unroll=unroll)
    return ends, link_ends, _numbers(emitted), samples


def _by_neuron(net: Network, part: Component, links: Sequence[AbstractLink]) -> bool:
    """Whether the neurons of a component can go through a chunk in one call: they meet in products alone, if at all."""
    if not net.native or float_dtype() != jnp.float32:
        return False
    if len(part.groups) > 1 or _history(net, part, part.groups[0], links) == "ring":
        return False
    return all(isinstance(k, TransformLink) and isinstance(k.transform, BoundDense) for k in links)


def written_out(net: Network, part: Component, links: Sequence[AbstractLink] | None = None) -> int:
    """Steps of a component that are written out instead of looped over, at most; 0 where loops are better.

    Args:
        net: The network.
        part: One of its components.
        links: Its inner links, if not those of the network.
    Returns:
        Number of steps.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> js.network.written_out(net, js.network.components(net)[0])
        0
    """
    links = [net.links[i] for i in part.inner] if links is None else links
    if not net.native or not kernels.elementwise_supported() or float_dtype() != jnp.float32:
        return 0
    native = all(net.groups[g].continuous for g in part.groups)
    native &= all(isinstance(k, SparseLink) and k.short_term is None and k.delays is None for k in links)
    if not links or not native:  # what XLA makes loops of takes it minutes to compile
        return 0
    most = min(_MOST, _CALLS // (len(part.groups) + len(links)))
    return most if 2 * most >= _MOST else 0


def _in_one_call(one: Callable[..., Any], carry: Any, xs: Any, n_steps: int, size: int) -> Any:
    """`jax.lax.scan` over the steps of one group natively; a ring of its last emission comes out with two of them."""
    tick, (group,), links = carry
    ring = group.values

    def alone(own: Any, x: Any) -> Any:
        own_state, emissions = own
        now = _with_ring(own_state, emissions[0][None] if emissions else None)
        (_, (after,), _), out = one((tick, (now,), links), x)
        return (_with_ring(after, None), (after.values[0], emissions[0]) if emissions else ()), out

    each = jax.tree.map(lambda x: x if x.ndim == 2 else jnp.broadcast_to(x[:, None], (n_steps, size)), xs)
    own: tuple[GroupState, tuple[Array, ...]] = (_with_ring(group, None), () if ring is None else (ring[0], ring[0]))
    (end, emissions), out = kernels.recurrence(alone, n_steps, size, own, each, native=True)
    ring = jnp.stack(emissions[::-1]) if emissions else None
    return (tick + n_steps, (_with_ring(end, ring),), links), out


@eqx.filter_custom_jvp
def _stepped(links: tuple[AbstractLink, ...], carriers: Carriers, rest: _Rest, fixed: _Fixed) -> Any:
    """Step a component: states of its groups and inner links after it, emissions and samples of each step; carriers.

    Its derivative by the inner links is one product over all steps: what a change of a weight adds to the arrivals
    follows from the emissions, which are known by then.
    """
    return _scan(links, rest, (), fixed, moving=False), carriers


@_stepped.def_jvp  # type: ignore[untyped-decorator]
def _stepped_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    links, carriers, rest, fixed = primals
    d_links, d_carriers, d_rest, _ = tangents
    inner = fixed.part.inner
    links = tuple(with_carrier(k, carriers.get(i)) for i, k in zip(inner, links, strict=True))
    own = [n for n, k in enumerate(links) if jax.tree.leaves(d_links[n]) and vectorizes(k, fixed.mode)]
    passed = [n for n, i in enumerate(inner) if d_carriers.get(i) is not None]
    stepwise = tuple(None if n in own else d for n, d in enumerate(d_links))
    places = [(links[n].target, receptor) for n in (*own, *passed) for receptor in links[n].receptors]
    zeros = [jnp.zeros((fixed.n_steps, rest.net.groups[g].size), float_dtype()) for g, _ in places]
    d_moving = (stepwise, d_rest)
    moving = jax.tree.map(lambda d, x: None if d is None else x, d_moving, (links, rest), is_leaf=_is_none)

    def run(moving: Any, zeros: list[Array]) -> Any:
        own_links, own_rest = eqx.combine(moving, (links, rest))
        more = [(g, receptor, rows) for (g, receptor), rows in zip(places, zeros, strict=True)]
        return _scan(own_links, own_rest, more, fixed, moving=True)

    out, push = jax.linearize(run, moving, zeros)
    emitted = dict(zip(fixed.part.groups, out[2], strict=True))
    changes = [_change(links[n], d_links[n], rest, inner[n], emitted[links[n].source]) for n in own]
    d_carriers = dict(d_carriers)
    for n in passed:
        values = emitted[links[n].source].values
        change, d_carriers[inner[n]] = _passed_change(links[n], d_carriers[inner[n]], rest, values)
        changes.append(change)
    added = [rows[:, k] for rows in changes for k in range(rows.shape[1])]
    return (out, carriers), (jax.tree.map(_without_float0, push(d_moving, added)), d_carriers)


def _change(link: AbstractLink, d_link: Any, rest: _Rest, index: int, emitted: Emitted) -> Array:
    """What a change of a link adds to its arrivals in all steps, (steps, receptors, n)."""
    moving = jax.tree.map(lambda d, x: None if d is None else x, d_link, link, is_leaf=_is_none)

    def arrive(moving: Any) -> Array:
        return arrivals_of(rest.net, eqx.combine(moving, link), rest.state, index, emitted.read_by(link).fixed())

    change: Array = jax.jvp(arrive, (moving,), (d_link,))[1]
    return change


def _passed_change(link: SparseLink, way: Array, rest: _Rest, values: Array) -> tuple[Array, Array]:
    """The same for the change of its weights that a carrier brings, and that change."""
    history, slots = with_past(rest.net, link, rest.state, values, as_bits=False)
    sent = jax.vmap(lambda tick: link.sent(history, tick, link.first))(ticks_of(slots, values.shape[0]))
    graph, marks = link.graph, sent if rest.net.groups[link.source].marks else None
    return kernels.carried_change(
        *(graph.row_ptr, graph.post, marks, link.gain * sent, way), n_post=graph.n_post, native=rest.net.native
    )


def _is_none(x: Any) -> bool:
    return x is None


def _without_float0(x: Any) -> Any:
    return None if x.dtype == jax.dtypes.float0 else x


def _history(net: Network, part: Component, g: int, links: Sequence[AbstractLink] | None = None) -> str:
    """How much of a group's history the steps carry: none, the last emission, or the ring as it is."""
    inner = [k for k in (links or [net.links[i] for i in part.inner]) if k.source == g]
    if not inner:
        return "none"
    last = all(
        isinstance(k, TransformLink)
        and k.slots == 2
        and k.delays is None
        and k.target <= g
        and net.groups[k.target].at_once(k.receptors[0])
        for k in inner
    )
    return "last" if last else "ring"


def _add(total: dict[str, Array], receptor: str, rows: Array) -> None:
    total[receptor] = _plus(total[receptor], rows) if receptor in total else rows


def _plus(a: Array, b: Array) -> Array:
    """Sum of rows for each step, (steps, n), or (steps,) where a group gets the same."""
    rank = max(a.ndim, b.ndim)
    a, b = (x if x.ndim == rank else x[:, None] for x in (a, b))
    return a + b


def _emitted(group: Group, emission: Emission, *, moving: bool) -> tuple[Any, Any]:
    """Numbers and truth values of what was emitted, as far as they are wanted."""
    if emission.values is None:
        return emission.spikes, None
    marks = emission.spikes if group.all_or_none else None
    return emission.values if moving or marks is None else None, marks


def _numbers(emitted: Sequence[tuple[Any, Any]]) -> list[Emitted]:
    """What was emitted, its numbers made of truth values where there are none."""
    return [Emitted(marks.astype(float_dtype()) if values is None else values, marks) for values, marks in emitted]


def _with_ring(state: GroupState, ring: Array | None) -> GroupState:
    return GroupState(state.membrane, state.clamp, state.ids, state.counts, ring, state.peak)


def _carried(state: GroupState, tick: Array, history: str) -> GroupState:
    """The state with as much history as the steps need."""
    if state.values is None or history == "ring":
        return state
    return _with_ring(state, state.values[tick % state.values.shape[0]][None] if history == "last" else None)


def _remember(state: GroupState, before: GroupState, emitted: Array, tick: Array, history: str) -> GroupState:
    """The state after a chunk that began at `tick`, with the ring of the last emissions."""
    ring = before.values
    if ring is None or history == "ring":
        return state
    slots, n_steps = ring.shape[0], emitted.shape[0]
    tail = number(emitted[max(0, n_steps - slots) :], ring.shape[1])
    if n_steps < slots:
        tail = jnp.concatenate([unrolled(ring, tick)[n_steps - 1 :], tail])
    if history == "last" and state.values is not None and state.values.shape == ring.shape:  # came out with as many
        tail = state.values
    age = (tick + n_steps - jnp.arange(slots, dtype=jnp.int32)) % slots
    return _with_ring(state, tail[slots - 1 - age])
