"""Puts an `Ann` together layer by layer, checking shapes; both readers of models use it."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete
from ..connect import AbstractBoundTransform, AvgPool, BoundConv, BoundDense, BoundPool, MaxPool
from ._ann import Activation, Ann, Node, Shape
from ._transforms import Function, PerChannel


class Value(NamedTuple):
    """What a layer gives: a node, and the shape that its output is read in."""

    node: int
    shape: Shape


class UnsupportedLayer(ValueError):
    """A layer that has no spiking counterpart; the message names its path and what to do.

    Args:
        path: Where the layer stands in the model.
        what: What it is.
        remedy: What to do.
    Example:
        >>> str(UnsupportedLayer("layers[2]", "GRUCell", "use a feed-forward layer"))
        'layers[2]: got GRUCell; allowed: layers that convert; use a feed-forward layer'
    """

    def __init__(self, path: str, what: str, remedy: str) -> None:
        super().__init__(f"{path}: got {what}; allowed: layers that convert; {remedy}")
        self.path = path


class Builder:
    """Nodes so far."""

    def __init__(self, input_shape: Shape) -> None:
        self.nodes = [Node(None, (), tuple(input_shape), "in")]

    @property
    def start(self) -> Value:
        """The input of the network."""
        return Value(0, self.nodes[0].shape)

    def finish(self, value: Value) -> Ann:
        """The network that ends with a value; every node that the output does not depend on is left out."""
        wanted = {0, value.node}
        for i in range(value.node, 0, -1):
            if i in wanted:
                wanted.update(self.nodes[i].inputs)
        order = sorted(wanted)
        if order[-1] != value.node:
            raise AssertionError("the output is the last node")
        place = {old: new for new, old in enumerate(order)}
        kept = [self.nodes[i] for i in order]
        paths = _distinct([n.path for n in kept])
        return Ann(
            tuple(
                Node(n.op, tuple(place[k] for k in n.inputs), n.shape, path)
                for n, path in zip(kept, paths, strict=True)
            )
        )

    def add(
        self, op: AbstractBoundTransform | Activation | None, inputs: Sequence[Value], shape: Shape, path: str
    ) -> Value:
        """One more node."""
        self.nodes.append(Node(op, tuple(v.node for v in inputs), shape, path))
        return Value(len(self.nodes) - 1, shape)

    def linear(self, x: Value, weight: Any, bias: Any, path: str) -> Value:
        """y = W x + b with W of shape (out, in), along a flat input."""
        w, b = numbers(f"{path}: weight", weight, 2), optional(f"{path}: bias", bias)
        if x.shape != w.shape[1:]:
            raise ValueError(
                f"{path}: got an input of shape {x.shape}; allowed: ({w.shape[1]},), as the weight has shape "
                f"{w.shape}; flatten before it, or correct the sizes"
            )
        _check_bias(path, b, w.shape[0])
        return self.add(BoundDense(w.T, b), [x], (w.shape[0],), path)

    def conv(self, x: Value, weight: Any, bias: Any, window: tuple[Shape, Shape, int], path: str) -> Value:
        """Cross-correlation with a kernel (out, in/groups, *axes); `window` is stride, padding and groups."""
        w, b = numbers(f"{path}: weight", weight, None), optional(f"{path}: bias", bias)
        stride, padding, groups = window
        axes = w.ndim - 2
        if axes not in (1, 2) or not w.size:
            raise ValueError(f"{path}: got a kernel of shape {w.shape}; allowed: (out, in/groups, one or two axes)")
        if len(x.shape) != axes + 1 or x.shape[0] != w.shape[1] * groups or w.shape[0] % groups:
            raise ValueError(
                f"{path}: got an input of shape {x.shape}; allowed: ({w.shape[1] * groups}, {axes} axes), as the "
                f"kernel has shape {w.shape} and {groups} groups; correct the channels or the groups"
            )
        if len(stride) != axes or len(padding) != axes or min(stride) < 1 or min(padding) < 0:
            raise ValueError(
                f"{path}: got stride {stride} and padding {padding}; allowed: {axes} numbers each, >= 1 and >= 0"
            )
        _check_bias(path, b, w.shape[0])
        out = _windows(path, x.shape, w.shape[2:], stride, padding)
        op = BoundConv(w, b, x.shape, tuple(stride), tuple(padding), groups)
        return self.add(op, [x], (w.shape[0], *out), path)

    def per_channel(self, x: Value, scale: Array, shift: Array | None, path: str) -> Value:
        """A factor and an offset for each channel, the first axis."""
        if scale.shape != x.shape[:1]:
            raise ValueError(f"{path}: got {scale.shape[0]} channels for an input of shape {x.shape}; allowed: equal")
        return self.add(PerChannel(scale, shift), [x], x.shape, path)

    def affine(self, x: Value, scale: Any, shift: Any, path: str) -> Value:
        """scale x + shift with constants, for each channel where they agree within channels, else for each unit."""
        parts: list[Any] = [
            None if c is None else np.broadcast_to(numbers(path, c, None), x.shape) for c in (scale, shift)
        ]
        rows: list[Any] = [None if c is None else c.reshape(x.shape[0] if x.shape else 1, -1) for c in parts]
        if all(r is None or (r == r[:, :1]).all() for r in rows):
            rows, shape = [None if r is None else r[:, 0] for r in rows], x.shape or (1,)
        else:
            rows, shape = [None if r is None else r.reshape(-1) for r in rows], (math.prod(x.shape),)
        scales, shifts = (None if r is None else jnp.asarray(r) for r in rows)
        assert scales is not None
        return Value(self.per_channel(Value(x.node, shape), scales, shifts, path).node, x.shape)

    def quantized(self, x: Value, threshold: Any, levels: int, path: str) -> Value:
        """Quantized, clipped activations; where each unit has a threshold of its own, of x / threshold."""
        size = numbers(f"{path}: threshold", threshold, None)
        if is_concrete(size) and not np.all(np.asarray(size) > 0):
            raise ValueError(
                f"{path}: got threshold {float(jnp.min(size)):g}; allowed: > 0; train with a smaller rate, or clip it"
            )
        if not size.ndim:
            return self.add(Activation(size, levels), [x], x.shape, path)
        share = self.affine(x, 1.0 / size, None, f"{path}.share")
        unit = Activation(jnp.ones((), size.dtype), levels)
        return self.affine(self.add(unit, [share], x.shape, path), size, None, f"{path}.size")

    def batch_norm(self, x: Value, statistics: dict[str, Any], eps: float, path: str) -> Value:
        """gamma (x - mean) / sqrt(var + eps) + beta for each channel; gamma and beta may be missing."""
        given = {k: optional(f"{path}: {k}", statistics.get(k)) for k in ("mean", "var", "gamma", "beta")}
        mean, var = given["mean"], given["var"]
        if mean is None or var is None:
            raise ValueError(f"{path}: got no running statistics; allowed: mean and var; train the model first")
        if is_concrete(var) and (not np.isfinite(eps) or np.any(np.asarray(var) + eps <= 0)):
            raise ValueError(f"{path}: got a variance + eps that is not positive; allowed: > 0; train the model first")
        gamma = jnp.ones_like(mean) if given["gamma"] is None else given["gamma"]
        scale = gamma / jnp.sqrt(var + eps)
        shift = -mean * scale
        if any(v is not None and v.shape != mean.shape for v in given.values()):
            raise ValueError(f"{path}: got statistics of different length; allowed: one number for each channel")
        return self.per_channel(x, scale, shift if given["beta"] is None else shift + given["beta"], path)

    def pool(self, x: Value, window: tuple[Shape, Shape, Shape], maximum: bool, path: str) -> Value:
        """Mean or maximum over windows; `window` is kernel, stride and padding."""
        kernel, stride, padding = (tuple(int(n) for n in part) for part in window)
        if len(kernel) not in (1, 2) or len(x.shape) != len(kernel) + 1:
            raise ValueError(
                f"{path}: got an input of shape {x.shape}; allowed: (channels, one or two axes), with as many sizes "
                f"in the kernel, {kernel}; do not flatten before it"
            )
        MaxPool(kernel, stride, padding) if maximum else AvgPool(kernel, stride, padding)  # checks the sizes
        out = _windows(path, x.shape, kernel, stride, padding)
        return self.add(BoundPool(x.shape, kernel, stride, padding, maximum), [x], (x.shape[0], *out), path)

    def reshape(self, x: Value, shape: Shape, path: str) -> Value:
        """The same numbers in another shape."""
        if math.prod(shape) != math.prod(x.shape):
            raise ValueError(f"{path}: got shape {shape} for an input of shape {x.shape}; allowed: as many entries")
        return Value(x.node, tuple(shape))

    def sum(self, a: Value, b: Value, path: str) -> Value:
        """Both ends of a residual block, added."""
        if a.shape != b.shape:
            raise ValueError(f"{path}: got branches of shape {a.shape} and {b.shape}; allowed: equal shapes")
        return self.add(None, [a, b], a.shape, path)

    def function(self, x: Value, function: Any, path: str) -> Value:
        """Any function of one sample, to be carried by differences of accumulated outputs."""
        out = jax.eval_shape(function, jnp.zeros(x.shape, float_dtype()))
        return self.add(Function(function, 1, x.shape), [x], tuple(out.shape), path)


def numbers(field: str, value: Any, ndim: int | None) -> Array:
    """An array of finite floats of some rank; traced arrays pass."""
    if value is None:
        raise ValueError(f"{field}: missing; allowed: an array of numbers")
    if is_concrete(value):
        try:
            array = np.asarray(value, float_dtype())
        except (TypeError, ValueError, RuntimeError):  # the last: tensors of other libraries that hold gradients
            raise ValueError(f"{field}: got {type(value).__name__}; allowed: a full array of numbers") from None
        if not np.isfinite(array).all():
            raise ValueError(f"{field}: got NaN or infinity; allowed: finite numbers; the training may have diverged")
        value = jnp.asarray(array)
    if ndim is not None and value.ndim != ndim:
        raise ValueError(f"{field}: got shape {value.shape}; allowed: {ndim} axes")
    out: Array = value
    return out


def optional(field: str, value: Any) -> Array | None:
    """A vector of finite floats, or None."""
    return None if value is None else numbers(field, value, None).reshape(-1)


def _distinct(paths: Sequence[str]) -> list[str]:
    """The paths, numbered where what is made of a path is used again; populations are named by their words alone."""
    out: list[str] = []
    taken: set[str] = set()
    for path in paths:
        name, k = path, 1
        while words(name) in taken:
            k += 1
            name = f"{path}#{k}"
        taken.add(words(name))
        out.append(name)
    return out


def words(path: str) -> str:
    """The letters and digits of a path, as a name."""
    return re.sub(r"\W+", "_", path).strip("_")


def _check_bias(path: str, bias: Array | None, n_out: int) -> None:
    if bias is not None and bias.shape != (n_out,):
        raise ValueError(f"{path}: got a bias of shape {bias.shape}; allowed: ({n_out},), one for each output")


def _windows(path: str, shape: Shape, kernel: Shape, stride: Shape, padding: Shape) -> Shape:
    """Sizes of the axes after a sliding window."""
    out = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True))
    if min(out) < 1:
        raise ValueError(
            f"{path}: got a window {tuple(kernel)} larger than its padded input {shape}; allowed: at most that large"
        )
    return out
