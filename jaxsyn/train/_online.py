"""Gradients while the network runs: memory that does not depend on the number of steps."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, float_dtype
from ..network import Network, NetworkState, prepare
from ._moment import Moment
from ._online_rules import AbstractOnlineRule, presynaptic, remember
from ._trainable import trainable
from ._wiring import Edge, Wiring, leak, wire


class OnlineState(eqx.Module):
    """Where an online run stands, to go on from.

    Attributes:
        network: State of the network.
        traces: Traces of each trained projection.
    """

    network: NetworkState
    traces: list[Any]


class Online(eqx.Module):
    """What an online run gives.

    Attributes:
        loss: Sum over the steps of the loss.
        gradient: Its gradient by the rule, a tree like the weights of the network: None at everything else.
        output: Mean over the steps of the readout, (readout neurons,).
        state: Where it stands; give it to the next call to go on.
    Example:
        >>> import jaxsyn as js
        >>> sorted(js.train.Online.__annotations__)
        ['gradient', 'loss', 'output', 'state']
    """

    loss: Array
    gradient: Any
    output: Array
    state: OnlineState


def online(
    net: Network,
    rule: AbstractOnlineRule,
    inputs: Mapping[str, Any],
    targets: Any,
    loss: Callable[[Array, Any], Array],
    *,
    readout: str = "out",
    state: OnlineState | None = None,
) -> Online:
    """Loss and gradient of one sample by an online rule: nothing is kept of past steps but traces.

    L = sum_t loss(y_t, target_t), y_t the values of the readout. Pure: batch with `jax.vmap` over inputs and targets,
    and take the mean of the gradients. To learn while a sequence goes on, call it for a part, update the weights, and
    go on with the `state` that it gave.

    Args:
        net: Relay sources, spiking discrete neurons with a surrogate, and one readout of `LeakyIntegrator`; `Dense`
            projections, recurrent ones (delay of a step or more) and stacks included.
        rule: `EProp()`, `OTTT()` or `OTPE()`.
        inputs: Arrays (T, n) by population, as for `js.run`.
        targets: Array or tree of arrays (T, ...): what the loss gets in each step.
        loss: Function of y_t, shape (readout neurons,), and one entry of the targets; a scalar, differentiable.
        readout: Name of the readout population.
        state: Where to go on; default the start, with traces of zero.
    Returns:
        Loss, gradient, mean output and state; see `Online`.
    Raises:
        ValueError: A network, projection or neuron that the rule is not defined for, by name; wrong shapes.
    References:
        Each rule names its own.
    Example:
        >>> import equinox as eqx, jax.numpy as jnp, jaxsyn as js, optax
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 4), "hidden": js.Population(
        ...     js.neurons.DiscreteLIF(), 8, surrogate=js.surrogate.Triangle()), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)}, {"a": js.Projection("in", "hidden", js.connect.Dense()),
        ...     "b": js.Projection("hidden", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> def squared(y, target):
        ...     return 0.5 * jnp.sum((y - target) ** 2)
        >>> got = js.train.online(net, js.train.EProp(), {"in": jnp.ones((20, 4))}, jnp.ones((20, 2)), squared)
        >>> weights, rest = eqx.partition(net, js.train.trainable(net))
        >>> updates, _ = optax.sgd(1e-4).update(got.gradient, optax.sgd(1e-4).init(weights))
        >>> net = eqx.combine(eqx.apply_updates(weights, updates), rest)
    """
    wiring = wire(net, readout)
    rule.check(net, wiring)
    xs = _checked(net, inputs, targets)
    prepared = prepare(net)
    if state is None:
        state = OnlineState(net.init_state(), [_start(net, rule, wiring, e) for e in wiring.edges])

    def step(carry: Any, x: Any) -> tuple[Any, None]:
        now, sums, total, output = carry
        moment = Moment(net, wiring, prepared, now.network, x[0], lambda y: loss(y, x[1]))
        traces, parts = [], []
        for edge, old in zip(wiring.edges, now.traces, strict=True):
            new, part = _contribution(rule, moment, edge, old)
            traces.append(new)
            parts.append(part)
        sums = [a + b for a, b in zip(sums, parts, strict=True)]
        return (OnlineState(moment.after, traces), sums, total + moment.error, output + moment.output), None

    zeros = [jnp.zeros((e.rows, net.size(e.target)), float_dtype()) for e in wiring.edges]
    start = (state, zeros, jnp.zeros((), float_dtype()), jnp.zeros(net.size(readout), float_dtype()))
    (state, sums, total, output), _ = jax.lax.scan(step, start, xs)
    n_steps = jax.tree.leaves(xs)[0].shape[0]
    return Online(total, _as_tree(net, wiring, sums), output / n_steps, state)


def _start(net: Network, rule: AbstractOnlineRule, wiring: Wiring, edge: Edge) -> Any:
    return presynaptic(net, edge) if edge.target == wiring.readout else rule.start(net, wiring, edge)


def _contribution(rule: AbstractOnlineRule, moment: Moment, edge: Edge, old: Any) -> tuple[Any, Array]:
    """New traces of a projection, and its part of the gradient in this step, (rows, n)."""
    if edge.target == moment.wiring.readout:
        new = trace = remember(leak(moment.net, edge.target), old, moment.sent(edge))
        signal = moment.output_signal
    else:
        new, trace = rule.trace(moment, edge, old)
        signal = rule.signal(moment, edge.target)
    shape = (edge.rows, signal.shape[0])
    trace = trace if trace.ndim == 2 else jnp.broadcast_to(trace[:, None], shape)
    return new, trace * jnp.broadcast_to(signal[None, :], shape)


def _as_tree(net: Network, wiring: Wiring, sums: list[Array]) -> Any:
    """The sums in the place of the weights, None at all other leaves."""
    weights, _ = eqx.partition(net, trainable(net))

    def leaves(tree: Any) -> list[Any]:
        found = [tree.links[e.link].transform.weight for e in wiring.edges]
        biased = [e for e in wiring.edges if e.rows > net.links[e.link].n_sources]
        return found + [tree.links[e.link].transform.bias for e in biased]

    split = [(s[: net.links[e.link].n_sources], s[-1]) for e, s in zip(wiring.edges, sums, strict=True)]
    biases = [b for e, (w, b) in zip(wiring.edges, split, strict=True) if e.rows > w.shape[0]]
    return eqx.tree_at(leaves, weights, [w for w, _ in split] + biases)


def _checked(net: Network, inputs: Mapping[str, Any], targets: Any) -> tuple[dict[str, Array], Any]:
    """Inputs as arrays (T, n) and targets (T, ...)."""
    out: dict[str, Array] = {}
    steps = {}
    for name, value in inputs.items():
        array = jnp.asarray(value)
        size = net.size(name)
        if array.ndim != 2 or array.shape[1] != size or not array.shape[0]:
            raise ValueError(
                f"online.inputs[{name!r}]: got shape {array.shape}; allowed: (T, {size}), steps x neurons, T >= 1 "
                "(batch with jax.vmap)"
            )
        out[name], steps[f"inputs[{name!r}]"] = array.astype(float_dtype()), array.shape[0]
    if not out:
        raise ValueError("online.inputs: got none; allowed: arrays (T, n) by population, such as {'in': spikes}")
    targets = jax.tree.map(jnp.asarray, targets)
    for leaf in jax.tree.leaves(targets):
        steps[f"targets of shape {leaf.shape}"] = leaf.shape[0] if leaf.ndim else 0
    if len(set(steps.values())) > 1:
        shown = ", ".join(f"{name} has {n}" for name, n in steps.items())
        raise ValueError(f"online: numbers of steps differ: {shown}; give each step its target")
    return out, targets
