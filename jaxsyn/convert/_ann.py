"""The network that is converted: layers as nodes of a graph, whoever described them."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete
from ..connect import AbstractBoundTransform

Shape: TypeAlias = tuple[int, ...]


class Activation(eqx.Module):
    """A nonlinearity that becomes a layer of spiking neurons.

    ReLU: max(z, 0). Clipped: min(max(z, 0), threshold). Quantized (QCFS): threshold clip(floor(z levels/threshold +
    1/2)/levels, 0, 1).

    Args:
        threshold: Largest activation, a scalar; None for a ReLU, whose threshold is calibrated.
        levels: Number of levels above 0 where it is quantized, else None.
    Example:
        >>> import jax.numpy as jnp
        >>> Activation(jnp.asarray(1.0), 2)(jnp.asarray([-1.0, 0.3, 0.6, 5.0])).tolist()
        [0.0, 0.5, 0.5, 1.0]
    """

    threshold: Array | None
    levels: int | None = eqx.field(static=True, default=None)

    def __call__(self, z: Array) -> Array:
        """Activation of each unit, shape (n,)."""
        if self.threshold is None:
            return jnp.maximum(z, 0.0)
        if self.levels is None:
            return jnp.clip(z, 0.0, self.threshold)
        return rounded(z, self.threshold, self.levels) * (self.threshold / self.levels)


def rounded(z: Array, threshold: Array, levels: int) -> Array:
    """clip(floor(z levels/threshold + 1/2), 0, levels): number of levels, or of spikes in as many steps."""
    return jnp.clip(jnp.floor(z * levels / threshold + 0.5), 0.0, levels)


class Node(eqx.Module):
    """One layer.

    Args:
        op: Dense transform, activation, or None: the sum of the inputs.
        inputs: Indices of the nodes that it reads; none for the input of the network.
        shape: Shape of its output for one sample.
        path: Where it stands in the model, such as "2.branch.0".
    Example:
        >>> Node(None, (), (1, 28, 28), "in").size
        784
    """

    op: AbstractBoundTransform | Activation | None
    inputs: tuple[int, ...] = eqx.field(static=True)
    shape: Shape = eqx.field(static=True)
    path: str = eqx.field(static=True)

    @property
    def size(self) -> int:
        """Number of units."""
        return math.prod(self.shape)


class Ann(eqx.Module):
    """A trained network as a graph of affine layers and activations, in the order of evaluation.

    Args:
        nodes: The layers; the first is the input, the last the output.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.connect import BoundDense
        >>> double = BoundDense(2.0 * jnp.eye(2), None)
        >>> Ann((Node(None, (), (2,), "in"), Node(double, (0,), (2,), "0")))(jnp.ones(2)).tolist()
        [2.0, 2.0]
    """

    nodes: tuple[Node, ...]

    @property
    def input_shape(self) -> Shape:
        """Shape of one sample."""
        return self.nodes[0].shape

    @property
    def activations(self) -> tuple[int, ...]:
        """Indices of the nodes that become spiking neurons."""
        return tuple(i for i, node in enumerate(self.nodes) if isinstance(node.op, Activation))

    def __call__(self, x: Array) -> Array:
        """Output for one sample of the input shape, shape (n_out,)."""
        check_sample("Ann: x", x, self.input_shape)
        return self.values(x, self.activate)[-1]

    def activate(self, i: int, z: Array) -> Array:
        """Activation of node i, shape (n,)."""
        op = self.nodes[i].op
        assert isinstance(op, Activation)
        return op(z)

    def values(self, x: Array, activate: Callable[[int, Array], Array]) -> list[Array]:
        """Output of every node, flat.

        Args:
            x: One sample, flat or of the input shape.
            activate: Gives the output of an activation from its index and its input, shape (n,).
        """
        out = [x.reshape(-1)]
        for i, node in enumerate(self.nodes[1:], 1):
            reads = [out[k] for k in node.inputs]
            if node.op is None:
                out.append(sum(reads[1:], start=reads[0]))
            elif isinstance(node.op, Activation):
                out.append(activate(i, reads[0]))
            else:
                out.append(node.op(reads[0], ())[0])
        return out

    def with_levels(self, levels: int) -> "Ann":
        """The same network with every quantized activation of that many levels."""
        nodes = [
            eqx.tree_at(lambda n: n.op, node, Activation(node.op.threshold, levels))
            if isinstance(node.op, Activation) and node.op.levels is not None
            else node
            for node in self.nodes
        ]
        return Ann(tuple(nodes))

    def quantized(self, thresholds: Sequence[Array], levels: int) -> "Ann":
        """The same network with every activation quantized: what a converted network computes with so many steps.

        Args:
            thresholds: Threshold of each activation, in the order of `activations`.
            levels: Levels above 0.
        """
        nodes = list(self.nodes)
        for i, threshold in zip(self.activations, thresholds, strict=True):
            nodes[i] = Node(Activation(threshold, levels), nodes[i].inputs, nodes[i].shape, nodes[i].path)
        return Ann(tuple(nodes))


def readers(nodes: Sequence[Node]) -> list[list[int]]:
    """Which nodes read each node."""
    out: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for k in node.inputs:
            out[k].append(i)
    return out


def check_sample(field: str, x: Any, shape: Shape) -> None:
    """Raise unless x is one sample of finite numbers; what is traced is checked for its shape alone."""
    if jnp.shape(x) != shape:
        raise ValueError(
            f"{field}: got shape {jnp.shape(x)}; allowed: {shape}, one sample; batch with jax.vmap or `predict`"
        )
    if is_concrete(x) and not bool(jnp.all(jnp.isfinite(jnp.asarray(x)))):
        raise ValueError(f"{field}: got NaN or infinity; allowed: finite numbers; clean the data first")


def check_batch(field: str, x: Any, shape: Shape | None = None) -> Array:
    """Samples as an array of floats, checked: at least one, of the shape of the input, finite.

    Raises:
        ValueError: naming the first bad sample.
    """
    numbers = np.asarray(x)
    want = "(samples, ...)" if shape is None else f"(samples, {', '.join(map(str, shape))})"
    if numbers.dtype.kind not in "fiub":
        raise ValueError(f"{field}: got values of type {numbers.dtype}; allowed: numbers of shape {want}")
    if numbers.ndim < 2 or (shape is not None and numbers.shape[1:] != shape):
        raise ValueError(f"{field}: got shape {numbers.shape}; allowed: {want}; add or drop the axis of the samples")
    if not len(numbers) or not numbers.size:
        raise ValueError(f"{field}: got no sample, shape {numbers.shape}; allowed: at least one; pass some of the data")
    good = np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
    if not good.all():
        raise ValueError(
            f"{field}: got NaN or infinity in sample {int(np.argmin(good))}; allowed: finite numbers; drop such samples"
        )
    return jnp.asarray(numbers.astype(float_dtype()))
