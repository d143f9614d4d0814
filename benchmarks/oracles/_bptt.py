"""bptt_gradients: spikes, loss and every surrogate gradient of small discrete networks, through `js.run`."""

import functools
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, difference

PRECISIONS = ("float64", "float32")
SURROGATES = {
    "superspike": js.surrogate.SuperSpike,
    "triangle": js.surrogate.Triangle,
    "arctan": js.surrogate.Arctangent,
}
GAINS = {"one": False, "one_minus_alpha": True}
MODES = {"through_reset": False, "detached_reset": True}
Listed = dict[str, Any]


def check(document: Document, precision: str) -> Iterator[Case]:
    """All cases of a document in both modes of the reset."""
    tolerance = document["tolerance"]
    if precision == "float32":
        tolerance = {
            "spikes": tolerance["spikes_abs"],
            "logits": {"tolerance": 0.0, "relative": tolerance["logits_float32_rel"]},
            "loss": {"tolerance": 0.0, "relative": tolerance["loss_float32_rel"]},
            "grads": tolerance["grads_float32_rel"],
        }
    else:
        tolerance = {
            "spikes": tolerance["spikes_abs"],
            "logits": {"tolerance": tolerance["logits_abs"]},
            "loss": {"tolerance": tolerance["loss_abs"]},
            "grads": tolerance["grads_rel"],
        }
    for case in document["cases"]:
        yield from attempt([case["name"]], functools.partial(_compare, case, tolerance))


def network(case: Listed, *, detach: bool) -> js.Network:
    """The network of a case: a relay, hidden layers without delay, a leaky readout; recurrence with one step."""
    p, surrogate = case["params"], SURROGATES[case["params"]["surrogate"]["kind"]](case["params"]["surrogate"]["k"])
    if p["model"] not in ("lif", "alif"):
        raise ValueError(f"unknown model {p['model']!r}")
    populations = {"in": js.Population(js.neurons.Relay(), p["n_in"])}
    projections = {}
    before = "in"
    for k, layer in enumerate(case["layers"]):
        name = f"hidden {k}"
        options = {
            "decay": np.asarray(layer["alpha"]),
            "threshold": np.asarray(layer["theta"]),
            "reset": p["reset"],
            "detach_reset": detach,
            "scale_drive": GAINS[p["input_gain"]],
        }
        neuron = js.neurons.DiscreteLIF(**options)
        if p["model"] == "alif":
            neuron = js.neurons.DiscreteALIF(**options, rho=np.asarray(layer["rho"]), beta=np.asarray(layer["beta"]))
        populations[name] = js.Population(neuron, len(layer["b"]), surrogate=surrogate)
        projections[f"{name} W"] = js.Projection(before, name, _dense(layer))
        if layer["R"] is not None:
            recurrent = js.connect.Dense(weight=np.asarray(layer["R"]).T)
            projections[f"{name} R"] = js.Projection(name, name, recurrent, delay_ms=1.0)
        before = name
    if case["readout"] is not None:
        integrator = js.neurons.LeakyIntegrator(decay=np.asarray(case["readout"]["kappa"]))
        populations["out"] = js.Population(integrator, len(case["readout"]["b"]))
        projections["out W"] = js.Projection(before, "out", _dense(case["readout"]))
    return js.Network(populations, projections, dt_ms=1.0)


def _dense(layer: Listed) -> js.connect.Dense:
    return js.connect.Dense(weight=np.asarray(layer["W"]).T, bias=np.asarray(layer["b"]))


def _logits(net: js.Network, case: Listed, x: jax.Array) -> tuple[jax.Array, Any]:
    """Score of each class, and the spikes of the hidden layers, of one sample."""
    kind = case["params"]["loss"]
    records: list[Any] = [js.record.Spikes([name for name in net.populations() if name.startswith("hidden")])]
    if kind == "ce_mean_membrane":
        records.append(js.record.State("out.v"))
    elif kind != "ce_spike_count":
        raise ValueError(f"unknown loss {kind!r}")
    _, out = js.run(net, x.shape[0], inputs={"in": x}, record=records)
    last = f"hidden {len(case['layers']) - 1}"
    scores = jnp.mean(out["out.v"], axis=0) if "out.v" in out else jnp.sum(out["spikes"][last], axis=0)
    return scores, out["spikes"]


def _compare(case: Listed, tolerance: Listed) -> Iterator[Case]:
    figures: list[Figure] = []
    values = np.asarray(case["input"])
    inputs = values if values.dtype.kind == "f" else values != 0
    labels = jnp.asarray(case["labels"], jnp.int32)

    def loss(net: js.Network) -> tuple[jax.Array, Any]:
        logits, spikes = jax.vmap(lambda x: _logits(net, case, x), in_axes=1)(jnp.asarray(inputs))
        rows = jnp.arange(len(labels))
        return -jnp.mean(jax.nn.log_softmax(logits)[rows, labels]), (logits, spikes)

    for mode, detach in MODES.items():
        net = network(case, detach=detach)
        (value, (logits, spikes)), gradient = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))(net)
        own = [[_text(one) for one in spikes[f"hidden {k}"]] for k in range(len(case["layers"]))]
        wrong = np.count_nonzero([a != b for a, b in zip(own, case["spikes"], strict=True)])
        figures += [
            Figure(f"{mode} layers with other spikes", float(wrong), tolerance["spikes"]),
            difference(f"{mode} logits", logits, case["logits"], **tolerance["logits"]),
            difference(f"{mode} loss", value, case["loss"], **tolerance["loss"]),
            *_gradients(mode, net, gradient, case["grads"][mode], tolerance["grads"]),
        ]
    yield Case(case["name"], figures)


def _text(spikes: Any) -> list[str]:
    """Spikes of one sample, (steps, n), as one text of 0 and 1 a step."""
    return ["".join(str(int(s)) for s in row) for row in np.asarray(spikes)]


def _gradients(mode: str, net: js.Network, gradient: js.Network, listed: Listed, tolerance: float) -> list[Figure]:
    """Every gradient array, relative to the largest entry of all of them."""
    parts = [*(layer for layer in listed["layers"]), *([listed["readout"]] if listed["readout"] else [])]
    scale = max(float(np.max(np.abs(v))) for part in parts for v in part.values() if v is not None)
    links = {link.name: link for link in gradient.links}
    figures = []
    for k, part in enumerate(parts):
        name = f"hidden {k}" if k < len(listed["layers"]) else "out"
        neuron = gradient.groups[net.place(name)[0]].neuron
        own = {
            "W": links[f"{name} W"].transform.weight.T,
            "b": links[f"{name} W"].transform.bias,
            "R": links[f"{name} R"].transform.weight.T if f"{name} R" in links else None,
            "alpha": neuron.decay,
            "kappa": neuron.decay,
            "theta": getattr(neuron, "threshold", None),
            "rho": getattr(neuron, "rho", None),
            "beta": getattr(neuron, "beta", None),
        }
        for key, value in part.items():
            if value is not None:
                figures.append(difference(f"{mode} {name} {key}", own[key], value, tolerance * scale))
    return figures
