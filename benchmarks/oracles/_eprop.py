"""eprop: gradients of js.train.EProp on a small recurrent network, beside the published recursion and autodiff."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js
from jaxsyn.connect import AbstractBoundTransform

from ._report import Case, Document, Figure, attempt, count, difference

PRECISIONS = ("float64", "float32")


class _State(eqx.Module):
    v: jax.Array
    a: jax.Array
    z: jax.Array


class _Neuron(js.neurons.AbstractDiscreteNeuron):
    """a = rho a + z; v = alpha v + I - z v_th; z = [v >= v_th + beta a], z of the step before; no gradient by reset."""

    alpha: Any = js.param()
    rho: Any = js.param()
    beta: Any = js.param()
    v_th: Any = js.param()

    def init_state(self, shape: tuple[int, ...]) -> _State:
        return _State(*(jnp.zeros(shape, jnp.result_type(float)) for _ in range(3)))

    def step(self, state: _State, drive: jax.Array, spike: Any) -> tuple[_State, jax.Array]:
        a = self.rho * state.a + state.z
        v = self.alpha * state.v + drive - jax.lax.stop_gradient(state.z) * self.v_th
        z = spike(v - self.v_th - self.beta * a)
        return _State(v, a, z), z


class _Pseudo(js.surrogate.AbstractSurrogate):
    """gamma / v_th max(0, 1 - |gap / v_th|)."""

    gamma: Any = js.param()
    v_th: Any = js.param()

    def derivative(self, gap: jax.Array) -> jax.Array:
        return self.gamma / self.v_th * jnp.maximum(0.0, 1.0 - jnp.abs(gap / self.v_th))


class _Detached(AbstractBoundTransform):
    """A projection through which no gradient passes to its source."""

    inner: AbstractBoundTransform

    def __call__(self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None) -> Any:
        return self.inner(jax.lax.stop_gradient(x), statistics, training=training, axis_name=axis_name)

    def init_statistics(self) -> Any:
        return self.inner.init_statistics()


def check(document: Document, precision: str) -> Iterator[Case]:
    """Forward pass, both feedbacks, and autodiff with spikes held constant, in one precision."""
    names = ("forward", "symmetric", "random", "autodiff")
    yield from attempt(names, lambda: _cases(document, precision))


def _network(d: Document) -> js.Network:
    p = d["params"]
    beta = np.r_[np.zeros(p["n_rec"] - p["n_adaptive"]), np.full(p["n_adaptive"], p["beta"])]
    cell = _Neuron(alpha=p["alpha"], rho=p["rho"], beta=beta, v_th=p["v_th"])
    populations = {
        "in": js.Population(js.neurons.Relay(), p["n_in"]),
        "rec": js.Population(cell, p["n_rec"], surrogate=_Pseudo(gamma=p["gamma"], v_th=p["v_th"])),
        "out": js.Population(js.neurons.LeakyIntegrator(decay=p["kappa"]), p["n_out"]),
    }
    weights = {name: js.connect.Dense(weight=np.asarray(d[f"W_{name}"], float).T) for name in ("in", "rec", "out")}
    projections = {
        "in": js.Projection("in", "rec", weights["in"]),
        "rec": js.Projection("rec", "rec", weights["rec"], delay_ms=1.0),
        "out": js.Projection("rec", "out", weights["out"]),
    }
    return js.Network(populations, projections, dt_ms=1.0)


def _cases(d: Document, precision: str) -> Iterator[Case]:
    net, T = _network(d), d["params"]["T"]
    dtype = jnp.result_type(float)
    x, target = jnp.asarray(d["input_spikes_T_x_nin"], dtype), jnp.asarray(d["target"], dtype)
    if len(x) != T:
        raise ValueError(f"{len(x)} input steps, T is {T}")
    feedback = {"rec": jnp.asarray(d["B_random_feedback"], dtype)}
    want = d["expected"]
    rules = {"symmetric": js.train.EProp(), "random": js.train.EProp(feedback)}
    got = {name: js.train.online(net, rule, {"in": x}, target, _error) for name, rule in rules.items()}
    _, out = js.run(net, T, inputs={"in": x}, record=[js.record.Spikes("rec")])
    spikes = np.asarray(out["spikes"]["rec"]).sum(axis=0)
    listed = zip(spikes, want["spike_count_per_cell"], strict=True)
    counts = [count(f"spikes of cell {i}, {precision}", int(n), m) for i, (n, m) in enumerate(listed)]
    yield Case("forward", [*counts, _figure("loss", got["symmetric"].loss, want["loss"], d, precision)])
    for name, result in got.items():
        own = _by_name(net, result.gradient)
        figures = [_figure(f"{name} {k}", own[k], want[f"grad_{name}"][k], d, precision) for k in ("in", "rec")]
        yield Case(name, [*figures, _figure("out", own["out"], want["grad_out"], d, precision)])
    own = _by_name(net, jax.grad(_detached_loss)(eqx.filter(net, js.train.trainable(net)), net, x, target))
    figures = [_figure(f"autodiff {k}", own[k], want["grad_symmetric"][k], d, precision) for k in ("in", "rec")]
    yield Case("autodiff", [*figures, _figure("autodiff out", own["out"], want["grad_out"], d, precision)])


def _error(y: jax.Array, target: jax.Array) -> jax.Array:
    return 0.5 * jnp.sum((y - target) ** 2)


def _detached_loss(weights: Any, net: js.Network, x: jax.Array, target: jax.Array) -> jax.Array:
    """Loss by js.run, spikes into the recurrent population held constant."""
    _, rest = eqx.partition(net, js.train.trainable(net))
    full = eqx.combine(weights, rest)
    for i, link in enumerate(full.links):
        if link.name != "out":
            full = eqx.tree_at(lambda n, i=i: n.links[i].transform, full, _Detached(link.transform))
    _, out = js.run(full, len(x), inputs={"in": x}, record=[js.record.State("out.v")])
    return jnp.sum(jax.vmap(_error)(out["out.v"], target))


def _by_name(net: js.Network, gradient: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Gradients as listed: (target, source), no connections of a cell to itself."""
    out = {k.name: np.array(g.transform.weight).T for k, g in zip(net.links, gradient.links, strict=True)}
    np.fill_diagonal(out["rec"], 0.0)
    return out


def _figure(what: str, own: Any, listed: Any, d: Document, precision: str) -> Figure:
    tolerance = d["tolerance"]["float64"]
    if precision == "float32":
        tolerance = d["tolerance"]["float32_rel"] * float(np.abs(np.asarray(listed, float)).max())
    if np.shape(own) != np.shape(listed):
        return Figure(f"{what}: shape {np.shape(own)}, listed {np.shape(listed)}", np.inf, 0.0)
    return difference(f"{what}, {precision}", own, listed, tolerance)
