"""Leaky integrate-and-fire in physical units."""

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, LinearSystem, Parameter, float_dtype, param
from ._base import AbstractContinuousNeuron


class VoltageState(eqx.Module):
    """Membrane potential alone: `V_mV`, shape (n,)."""

    V_mV: Array


class LIF(AbstractContinuousNeuron):
    """Leaky integrate-and-fire neuron.

    tau_m dV/dt = -(V - E_L) + R I with R = tau_m / C; at V >= V_th a spike, V := V_reset.
    The subthreshold equation is linear, so with linear receptors the population steps it exactly.

    Args:
        tau_m_ms: Membrane time constant, ms, > 0.
        C_pF: Capacitance, pF, > 0.
        E_L_mV: Resting potential, mV.
        V_th_mV: Threshold, mV.
        V_reset_mV: Potential after a spike, mV.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Lapicque (1907); Gerstner et al. (2014), Neuronal Dynamics, eq. 1.5. Defaults:
        Brette et al. (2007), benchmark 1.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.LIF(tau_m_ms=10.0).init_state((3,)).V_mV.shape
        (3,)
    """

    tau_m_ms: Parameter = param(20.0, above=0.0)
    C_pF: Parameter = param(200.0, above=0.0)
    E_L_mV: Parameter = param(-60.0)
    V_th_mV: Parameter = param(-50.0)
    V_reset_mV: Parameter = param(-60.0)

    def init_state(self, shape: tuple[int, ...]) -> VoltageState:
        return VoltageState(jnp.zeros(shape, float_dtype()) + self.E_L_mV)

    def derivative(self, state: VoltageState, I_pA: Array) -> VoltageState:
        return VoltageState((self.E_L_mV - state.V_mV) / self.tau_m_ms + I_pA / self.C_pF)

    def threshold_gap(self, state: VoltageState) -> Array:
        return state.V_mV - self.V_th_mV

    def reset(self, state: VoltageState) -> VoltageState:
        return VoltageState(jnp.zeros_like(state.V_mV) + self.V_reset_mV)

    def linear(self) -> LinearSystem:
        V, drive = ("V_mV",), ("I_pA",)
        return LinearSystem((V,), {(V, V): -1.0 / self.tau_m_ms, (V, drive): 1.0 / self.C_pF}, {V: self.E_L_mV})
