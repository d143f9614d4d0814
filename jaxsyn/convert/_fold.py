"""Batch normalization and other factors of channels become part of the layers beside them."""

from ..connect import AbstractBoundTransform
from ._ann import Ann, Node, readers
from ._transforms import PerChannel, after_per_channel, before_per_channel


def fold(ann: Ann) -> Ann:
    """The same function with as few layers as possible.

    A factor for each channel goes into the layer before it, if nobody else reads that layer, or else into the layer
    behind it, if nobody else reads the factor. What is left (before a convolution with padding, whose padding is not
    shifted, or between two activations) stays a layer of its own.

    Args:
        ann: The network; its numbers may be traced.
    Returns:
        The network with the same output, and the same paths of activations.
    Example:
        >>> import numpy as np
        >>> from jaxsyn.convert import read_layers
        >>> norm = {"kind": "batchnorm", "mean": [0.0], "var": [1.0], "gamma": [-1.0], "beta": [0.0]}
        >>> len(fold(read_layers([{"kind": "linear", "weight": np.ones((1, 2)), "bias": None}, norm], (2,))).nodes)
        2
    """
    nodes = list(ann.nodes)
    i = 1
    while i < len(nodes):
        merged = _merge(nodes, i)
        if merged is None:
            i += 1
        else:
            nodes, i = merged, 1
    return Ann(tuple(nodes))


def _merge(nodes: list[Node], i: int) -> list[Node] | None:
    """The nodes without node i, a factor for each channel that a neighbor takes up; None if none can."""
    op, who = nodes[i].op, readers(nodes)
    if not isinstance(op, PerChannel):
        return None
    before = nodes[i].inputs[0]
    if who[before] == [i]:
        taken = before_per_channel(nodes[before].op, op.scale, op.shift)
        if taken is not None:
            return _without(nodes, i, before, taken)
    if len(who[i]) == 1:
        taken = after_per_channel(nodes[who[i][0]].op, op.scale, op.shift)
        if taken is not None:
            return _without(nodes, i, who[i][0], taken)
    return None


def _without(nodes: list[Node], i: int, heir: int, op: AbstractBoundTransform) -> list[Node]:
    """Nodes without node i, whose input is read in its place; what it did is in the new transform of the heir."""
    out = []
    for k, node in enumerate(nodes):
        if k != i:
            reads = (nodes[i].inputs[0] if n == i else n for n in node.inputs)
            inputs = tuple(n - (n > i) for n in reads)
            out.append(Node(op if k == heir else node.op, inputs, node.shape, node.path))
    return out
