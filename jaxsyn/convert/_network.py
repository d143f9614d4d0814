"""The spiking network of a converted model: an ordinary `Network` of discrete neurons.

Activations, maxima and the input become populations; what is affine between them becomes transforms of projections.
Thresholds are 1: the transforms carry the sizes, a spike of layer i standing for its threshold. A value that several
layers read, such as the stem of residual blocks, is a population of relays, so that it is computed once.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import jax.numpy as jnp

from .._core import Array, float_dtype
from ..connect import AbstractBoundTransform, BoundChain, BoundPool, Identity
from ..network import Network, Population, Projection
from ..neurons import (
    AbstractNeuron,
    AccumulateFire,
    Difference,
    DiscreteLIF,
    LeakyIntegrator,
    Relay,
    SignedIF,
)
from ..surrogate import Triangle
from ._ann import Activation, Ann, readers
from ._builder import words
from ._transforms import Bound, Function, Weighted, carried, linear, scaled

Mode: TypeAlias = Literal["rate", "exact", "signed"]
INPUT, OUTPUT = "in", "out"


class Term(NamedTuple):
    """A way from a population to where its input is summed: transforms one after the other."""

    source: int
    ops: tuple[AbstractBoundTransform, ...]


class Built(NamedTuple):
    """A network, the names of its spiking layers in the order of activations, and how long it runs."""

    net: Network
    names: tuple[str, ...]
    run_steps: int


class Layout:
    """Which nodes of a network become populations, and the terms between them. Depends on the structure alone."""

    def __init__(self, ann: Ann) -> None:
        self.ann, self.nodes = ann, ann.nodes
        self.last = len(self.nodes) - 1
        who = readers(self.nodes)
        self.sources = {
            i
            for i, node in enumerate(self.nodes)
            if i == 0 or isinstance(node.op, Activation) or carried(node.op) or len(who[i]) > 1
        }

    def name(self, i: int) -> str:
        """Name of the population of a node."""
        op, path = self.nodes[i].op, words(self.nodes[i].path)
        if i == 0:
            return INPUT
        return f"{'layer' if isinstance(op, Activation) else 'carried' if carried(op) else 'sum'}_{path}"

    def own(self, i: int) -> list[Term]:
        """Terms of what arrives at the population of a node."""
        node = self.nodes[i]
        if isinstance(node.op, Activation) or carried(node.op):
            return self.read(node.inputs[0])
        return self._through(i)

    def output(self) -> list[Term]:
        """Terms of the output."""
        return self.read(self.last)

    def read(self, i: int) -> list[Term]:
        """Terms of the value of a node, for who reads it."""
        return [Term(i, ())] if i in self.sources else self._through(i)

    def _through(self, i: int) -> list[Term]:
        node = self.nodes[i]
        if node.op is None:
            return [term for k in node.inputs for term in self.read(k)]
        assert isinstance(node.op, AbstractBoundTransform)
        terms = self.read(node.inputs[0])
        ops = [node.op, *(linear(node.op) for _ in terms[1:])]  # the bias counts once
        return [Term(t.source, (*t.ops, op)) for t, op in zip(terms, ops, strict=True)]

    def windows(self) -> dict[int, int]:
        """Window of time in which a population emits in the exact mode: one later than the last that reaches it."""
        out = {0: 0}
        for i in sorted(self.sources - {0}):
            latest = max(out[t.source] for t in self.own(i))
            out[i] = latest + isinstance(self.nodes[i].op, Activation)
        out[self.last + 1] = max(out[t.source] for t in self.output())
        return out

    def sizes(self, thresholds: Sequence[Array]) -> dict[int, Array]:
        """What an emission of 1 stands for, by node: the threshold of a layer; the maximum of spikes is a spike."""
        one = jnp.ones((), float_dtype())
        by_node = dict(zip(self.ann.activations, thresholds, strict=True))
        out: dict[int, Array] = {}
        for i in sorted(self.sources):
            terms = self.own(i) if i else []
            if isinstance(self.nodes[i].op, BoundPool) and len(terms) == 1 and not terms[0].ops:
                out[i] = out[terms[0].source]
            else:
                out[i] = by_node.get(i, one)
        return out


def build(ann: Ann, thresholds: Sequence[Array], mode: Mode, n_steps: int) -> Built:
    """The spiking network of a folded model.

    Args:
        ann: The model, its numbers concrete or traced.
        thresholds: Threshold of each activation.
        mode: "rate" (integrate-and-fire from half the threshold), "signed" (also takes spikes back) or "exact"
            (accumulate, then fire: one window of n_steps for each layer).
        n_steps: Steps that a sample is shown for.
    Returns:
        The network with populations "in", "out" (its potential is the summed output) and one for each activation.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.convert import read_layers
        >>> ann = read_layers([{"kind": "linear", "weight": [[2.0]], "bias": None}, {"kind": "relu"}], (1,))
        >>> build(ann, [jnp.asarray(2.0)], "exact", 4).run_steps
        8
    """
    layout = Layout(ann)
    windows, sizes = layout.windows(), layout.sizes(thresholds)
    offsets = _offsets(ann, n_steps) if mode == "exact" else None
    populations = {INPUT: Population(Relay(), ann.nodes[0].size)}
    projections: dict[str, Projection] = {}
    one = jnp.ones((), float_dtype())

    def connect(terms: Sequence[Term], target: str, size: Array) -> None:
        for k, term in enumerate(terms):
            source = layout.name(term.source)
            name = f"{source} to {target}" + (f" {k}" if k else "")
            projections[name] = _projection(source, target, term, (sizes[term.source], size), mode == "exact")

    for i in sorted(layout.sources - {0}):
        node, name, terms = ann.nodes[i], layout.name(i), layout.own(i)
        if isinstance(node.op, Activation):
            neuron, start = _neuron(mode, windows[i] * n_steps, n_steps), 0.5 * one
            start = start if offsets is None else start + offsets[node.inputs[0]] / sizes[i]
            populations[name] = Population(neuron, node.size, surrogate=Triangle(), initial={"v": start})
            connect(terms, name, sizes[i])
        elif carried(node.op):
            behind = ann.nodes[node.inputs[0]]
            start = 0.0 * one if offsets is None else offsets[node.inputs[0]]
            populations[f"charge_{name}"] = Population(LeakyIntegrator(1.0), behind.size, initial={"v": start})
            populations[name] = Population(Difference(), node.size)
            connect(terms, f"charge_{name}", sizes[i])
            projections[name] = Projection(f"charge_{name}", name, Bound(_of_sum(node.op, n_steps)))
        else:
            populations[name] = Population(Relay(), node.size)
            connect(terms, name, one)
    start = 0.0 * one if offsets is None else offsets[layout.last]
    populations[OUTPUT] = Population(LeakyIntegrator(1.0), ann.nodes[-1].size, initial={"v": start})
    connect(layout.output(), OUTPUT, one)
    names = tuple(layout.name(i) for i in ann.activations)
    run_steps = n_steps * (windows[layout.last + 1] + 1 if mode == "exact" else 1)
    return Built(Network(populations, projections, dt_ms=1.0), names, run_steps)


def _of_sum(op: object, n_steps: int) -> AbstractBoundTransform:
    """A transform that is not linear, as a function of sums over all steps; of a maximum it is the same."""
    if isinstance(op, Function):
        return Function(op.function, n_steps, op.input_shape)
    assert isinstance(op, BoundPool)
    return op


def _neuron(mode: Mode, wait_steps: int, window_steps: int) -> AbstractNeuron:
    if mode == "exact":
        return AccumulateFire(wait_steps=wait_steps, window_steps=window_steps)
    return SignedIF() if mode == "signed" else DiscreteLIF(decay=1.0)


def _offsets(ann: Ann, n_steps: int) -> list[Array]:
    """What the biases alone give at every node in all steps together; silent where a spiking layer is in between.

    In the exact mode the biases are the start of the potentials, so that windows of any length count them equally.
    """
    silent = [jnp.zeros_like(z) for z in ann.values(jnp.zeros(ann.nodes[0].size, float_dtype()), lambda i, z: z)]
    out: list[Array] = []
    for node in ann.nodes:
        reads = [out[k] for k in node.inputs]
        if not reads or isinstance(node.op, Activation) or carried(node.op):
            out.append(silent[len(out)])
        elif node.op is None:
            out.append(sum(reads[1:], start=reads[0]))
        else:
            assert isinstance(node.op, AbstractBoundTransform)
            out.append(node.op(reads[0], ())[0])
    return [n_steps * z for z in out]


def _projection(source: str, target: str, term: Term, sizes: tuple[Array, Array], without_bias: bool) -> Projection:
    """Transforms between units of the sizes of their ends; the sizes go into weights where there are any."""
    ops = [linear(op) if without_bias else op for op in term.ops]
    with_weights = [k for k, op in enumerate(ops) if isinstance(op, Weighted)]
    gain = jnp.ones((), float_dtype())
    if not with_weights:
        gain = sizes[0] / sizes[1]
    for k in dict.fromkeys(with_weights[:1] + with_weights[-1:]):
        op = ops[k]
        assert isinstance(op, Weighted)
        into, out = (sizes[0] if k == with_weights[0] else None), (sizes[1] if k == with_weights[-1] else None)
        ops[k] = scaled(op, into, out)
    chain = Identity() if not ops else Bound(ops[0] if len(ops) == 1 else BoundChain(tuple(ops)))
    return Projection(source, target, chain, gain=gain)
