"""Links: projections bound to groups, sorted and sized; how their arrivals are computed."""

import abc
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import kernels
from .._core import Array, float_dtype, without_gradient
from ..connect import AbstractBoundTransform, BoundDelayedDense, BoundDense, Delays, SparseGraph, bcoo_push
from ..plasticity import AbstractShortTerm


class LinkState(eqx.Module):
    """State of a link.

    Attributes:
        release: Short-term plasticity of its sources, or None.
        values: Ring of amplitudes sent, (slots, n_sources), or None without short-term plasticity.
        statistics: Running statistics of a transform with batch normalization, else ().
    """

    release: Any
    values: Array | None
    statistics: Any


class AbstractLink(eqx.Module):
    """A projection between two groups.

    Attributes:
        name: Name of the projection.
        population: Name of the source population.
        source, target: Indices of the groups.
        first, n_sources: Slice of the source population within its group.
        receptors: Names of the receptors it reaches; "" for discrete neurons.
        slots: Steps of history it needs: longest delay + 1.
        instant: Whether it has synapses of delay 0.
    """

    name: eqx.AbstractVar[str]
    population: eqx.AbstractVar[str]
    source: eqx.AbstractVar[int]
    target: eqx.AbstractVar[int]
    first: eqx.AbstractVar[int]
    n_sources: eqx.AbstractVar[int]
    receptors: eqx.AbstractVar[tuple[str, ...]]
    slots: eqx.AbstractVar[int]
    instant: eqx.AbstractVar[bool]

    @property
    @abc.abstractmethod
    def reads_values(self) -> bool:
        """Whether it reads the history of numbers of its source group."""

    @abc.abstractmethod
    def init_state(self) -> LinkState:
        """State before the first spike, statistics before training."""


class SparseLink(AbstractLink):
    """Synapses of a sparse graph; several receptors share it.

    Attributes:
        graph: Rows of (delay, source); targets are indices in the target group.
        weight: Shape (receptors, synapses padded) or (receptors, 1) for one weight each, as they are stored.
        scale: What stored weights are multiplied by, (receptors,), or None for 1.
        gain: Factor of all weights.
        short_term: Release of the sources, or None.
        delays: Trained delays, (synapses padded,), in place of those of the graph, or None.
        name: Name of the projection.
        population: Name of the source population.
        source, target: Indices of the groups.
        first, n_sources: Slice of the source population within its group.
        receptors: Names of the receptors it reaches; "" for discrete neurons.
        slots: Steps of history it needs: longest delay + 1.
        instant: Whether it has synapses of delay 0.
        form: "ids" (late delivery of spike ids), "values" (numbers with gradient or amplitude) or "bcoo".
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.cuba(100).links[0].form
        'ids'
    """

    graph: SparseGraph
    weight: Array
    scale: Array | None
    gain: Array
    short_term: AbstractShortTerm | None
    delays: Delays | None
    name: str = eqx.field(static=True)
    population: str = eqx.field(static=True)
    source: int = eqx.field(static=True)
    target: int = eqx.field(static=True)
    first: int = eqx.field(static=True)
    n_sources: int = eqx.field(static=True)
    receptors: tuple[str, ...] = eqx.field(static=True)
    slots: int = eqx.field(static=True)
    instant: bool = eqx.field(static=True)
    form: str = eqx.field(static=True)

    @property
    def reads_values(self) -> bool:
        """Whether emissions travel as numbers; with short-term plasticity it has a history of its own."""
        return self.form != "ids" and self.short_term is None

    def weights(self) -> Array:
        """Weights as numbers of the usual type, shape of `weight`."""
        numbers = self.weight.astype(float_dtype())
        return numbers if self.scale is None else numbers * self.scale[:, None]

    def init_state(self) -> LinkState:
        """State before the first spike."""
        if self.short_term is None:
            return LinkState(None, None, ())
        ring = jnp.zeros((self.slots, self.n_sources), float_dtype())
        return LinkState(self.short_term.init_state(self.n_sources), ring, ())

    def release(self, state: LinkState, spikes: Array, tick: Array, dt_ms: float) -> tuple[Array, LinkState]:
        """Amplitudes of the spikes of its sources stamped `tick`, and the state after their release."""
        assert self.short_term is not None
        amplitude, release = self.short_term.release(state.release, spikes, tick, dt_ms)
        return amplitude, LinkState(release, state.values, state.statistics)

    def deliver_ids(
        self,
        acc: Sequence[Array],
        ids: Array,
        counts: Array,
        tick: Array,
        *,
        native: bool,
        threads: int,
        refusal: str,
    ) -> list[Array]:
        """Add the arrivals due at `tick` to an accumulator (n_targets,) for each receptor.

        `refusal` is said to who differentiates in weight or gain.
        """
        graph = self.graph
        if self.weight.dtype != float_dtype():
            stored = f"projection {self.name!r}: a weight stored as {self.weight.dtype} has no gradient, drop storage"
            refusal = f"{stored}; {refusal}"
        gain = self.gain if self.scale is None else self.gain * self.scale
        weight, gain = without_gradient((self.weight, gain), refusal)
        return kernels.deliver(
            *(acc, graph.row_ptr, graph.post, weight, gain, graph.delays, ids, counts, tick),
            first=self.first,
            n_sources=self.n_sources,
            native=native,
            threads=threads,
        )

    def deliver_values(
        self, onto: Sequence[Array], values: Array, tick: Array, first: int, *, marked: bool, native: bool
    ) -> list[Array]:
        """`onto`, (n_targets,) for each receptor, and what is due at `tick` of a ring of numbers, `marked` or not."""
        if self.delays is not None:
            return self._deliver_between(self.delays, onto, values, tick, first, native=native)
        sent = self.sent(values, tick, first)
        source, marks = self.gain * sent, sent if marked and self.short_term is None else None
        graph = (self.graph.row_ptr, self.graph.post)
        if self.form == "bcoo":
            out = bcoo_push(*graph, self.weight, source, n_post=self.graph.n_post)
            return [row + new for row, new in zip(onto, out, strict=True)]
        return kernels.push(onto, *graph, self.weight, source, native=native, marks=marks)

    def sent(self, values: Array, tick: Array, first: int) -> Array:
        """What of a ring of numbers is due at `tick`, one for each row of the graph."""
        rows = (tick - self.graph.delays) % values.shape[0]
        sent = (
            values[rows][:, first : first + self.n_sources]
            if values.shape[0] > 1
            else values[:, first:][:, : self.n_sources]
        )
        return jnp.ravel(jnp.broadcast_to(sent, (self.graph.n_delays, self.n_sources)))

    def _deliver_between(
        self, delays: Delays, onto: Sequence[Array], values: Array, tick: Array, first: int, *, native: bool
    ) -> list[Array]:
        """The same with trained delays: each synapse reads the two emissions beside its delay."""
        n, (whole, fraction) = self.graph.n_padded, delays.split()
        source = first + jnp.minimum(kernels.synapse_rows(self.graph.row_ptr, n), self.n_sources - 1)
        near, far = (values[(tick - (whole + k)) % values.shape[0], source] for k in (0, 1))
        rows = jnp.minimum(jnp.arange(n + 1, dtype=jnp.int32), self.graph.row_ptr[-1])  # one for each synapse
        sent = self.gain * (near + fraction * (far - near))
        return kernels.push(onto, rows, self.graph.post, self.weight, sent, native=native)


class TransformLink(AbstractLink):
    """A dense transform between two populations with one delay.

    Attributes:
        transform: Maps emissions (n_sources,) to arrivals (n_targets,).
        gain: Factor of all arrivals.
        delay_steps: Delay in steps, int32; the longest where delays are trained.
        name: Name of the projection.
        population: Name of the source population.
        source, target: Indices of the groups.
        first, n_sources: Slice of the source population within its group.
        receptors: Names of the receptors it reaches; "" for discrete neurons.
        slots: Steps of history it needs: longest delay + 1.
        instant: Whether it has synapses of delay 0.
        by_events: Whether zeros among the emissions are skipped: a dense matrix behind spikes.
        first_target, n_targets: Slice of the target population within its group.
    Example:
        >>> import jaxsyn as js
        >>> cells = {"in": js.Population(js.neurons.Relay(), 3), "out": js.Population(js.neurons.DiscreteLIF(), 2)}
        >>> net = js.Network(cells, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> net.links[0].transform.weight.shape
        (3, 2)
    """

    transform: AbstractBoundTransform
    gain: Array
    delay_steps: Array
    name: str = eqx.field(static=True)
    population: str = eqx.field(static=True)
    source: int = eqx.field(static=True)
    target: int = eqx.field(static=True)
    first: int = eqx.field(static=True)
    n_sources: int = eqx.field(static=True)
    first_target: int = eqx.field(static=True)
    n_targets: int = eqx.field(static=True)
    receptors: tuple[str, ...] = eqx.field(static=True)
    slots: int = eqx.field(static=True)
    instant: bool = eqx.field(static=True)
    by_events: bool = eqx.field(static=True)

    @property
    def reads_values(self) -> bool:
        """Always: a transform takes numbers."""
        return True

    def init_state(self) -> LinkState:
        """Statistics before training."""
        return LinkState(None, None, self.transform.init_statistics())

    @property
    def delays(self) -> Delays | None:
        """Trained delays, (n_sources, n_targets), or None."""
        return self.transform.delays if isinstance(self.transform, BoundDelayedDense) else None

    def sent(self, values: Array, tick: Array) -> Array:
        """What arrives at `tick`, (n_sources,), from a ring of numbers (slots, n); with trained delays all that may."""
        if self.delays is not None:
            ages = jnp.arange(self.delays.low, self.delays.high + 1, dtype=jnp.int32)
            return values[(tick - ages) % values.shape[0]][:, self.first : self.first + self.n_sources].ravel()
        row = values[(tick - self.delay_steps) % values.shape[0]] if values.shape[0] > 1 else values[0]
        return row[self.first : self.first + self.n_sources]

    def deliver(
        self,
        state: LinkState,
        sent: Array,
        size: int,
        *,
        training: bool,
        axis_name: str | None,
        native: bool,
        moving: Array | None = None,
    ) -> tuple[Array, LinkState]:
        """Arrivals for the whole target group, (1, size), of what was sent; see `kernels.spike_matmul`."""
        statistics = state.statistics
        if isinstance(self.transform, BoundDense) and self.by_events:
            out = self.transform.of_spikes(sent, native=native, moving=moving)
        elif isinstance(self.transform, BoundDelayedDense) and self.by_events:
            out = self.transform.of_spikes(sent, native=native)
        else:
            out, statistics = self.transform(
                number(sent, self.n_sources), statistics, training=training, axis_name=axis_name
            )
        out = self.gain * spread(out, self.first_target, size)
        return out[None, :], LinkState(state.release, state.values, statistics)


def remember(state: LinkState, amplitude: Array | None, tick: Array) -> LinkState:
    """A link that sent amplitudes stamped `tick`, with these in its own history."""
    if amplitude is None or state.values is None:
        return state
    ring = jax.lax.dynamic_update_index_in_dim(state.values, amplitude, tick % state.values.shape[0], 0)
    return LinkState(state.release, ring, state.statistics)


def number(values: Array, n: int) -> Array:
    """Emissions as floats.

    Args:
        values: Numbers or bool (..., n), or bits as `kernels.pack` gives them.
        n: Number of neurons.
    Returns:
        Numbers, shape (..., n).
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> js.network.number(jnp.asarray([True, False]), 2).tolist()
        [1.0, 0.0]
    """
    values = kernels.unpack(values, n) if values.dtype == jnp.uint32 else values
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(float_dtype())


def spread(values: Array, first: int, size: int) -> Array:
    """Values of a slice that begins at `first`, as an array of the whole group, zero elsewhere."""
    n = values.shape[0]
    return values if n == size else jnp.pad(values, (first, size - first - n))
