"""One step of a network as online rules see it: what was sent, how each neuron responds, what the loss asks for."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array
from ..connect import BoundDense
from ..network import Emission, Network, NetworkState, Prepared, TransformLink, step
from ..neurons import MembraneState
from ._wiring import Edge, Wiring, neuron_state


class Response(eqx.Module):
    """Derivatives of the neurons of a population in one step, each by itself, arrays (n,).

    Attributes:
        carry: Of new state variable m by old one k, carry[m][k].
        push: Of new state variable m by the drive.
        sees: Of the emission by old state variable k.
        emits: Of the emission by the drive.
    """

    carry: list[list[Array]]
    push: list[Array]
    sees: list[Array]
    emits: Array


class Moment:
    """One step: before, after, and the loss at its end."""

    def __init__(
        self,
        net: Network,
        wiring: Wiring,
        prepared: Prepared,
        state: NetworkState,
        inputs: dict[str, Array],
        loss: Callable[[Array], Array],
    ) -> None:
        self.net, self.wiring, self.prepared = net, wiring, prepared
        self.state, self.inputs, self.loss = state, inputs, loss
        self.after, self.emissions = step(net, prepared, state, inputs)
        self.output = self._output(self.emissions)
        self.error, self.output_signal = jax.value_and_grad(loss)(self.output)
        self._responses: dict[int, Response] = {}
        self._drive_signals: dict[str, Array] | None = None

    def _output(self, emissions: tuple[Emission, ...]) -> Array:
        g, first, size = self.net.place(self.wiring.readout)
        values = emissions[g].values
        assert values is not None
        return values[first : first + size]

    def sent(self, edge: Edge) -> Array:
        """What arrives over a projection in this step for a weight of 1, shape (rows,); 1 for the bias."""
        link = self.net.links[edge.link]
        assert isinstance(link, TransformLink)
        ring = self.after.groups[link.source].values
        if ring is None:
            row = self.emissions[link.source].values
        else:
            row = ring[(self.after.tick - link.delay_steps) % ring.shape[0]]
        assert row is not None
        x = row[link.first : link.first + link.n_sources]
        return link.gain * (x if edge.rows == x.shape[0] else jnp.append(x, 1.0))

    def back(self, edge: Edge, signal: Array) -> Array:
        """A signal at the drive of the target of a projection, carried back to the emissions of its source."""
        link = self.net.links[edge.link]
        assert isinstance(link, TransformLink)
        assert isinstance(link.transform, BoundDense)
        return link.gain * (link.transform.weight @ signal)

    def response(self, population: str) -> Response:
        """Derivatives of the neurons of a population, from the step itself."""
        g, first, size = self.net.place(population)
        if g not in self._responses:
            self._responses[g] = self._linearize(g)
        cut: Response = jax.tree.map(lambda x: x[first : first + size], self._responses[g])
        return cut

    def _linearize(self, g: int) -> Response:
        """A neuron sees its own state and its drive alone, so that one direction for each covers all neurons."""

        def respond(neuron: Any, drive: Array) -> tuple[Any, Array]:
            before = eqx.tree_at(lambda s: s.groups[g].membrane, self.state, MembraneState(neuron, {}))
            pushes = {name: drive[first : first + size] for name, first, size in self.net.groups[g].members}
            after, emissions = step(self.net, self.prepared, before, self._pushed(pushes))
            values = emissions[g].values
            assert values is not None
            return neuron_state(after, g), values

        old = neuron_state(self.state, g)
        nothing = jnp.zeros(self.net.groups[g].size, self.output.dtype)
        _, along = jax.linearize(respond, old, nothing)
        leaves, structure = jax.tree.flatten(old)
        zeros = [jnp.zeros_like(x) for x in leaves]
        columns = []
        for k in range(len(leaves)):
            direction = [*zeros[:k], jnp.ones_like(leaves[k]), *zeros[k + 1 :]]
            columns.append(along(jax.tree.unflatten(structure, direction), nothing))
        state, emitted = along(jax.tree.unflatten(structure, zeros), jnp.ones_like(nothing))
        by_old = [jax.tree.leaves(new) for new, _ in columns]  # [k][m]
        carry = [[by_old[k][m] for k in range(len(leaves))] for m in range(len(leaves))]
        return Response(carry, jax.tree.leaves(state), [emission for _, emission in columns], emitted)

    def _pushed(self, pushes: dict[str, Array]) -> dict[str, Array]:
        """The inputs with something added to the drive of some populations."""
        return self.inputs | {p: self.inputs[p] + x if p in self.inputs else x for p, x in pushes.items()}

    def drive_signal(self, population: str) -> Array:
        """Derivative of the loss of this step by the drive of a hidden population in this step, (n,)."""
        if self._drive_signals is None:

            def lost(pushes: dict[str, Array]) -> Array:
                _, emissions = step(self.net, self.prepared, self.state, self._pushed(pushes))
                return self.loss(self._output(emissions))

            nothing = {p: jnp.zeros(self.net.size(p), self.output.dtype) for p in self.wiring.hidden()}
            self._drive_signals = jax.grad(lost)(nothing)
        return self._drive_signals[population]
