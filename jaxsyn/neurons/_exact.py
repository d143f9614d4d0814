"""The exact step of linear neurons."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, LinearSystem, Propagator, propagator
from ._base import SpikeFunction
from ._integrators import AbstractIntegrator, Refractory, first_zero, hermite
from ._membrane import Flow, Fraction, Membrane, MembraneState, with_voltage


class Exact(AbstractIntegrator):
    """Exact step of a linear neuron with linear current receptors: one exponential of the joined matrix.

    No discretization error in V for piecewise constant injected current, for any dt and any time constants, equal
    ones included. On the grid it reproduces NEST's `iaf_psc_exp` spike for spike; located inside the step, spike
    times have order 4. The default where it applies.

    Args:
        on_grid: Test threshold at the end of the step only.
    References:
        Rotter and Diesmann (1999), Biol. Cybern. 81:381, eqs. 3-8; Morrison et al. (2007), Neural Comput. 19:47.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.Exact().on_grid
        False
    """

    on_grid: bool = eqx.field(static=True, default=False)

    def prepare(self, membrane: Membrane, dt_ms: float) -> tuple[float, Propagator]:
        return dt_ms, propagator(self.system(membrane), dt_ms)

    def system(self, membrane: Membrane) -> LinearSystem:
        """The joined system of a membrane that this integrator can step.

        Raises:
            ValueError: The membrane is not linear, or has variables besides V while spikes are to be located.
        """
        system = membrane.joined()
        if system is None:
            raise ValueError(
                f"integrator Exact: {type(membrane.neuron).__name__} with receptors "
                f"{sorted(membrane.receptors) or 'none'} is not linear (conductances and nonlinear neurons are not); "
                "use ExponentialEuler, RK2 or RK4"
            )
        if not self.on_grid and sum(variable[0] == "neuron" for variable in system.variables) > 1:
            raise ValueError(
                f"integrator Exact locates spikes for neurons whose only variable is V; "
                f"{type(membrane.neuron).__name__} has more: use Exact(on_grid=True) or RK4()"
            )
        return system

    def flow(
        self,
        prepared: Any,
        membrane: Membrane,
        state: MembraneState,
        I_pA: Array,
        clamp: Refractory | None,
        spike: SpikeFunction,
    ) -> Flow:
        dt_ms, step = prepared
        free = _apply_joined(step, state, I_pA)
        if self.on_grid:
            if clamp is not None:
                V = jnp.where(clamp.left_ms > 0, state.neuron.V_mV, free.neuron.V_mV)
                free = MembraneState(with_voltage(free.neuron, V), free.receptors)
            return Flow(free, None, None, None)
        V, crossed, fraction, left = self._located(membrane, state, free, I_pA, dt_ms, clamp, spike)
        return Flow(MembraneState(with_voltage(free.neuron, V), free.receptors), crossed, fraction, left)

    def _located(
        self,
        membrane: Membrane,
        state: MembraneState,
        free: MembraneState,
        I_pA: Array,
        dt_ms: float,
        clamp: Refractory | None,
        spike: SpikeFunction,
    ) -> tuple[Array, Array, Array, Array | None]:
        """Two solutions of a linear equation differ by exp(A t) times their difference: hold and reset use that."""
        neuron = membrane.neuron
        V = ("neuron", "V_mV")
        rate = self.system(membrane).entries[V, V]

        def slope(s: MembraneState) -> Array:
            total = membrane.current(s.receptors, s.neuron.V_mV, I_pA)
            return dt_ms * neuron.derivative(s.neuron, total).V_mV

        V0, V1, m0, m1 = state.neuron.V_mV, free.neuron.V_mV, slope(state), slope(free)
        start: Fraction = 0.0
        if clamp is not None:
            start = jnp.clip(clamp.left_ms / dt_ms, 0.0, 1.0)
            behind = V0 - hermite(V0, m0, V1, m1, start)
            late = jnp.exp(rate * dt_ms * (1.0 - start)) * behind
            Va, ma = V0, _hermite_slope(V0, m0, V1, m1, start) + rate * dt_ms * behind
            V1, m1 = V1 + late, m1 + rate * dt_ms * late
            V0, m0, m1 = Va, ma * (1.0 - start), m1 * (1.0 - start)
        to_gap = neuron.threshold_gap
        g0 = to_gap(with_voltage(state.neuron, V0))
        g1 = to_gap(with_voltage(state.neuron, V1))
        t = first_zero(g0, m0, g1, m1)
        crossed = spike(g1)
        if clamp is not None:
            crossed = crossed & (start < 1.0)
        fraction = jnp.where(crossed, start + t * (1.0 - start), 1.0)
        left = None
        begin, at = fraction, t
        if clamp is not None:
            after_spike = jnp.maximum(clamp.total_ms - (1.0 - fraction) * dt_ms, 0.0)
            left = jnp.where(crossed, after_spike, jnp.maximum(clamp.left_ms - dt_ms, 0.0))
            begin = jnp.minimum(fraction + clamp.total_ms / dt_ms, 1.0)
            at = (begin - start) / jnp.maximum(1.0 - start, 1e-6)
        fresh = neuron.reset(with_voltage(state.neuron, V1)).V_mV
        rest = V1 + jnp.exp(rate * dt_ms * (1.0 - begin)) * (fresh - hermite(V0, m0, V1, m1, at))
        return jnp.where(crossed, rest, V1), crossed, fraction, left


def _hermite_slope(y0: Array, m0: Array, y1: Array, m1: Array, t: Fraction) -> Array:
    rise = y1 - y0
    return m0 + t * (2.0 * (3.0 * rise - 2.0 * m0 - m1) + 3.0 * t * (m0 + m1 - 2.0 * rise))


def _apply_joined(step: Propagator, state: MembraneState, I_pA: Array) -> MembraneState:
    def part(s: MembraneState, variable: tuple[str, ...]) -> Any:  # an array, or what tree_at puts in its place
        owner = s.neuron if variable[0] == "neuron" else s.receptors[variable[0]]
        return getattr(owner, variable[1])

    after = step.apply({v: part(state, v) for v in step.variables}, I_pA)
    return eqx.tree_at(
        lambda s: tuple(part(s, v) for v in step.variables), state, tuple(after[v] for v in step.variables)
    )
