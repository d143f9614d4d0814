"""Populations: neurons with their receptors, integrator, refractoriness and surrogate."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from .._core import Parameter, Parameters, as_float, is_concrete, param
from ..connect import AbstractDistribution
from ..neurons import (
    RK4,
    AbstractContinuousNeuron,
    AbstractIntegrator,
    AbstractNeuron,
    Exact,
    Membrane,
)
from ..receptors import AbstractReceptor
from ..surrogate import AbstractSurrogate


class Population(Parameters):
    """Neurons of one model.

    Args:
        neuron: The model; parameters are scalars or have one value for each neuron.
        size: Number of neurons, >= 0.
        receptors: Receptors by name; each target neuron has one state of each. Discrete neurons have none.
        integrator: How continuous neurons are stepped. Default: `Exact` where neuron and receptors are linear,
            else `RK4`; both locate spikes inside the step (on the grid with a surrogate).
        refractory_ms: Time for which V is held after a spike, ms, >= 0; everything else goes on. Default: none.
        surrogate: Spike function with a gradient; without it differentiating through the spikes raises.
        initial: Initial values by state variable ("V_mV", or "AMPA.value"): a number, an array (n,), or a distribution.
    Raises:
        ValueError: Wrong size, a parameter of wrong length, an integrator that does not fit the model.
    References:
        Refractoriness as in Rotter and Diesmann (1999), Biol. Cybern. 81:381.
    Example:
        >>> import jaxsyn as js
        >>> js.Population(js.neurons.LIF(), 100, {"exc": js.receptors.Delta()}, refractory_ms=2.0).size
        100
    """

    neuron: AbstractNeuron
    size: int = eqx.field(static=True)
    receptors: dict[str, AbstractReceptor]
    integrator: AbstractIntegrator | None
    surrogate: AbstractSurrogate | None
    initial: dict[str, Any]
    refractory_ms: Parameter = param(low=0.0, optional=True)

    def __init__(
        self,
        neuron: AbstractNeuron,
        size: int,
        receptors: Mapping[str, AbstractReceptor] | None = None,
        *,
        integrator: AbstractIntegrator | None = None,
        refractory_ms: Any = None,
        surrogate: AbstractSurrogate | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(neuron, AbstractNeuron):
            raise ValueError(f"Population.neuron: got {neuron!r}; allowed: a neuron model such as js.neurons.LIF()")
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
            raise ValueError(f"Population.size: got {size!r}; allowed: a whole number >= 0")
        self.neuron, self.size, self.surrogate = neuron, int(size), surrogate
        self.receptors = dict(
            sorted((receptors or {}).items(), key=lambda item: str(item[0]))
        )  # as jit orders them, so that sums keep their order
        for name, receptor in self.receptors.items():
            if not isinstance(name, str) or not name or "." in name or name == "neuron":
                raise ValueError(
                    f"Population.receptors: got name {name!r}; allowed: a non-empty text without '.', not 'neuron'"
                )
            if not isinstance(receptor, AbstractReceptor):
                raise ValueError(f"Population.receptors[{name!r}]: got {receptor!r}; allowed: e.g. js.receptors.AMPA()")
        self.refractory_ms = as_float(refractory_ms)
        self.initial = dict(initial or {})
        self.integrator = self._choose(integrator)

    def _choose(self, integrator: AbstractIntegrator | None) -> AbstractIntegrator | None:
        model = type(self.neuron).__name__
        if not isinstance(self.neuron, AbstractContinuousNeuron):
            for what, given in (
                ("an integrator", integrator is not None),
                ("receptors", bool(self.receptors)),
                ("refractory_ms", self.refractory_ms is not None),
            ):
                if given:
                    raise ValueError(
                        f"Population: {model} is a discrete neuron, its recurrence is the whole step; it "
                        f"takes no {what[3:] if what.startswith('an ') else what}"
                    )
            return None
        linear = Membrane(self.neuron, self.receptors).joined()
        on_grid = self.surrogate is not None
        if integrator is None:
            own = [] if linear is None else [variable for variable in linear.variables if variable[0] == "neuron"]
            return Exact(on_grid) if len(own) == 1 or (own and on_grid) else RK4(on_grid)
        if on_grid and not integrator.on_grid:
            raise ValueError(
                f"Population: a surrogate gradient belongs to spikes on the grid; use "
                f"{type(integrator).__name__}(on_grid=True)"
            )
        if isinstance(integrator, Exact):
            integrator.system(Membrane(self.neuron, self.receptors))
        return integrator

    def __check_init__(self) -> None:
        parts = (self.neuron, self.receptors, self.refractory_ms, self.surrogate)
        for path, leaf in jax.tree_util.tree_leaves_with_path(parts):
            if getattr(leaf, "ndim", 0) == 1 and leaf.shape[0] != self.size:
                where = "".join(str(p) for p in path[1:]).lstrip(".")
                raise ValueError(
                    f"Population: {type(self.neuron).__name__} parameter {where or 'refractory_ms'} has "
                    f"{leaf.shape[0]} values for {self.size} neurons; give {self.size} values or a scalar"
                )
        for name, value in self.initial.items():
            if isinstance(value, AbstractDistribution) or not is_concrete(value):
                continue
            shape = np.shape(value)
            if shape not in ((), (self.size,)) or not np.all(np.isfinite(np.asarray(value, float))):
                raise ValueError(
                    f"Population.initial[{name!r}]: got shape {shape}; allowed: finite, a number or {self.size} "
                    "values, or a distribution such as js.connect.Uniform(-60.0, -50.0)"
                )
