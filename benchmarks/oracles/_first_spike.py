"""ttfs_cases: spike times, outputs, loss and gradients of first-spike networks, of any listed net."""

import copy
import functools
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jaxsyn as js

from ._report import Case, Document, Figure, attempt, count, difference

PRECISIONS = ("float64", "float32")
Listed = dict[str, Any]


def check(document: Document, precision: str) -> Iterator[Case]:
    """Every case of a document; layers, windows, inputs and labels are read from it."""
    tolerance = document["tolerance"]
    keys = {"times": "times_ms", "outputs": "outputs_abs", "grads": "grads_rel"}
    if precision == "float32":
        keys = {"times": "times_float32_ms", "outputs": "outputs_float32_rel", "grads": "grads_float32_rel"}
    limits = {name: float(tolerance[key]) for name, key in keys.items()}
    limits |= {"loss": float(tolerance["loss_abs"])} if precision == "float64" else {}
    for case in document["cases"]:
        yield from attempt([case["name"]], functools.partial(_case, case, limits, precision))


def _case(case: Listed, limits: dict[str, float], precision: str) -> list[Case]:
    snn = _network(case, case["layers"])
    x = np.asarray(case["inputs"], float)
    outputs = limits["outputs"]
    if precision == "float32":
        outputs *= float(np.abs(np.asarray(case["outputs"])).max())
    done = js.convert.spike_times(snn, x)
    figures = [
        difference("outputs", done.logits, case["outputs"], outputs),
        count("spikes cut off", int(done.late.sum()), 0),
    ]
    for path, listed in zip(("in", *snn.paths), case["spike_times_ms"], strict=True):
        want = np.asarray([[np.inf if t is None else t for t in row] for row in listed], float)
        own = np.asarray(done.times_ms[path], float).reshape(want.shape)
        figures.append(count(f"silent neurons of {path}", int((np.isinf(own) != np.isinf(want)).sum()), 0))
        own, want = (np.where(np.isinf(times), 0.0, times) for times in (own, want))
        figures.append(difference(f"times of {path}", own, want, limits["times"]))
    hidden = np.concatenate([np.isfinite(done.times_ms[path]).reshape(-1) for path in snn.paths])
    figures.append(difference("spikes of a hidden neuron", hidden.mean(), case["spikes_per_hidden_neuron"], 1e-9))
    return [Case(case["name"], figures + _gradients(case, x, limits))]


def _network(case: Listed, layers: Any) -> js.convert.FirstSpike:
    ann = js.convert.fold(js.convert.read_layers(layers, tuple(case["input_shape"])))
    return js.convert.FirstSpike(ann, tuple((a, b) for a, b in case["windows_ms"]), case["scale_per_ms"])


def _gradients(case: Listed, x: Any, limits: dict[str, float]) -> list[Figure]:
    labels = jnp.asarray(case["labels"], jnp.int32)
    places = [key.rpartition(".") for key in case["grads"]]
    values = {
        key: jnp.asarray(_layer(case["layers"], path)[name], float)
        for key, (path, _, name) in zip(case["grads"], places, strict=True)
    }

    def loss(values: Any) -> Any:
        layers = copy.deepcopy(case["layers"])
        for key, (path, _, name) in zip(case["grads"], places, strict=True):
            _layer(layers, path)[name] = values[key]
        snn = _network(case, layers)
        logits = jax.nn.log_softmax(jax.vmap(snn)(jnp.asarray(x, float)))
        return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], axis=1))

    value, grads = eqx.filter_jit(jax.value_and_grad(loss))(values)
    figures = [difference("loss", value, case["loss"], limits["loss"])] if "loss" in limits else []
    largest = max(np.abs(np.asarray(g, float)).max() for g in case["grads"].values())
    return figures + [
        difference(f"gradient {k}", grads[k], g, limits["grads"] * largest) for k, g in case["grads"].items()
    ]


def _layer(layers: Any, path: str) -> Any:
    """The layer of a path such as 2.branch.0."""
    for part in path.split("."):
        layers = layers[part] if part in ("branch", "skip") else layers[int(part)]
    return layers
