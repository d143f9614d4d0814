"""Spiking transformers: attention as connectivity, membranes as shortcuts."""

import math
from collections.abc import Sequence
from typing import Any

from ..connect import (
    AbstractTransform,
    BatchNorm,
    Chain,
    Conv,
    Dense,
    Identity,
    QueryKeyAttention,
    QuerySum,
    SelfAttention,
)
from ..network import Network, Population, Projection
from ..neurons import AbstractNeuron, DiscreteLIF, LeakyIntegrator, Relay
from ..surrogate import Arctangent

_BLOCKS = ("query_key", "self")


def spiking_transformer(
    image: tuple[int, int, int] = (1, 28, 28),
    n_classes: int = 10,
    *,
    channels: int = 64,
    heads: int = 4,
    blocks: Sequence[str] = ("query_key", "self"),
    seed: int = 0,
) -> Network:
    """A small spiking transformer for images, of leaky neurons and two kinds of attention.

    Two convolutions with stride 2 make each patch of 4 x 4 pixels a token; a third, over 3 x 3 tokens, tells each where
    it stands (at the border there are fewer neighbours). A block is attention and a perceptron of two layers; both read
    spikes and add to a membrane potential x that is handed from block to block (shortcut), so that all matrices but the
    very first multiply spikes:

        s = spikes(x);  y = x + W attention(s);  x' = y + W' spikes(W'' spikes(y)), each W with batch normalization.

    "self" is spiking self-attention, a spike of scale (Q K^T) V, whose scale makes the drive 1 where a fifth of all
    queries, keys and values spike (0.16 for 49 tokens of 16 channels); "query_key" masks keys with tokens that spike
    for the sum of their queries.

    Populations: "in" (the image, a number for each pixel), "embed", "tokens", "places", "x0", and of block b "s{b}",
    "qkv{b}" or "q{b}", "chosen{b}" and "k{b}", "attended{b}", "y{b}", "m{b}", "h{b}", "x{b+1}"; "last" and "out", a
    readout of all tokens that sums over the steps. Train with `js.run(..., training=True, axis_name=...)`.

    Args:
        image: (channels, height, width), both sides divisible by 4.
        n_classes: Number of readout neurons.
        channels: Channels of a token, even; the perceptrons have twice as many.
        heads: Heads of the attention; divides the channels.
        blocks: Kind of attention of each block, "self" or "query_key".
        seed: Seed of the weights.
    Returns:
        The network, with a step of 1 ms.
    Raises:
        ValueError: Sizes that do not fit, an unknown kind of block.
    References:
        Zhou et al. (2023), Spikformer, ICLR; Zhou et al. (2024), QKFormer, NeurIPS 37; membrane shortcuts: Hu et al.
        (2024), IEEE TNNLS 36:2353. No reference rates: the network is nothing before it is trained.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.spiking_transformer((1, 8, 8), channels=8, heads=2, blocks=["self"]).size("qkv0")
        96
    """
    side = (channels, image[1] // 4, image[2] // 4)
    if any(n % 4 or n < 4 for n in image[1:]) or channels % 2:
        raise ValueError(
            f"spiking_transformer: got image {image} and {channels} channels; allowed: height and width divisible by "
            "4, an even number of channels; crop or pad the images"
        )
    if unknown := [kind for kind in blocks if kind not in _BLOCKS]:
        raise ValueError(f"spiking_transformer.blocks: got {unknown[0]!r}; allowed: {', '.join(_BLOCKS)}")
    parts = _Parts(side)
    half = (channels // 2, image[1] // 2, image[2] // 2)
    stride = {"kernel": (3, 3), "stride": 2, "padding": 1}
    parts.add("in", Relay(), math.prod(image))
    parts.spikes("embed", math.prod(half), "in", parts.linear(half[0], input_shape=image, **stride))
    parts.sums("tokens", {"embed": parts.linear(channels, input_shape=half, **stride)})
    parts.spikes("places", parts.size, "tokens", Identity())
    parts.sums("x0", {"tokens": Identity(), "places": parts.linear(channels, kernel=(3, 3), padding=1)})
    for b, kind in enumerate(blocks):
        parts.block(b, kind, heads)
    parts.spikes("last", parts.size, f"x{len(blocks)}", Identity())
    parts.add("out", LeakyIntegrator(decay=1.0), n_classes)
    parts.projections["out"] = Projection("last", "out", Dense(bias=True))
    return Network(parts.populations, parts.projections, dt_ms=1.0, seed=seed)


class _Parts:
    """Populations and projections of a transformer whose tokens have the shape (channels, *axes)."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.size = shape, math.prod(shape)
        self.populations: dict[str, Population] = {}
        self.projections: dict[str, Projection] = {}

    def add(self, name: str, neuron: AbstractNeuron, size: int) -> None:
        surrogate = Arctangent() if isinstance(neuron, DiscreteLIF) else None
        self.populations[name] = Population(neuron, size, surrogate=surrogate)

    def spikes(self, name: str, size: int, source: str, through: AbstractTransform) -> None:
        """Leaky neurons behind one projection."""
        self.add(name, DiscreteLIF(decay=0.5, detach_reset=True), size)
        self.projections[name] = Projection(source, name, through)

    def sums(self, name: str, terms: dict[str, AbstractTransform]) -> None:
        """A membrane potential that adds what arrives and hands it on."""
        self.add(name, Relay(), self.size)
        for source, through in terms.items():
            self.projections[f"{source} to {name}"] = Projection(source, name, through)

    def linear(self, n: int, **options: Any) -> Chain:
        """A convolution, by default of one matrix for every token, and batch normalization."""
        return Chain((Conv(n, **{"kernel": (1, 1), "input_shape": self.shape, **options}), BatchNorm()))

    def block(self, b: int, kind: str, heads: int) -> None:
        """Attention and a perceptron, from "x{b}" to "x{b+1}"."""
        n, size, attended = self.shape[0], self.size, f"attended{b}"
        self.spikes(f"s{b}", size, f"x{b}", Identity())
        if kind == "self":
            self.spikes(f"qkv{b}", 3 * size, f"s{b}", self.linear(3 * n))
            scale = heads / (size * 0.2**3)
            self.spikes(attended, size, f"qkv{b}", SelfAttention(self.shape, heads, scale))
        else:
            self.spikes(f"q{b}", size, f"s{b}", self.linear(n))
            self.spikes(f"chosen{b}", heads * size // n, f"q{b}", QuerySum(self.shape, heads))
            self.spikes(f"k{b}", size, f"s{b}", self.linear(n))
            self.add(attended, Relay(), size)
            both = (f"chosen{b}", f"k{b}")
            self.projections[attended] = Projection(both, attended, QueryKeyAttention(self.shape, heads))
        self.sums(f"y{b}", {f"x{b}": Identity(), attended: self.linear(n)})
        self.spikes(f"m{b}", size, f"y{b}", Identity())
        self.spikes(f"h{b}", 2 * size, f"m{b}", self.linear(2 * n))
        self.sums(f"x{b + 1}", {f"y{b}": Identity(), f"h{b}": self.linear(n, input_shape=(2 * n, *self.shape[1:]))})
