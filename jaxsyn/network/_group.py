"""Groups: populations of equal model, fused so that they are stepped as one."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array, float_dtype, is_concrete
from ..connect import AbstractDistribution, GraphKey
from ..neurons import (
    AbstractContinuousNeuron,
    AbstractIntegrator,
    AbstractNeuron,
    Membrane,
    MembraneState,
    Refractory,
)
from ..receptors import AbstractReceptor
from ..surrogate import AbstractSurrogate, hard_spike
from ._population import Population

Member = tuple[str, int, int]


class GroupState(eqx.Module):
    """State of a group.

    Attributes:
        membrane: Neuron state and receptor states by name, arrays (n,).
        clamp: Steps (on the grid, int32) or time in ms left in the refractory period, (n,), or None.
        ids: Ring of emitted indices, int32 (slots, capacity), or None.
        counts: Number of emissions of each slot, int32 (slots,), or None.
        values: Ring of emissions as numbers, (slots, n), or None: where gradients or amplitudes travel.
        peak: Largest number of emissions in one step so far, int32, or None.
    """

    membrane: MembraneState
    clamp: Array | None
    ids: Array | None
    counts: Array | None
    values: Array | None
    peak: Array | None


class Emission(eqx.Module):
    """What a group emitted in one step.

    Attributes:
        spikes: Bool (n,); None for amplitude groups without spikes.
        values: The same as numbers with gradient, or amplitudes, (n,).
        fraction: Where in the step, in (0, 1]; None where spikes are on the grid.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> state, emissions = js.network.step(net, js.network.prepare(net), net.init_state(), {})
        >>> emissions[0].spikes.tolist()
        [False, False]
    """

    spikes: Array
    values: Array | None
    fraction: Array | None

    def only(self, real: Array) -> "Emission":
        """The emissions of some neurons, bool (n,), nothing from the others."""
        values = None if self.values is None else jnp.where(real, self.values, 0.0)
        return Emission(self.spikes & real, values, self.fraction)


class Sent(eqx.Module):
    """What a network sends in one step.

    Attributes:
        emissions: Of each group.
        amplitudes: Of the sources of each link with short-term plasticity, (n_sources,), by number of the link.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.network import Emission, Sent
        >>> Sent((Emission(jnp.array([True, False]), None, None),), {}).emissions[0].spikes.tolist()
        [True, False]
    """

    emissions: tuple[Emission, ...]
    amplitudes: dict[int, Array]


class Group(eqx.Module):
    """Populations of equal model in one long array.

    Attributes:
        neuron, receptors, integrator, refractory_ms, surrogate: As in `Population`, parameters concatenated.
        start: State at the start of a run.
        members: Name, first index and size of each population.
        given: Variables of each population whose initial values were given, in the order of `members`.
        size: Number of neurons.
        id_slots, value_slots: Steps of history kept as ids and as numbers, 0 for none.
        real: Which neurons there are, bool (n,), where the others only fill up the share of a device; None: all.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> net.groups[0].name
        'E'
    """

    neuron: AbstractNeuron
    receptors: dict[str, AbstractReceptor]
    integrator: AbstractIntegrator | None
    refractory_ms: Array | None
    surrogate: AbstractSurrogate | None
    start: MembraneState
    members: tuple[Member, ...] = eqx.field(static=True)
    given: tuple[tuple[str, ...], ...] = eqx.field(static=True)
    size: int = eqx.field(static=True)
    id_slots: int = eqx.field(static=True)
    value_slots: int = eqx.field(static=True)
    real: Array | None = None

    @property
    def name(self) -> str:
        """Names of the populations, joined."""
        return "+".join(m[0] for m in self.members)

    @property
    def continuous(self) -> bool:
        """Whether the neurons are continuous (as opposed to discrete)."""
        return isinstance(self.neuron, AbstractContinuousNeuron)

    @property
    def carries_values(self) -> bool:
        """Whether emissions are numbers with gradient or amplitude, not just spikes."""
        return carries_values(self.neuron, self.surrogate)

    @property
    def membrane(self) -> Membrane:
        """Neuron and receptors as one equation."""
        assert isinstance(self.neuron, AbstractContinuousNeuron)
        return Membrane(self.neuron, self.receptors)

    def weight_units(self) -> dict[str, str]:
        """Unit of an arrival by receptor; discrete neurons have the one nameless receptor "" with pure numbers."""
        return {name: r.weight_unit for name, r in self.receptors.items()} if self.continuous else {"": "1"}

    def at_once(self, receptor: str) -> bool:
        """Whether arrivals at a receptor act in the very step (delta, discrete) or from the next one on."""
        return not self.continuous or self.receptors[receptor].at_once

    def init_state(self, capacity: int | None, dt_ms: float) -> GroupState:
        """State at tick 0 with room for `capacity` spikes in a step (default: all neurons)."""
        room = self.size if capacity is None else min(capacity, self.size)
        refractory: Array | None = None
        if self.refractory_ms is not None and self.integrator is not None:
            refractory = jnp.zeros(self.size, jnp.int32 if self.integrator.on_grid else float_dtype())
        ids = jnp.zeros((self.id_slots, max(room, 1)), jnp.int32) if self.id_slots else None
        return GroupState(
            membrane=jax.tree.map(lambda x: x + 0, self.start),
            clamp=refractory,
            ids=ids,
            counts=None if ids is None else jnp.zeros(self.id_slots, jnp.int32),
            values=jnp.zeros((self.value_slots, self.size), float_dtype()) if self.value_slots else None,
            peak=None if ids is None else jnp.zeros((), jnp.int32),
        )

    def spike(self, gap: Array) -> Array:
        """Spikes of a threshold gap, as bool without surrogate, as numbers with gradient with one."""
        return hard_spike(gap, self.name) if self.surrogate is None else self.surrogate(gap)

    @property
    def _hard(self) -> bool:
        """Whether there is a surrogate, and spikes are 0 or 1 all the same."""
        return self.surrogate is not None and type(self.surrogate).__call__ is AbstractSurrogate.__call__

    @property
    def marks(self) -> bool:
        """Whether emissions of 0 with the derivative 0 are written -0.0: sparse links carry no gradient to them."""
        return self.continuous and self._hard

    @property
    def all_or_none(self) -> bool:
        """Whether emissions that are numbers are all 0 or 1, and no 0 is marked."""
        return self._hard and not self.marks and not self.neuron.graded

    def marked(self, spikes: Array, gap: Array) -> Array:
        """Spikes as numbers with gradient, as they are or marked."""
        if not self.marks:
            return spikes
        assert self.surrogate is not None
        return jnp.where((spikes == 0) & (self.surrogate.derivative(gap) == 0), -0.0, spikes)

    def refractory_of(self, clamp: Array | None, dt_ms: float) -> Refractory | None:
        """Refractory state in the unit of the integrator: steps on the grid, ms otherwise."""
        if clamp is None or self.refractory_ms is None or self.integrator is None:
            return None
        total = self.refractory_ms
        if self.integrator.on_grid:
            total = jnp.rint(self.refractory_ms / dt_ms).astype(jnp.int32)
        return Refractory(clamp, total, dt_ms)


def unmarked(values: Array) -> Array:
    """Emissions as the user sees them: 0.0 in place of -0.0, their gradient as it is.

    Args:
        values: Numbers that groups with `marks` emitted, any shape.
    Returns:
        The same without marks.
    Example:
        >>> unmarked(jnp.array([1.0, -0.0])).tolist()
        [1.0, 0.0]
    """
    return jnp.where((values == 0) & jnp.signbit(values), 0.0, values)


def carries_values(neuron: AbstractNeuron, surrogate: AbstractSurrogate | None) -> bool:
    """Whether the emissions of a population are numbers with gradient or amplitude, not just spikes."""
    return surrogate is not None or neuron.graded


def _same(a: Any, b: Any) -> bool:
    if not (hasattr(a, "shape") and hasattr(b, "shape")):
        return bool(a == b)
    if not (is_concrete(a) and is_concrete(b)):
        return a is b
    return np.shape(a) == np.shape(b) and np.ndim(a) == 0 and bool(np.asarray(a) == np.asarray(b))


def _concatenate(sizes: Sequence[int], leaves: Sequence[Any]) -> Any:
    """One leaf for several populations: kept a scalar where all agree, else one value for each neuron."""
    if all(_same(leaves[0], leaf) for leaf in leaves[1:]) and (len(leaves) == 1 or np.ndim(leaves[0]) == 0):
        return leaves[0]
    if not hasattr(leaves[0], "shape"):
        return leaves[0]
    return jnp.concatenate([jnp.broadcast_to(leaf, (n,)) for n, leaf in zip(sizes, leaves, strict=True)])


def model_key(population: Population) -> Any:
    """What must agree for two populations to be stepped as one: structure, and scalar surrogate parameters."""
    parts = (population.neuron, population.receptors, population.integrator, population.refractory_ms)
    surrogate = jax.tree.leaves(population.surrogate)
    numbers = tuple(float(x) if is_concrete(x) and np.ndim(x) == 0 else id(population) for x in surrogate)
    return jax.tree.structure(parts), jax.tree.structure(population.surrogate), numbers, tuple(population.receptors)


def fuse(populations: dict[str, Population], seed: int, slots: tuple[int, int]) -> Group:
    """One group of populations with equal `model_key`."""
    sizes = [p.size for p in populations.values()]
    parts = [(p.neuron, p.receptors, p.refractory_ms) for p in populations.values()]
    neuron, receptors, refractory_ms = jax.tree.map(lambda *leaves: _concatenate(sizes, leaves), *parts)
    first = next(iter(populations.values()))
    starts = [initial_state(name, p, seed) for name, p in populations.items()]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    return Group(
        neuron=neuron,
        receptors={name: receptors[name] for name in first.receptors},
        integrator=first.integrator,
        refractory_ms=refractory_ms,
        surrogate=first.surrogate,
        start=jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts),
        members=tuple((n, int(o), s) for n, o, s in zip(populations, offsets, sizes, strict=False)),
        given=tuple(tuple(sorted(p.initial)) for p in populations.values()),
        size=int(sum(sizes)),
        id_slots=slots[0],
        value_slots=slots[1],
    )


def initial_state(name: str, population: Population, seed: int) -> MembraneState:
    """State of a population at the start of a run: that of its models, with the values of `initial` put in.

    Args:
        name: Name of the population; it also names the draws of initial values.
        population: The population.
        seed: Seed of initial values that are distributions.
    Returns:
        Neuron and receptor states, arrays (n,).
    Raises:
        ValueError: `initial` names a variable that there is not.
    Example:
        >>> import jaxsyn as js
        >>> cells = js.Population(js.neurons.LIF(), 3, initial={"V_mV": -55.0})
        >>> js.network.initial_state("E", cells, 0).neuron.V_mV.tolist()
        [-55.0, -55.0, -55.0]
    """
    shape, key = (population.size,), GraphKey(seed, name)
    receptors = {r: receptor.init_state(shape) for r, receptor in population.receptors.items()}
    state = MembraneState(population.neuron.init_state(shape), receptors)
    for variable, value in population.initial.items():
        owner, _, field = variable.rpartition(".")
        part = state.receptors.get(owner) if owner else state.neuron
        if part is None or not hasattr(part, field):
            known = [*vars(state.neuron), *(f"{r}.{f}" for r, s in state.receptors.items() for f in vars(s))]
            raise ValueError(f"Population {name!r}: unknown initial variable {variable!r}; allowed: {', '.join(known)}")
        if isinstance(value, AbstractDistribution):
            value = value.sample(key.generator(f"initial {variable}"), shape)
        new = jnp.broadcast_to(jnp.asarray(value, float_dtype()), shape)

        def leaf(s: MembraneState, owner: str = owner, field: str = field) -> Any:
            return getattr(s.receptors[owner] if owner else s.neuron, field)

        state = eqx.tree_at(leaf, state, new)
    return state


def emit(
    group: Group, state: GroupState, emission: Emission, tick: Array, *, after: Sequence[Array], native: bool
) -> GroupState:
    """Write the emissions stamped `tick` into the history, after what was read of it in this step (no copy then)."""
    ids, counts, values, peak = state.ids, state.counts, state.values, state.peak
    if ids is not None and counts is not None and peak is not None:
        ids, counts, peak = kernels.emit(emission.spikes, ids, counts, peak, tick, native=native, after=after)
    if values is not None:
        if after:
            values, _ = kernels.settle((values, list(after)), native=native)
        now = emission.values if emission.values is not None else emission.spikes.astype(values.dtype)
        if values.shape[0] == 1:
            return GroupState(state.membrane, state.clamp, ids, counts, now[None], peak)
        values = jax.lax.dynamic_update_index_in_dim(values, now, tick % values.shape[0], 0)
    return GroupState(state.membrane, state.clamp, ids, counts, values, peak)
