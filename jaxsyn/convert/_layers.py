"""Models written down as a list of layers: plain dictionaries with arrays, as a file or a state dict gives them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._core import is_concrete
from ._ann import Activation, Ann, Shape
from ._builder import Builder, UnsupportedLayer, Value, numbers

_WEIGHTS = {"weight", "bias", "name"}
_KEYS = {
    "linear": _WEIGHTS,
    "conv1d": _WEIGHTS | {"stride", "padding", "groups"},
    "conv2d": _WEIGHTS | {"stride", "padding", "groups"},
    "batchnorm": {"mean", "var", "gamma", "beta", "eps", "name"},
    "avgpool": {"kernel", "stride", "padding"},
    "maxpool": {"kernel", "stride", "padding"},
    "flatten": set[str](),
    "dropout": {"p"},
    "relu": set[str](),
    "clip": {"high"},
    "qcfs": {"lambda", "levels"},
    "residual": {"branch", "skip"},
}
_STATE = {"batchnorm": {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}}


def read_layers(
    layers: Sequence[Mapping[str, Any]], input_shape: Shape, weights: Mapping[str, Any] | None = None
) -> Ann:
    """The network that a list of layers describes.

    Kinds and keys: linear (weight (out, in), bias or None), conv1d and conv2d (weight (out, in/groups, *axes), bias,
    stride, padding, groups), batchnorm (mean, var, gamma, beta, eps), avgpool and maxpool (kernel, stride, padding),
    flatten, dropout (dropped), relu, clip (high), qcfs (lambda, levels), residual (branch, skip: lists of layers, [] is
    the identity; both get the same input, their outputs are added).

    Args:
        layers: Dictionaries with "kind" and the keys of that kind.
        input_shape: Shape of one sample, channels first.
        weights: Arrays by name, such as a state dict: a layer with "name": "fc1" takes "fc1.weight" and "fc1.bias",
            batch normalization also "fc1.running_mean" and "fc1.running_var".
    Returns:
        The network, for `convert`.
    Raises:
        ValueError: A layer that is unknown or does not fit, by its path.
    Example:
        >>> import numpy as np
        >>> layers = [{"kind": "linear", "weight": np.eye(3), "bias": None}, {"kind": "relu"}]
        >>> [node.path for node in read_layers(layers, (3,)).nodes]
        ['in', '0', '1']
    """
    builder = Builder(tuple(int(n) for n in input_shape))
    return builder.finish(_sequence(builder, builder.start, layers, weights or {}, ""))


def _sequence(builder: Builder, x: Value, layers: Any, weights: Mapping[str, Any], above: str) -> Value:
    if not isinstance(layers, Sequence) or isinstance(layers, str):
        raise ValueError(f"{above or 'layers'}: got {type(layers).__name__}; allowed: a list of layers")
    for i, layer in enumerate(layers):
        x = _layer(builder, x, layer, weights, f"{above}{i}")
    return x


def _layer(builder: Builder, x: Value, layer: Any, weights: Mapping[str, Any], path: str) -> Value:
    f = _checked(layer, weights, path)
    kind = f["kind"]
    if kind == "linear":
        return builder.linear(x, f.get("weight"), f.get("bias"), path)
    if kind in ("conv1d", "conv2d"):
        axes = int(kind[4])
        window = (_axes(f, "stride", axes, 1, path), _axes(f, "padding", axes, 0, path), _groups(f, path))
        if numbers(f"{path}: weight", f.get("weight"), None).ndim != axes + 2:
            raise ValueError(f"{path}: got a weight that is not of {kind}; allowed: {axes + 2} axes")
        return builder.conv(x, f["weight"], f.get("bias"), window, path)
    if kind == "batchnorm":
        return builder.batch_norm(x, f, _eps(f, path), path)
    if kind in ("avgpool", "maxpool"):
        axes = len(x.shape) - 1
        kernel = _axes(f, "kernel", axes, None, path)
        stride = _axes(f, "stride", axes, kernel, path)
        return builder.pool(x, (kernel, stride, _axes(f, "padding", axes, 0, path)), kind == "maxpool", path)
    if kind == "flatten":
        return builder.reshape(x, (builder.nodes[x.node].size,), path)
    if kind == "residual":
        branch = _sequence(builder, x, f.get("branch", []), weights, f"{path}.branch.")
        return builder.sum(branch, _sequence(builder, x, f.get("skip", []), weights, f"{path}.skip."), path)
    return x if kind == "dropout" else builder.add(_activation(f, path), [x], x.shape, path)


def _activation(f: Mapping[str, Any], path: str) -> Activation:
    if f["kind"] == "relu":
        return Activation(None)
    key = "high" if f["kind"] == "clip" else "lambda"
    threshold = numbers(f"{path}: {key}", f.get(key), 0)
    if is_concrete(threshold) and not float(threshold) > 0:
        raise ValueError(f"{path}: got {key} {float(threshold)}; allowed: > 0")
    levels = f.get("levels") if f["kind"] == "qcfs" else None
    if f["kind"] == "qcfs" and not _whole(levels, 1):
        raise ValueError(f"{path}: got levels {levels!r}; allowed: a whole number >= 1, at most 2^24")
    return Activation(threshold, levels)


def _checked(layer: Any, weights: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A layer of a known kind with known keys, and its arrays from the state dict."""
    if not isinstance(layer, Mapping) or not isinstance(layer.get("kind"), str):
        raise ValueError(f'{path}: got {type(layer).__name__}; allowed: a layer such as {{"kind": "relu"}}')
    kind = layer["kind"]
    if kind not in _KEYS:
        raise UnsupportedLayer(path, f"kind {kind!r}", f"the kinds are {', '.join(_KEYS)}")
    unknown = sorted(set(layer) - _KEYS[kind] - {"kind"})
    if unknown:
        raise ValueError(f"{path} ({kind}): unknown key {unknown[0]!r}; allowed: {', '.join(sorted(_KEYS[kind]))}")
    found = dict(layer)
    if "name" in found:
        name = found.pop("name")
        names = _STATE.get(kind, {"weight": "weight", "bias": "bias"})
        found |= {key: weights[f"{name}.{ending}"] for key, ending in names.items() if f"{name}.{ending}" in weights}
        if not any(f"{name}.{ending}" in weights for ending in names.values()):
            raise ValueError(f"{path} ({kind}): no array {name}.weight among the weights; there are {sorted(weights)}")
    return found


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= 2**24


def _groups(f: Mapping[str, Any], path: str) -> int:
    value = f.get("groups", 1)
    if not _whole(value, 1):
        raise ValueError(f"{path}: got groups {value!r}; allowed: a whole number >= 1")
    return int(value)


def _eps(f: Mapping[str, Any], path: str) -> float:
    value = f.get("eps", 1e-5)
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise ValueError(f"{path}: got eps {value!r}; allowed: a number, such as 1e-5")
    return float(value)


def _axes(f: Mapping[str, Any], key: str, axes: int, default: Any, path: str) -> Shape:
    """A size for each axis: one number for all, or one for each."""
    value = f.get(key)
    value = default if value is None else value
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,) * axes
    if not axes or len(sizes) != axes or not all(_whole(int(n) if isinstance(n, np.integer) else n, 0) for n in sizes):
        raise ValueError(
            f"{path}: got {key} {value!r}; allowed: a whole number, or one for each of the {axes} axes behind the "
            "channels; a flat input has none"
        )
    return tuple(int(n) for n in sizes)
