"""Neurons with exponential spike initiation: EIF and AdEx, and the coordinate that keeps them regular."""

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, Parameter, float_dtype, param
from ._base import AbstractChart, AbstractContinuousNeuron
from ._lif import VoltageState

_NARROW = 0.01  # mV: below, the exponential is a threshold at V_T within the accuracy of any step
_STEEP = 30.0  # (V - V_T) / Delta_T above which the upstroke lasts less than 1e-9 ms: held, so that nothing overflows


class SoftplusChart(AbstractChart):
    """x = -Delta_T log(1 + exp(-(V - V_T) / Delta_T)): V - V_T far below threshold, zero at V = infinity.

    In x the exponential of the EIF and AdEx upstroke is the constant g_L Delta_T / C, so that a fixed step crosses
    the blow-up without noticing it. Without an upstroke (Delta_T below 0.01 mV) x = V - V_T, on either side of V_T.

    Args:
        V_T_mV: Foot of the exponential, mV.
        Delta_T_mV: Slope factor, mV.
        V_spike_mV: Voltage that counts as a spike, mV; voltages above are cut to it.
        rate_per_ms: Leak rate g_L / C, 1/ms: V' has the part g_L / C Delta_T exp((V - V_T) / Delta_T).
    Example:
        >>> import jax.numpy as jnp
        >>> chart = SoftplusChart(jnp.asarray(-50.0), jnp.asarray(2.0), jnp.asarray(0.0), jnp.asarray(0.1))
        >>> bool(abs(chart.back(chart.to(jnp.asarray(-45.0))) + 45.0) < 1e-4)
        True
    """

    V_T_mV: Array
    Delta_T_mV: Array
    V_spike_mV: Array
    rate_per_ms: Array

    def to(self, V_mV: Array) -> Array:
        width, curved = jnp.maximum(self.Delta_T_mV, _NARROW), _curved(self.Delta_T_mV)
        u = (V_mV - self.V_T_mV) / width
        beyond = jnp.maximum(u, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(u)))
        return width * (u - curved * beyond)

    def back(self, x: Array) -> Array:
        remaining = jnp.maximum(1.0 - self._gone(x), 1e-30)
        top = jnp.where(_curved(self.Delta_T_mV) > 0.0, self.V_spike_mV, jnp.inf)
        V = self.V_T_mV + x - jnp.maximum(self.Delta_T_mV, _NARROW) * jnp.log(remaining)
        return jnp.minimum(V, top)

    def speed(self, x: Array, regular: Array) -> Array:
        gone = self._gone(x)
        return (1.0 - gone) * regular + self.rate_per_ms * self.Delta_T_mV * gone

    def _gone(self, x: Array) -> Array:
        """1 - dx/dV: 0 far below threshold, 1 at the blow-up and beyond; 0 without an upstroke."""
        return _curved(self.Delta_T_mV) * jnp.exp(jnp.minimum(x, 0.0) / jnp.maximum(self.Delta_T_mV, _NARROW))

    def gap(self, x: Array) -> Array:
        return x - self.to(self.V_spike_mV)


def _curved(Delta_T_mV: Array) -> Array:
    """1 for an exponential upstroke, 0 for the limit of a threshold at V_T."""
    return (Delta_T_mV > _NARROW).astype(Delta_T_mV.dtype)


def _upstroke(V_mV: Array, V_T_mV: Array, Delta_T_mV: Array) -> Array:
    """Delta_T exp((V - V_T) / Delta_T), or 0 in the limit."""
    return _curved(Delta_T_mV) * Delta_T_mV * _steepness(V_mV, V_T_mV, Delta_T_mV)


def _steepness(V_mV: Array, V_T_mV: Array, Delta_T_mV: Array) -> Array:
    """exp((V - V_T) / Delta_T), finite for any V and Delta_T."""
    return jnp.exp(jnp.minimum((V_mV - V_T_mV) / jnp.maximum(Delta_T_mV, _NARROW), _STEEP))


def _firing_level(V_peak_mV: Array, V_T_mV: Array, Delta_T_mV: Array) -> Array:
    """Voltage that counts as a spike: V_peak, and V_T itself when there is no exponential (LIF limit)."""
    return jnp.where(Delta_T_mV > _NARROW, V_peak_mV, V_T_mV)


class EIF(AbstractContinuousNeuron):
    """Exponential integrate-and-fire neuron.

    C dV/dt = -g_L (V - E_L) + g_L Delta_T exp((V - V_T) / Delta_T) + I; at V >= V_peak a spike, V := V_reset.
    Delta_T = 0 (below 0.01 mV) is the LIF neuron with threshold V_T. Finite for any input in float32.

    Args:
        C_pF: Capacitance, pF, > 0.
        g_L_nS: Leak conductance, nS, > 0.
        E_L_mV: Leak reversal, mV.
        V_T_mV: Foot of the exponential, mV.
        Delta_T_mV: Slope factor, mV, >= 0.
        V_reset_mV: Potential after a spike, mV.
        V_peak_mV: Potential that counts as a spike, mV. Above V_T + 10 Delta_T its value moves spike times by less
            than 1e-3 ms.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Fourcaud-Trocme, Hansel, van Vreeswijk and Brunel (2003), J. Neurosci. 23:11628, eq. 4.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.EIF(Delta_T_mV=3.0).init_state((2,)).V_mV.shape
        (2,)
    """

    C_pF: Parameter = param(200.0, above=0.0)
    g_L_nS: Parameter = param(10.0, above=0.0)
    E_L_mV: Parameter = param(-65.0)
    V_T_mV: Parameter = param(-59.9)
    Delta_T_mV: Parameter = param(3.48, low=0.0)
    V_reset_mV: Parameter = param(-68.0)
    V_peak_mV: Parameter = param(0.0)

    def init_state(self, shape: tuple[int, ...]) -> VoltageState:
        return VoltageState(jnp.zeros(shape, float_dtype()) + self.E_L_mV)

    def derivative(self, state: VoltageState, I_pA: Array) -> VoltageState:
        upstroke = self.g_L_nS / self.C_pF * _upstroke(state.V_mV, self.V_T_mV, self.Delta_T_mV)
        return VoltageState(self.regular(state, I_pA).V_mV + upstroke)

    def regular(self, state: VoltageState, I_pA: Array) -> VoltageState:
        return VoltageState((self.g_L_nS * (self.E_L_mV - state.V_mV) + I_pA) / self.C_pF)

    def threshold_gap(self, state: VoltageState) -> Array:
        return state.V_mV - _firing_level(self.V_peak_mV, self.V_T_mV, self.Delta_T_mV)

    def reset(self, state: VoltageState) -> VoltageState:
        return VoltageState(jnp.zeros_like(state.V_mV) + self.V_reset_mV)

    def chart(self) -> SoftplusChart:
        level = _firing_level(self.V_peak_mV, self.V_T_mV, self.Delta_T_mV)
        return SoftplusChart(self.V_T_mV, self.Delta_T_mV, level, self.g_L_nS / self.C_pF)


class AdExState(eqx.Module):
    """Membrane potential `V_mV` and adaptation current `w_pA`, shape (n,)."""

    V_mV: Array
    w_pA: Array


class AdEx(AbstractContinuousNeuron):
    """Adaptive exponential integrate-and-fire neuron.

    C dV/dt = -g_L (V - E_L) + g_L Delta_T exp((V - V_T) / Delta_T) - w + I
    tau_w dw/dt = a (V - E_L) - w; at V >= V_peak a spike, V := V_reset, w := w + b.
    Delta_T = 0 (below 0.01 mV) is the adaptive LIF neuron with threshold V_T. Finite for any input in float32.

    Args:
        C_pF: Capacitance, pF, > 0.
        g_L_nS: Leak conductance, nS, > 0.
        E_L_mV: Leak reversal, mV.
        V_T_mV: Foot of the exponential, mV.
        Delta_T_mV: Slope factor, mV, >= 0.
        tau_w_ms: Adaptation time constant, ms, > 0.
        a_nS: Subthreshold adaptation, nS.
        b_pA: Adaptation added by each spike, pA.
        V_reset_mV: Potential after a spike, mV.
        V_peak_mV: Potential that counts as a spike, mV. The upstroke ends in finite time: between 0 and 20 mV
            spike times differ by less than 1e-9 ms; a low value such as V_T + 5 Delta_T advances each by
            about C/g_L exp(-5).
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Brette and Gerstner (2005), J. Neurophysiol. 94:3637, eqs. 1-3 and table 1 (defaults; V_peak 20 mV).
    Example:
        >>> import jaxsyn as js
        >>> sorted(vars(js.neurons.AdEx().init_state((2,))))
        ['V_mV', 'w_pA']
    """

    C_pF: Parameter = param(281.0, above=0.0)
    g_L_nS: Parameter = param(30.0, above=0.0)
    E_L_mV: Parameter = param(-70.6)
    V_T_mV: Parameter = param(-50.4)
    Delta_T_mV: Parameter = param(2.0, low=0.0)
    tau_w_ms: Parameter = param(144.0, above=0.0)
    a_nS: Parameter = param(4.0)
    b_pA: Parameter = param(80.5)
    V_reset_mV: Parameter = param(-70.6)
    V_peak_mV: Parameter = param(20.0)

    def init_state(self, shape: tuple[int, ...]) -> AdExState:
        zero = jnp.zeros(shape, float_dtype())
        return AdExState(zero + self.E_L_mV, zero)

    def derivative(self, state: AdExState, I_pA: Array) -> AdExState:
        rate = self.regular(state, I_pA)
        upstroke = self.g_L_nS / self.C_pF * _upstroke(state.V_mV, self.V_T_mV, self.Delta_T_mV)
        return AdExState(rate.V_mV + upstroke, rate.w_pA)

    def regular(self, state: AdExState, I_pA: Array) -> AdExState:
        V, w = state.V_mV, state.w_pA
        dV = (self.g_L_nS * (self.E_L_mV - V) - w + I_pA) / self.C_pF
        return AdExState(dV, (self.a_nS * (V - self.E_L_mV) - w) / self.tau_w_ms)

    def threshold_gap(self, state: AdExState) -> Array:
        return state.V_mV - _firing_level(self.V_peak_mV, self.V_T_mV, self.Delta_T_mV)

    def reset(self, state: AdExState) -> AdExState:
        return AdExState(jnp.zeros_like(state.V_mV) + self.V_reset_mV, state.w_pA + self.b_pA)

    def chart(self) -> SoftplusChart:
        level = _firing_level(self.V_peak_mV, self.V_T_mV, self.Delta_T_mV)
        return SoftplusChart(self.V_T_mV, self.Delta_T_mV, level, self.g_L_nS / self.C_pF)
