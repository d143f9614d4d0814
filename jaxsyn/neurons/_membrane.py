"""A neuron with its receptors: the joined differential equation that the integrators step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, LinearSystem, Propagator, propagator
from ._base import AbstractChart, AbstractContinuousNeuron

Fraction = Array | float
ReceptorStates = dict[str, Any]


class MembraneState(eqx.Module):
    """State of a neuron and of each of its receptors."""

    neuron: Any
    receptors: ReceptorStates


class Flow(NamedTuple):
    """Outcome of one step of the membrane, before arrivals.

    Attributes:
        state: State at the end of the step.
        crossed: Whether a spike was located inside the step, bool (n,); None for on-grid integrators.
        fraction: Where in the step, in (0, 1]; meaningless where not `crossed`.
        refractory_ms: Rest of the refractory time, ms; None without refractoriness.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> membrane = js.neurons.Membrane(js.neurons.LIF(), {})
        >>> state, method = js.neurons.MembraneState(membrane.neuron.init_state((2,)), {}), js.neurons.Exact()
        >>> flow = method.flow(method.prepare(membrane, 0.1), membrane, state, jnp.zeros(2), None, lambda gap: gap >= 0)
        >>> flow.crossed.tolist()
        [False, False]
    """

    state: MembraneState
    crossed: Array | None
    fraction: Array | None
    refractory_ms: Array | None


class Membrane(eqx.Module):
    """The joined model: C dV/dt = neuron + sum of receptor currents + injected current.

    Receptors do not see V, so they flow first, exactly where they are linear; the neuron then flows in their current.

    Args:
        neuron: The neuron.
        receptors: Its receptors by name.
    Example:
        >>> import jaxsyn as js
        >>> current = js.receptors.Current(js.receptors.Exponential(2.0))
        >>> js.neurons.Membrane(js.neurons.LIF(), {"exc": current}).joined().variables
        (('neuron', 'V_mV'), ('exc', 'value'))
    """

    neuron: AbstractContinuousNeuron
    receptors: dict[str, Any]

    def current(self, receptors: ReceptorStates, V_mV: Array, I_pA: Array) -> Array:
        """Total current into the cell, pA."""
        for name in self.receptors:
            I_pA = I_pA + self.receptors[name].current(receptors[name], V_mV)
        return I_pA

    def joined(self) -> LinearSystem | None:
        """Neuron and receptors as one linear system, or None if any part is not linear."""
        neuron = self.neuron.linear()
        if neuron is None:
            return None
        variables = [("neuron", *v) for v in neuron.variables]
        entries: dict[Any, Array] = {}
        rest = {("neuron", *v): value for v, value in neuron.rest.items()}
        drives = {}
        for (row, column), entry in neuron.entries.items():
            if column == ("I_pA",):
                drives[("neuron", *row)] = entry
                entries[("neuron", *row), column] = entry
            else:
                entries[("neuron", *row), ("neuron", *column)] = entry
        for name, receptor in self.receptors.items():
            part = receptor.linear()
            if part is None or (part.variables and receptor.current_variable() is None):
                return None
            variables += [(name, *v) for v in part.variables]
            for (row, column), entry in part.entries.items():
                entries[(name, *row), (name, *column)] = entry
            if part.variables:
                for row, drive in drives.items():
                    entries[row, (name, *receptor.current_variable())] = drive
        return LinearSystem(tuple(variables), entries, rest)

    def prepare_receptors(self, dt_ms: float) -> dict[str, tuple[Propagator, Propagator] | None]:
        """Exact half and full steps of the linear receptors."""
        out: dict[str, tuple[Propagator, Propagator] | None] = {}
        for name, receptor in self.receptors.items():
            system = receptor.linear()
            out[name] = None if system is None else (propagator(system, dt_ms / 2.0), propagator(system, dt_ms))
        return out


class ReceptorCourse(NamedTuple):
    """Receptor states over one step: at its start, middle and end, and interpolated between."""

    start: ReceptorStates
    middle: ReceptorStates
    end: ReceptorStates

    def at(self, u: Fraction) -> ReceptorStates:
        """States at fraction u of the step: exact at 0, 1/2 and 1, a parabola between."""
        if isinstance(u, float) and u in (0.0, 0.5, 1.0):
            return {0.0: self.start, 0.5: self.middle, 1.0: self.end}[u]
        a, b, c = (1.0 - u) * (1.0 - 2.0 * u), 4.0 * u * (1.0 - u), u * (2.0 * u - 1.0)
        return jax.tree.map(lambda p, q, r: a * p + b * q + c * r, self.start, self.middle, self.end)


def _step_linear(step: Propagator, state: Any) -> Any:
    values = {v: getattr(state, v[0]) for v in step.variables}
    after = step.apply(values, None)
    leaves = tuple(after[v] for v in step.variables)
    return eqx.tree_at(lambda s: tuple(getattr(s, v[0]) for v in step.variables), state, leaves) if leaves else state


def _step_rk4(derivative: Callable[[Any], Any], state: Any, h_ms: float) -> Any:
    def ahead(k: Any, by: float) -> Any:
        return jax.tree.map(lambda y, d: y + by * d, state, k)

    k1 = derivative(state)
    k2 = derivative(ahead(k1, h_ms / 2.0))
    k3 = derivative(ahead(k2, h_ms / 2.0))
    k4 = derivative(ahead(k3, h_ms))
    return jax.tree.map(lambda y, a, b, c, d: y + h_ms / 6.0 * (a + 2.0 * b + 2.0 * c + d), state, k1, k2, k3, k4)


def receptor_course(membrane: Membrane, steps: dict[str, Any], states: ReceptorStates, dt_ms: float) -> ReceptorCourse:
    """Flow all receptors over one step without arrivals."""
    middle, end = {}, {}
    for name, receptor in membrane.receptors.items():
        if steps[name] is not None:
            middle[name] = _step_linear(steps[name][0], states[name])
            end[name] = _step_linear(steps[name][1], states[name])
        else:
            middle[name] = _step_rk4(receptor.derivative, states[name], dt_ms / 2.0)
            end[name] = _step_rk4(receptor.derivative, middle[name], dt_ms / 2.0)
    return ReceptorCourse(states, middle, end)


def into_chart(chart: AbstractChart | None, state: Any) -> Any:
    """The neuron state with x in place of V."""
    return state if chart is None else with_voltage(state, chart.to(state.V_mV))


def out_of_chart(chart: AbstractChart | None, y: Any) -> Any:
    """The neuron state with V in place of x."""
    return y if chart is None else with_voltage(y, chart.back(y.V_mV))


def with_voltage(state: Any, V_mV: Array) -> Any:
    """The neuron state with another voltage."""
    return eqx.tree_at(lambda s: s.V_mV, state, V_mV)


def where_tree(mask: Array, yes: Any, no: Any) -> Any:
    """`jnp.where` over two trees of the same structure."""
    return jax.tree.map(lambda a, b: jnp.where(mask, a, b), yes, no)
