"""Online rules: which trace a synapse keeps, and which signal tells it what the loss asks for."""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array, float_dtype
from ..network import Network
from ..neurons import DiscreteIF, DiscreteLIF
from ._moment import Moment, Response
from ._wiring import Edge, Wiring, leak, one_leak, wire


class AbstractOnlineRule(eqx.Module):
    """A rule for the synapses onto hidden populations: dL/dw = sum over steps of trace times signal.

    Synapses onto the readout need no rule: their trace is the sum of what arrived, as the readout forgets it, and their
    signal the derivative of the loss. To add a rule: write these four methods; nothing in them may grow with the steps.
    """

    @abc.abstractmethod
    def check(self, net: Network, wiring: Wiring) -> None:
        """Raise a `ValueError` for a network that the rule is not defined for."""

    @abc.abstractmethod
    def start(self, net: Network, wiring: Wiring, edge: Edge) -> Any:
        """Traces of a projection before the first step."""

    @abc.abstractmethod
    def trace(self, moment: Moment, edge: Edge, state: Any) -> tuple[Any, Array]:
        """Traces after a step, and the one that meets the signal, (rows,) or (rows, n)."""

    @abc.abstractmethod
    def signal(self, moment: Moment, population: str) -> Array:
        """What the loss of this step asks of each neuron, (n,)."""


class Eligibility(eqx.Module):
    """Traces of synapses, (rows, n) each: derivatives of each state variable of the neuron, and of its emissions.

    Attributes:
        state: Derivative of each state variable by the weight.
        emitted: Derivative of the emissions by the weight, filtered as their reader forgets.
    """

    state: list[Array]
    emitted: Array


def _no_eligibility(net: Network, edge: Edge) -> Eligibility:
    g, _, size = net.place(edge.target)
    zeros = jnp.zeros((edge.rows, size), float_dtype())
    return Eligibility([zeros for _ in jax.tree.leaves(net.groups[g].start.neuron)], zeros)


def _eligible(response: Response, sent: Array, old: Eligibility, kept: Array) -> Eligibility:
    """One step of the derivatives of a neuron by its weights, exact but for the way over other neurons."""

    def across(values: Array) -> Array:
        return jnp.broadcast_to(values[None, :], old.emitted.shape)

    x = jnp.broadcast_to(sent[:, None], old.emitted.shape)
    new = []
    for carry, push in zip(response.carry, response.push, strict=True):
        new.append(sum((across(c) * e for c, e in zip(carry, old.state, strict=True)), start=across(push) * x))
    emitted = sum(
        (across(c) * e for c, e in zip(response.sees, old.state, strict=True)), start=across(response.emits) * x
    )
    return Eligibility(new, kept * old.emitted + emitted)


class EProp(AbstractOnlineRule):
    """e-prop: dL/dw_ji = sum_t L_j^t sum_{s<=t} kappa^(t-s) e_ji^s, with L_j^t = sum_k B_jk dL^t/dy_k.

    e is the derivative of the spikes of neuron j by the weight within that neuron, over all its state variables
    (adaptation and reset included, as the neuron lets them pass); kappa is the decay of the readout. With the weights
    of the readout as B it is the gradient of backpropagation through time in which no spike that enters a spiking
    population carries a gradient; exact where there is no such projection.

    Args:
        feedback: Matrix B by hidden population, (neurons, readout neurons), such as `random_feedback`; None takes the
            weights of the readout (symmetric).
    References:
        Bellec et al. (2020), Nat. Commun. 11:3625.
    Example:
        >>> import jaxsyn as js
        >>> js.train.EProp().feedback is None
        True
    """

    feedback: Mapping[str, Array] | None = None

    def check(self, net: Network, wiring: Wiring) -> None:
        """See `AbstractOnlineRule`."""
        one_leak(net, wiring.readout, "EProp")
        unknown = sorted(set(self.feedback or ()) - set(wiring.hidden()))
        if unknown:
            raise ValueError(f"EProp.feedback: unknown population {unknown[0]!r}; hidden are {wiring.hidden()}")
        for p in wiring.hidden():
            direct = [e for e in wiring.edges if e.source == p and e.target == wiring.readout]
            if self.feedback is None:
                if not direct or not all(e.instant for e in direct):
                    raise ValueError(
                        f"EProp: population {p!r} has no projection of delay 0 to the readout {wiring.readout!r}, so "
                        "symmetric feedback does not reach it; give feedback=js.train.random_feedback(net), or take "
                        "the rule OTPE or OTTT, whose signals pass through layers"
                    )
                continue
            shape = (net.size(p), net.size(wiring.readout))
            if p not in self.feedback or np.shape(self.feedback[p]) != shape:
                got = np.shape(self.feedback[p]) if p in self.feedback else "none"
                raise ValueError(f"EProp.feedback[{p!r}]: got shape {got}; allowed: {shape}, neurons x readout neurons")

    def start(self, net: Network, wiring: Wiring, edge: Edge) -> Eligibility:
        """See `AbstractOnlineRule`."""
        return _no_eligibility(net, edge)

    def trace(self, moment: Moment, edge: Edge, state: Eligibility) -> tuple[Eligibility, Array]:
        """See `AbstractOnlineRule`."""
        kappa = one_leak(moment.net, moment.wiring.readout, "EProp")
        new = _eligible(moment.response(edge.target), moment.sent(edge), state, kappa)
        return new, new.emitted

    def signal(self, moment: Moment, population: str) -> Array:
        """See `AbstractOnlineRule`."""
        if self.feedback is not None:
            broadcast: Array = jnp.asarray(self.feedback[population], float_dtype()) @ moment.output_signal
            return broadcast
        readout = moment.wiring.readout
        parts = [moment.back(e, moment.output_signal) for e in moment.wiring.onward(population) if e.target == readout]
        return sum(parts[1:], start=parts[0])


class OTTT(AbstractOnlineRule):
    """OTTT: dL/dw_ji = sum_t (dL^t/du_j^t) a_i^t with a^t = lambda a^(t-1) + s^t, what arrived, as u_j forgets it.

    The signal passes within the step through the layers above; reset carries no gradient through time. One trace for
    each source neuron: memory of the order of neurons. Exact for the readout, an approximation for hidden layers.

    References:
        Xiao, Meng, Zhang, He and Lin (2022), NeurIPS 35, Online Training Through Time.
    Example:
        >>> import jaxsyn as js
        >>> js.train.OTTT()
        OTTT()
    """

    def check(self, net: Network, wiring: Wiring) -> None:
        """See `AbstractOnlineRule`."""
        _check_layers(wiring, "OTTT")
        for p in wiring.hidden():
            neuron = net.groups[net.place(p)[0]].neuron
            if not isinstance(neuron, DiscreteLIF | DiscreteIF):
                raise ValueError(
                    f"OTTT: population {p!r} is {type(neuron).__name__}; allowed: DiscreteLIF and DiscreteIF, whose "
                    "one variable forgets with one factor; the rules EProp and OTPE take others"
                )

    def start(self, net: Network, wiring: Wiring, edge: Edge) -> Array:
        """See `AbstractOnlineRule`."""
        return presynaptic(net, edge)

    def trace(self, moment: Moment, edge: Edge, state: Array) -> tuple[Array, Array]:
        """See `AbstractOnlineRule`."""
        new = remember(leak(moment.net, edge.target), state, moment.sent(edge))
        return new, new

    def signal(self, moment: Moment, population: str) -> Array:
        """See `AbstractOnlineRule`."""
        return moment.drive_signal(population)


class OTPE(AbstractOnlineRule):
    """OTPE: dL/dw_ji = sum_t (dL^t/ds_j^t) sum_{r<=t} lambda^(t-r) e_ji^r, lambda the decay of the next layer.

    e is the derivative of the spikes of neuron j by the weight within that neuron, as in `EProp`; the signal passes
    within the step through the layers above. It adds to `OTTT` that an earlier spike still stands in the membrane of
    the next layer. Exact for the last hidden layer of a feed-forward network, an approximation below.

    References:
        Summe, Schaefer and Joshi (2024), Estimating Post-Synaptic Effects for Online Training of Feed-Forward SNNs,
        arXiv:2311.16151.
    Example:
        >>> import jaxsyn as js
        >>> js.train.OTPE()
        OTPE()
    """

    def check(self, net: Network, wiring: Wiring) -> None:
        """See `AbstractOnlineRule`."""
        _check_layers(wiring, "OTPE")
        for p in wiring.hidden():
            self._next(net, wiring, p)

    def _next(self, net: Network, wiring: Wiring, population: str) -> Array:
        """Decay of the one population that a population projects to within the step."""
        readers = sorted({e.target for e in wiring.onward(population)})
        if len(readers) != 1:
            raise ValueError(
                f"OTPE: population {population!r} projects to {readers}; allowed: one population, whose decay its "
                "traces are filtered with"
            )
        return one_leak(net, readers[0], "OTPE")

    def start(self, net: Network, wiring: Wiring, edge: Edge) -> Eligibility:
        """See `AbstractOnlineRule`."""
        return _no_eligibility(net, edge)

    def trace(self, moment: Moment, edge: Edge, state: Eligibility) -> tuple[Eligibility, Array]:
        """See `AbstractOnlineRule`."""
        kept = self._next(moment.net, moment.wiring, edge.target)
        new = _eligible(moment.response(edge.target), moment.sent(edge), state, kept)
        return new, new.emitted

    def signal(self, moment: Moment, population: str) -> Array:
        """See `AbstractOnlineRule`."""
        parts = []
        for e in moment.wiring.onward(population):
            above = e.target == moment.wiring.readout
            parts.append(moment.back(e, moment.output_signal if above else moment.drive_signal(e.target)))
        return sum(parts[1:], start=parts[0])


def _check_layers(wiring: Wiring, rule: str) -> None:
    """Every trained population reaches the readout within the step."""
    reached, found = {wiring.readout}, True
    while found:
        more = {e.source for e in wiring.edges if e.instant and e.target in reached} - reached
        reached, found = reached | more, bool(more)
    for p in wiring.hidden():
        if p not in reached:
            raise ValueError(
                f"{rule}: no projections of delay 0 lead from population {p!r} to the readout {wiring.readout!r}, so "
                "the signal of a step does not reach it; drop the delays on the way"
            )


def presynaptic(net: Network, edge: Edge) -> Array:
    """A trace for each source, or for each synapse where the targets forget differently."""
    kept = leak(net, edge.target)
    return jnp.zeros((edge.rows, *kept.shape), float_dtype())


def remember(kept: Array, trace: Array, sent: Array) -> Array:
    """What arrived, as the membrane of the target keeps it: (rows,), or (rows, n) for one decay by neuron."""
    if not kept.ndim:
        return kept * trace + sent
    return jnp.broadcast_to(kept[None, :], trace.shape) * trace + jnp.broadcast_to(sent[:, None], trace.shape)


def random_feedback(net: Network, readout: str = "out", *, seed: int = 0) -> dict[str, Array]:
    """Random feedback for `EProp`: a matrix by hidden population, entries normal with standard deviation 1/sqrt(n).

    Args:
        net: The network.
        readout: Its readout population.
        seed: Seed, 0 to 2^32 - 1.
    Returns:
        Arrays (neurons, readout neurons) by population; they follow from seed, name and sizes alone.
    Raises:
        ValueError: A network that online rules do not know.
    References:
        Bellec et al. (2020), Nat. Commun. 11:3625 (random e-prop); Lillicrap et al. (2016), Nat. Commun. 7:13276.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 4), "hidden": js.Population(
        ...     js.neurons.DiscreteLIF(), 8, surrogate=js.surrogate.Triangle()), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)}, {"a": js.Projection("in", "hidden", js.connect.Dense()),
        ...     "b": js.Projection("hidden", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> {p: B.shape for p, B in js.train.random_feedback(net).items()}
        {'hidden': (8, 2)}
    """
    out, n_out = {}, net.size(readout)
    for p in wire(net, readout).hidden():
        n = net.size(p)
        index = jnp.arange(n * n_out, dtype=jnp.uint32).reshape(n, n_out)
        out[p] = kernels.normal(seed, kernels.stream_id(f"train.random_feedback {p}"), index, 0) / np.sqrt(max(n, 1))
    return out
