"""The network: groups and links with their state. One object for simulation, training and chips."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array, is_concrete, named
from ..neurons import MembraneState
from ..stimuli import AbstractStimulus, AbstractWaveform, Draw
from . import _build as build
from ._group import Group, GroupState
from ._layout import Layout, check_names, levels
from ._link import AbstractLink, LinkState, SparseLink, TransformLink
from ._population import Population
from ._projection import Projection

# More rows of a summary, of a network and the synapses of its links: what a step takes is known above this file.
SUMMARY_ROWS: list[Callable[["Network", Sequence[int]], str]] = []


class Part(eqx.Module):
    """A run of consecutive neurons that a stimulus reaches.

    Args:
        group: Index of the group.
        first: First neuron within the group.
        offset: First value of the stimulus that goes there.
        size: Number of neurons.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.coba(100).stimuli["kick"].parts[0].size
        100
    """

    group: int = eqx.field(static=True)
    first: int = eqx.field(static=True)
    offset: int = eqx.field(static=True)
    size: int = eqx.field(static=True)


def adjacent_parts(places: Sequence[tuple[int, int, int]]) -> tuple[Part, ...]:
    """Parts of a stimulus from the group, first neuron and size of each target; neighbours become one."""
    parts: list[Part] = []
    offset = 0
    for group, first, size in places:
        last = parts[-1] if parts else None
        if last is not None and (last.group, last.first + last.size) == (group, first):
            parts[-1] = Part(group, last.first, last.offset, last.size + size)
        else:
            parts.append(Part(group, first, offset, size))
        offset += size
    return tuple(parts)


class BoundStimulus(eqx.Module):
    """A stimulus of the network: the stimulus itself, its weights, and where its values go.

    Args:
        stimulus: The stimulus, checked for its targets.
        weights: Weight of an event by receptor; empty for waveforms.
        parts: Where the values go.
        size: Number of target neurons.
        stream: Stable number of its name, for random draws.
        index: Place of each of these neurons within the whole target, uint32 (size,); None: this is the whole target.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.coba(100).stimuli["kick"].size
        100
    """

    stimulus: AbstractStimulus
    weights: dict[str, Array]
    parts: tuple[Part, ...]
    size: int = eqx.field(static=True)
    stream: int = eqx.field(static=True)
    index: Array | None = None


class NetworkState(eqx.Module):
    """Everything that changes during a run.

    Attributes:
        tick: Steps done, int32; the time is tick * dt_ms.
        groups: State of each group, in the order of `Network.groups`.
        links: State of each link by name and target group.
        stimuli: State of each stimulus by name.
    """

    tick: Array
    groups: tuple[GroupState, ...]
    links: tuple[LinkState, ...]
    stimuli: dict[str, Any]


class Network(eqx.Module):
    """Populations, projections and stimuli, drawn, sorted and fused once.

    `js.run` (pure) and `js.simulate` (host driver) step it; both take and give `NetworkState`. All numbers are array
    leaves, so `jax.grad`, `jax.vmap` and optax work on the network itself.

    Args:
        populations: Populations by name.
        projections: Projections by name; the name also names their random draws.
        stimuli: Stimuli by name; the name also names their random draws.
        dt_ms: Step, ms, > 0.
        seed: Seed of everything random, >= 0; structure is drawn now, running draws depend on it as a traced leaf.
        native: Use the native CPU kernels; default: where they are built.
        threads: Threads of the native kernels, 1 to 256. Two pay from about 10^4 neurons on an otherwise idle machine;
            results do not depend on it.
    Raises:
        ValueError: Unknown names, weights in a wrong unit, delays off the grid, a zero-delay loop, wrong sizes.
    References:
        Order of a step: Morrison and Diesmann (2008), in Lectures in Supercomputational Neurosciences, ch. 10 (NEST).
    Example:
        >>> import jaxsyn as js
        >>> cells = js.Population(js.neurons.LIF(), 10)
        >>> net = js.Network({"E": cells}, stimuli={"drive": js.stimuli.Constant("E", I_pA=300.0)}, dt_ms=0.1)
        >>> net.size("E")
        10
    """

    groups: tuple[Group, ...]
    links: tuple[AbstractLink, ...]
    stimuli: dict[str, BoundStimulus]
    seed: Array
    dt_ms: float = eqx.field(static=True)
    native: bool = eqx.field(static=True)
    threads: int = eqx.field(static=True)

    def __init__(
        self,
        populations: Mapping[str, Population],
        projections: Mapping[str, Projection] | None = None,
        stimuli: Mapping[str, AbstractStimulus] | None = None,
        *,
        dt_ms: float,
        seed: int = 0,
        native: bool | None = None,
        threads: int = 1,
    ) -> None:
        projections, stimuli = dict(projections or {}), dict(stimuli or {})
        layout = lay_out(populations, projections, dt_ms, seed, threads)
        links = build.build_links(populations, projections, layout, float(dt_ms), int(seed))
        self.dt_ms, self.seed = float(dt_ms), jnp.asarray(seed, jnp.uint32)
        self.native, self.threads = kernels.native_available() if native is None else native, int(threads)
        self.groups = tuple(build.build_groups(populations, layout, links, int(seed)))
        self.links = tuple(links)
        self.stimuli = bind_stimuli(stimuli, populations, layout, self.dt_ms)

    def with_parts(self, **parts: Any) -> "Network":
        """The same network with other groups, links, stimuli or seed, as they are: nothing is built or checked."""
        new = object.__new__(Network)
        for field in dataclasses.fields(self):
            object.__setattr__(new, field.name, parts.get(field.name, getattr(self, field.name)))
        return new

    def place(self, population: str) -> tuple[int, int, int]:
        """Group, first index and size of a population.

        Raises:
            ValueError: There is no such population.
        """
        for g, group in enumerate(self.groups):
            for name, first, size in group.members:
                if name == population:
                    return g, first, size
        raise ValueError(f"unknown population {population!r}; the network has {list(self.populations())}")

    def populations(self) -> Iterator[str]:
        """Names of the populations, group by group."""
        return (name for group in self.groups for name, _, _ in group.members)

    def size(self, population: str | None = None) -> int:
        """Number of neurons of a population, or of the whole network."""
        return sum(g.size for g in self.groups) if population is None else self.place(population)[2]

    def init_state(self, capacity: int | None = None) -> NetworkState:
        """State at t = 0.

        Args:
            capacity: Room for spikes of a group in one step; default: all neurons, which cannot overflow.
        """
        draws = {name: Draw(self.seed, s.stream) for name, s in self.stimuli.items()}
        return NetworkState(
            tick=jnp.zeros((), jnp.int32),
            groups=tuple(g.init_state(capacity, self.dt_ms) for g in self.groups),
            links=tuple(k.init_state() for k in self.links),
            stimuli={name: s.stimulus.init_state(s.size, draws[name]) for name, s in self.stimuli.items()},
        )

    def view(self, state: NetworkState, population: str) -> MembraneState:
        """Neuron and receptor states of one population, arrays (n,)."""
        g, first, size = self.place(population)
        view: MembraneState = jax.tree.map(lambda x: x[first : first + size], state.groups[g].membrane)
        return view

    def synapses(self, projection: str) -> dict[str, np.ndarray[Any, Any]]:
        """Synapses of a sparse projection on the host: `pre`, `post`, `delay_ms` and the weight of each receptor.

        Indices count within the source population and the target group's populations (`post_population` names them).

        Raises:
            ValueError: There is no such sparse projection.
        """
        found = [k for k in self.links if isinstance(k, SparseLink) and k.name == projection]
        if not found:
            sparse = sorted({k.name for k in self.links if isinstance(k, SparseLink)})
            raise ValueError(f"unknown sparse projection {projection!r}; the network has {sparse}")
        parts: list[dict[str, np.ndarray[Any, Any]]] = []
        for link in found:
            pre, post, steps = link.graph.edges()
            delay_ms = steps * self.dt_ms if link.delays is None else np.asarray(link.delays.ms)[: len(pre)]
            members = self.groups[link.target].members
            starts = np.asarray([m[1] for m in members])
            which = np.searchsorted(starts, post, side="right") - 1
            columns = {"pre": pre, "post": post - starts[which], "delay_ms": delay_ms}
            columns["post_population"] = np.asarray([m[0] for m in members])[which]
            weight = np.asarray(link.weights())
            for r, receptor in enumerate(link.receptors):
                columns[f"weight {receptor}".strip()] = np.broadcast_to(weight[r], (max(weight.shape[1], len(pre)),))[
                    : len(pre)
                ]
            parts.append(columns)
        return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}

    def summary(self) -> str:
        """What the network consists of, how much memory it takes, and about how long: a line for each part."""
        rows = [
            f"Network: {self.size()} neurons, dt {self.dt_ms:g} ms, kernels {'native' if self.native else 'pure JAX'}"
        ]
        state = jax.eval_shape(self.init_state)
        for group, s in zip(self.groups, state.groups, strict=True):
            integrator = type(group.integrator).__name__ if group.integrator is not None else "recurrence"
            members = ", ".join(f"{name} ({size})" for name, _, size in group.members)
            rows.append(f"  population {members}: {type(group.neuron).__name__}, {integrator}, state {_bytes(s)}")
        synapses = [0] * len(self.links)
        for i, link in enumerate(self.links):
            if isinstance(link, SparseLink):
                count = link.graph.n_synapses if is_concrete(link.graph.row_ptr) else link.graph.n_padded
                synapses[i] = count
                rows.append(
                    f"  projection {link.name}: {count} synapses, {'+'.join(link.receptors) or 'drive'}, "
                    f"{link.graph.n_delays} delays, {link.form}, graph {_bytes(link.graph)}, weights "
                    f"{_bytes(link.weight)}"
                )
            elif isinstance(link, TransformLink):
                rows.append(
                    f"  projection {link.name}: {type(link.transform).__name__}, weights {_bytes(link.transform)}"
                )
        rows += [
            f"  stimulus {name}: {type(s.stimulus).__name__} to {s.size} neurons" for name, s in self.stimuli.items()
        ]
        rows.append(f"  total: {sum(synapses)} sparse synapses, network {_bytes(self)}, state {_bytes(state)}")
        rows += [f"  {row(self, synapses)}" for row in SUMMARY_ROWS]
        return "\n".join(rows)


def _bytes(tree: Any) -> str:
    n = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree) if hasattr(x, "dtype"))
    return f"{n / 2**20:.1f} MiB" if n >= 2**20 else f"{n / 2**10:.1f} KiB"


def lay_out(
    populations: Mapping[str, Population], projections: Mapping[str, Projection], dt_ms: float, seed: int, threads: int
) -> Layout:
    """Where each population stands, after checks of everything that needs no drawing."""
    if isinstance(dt_ms, bool) or not isinstance(dt_ms, float | int | np.number) or not 0 < dt_ms < np.inf:
        raise ValueError(f"Network.dt_ms: got {dt_ms!r}; allowed: a number > 0, such as 0.1")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"Network.seed: got {seed!r}; allowed: a whole number from 0 to 2^32 - 1")
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or not 1 <= threads <= 256:
        raise ValueError(f"Network.threads: got {threads!r}; allowed: a whole number from 1 to 256, at most the cores")
    check_names(populations, projections)
    build.check_step(populations, float(dt_ms))
    return Layout(populations, levels(populations, projections, float(dt_ms)))


def bind_stimuli(
    stimuli: Mapping[str, AbstractStimulus], populations: Mapping[str, Population], layout: Layout, dt_ms: float
) -> dict[str, BoundStimulus]:
    """Stimuli checked for their targets, in the order of their names."""
    return {name: _bind_stimulus(name, s, populations, layout, dt_ms) for name, s in sorted(stimuli.items())}


def _bind_stimulus(
    name: str, stimulus: AbstractStimulus, populations: Mapping[str, Population], layout: Layout, dt_ms: float
) -> BoundStimulus:
    if not isinstance(stimulus, AbstractStimulus):
        raise ValueError(
            f"Network.stimuli[{name!r}]: got {type(stimulus).__name__}; allowed: e.g. js.stimuli.Poisson(...)"
        )
    for target in stimulus.target:
        if target not in populations:
            raise ValueError(f"stimulus {name!r}: unknown population {target!r}; the network has {sorted(populations)}")
    targets = [populations[t] for t in stimulus.target]
    if isinstance(stimulus, AbstractWaveform):
        for target, p in zip(stimulus.target, targets, strict=True):
            if (p.integrator is None) != (stimulus.unit == "1"):
                want = "drive (a pure number)" if p.integrator is None else "I_pA"
                raise ValueError(f"stimulus {name!r}: population {target!r} takes {want}")
    weights = build.resolve_stimulus_weights(name, stimulus.weights, targets)
    if any(w.keys() != weights[0].keys() for w in weights):
        raise ValueError(f"stimulus {name!r}: its targets have different receptors; make one stimulus for each")
    size = sum(p.size for p in targets)
    parts = adjacent_parts([(*layout.places[t], p.size) for t, p in zip(stimulus.target, targets, strict=True)])
    for receptor, value in weights[0].items():
        if np.shape(value) not in ((), (size,)):
            raise ValueError(
                f"stimulus {name!r}: weight of {receptor or 'drive'} has shape {np.shape(value)}; allowed: "
                f"() or ({size},)"
            )
    with named(f"stimulus {name!r}"):
        bound = stimulus.bind(size, dt_ms)
    return BoundStimulus(bound, weights[0], parts, size, kernels.stream_id(f"stimulus {name}"))
