"""Networks that are not drawn: the same structure with the shape of each array, and how many synapses to expect."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._core import float_dtype, named
from ..connect import (
    AbstractDistribution,
    AbstractRule,
    AbstractTransform,
    Delays,
    Expected,
    SparseGraph,
    TrainableDelay,
    delay_span,
    delay_to_steps,
    padded_size,
    sample_values,
)
from ..kernels import native_available, target_blocks
from ..stimuli import AbstractStimulus
from . import _build as build
from . import _sparse as sparse
from ._delay import given_delays, has_zero_delay
from ._layout import Layout, resolve_weights
from ._link import AbstractLink, SparseLink
from ._network import Network, bind_stimuli, lay_out
from ._population import Population
from ._projection import Projection
from ._storage import weight_dtype

_QUANTILES = 100_000  # of a delay distribution with a long tail


class Sketch(NamedTuple):
    """A network that is not drawn.

    Args:
        network: The network; each array is a `jax.ShapeDtypeStruct` of the size that it would have.
        synapses: Expected number of synapses of each of its links, in their order; 0 for transforms.
        edges: Expected number of edges of each sparse projection, drawn as one.
        projections: The projections by name.
        shortest_steps: Shortest delay of a sparse projection, steps; 0 without one.
    Example:
        >>> import jaxsyn as js
        >>> cells = {"E": js.Population(js.neurons.LIF(), 10**9, {"exc": js.receptors.Delta()})}
        >>> rule = js.connect.FixedInDegree(1000)
        >>> recurrent = {"E_E": js.Projection("E", "E", rule, weight_mV=0.1, delay_ms=1.5)}
        >>> js.network.sketch(cells, recurrent, dt_ms=0.1).synapses
        (1000000000000.0,)
    """

    network: Network
    synapses: tuple[float, ...]
    edges: dict[str, float]
    projections: dict[str, Projection]
    shortest_steps: int


def sketch(
    populations: Mapping[str, Population],
    projections: Mapping[str, Projection] | None = None,
    stimuli: Mapping[str, AbstractStimulus] | None = None,
    *,
    dt_ms: float,
    seed: int = 0,
    native: bool | None = None,
    threads: int = 1,
) -> Sketch:
    """What `Network(...)` would give, without drawing a synapse: for plans of networks of any size.

    Args:
        populations, projections, stimuli, dt_ms, seed, native, threads: As for `Network`.
    Returns:
        The shapes of the network, and its expected numbers of synapses.
    Raises:
        ValueError: As `Network`; or a rule does not say how many synapses it gives.
    Example:
        >>> import jaxsyn as js
        >>> js.network.sketch({"E": js.Population(js.neurons.LIF(), 10**9)}, dt_ms=0.1).network.size()
        1000000000
    """
    projections = dict(projections or {})
    layout = lay_out(populations, projections, dt_ms, seed, threads)
    counts: list[float] = []
    edges: dict[str, float] = {}
    shortest: list[int] = []

    def shapes() -> Network:
        links: list[AbstractLink] = []
        for name, projection in projections.items():
            weights = resolve_weights(name, projection, populations)
            with named(f"projection {name!r}"):
                if isinstance(projection.connectivity, AbstractTransform):
                    place = (populations, layout, weights)
                    links.append(build.transform_link(name, projection, *place, (float(dt_ms), None)))
                    counts.append(0.0)
                    continue
                drawer = _Undrawn(name, projection, populations, layout, float(dt_ms))
                edges[name] = drawer.total
                shortest.append(drawer.delays[0])
                for link, count in drawer.links(weights):
                    links.append(link)
                    counts.append(count)
        plain = {name: _without_draws(p) for name, p in populations.items()}
        network = object.__new__(Network)
        fields = {
            "groups": tuple(build.build_groups(plain, layout, links, int(seed))),
            "links": tuple(links),
            "stimuli": bind_stimuli(stimuli or {}, populations, layout, float(dt_ms)),
            "seed": jnp.asarray(seed, jnp.uint32),
            "dt_ms": float(dt_ms),
            "native": native_available() if native is None else native,
            "threads": int(threads),
        }
        for field, value in fields.items():
            object.__setattr__(network, field, value)
        return network

    network: Network = eqx.filter_eval_shape(shapes)
    return Sketch(network, tuple(counts), edges, projections, min(shortest, default=0))


def _without_draws(population: Population) -> Population:
    """The population with a number in place of each distribution of initial values."""
    initial = {k: 0.0 if isinstance(v, AbstractDistribution) else v for k, v in population.initial.items()}
    plain: Population = eqx.tree_at(lambda p: p.initial, population, initial, is_leaf=lambda x: x is population.initial)
    return plain


class _Undrawn:
    """The links of one sparse projection, by their sizes."""

    def __init__(
        self,
        name: str,
        projection: Projection,
        populations: Mapping[str, Population],
        layout: Layout,
        dt_ms: float,
    ) -> None:
        self.name, self.projection, self.layout, self.dt_ms = name, projection, layout, dt_ms
        self.source = populations[projection.source]
        self.sizes = [populations[t].size for t in projection.target]
        self.parts = self._expected()
        self.total = sum(part.mean for part in self.parts)
        several = len(self.parts) > 1
        self.room = sum(max(p.room, math.ceil(p.mean)) for p in self.parts) if several else self.parts[0].room
        self.delays = self._delays()

    def _expected(self) -> list[Expected]:
        """Edges of each rule."""
        rules, n_pre = self.projection.connectivity, self.source.size
        if isinstance(rules, tuple):
            return [
                rule.expected(n_pre, n, same_population=target == self.projection.source)
                for rule, target, n in zip(rules, self.projection.target, self.sizes, strict=True)
            ]
        assert isinstance(rules, AbstractRule)
        same = sparse.is_recurrent(self.name, self.projection)
        return [rules.expected(n_pre, sum(self.sizes), same_population=same)]

    def _delays(self) -> tuple[int, int, int]:
        """The shortest delay in steps, the longest, and how many there are."""
        value, least = self.projection.delay_ms, 0 if has_zero_delay(self.projection, self.dt_ms) else 1
        if not isinstance(value, AbstractDistribution):
            steps = given_delays(self.name, self.projection, round(self.total), self.dt_ms)
            return (
                int(np.min(steps, initial=2**31 - 1)),
                int(np.max(steps, initial=least)),
                max(len(np.unique(steps)), 1),
            )
        n = min(max(round(self.total), 1), _QUANTILES)
        usual = delay_to_steps(value.transform((np.arange(n) + 0.5) / n), self.dt_ms, sampled=True)
        span = delay_span(value, max(round(self.total), self.room), self.dt_ms)
        assert span is not None
        within = span[1] - span[0] <= 2 * int(usual.max() - usual.min()) + 32
        distinct = span[1] - span[0] + 1 if within else len(np.unique(usual))
        return min(int(usual.min()), span[0]), max(int(usual.max()), span[1], least), distinct

    def _each(self, weights: dict[str, Any]) -> bool:
        """Whether each synapse has its own weight."""
        own = False
        for receptor, value in weights.items():
            where, weighted = sparse.weight_name(self.name, receptor), self.parts[0].weighted
            sparse.check_given(where, value, weighted)
            if not weighted and not isinstance(value, AbstractDistribution):
                nothing = np.random.default_rng(0)
                sample_values(value, (round(self.total),), nothing, name=where)
            own |= weighted or isinstance(value, AbstractDistribution) or np.ndim(value) > 0
        return own

    def links(self, weights: dict[str, Any]) -> list[tuple[SparseLink, float]]:
        """One link for each target group, with its expected number of synapses."""
        _, longest, n_delays = self.delays
        each, n_pre = self._each(weights), self.source.size
        g_source, first = self.layout.places[self.projection.source]
        out = []
        for g, share in self._shares().items():
            count = max(round(share), self.room)
            stored = max(padded_size(count), count)  # one that is too large to be built is planned all the same
            n_post, compact = self.layout.sizes[g], self.projection.storage != "full"
            index = jnp.uint16 if compact else jnp.int32
            graph = SparseGraph(
                row_ptr=jnp.zeros(target_blocks(index, n_post) * n_delays * n_pre + 1, jnp.int32),
                post=jnp.zeros(stored, index),
                delays=jnp.zeros(n_delays, jnp.int32),
                n_pre=n_pre,
                n_post=n_post,
            )
            dtype = weight_dtype(self.projection.storage) if each else float_dtype()
            link = SparseLink(
                graph=graph,
                weight=jnp.zeros((len(weights), stored if each else 1), dtype),
                scale=jnp.ones(len(weights), float_dtype()) if dtype.kind == "i" else None,
                gain=self.projection.gain,
                short_term=self.projection.short_term,
                delays=self._trained(stored),
                name=self.name,
                population=self.projection.source,
                source=g_source,
                target=g,
                first=first,
                n_sources=n_pre,
                receptors=tuple(weights),
                slots=longest + 1,
                instant=has_zero_delay(self.projection, self.dt_ms),
                form=sparse.propagation_form(self.name, self.projection, self.source),
            )
            out.append((link, share))
        return out

    def _trained(self, stored: int) -> Delays | None:
        """Trained delays of a link."""
        delay = self.projection.delay_ms
        return delay.bind((stored,), self.dt_ms, None) if isinstance(delay, TrainableDelay) else None

    def _shares(self) -> dict[int, float]:
        """Expected synapses by target group: those of its rules, or in proportion to its neurons."""
        groups = [self.layout.places[t][0] for t in self.projection.target]
        each = [p.mean for p in self.parts]
        if len(each) < len(groups):
            each = [self.total * n / max(sum(self.sizes), 1) for n in self.sizes]
        shares = dict.fromkeys(sorted(groups), 0.0)
        for g, n in zip(groups, each, strict=True):
            shares[g] += n
        return shares
