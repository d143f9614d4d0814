"""Trains networks of layers with quantized activations and batch normalization, as lists for `js.convert`."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

BATCH, MOMENTUM, EPS, QUIET = 256, 0.95, 1e-5, 0.02
Layers = list[dict[str, Any]]


def initial(kinds: Sequence[dict[str, Any]], key: Any) -> Layers:
    """Weights for layers given by sizes: linear (out, in), conv2d (out, in, k, k), batchnorm (channels), qcfs."""
    out: Layers = []
    for k, layer in enumerate(kinds):
        f, own = dict(layer), jax.random.fold_in(key, k)
        if "shape" in f:
            fan_in = int(np.prod(f["shape"][1:]))
            f["weight"] = jax.random.normal(own, f.pop("shape")) * np.sqrt(2.0 / fan_in)
            f["bias"] = jnp.zeros(f["weight"].shape[0])
        elif f["kind"] == "batchnorm":
            n = f.pop("channels")
            f |= {"gamma": jnp.ones(n), "beta": jnp.zeros(n), "mean": jnp.zeros(n), "var": jnp.ones(n)}
        elif f["kind"] == "residual":
            f = {"kind": "residual", "branch": initial(f["branch"], own), "skip": []}
        elif f["kind"] == "qcfs":
            f["lambda"] = jnp.asarray(2.0)
        out.append(f)
    return out


def arrays(layers: Layers) -> Any:
    """The trained numbers of layers."""
    return [{k: arrays(v) if k == "branch" else v for k, v in f.items() if k == "branch" or isinstance(v, jax.Array)}
            for f in layers]  # fmt: skip


def with_arrays(layers: Layers, values: Any) -> Layers:
    """Layers with other numbers."""
    return [f | {k: with_arrays(f["branch"], v) if k == "branch" else v for k, v in new.items()}
            for f, new in zip(layers, values, strict=True)]  # fmt: skip


def with_levels(layers: Layers, levels: int) -> Layers:
    """Layers with other levels of their activations; 0 makes them ReLUs."""
    out: Layers = []
    for f in layers:
        if f["kind"] in ("qcfs", "relu"):
            threshold = f.get("lambda", jnp.asarray(2.0))
            f = {"kind": "qcfs", "lambda": threshold, "levels": levels} if levels else {"kind": "relu"}
        elif f["kind"] == "residual":
            f = f | {"branch": with_levels(f["branch"], levels)}
        out.append(f)
    return out


def forward(layers: Layers, x: Any, training: bool) -> tuple[Any, Layers]:
    """Outputs of a batch, and the layers with running statistics of batch normalization."""
    new: Layers = []
    for f in layers:
        kind = f["kind"]
        if kind == "linear":
            x = x @ f["weight"].T + f["bias"]
        elif kind == "conv2d":
            x = jax.lax.conv_general_dilated(x, f["weight"], (1, 1), [(f["padding"],) * 2] * 2)
            x = x + f["bias"][:, None, None]
        elif kind == "batchnorm":
            x, f = _norm(f, x, training)
        elif kind == "avgpool":
            k = f["kernel"]
            x = x.reshape(*x.shape[:2], x.shape[2] // k, k, x.shape[3] // k, k).mean(axis=(3, 5))
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "qcfs":
            x = js.convert.QCFS(f["lambda"], f["levels"])(x)
        elif kind == "relu":
            x = jax.nn.relu(x)
        else:
            y, branch = forward(f["branch"], x, training)
            x, f = x + y, f | {"branch": branch}
        new.append(f)
    return x, new


def _norm(f: dict[str, Any], x: Any, training: bool) -> tuple[Any, dict[str, Any]]:
    axes = (0, *range(2, x.ndim))
    mean, var = (x.mean(axes), x.var(axes)) if training else (f["mean"], f["var"])
    shape = (1, -1, *(1,) * (x.ndim - 2))
    y = (x - mean.reshape(shape)) / jnp.sqrt(var.reshape(shape) + EPS) * f["gamma"].reshape(shape)
    if training:
        kept = {"mean": mean, "var": var}
        f = f | {k: jax.lax.stop_gradient(MOMENTUM * f[k] + (1 - MOMENTUM) * v) for k, v in kept.items()}
    return y + f["beta"].reshape(shape), f


def train(layers: Layers, data: Any, epochs: int, rate: float, key: Any, teacher: Layers | None = None) -> Layers:
    """Layers after training with AdamW and a cosine schedule; half of the images are shown mirrored.

    With a teacher, half of the loss is the cross entropy with its answers; without one, units are kept quiet by a small
    price of the offsets of batch normalization.
    """
    x, y = (jnp.asarray(a) for a in data)
    n = len(x) // BATCH
    optimizer = optax.adamw(optax.warmup_cosine_decay_schedule(0.0, rate, n, epochs * n), weight_decay=2e-2)

    def loss(values: Any, batch: Any, mirrored: Any) -> Any:
        images = jnp.where(mirrored[:, None, None, None], x[batch][..., ::-1], x[batch])
        shown = images.reshape(BATCH, -1) if layers[0]["kind"] == "linear" else images
        logits, new = forward(with_arrays(layers, values), shown, True)
        error = optax.softmax_cross_entropy_with_integer_labels(logits, y[batch]).mean()
        if teacher is None:
            return error + QUIET * sum(jnp.mean(f["beta"]) for f in values if "beta" in f), arrays(new)
        soft = jax.nn.softmax(forward(teacher, shown, False)[0])
        return 0.5 * error + 0.5 * optax.softmax_cross_entropy(logits, soft).mean(), arrays(new)

    @jax.jit
    def step(carry: Any, batch: Any, mirrored: Any) -> Any:
        values, state = carry
        gradient, new = jax.grad(loss, has_aux=True)(values, batch, mirrored)
        changes, state = optimizer.update(gradient, state, values)
        return _statistics(optax.apply_updates(values, changes), new), state

    values = arrays(layers)
    carry = (values, optimizer.init(values))
    for k in range(epochs):
        of_epoch = jax.random.fold_in(key, k)
        order = np.asarray(jax.random.permutation(of_epoch, len(x)))[: n * BATCH].reshape(n, BATCH)
        # Not one scan: in a loop of XLA, convolutions take nine times as long on a CPU.
        for batch, mirrored in zip(order, np.asarray(jax.random.bernoulli(of_epoch, 0.5, (n, BATCH))), strict=True):
            carry = step(carry, batch, mirrored)
    return with_arrays(layers, carry[0])


def _statistics(moved: Any, new: Any) -> Any:
    """Trained numbers, and the running statistics as the forward pass left them."""
    out = []
    for a, b in zip(moved, new, strict=True):
        out.append({k: _statistics(v, b[k]) if k == "branch" else b[k] if k in ("mean", "var") else v
                    for k, v in a.items()})  # fmt: skip
    return out


def numbers(layers: Layers) -> Layers:
    """Layers as `js.convert` takes them."""
    plain: Layers = []
    for f in layers:
        f = {k: float(v) if k == "lambda" else np.asarray(v) if isinstance(v, jax.Array) else v for k, v in f.items()}
        plain.append(f | {"branch": numbers(f["branch"])} if f["kind"] == "residual" else f)
    return plain
