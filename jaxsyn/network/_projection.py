"""Projections: who reaches whom, with which weight and delay."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np

from .._core import Parameter, Parameters, Weights, as_float, param
from ..connect import AbstractDistribution, AbstractRule, AbstractTransform, TrainableDelay
from ..plasticity import AbstractShortTerm
from ._storage import STORAGES

PROPAGATIONS = ("auto", "sparse", "bcoo")


class Projection(Parameters):
    """Synapses from one population to one or several.

    Args:
        source: Name of the source population; or names of several, which a transform such as `SelfAttention` reads as
            one long population, in this order. They have one model and surrogate, do not reach each other without
            delay, and stand one behind the other in the network.
        target: Name or names of the target populations; several count as one long population, in this order.
        connectivity: A rule of `js.connect` (sparse) or a transform such as `Dense` (matrix); or a list of rules, one
            for each target. One projection to several targets is stepped faster than several projections.
        weight_nS, weight_pA, weight_mV, weight: Weight in the unit of the receptor (`weight`: discrete neurons): a
            number, one value for each synapse, a distribution, or a mapping from receptor to one of these. Several
            receptors share one graph. A transform without weight initializes itself.
        delay_ms: Delay, a multiple of dt_ms: a number, one for each synapse, or a distribution, whose samples are
            rounded to the grid and up to one step. 0 is legal into kinetic receptors in any graph, and into
            receptors that act at once (delta, discrete neurons) where no loop of such projections exists. A
            `js.connect.TrainableDelay` gives each synapse one that is trained.
        gain: Factor of all weights, a traced leaf for scans.
        short_term: Short-term plasticity of the source's release.
        propagation: "auto", "sparse" (event-driven) or "bcoo" (`jax.experimental.sparse`, cost of all synapses).
        storage: What a synapse takes: "full", a weight of 4 bytes and a target of 4. Otherwise a target of 2, and a
            weight rounded to "float16" (2 bytes; off by up to 5e-4 of itself), "bfloat16" (2 bytes; 4e-3 of itself),
            "int16" (2 bytes; 3.1e-5 of the largest weight) or "int8" (1 byte; 8e-3 of the largest). Integers are
            multiples of a power of two, so weights on a binary grid stay as they are. A weight that all synapses
            share is kept in full, and takes nothing. Not for sources with a surrogate, and not differentiable.
    Raises:
        ValueError: Weights in two units, unknown propagation or storage, connectivity of a wrong kind.
    References:
        Delays as in NEST: an emission stamped t arrives at t + delay.
    Example:
        >>> import jaxsyn as js
        >>> js.Projection("E", "I", js.connect.FixedProbability(0.1), weight_nS={"AMPA": 1.0}, delay_ms=1.5).target
        ('I',)
    """

    sources: tuple[str, ...] = eqx.field(static=True)
    target: tuple[str, ...] = eqx.field(static=True)
    connectivity: AbstractRule | AbstractTransform | tuple[AbstractRule, ...] = eqx.field(static=True)
    weights: Weights | None
    delay_ms: Any
    short_term: AbstractShortTerm | None
    propagation: str = eqx.field(static=True)
    storage: str = eqx.field(static=True)
    gain: Parameter = param()

    def __init__(
        self,
        source: str | Sequence[str],
        target: str | Sequence[str],
        connectivity: AbstractRule | AbstractTransform | Sequence[AbstractRule],
        *,
        delay_ms: Any = 0.0,
        gain: Any = 1.0,
        short_term: AbstractShortTerm | None = None,
        propagation: str = "auto",
        storage: str = "full",
        **weights: Any,
    ) -> None:
        where = f"Projection({source!r} -> {target!r})"
        self.sources = _names_of_sources(where, source, connectivity)
        self.target = (target,) if isinstance(target, str) else tuple(target)
        if not self.target or len(set(self.target)) < len(self.target):
            raise ValueError(f"{where}: got target {target!r}; allowed: one population or several different ones")
        if isinstance(connectivity, Sequence):
            connectivity = tuple(connectivity)
            if len(connectivity) != len(self.target) or not all(isinstance(r, AbstractRule) for r in connectivity):
                raise ValueError(
                    f"{where}: got {len(connectivity)} rules {connectivity!r} for {len(self.target)} targets; allowed: "
                    "one rule of js.connect for each target"
                )
        elif not isinstance(connectivity, AbstractRule | AbstractTransform):
            raise ValueError(
                f"{where}: got connectivity {connectivity!r}; allowed: e.g. js.connect.FixedProbability(0.1)"
            )
        if propagation not in PROPAGATIONS:
            raise ValueError(f"{where}: got propagation {propagation!r}; allowed: {', '.join(PROPAGATIONS)}")
        if storage not in STORAGES:
            raise ValueError(f"{where}: got storage {storage!r}; allowed: {', '.join(STORAGES)}")
        self.storage = storage
        unknown = sorted(set(weights) - {"weight_nS", "weight_pA", "weight_mV", "weight"})
        if unknown:
            raise ValueError(
                f"{where}: unknown argument {unknown[0]!r}; the weight is one of weight_nS, weight_pA, "
                f"weight_mV, weight"
            )
        self.connectivity, self.propagation, self.short_term = connectivity, propagation, short_term
        self.weights = Weights.parse(
            where,
            pA=weights.get("weight_pA"),
            nS=weights.get("weight_nS"),
            mV=weights.get("weight_mV"),
            pure=weights.get("weight"),
        )
        self.delay_ms = _delay(where, delay_ms)
        self.gain = as_float(gain)
        if np.shape(self.gain) != ():
            raise ValueError(
                f"{where}: got gain of shape {np.shape(self.gain)}; allowed: one number; scale the weights instead"
            )

    @property
    def source(self) -> str:
        """Name of the source population; the names of several joined by +."""
        return "+".join(self.sources)


def _delay(where: str, delay_ms: Any) -> Any:
    """Delays as numbers in float64, or what draws or trains them."""
    if isinstance(delay_ms, AbstractDistribution | TrainableDelay):
        return delay_ms
    if np.asarray(delay_ms).dtype.kind not in "iuf":
        allowed = "numbers, ms, a distribution, or js.connect.TrainableDelay(...)"
        raise ValueError(f"{where}: got delay_ms {delay_ms!r}; allowed: {allowed}")
    return np.asarray(delay_ms, np.float64)


def _names_of_sources(where: str, source: str | Sequence[str], connectivity: Any) -> tuple[str, ...]:
    sources = (source,) if isinstance(source, str) else tuple(source)
    if not sources or len(set(sources)) < len(sources):
        raise ValueError(f"{where}: got source {source!r}; allowed: one population or several different ones")
    if len(sources) > 1 and not isinstance(connectivity, AbstractTransform):
        raise ValueError(
            f"{where}: several sources need a transform that joins them, such as js.connect.SelfAttention; make "
            "one projection for each source"
        )
    return sources
