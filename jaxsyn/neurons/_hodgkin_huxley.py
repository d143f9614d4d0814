"""Hodgkin-Huxley point neurons with the three classic kinetics."""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, Parameter, expm1_ratio, float_dtype, param
from ._base import AbstractContinuousNeuron

Rates = tuple[Array, Array, Array, Array, Array, Array]


def _linear_over_exp(x: Array) -> Array:
    """x / (1 - exp(-x)), equal to 1 at x = 0."""
    return 1.0 / expm1_ratio(-x)


class AbstractKinetics(eqx.Module):
    """Opening and closing rates of the gates m, h, n. Static: a choice, not a parameter."""

    instantaneous_m: ClassVar[bool] = False

    @abc.abstractmethod
    def rates(self, u_mV: Array) -> Rates:
        """alpha_m, beta_m, alpha_h, beta_h, alpha_n, beta_n in 1/ms at u = V - V_shift."""


class SquidKinetics(AbstractKinetics):
    """Giant axon of the squid, rest at -65 mV (Hodgkin and Huxley 1952, eqs. 12-24, modern sign)."""

    def rates(self, u_mV: Array) -> Rates:
        return (
            _linear_over_exp((u_mV + 40.0) / 10.0),
            4.0 * jnp.exp(-(u_mV + 65.0) / 18.0),
            0.07 * jnp.exp(-(u_mV + 65.0) / 20.0),
            1.0 / (1.0 + jnp.exp(-(u_mV + 35.0) / 10.0)),
            0.1 * _linear_over_exp((u_mV + 55.0) / 10.0),
            0.125 * jnp.exp(-(u_mV + 65.0) / 80.0),
        )


class TraubMilesKinetics(AbstractKinetics):
    """Hippocampal cell of Traub and Miles (1991) as in Brette et al. (2007), u = V - V_shift."""

    def rates(self, u_mV: Array) -> Rates:
        return (
            1.28 * _linear_over_exp((u_mV - 13.0) / 4.0),
            1.4 * _linear_over_exp((40.0 - u_mV) / 5.0),
            0.128 * jnp.exp((17.0 - u_mV) / 18.0),
            4.0 / (1.0 + jnp.exp((40.0 - u_mV) / 5.0)),
            0.16 * _linear_over_exp((u_mV - 15.0) / 5.0),
            0.5 * jnp.exp((10.0 - u_mV) / 40.0),
        )


class WangBuzsakiKinetics(AbstractKinetics):
    """Fast-spiking interneuron of Wang and Buzsaki (1996), m at its steady state, phi = 5."""

    instantaneous_m: ClassVar[bool] = True

    def rates(self, u_mV: Array) -> Rates:
        return (
            _linear_over_exp((u_mV + 35.0) / 10.0),
            4.0 * jnp.exp(-(u_mV + 60.0) / 18.0),
            5.0 * 0.07 * jnp.exp(-(u_mV + 58.0) / 20.0),
            5.0 / (1.0 + jnp.exp(-(u_mV + 28.0) / 10.0)),
            5.0 * 0.1 * _linear_over_exp((u_mV + 34.0) / 10.0),
            5.0 * 0.125 * jnp.exp(-(u_mV + 44.0) / 80.0),
        )


class HodgkinHuxleyState(eqx.Module):
    """Membrane potential `V_mV` and the gates `m`, `h`, `n` in [0, 1], shape (n,)."""

    V_mV: Array
    m: Array
    h: Array
    n: Array


class HodgkinHuxley(AbstractContinuousNeuron):
    """Hodgkin-Huxley point neuron; build it with `squid`, `traub_miles` or `wang_buzsaki`.

    C dV/dt = -g_Na m^3 h (V - E_Na) - g_K n^4 (V - E_K) - g_L (V - E_L) + I;  dx/dt = alpha_x (1 - x) - beta_x x.
    A spike is an upward crossing of V_th; there is no reset. The rates reach 30 / ms: use dt_ms <= 0.05 with RK4.

    Args:
        C_pF: Capacitance, pF, > 0.
        g_Na_nS, g_K_nS, g_L_nS: Maximal conductances, nS, >= 0.
        E_Na_mV, E_K_mV, E_L_mV: Reversal potentials, mV.
        V_shift_mV: Shift of the rate functions, mV (V_T of Traub-Miles cells).
        V_rest_mV: Initial potential, mV; gates start at their steady state there.
        V_th_mV: Level whose upward crossing is a spike, mV.
        kinetics: Rate functions.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Hodgkin and Huxley (1952), J. Physiol. 117:500; Traub and Miles (1991); Brette et al. (2007), appendix 2;
        Wang and Buzsaki (1996), J. Neurosci. 16:6402.
    Example:
        >>> import jaxsyn as js
        >>> cell = js.neurons.HodgkinHuxley.squid()
        >>> round(float(cell.init_state(()).h), 4)
        0.5961
    """

    C_pF: Parameter = param(above=0.0)
    g_Na_nS: Parameter = param(low=0.0)
    g_K_nS: Parameter = param(low=0.0)
    g_L_nS: Parameter = param(low=0.0)
    E_Na_mV: Parameter = param()
    E_K_mV: Parameter = param()
    E_L_mV: Parameter = param()
    V_shift_mV: Parameter = param(0.0)
    V_rest_mV: Parameter = param(-65.0)
    V_th_mV: Parameter = param(0.0)
    kinetics: AbstractKinetics = eqx.field(default=SquidKinetics())

    resets: ClassVar[bool] = False

    @classmethod
    def squid(cls, area_um2: float = 100.0) -> "HodgkinHuxley":
        """Squid axon: 1 uF/cm2, 120, 36, 0.3 mS/cm2. With the default area, 1 pA is 1 uA/cm2."""
        cm2_to_nS = 1e-2 * area_um2
        return cls(*(1.0 * cm2_to_nS, 120.0 * cm2_to_nS, 36.0 * cm2_to_nS, 0.3 * cm2_to_nS), *(50.0, -77.0, -54.387))

    @classmethod
    def traub_miles(cls) -> "HodgkinHuxley":
        """Cell of the COBAHH benchmark: area 20000 um2, C 200 pF, g_Na 20 uS, g_K 6 uS, g_L 10 nS."""
        return cls(
            *(200.0, 20000.0, 6000.0, 10.0, 50.0, -90.0, -60.0),
            V_shift_mV=-63.0,
            V_rest_mV=-60.0,
            V_th_mV=-20.0,
            kinetics=TraubMilesKinetics(),
        )

    @classmethod
    def wang_buzsaki(cls, area_um2: float = 100.0) -> "HodgkinHuxley":
        """Interneuron: 1 uF/cm2, 35, 9, 0.1 mS/cm2. With the default area, 1 pA is 1 uA/cm2."""
        cm2_to_nS = 1e-2 * area_um2
        return cls(
            *(1.0 * cm2_to_nS, 35.0 * cm2_to_nS, 9.0 * cm2_to_nS, 0.1 * cm2_to_nS),
            *(55.0, -90.0, -65.0),
            V_rest_mV=-64.0,
            kinetics=WangBuzsakiKinetics(),
        )

    def init_state(self, shape: tuple[int, ...]) -> HodgkinHuxleyState:
        return self.steady_state(jnp.zeros(shape, float_dtype()) + self.V_rest_mV)

    def steady_state(self, V_mV: Array) -> HodgkinHuxleyState:
        """State with every gate at its steady value for a held voltage, shape of V_mV."""
        am, bm, ah, bh, an, bn = self.kinetics.rates(V_mV - self.V_shift_mV)
        return HodgkinHuxleyState(V_mV, am / (am + bm), ah / (ah + bh), an / (an + bn))

    def derivative(self, state: HodgkinHuxleyState, I_pA: Array) -> HodgkinHuxleyState:
        V, h, n = state.V_mV, state.h, state.n
        am, bm, ah, bh, an, bn = self.kinetics.rates(jnp.clip(V, -200.0, 200.0) - self.V_shift_mV)
        m = am / (am + bm) if self.kinetics.instantaneous_m else state.m
        dm = jnp.zeros_like(V) if self.kinetics.instantaneous_m else am * (1.0 - m) - bm * m
        I_Na = self.g_Na_nS * m**3 * h * (V - self.E_Na_mV)
        I_K = self.g_K_nS * n**4 * (V - self.E_K_mV)
        dV = (I_pA - I_Na - I_K - self.g_L_nS * (V - self.E_L_mV)) / self.C_pF
        return HodgkinHuxleyState(dV, dm, ah * (1.0 - h) - bh * h, an * (1.0 - n) - bn * n)

    def threshold_gap(self, state: HodgkinHuxleyState) -> Array:
        return state.V_mV - self.V_th_mV

    def reset(self, state: HodgkinHuxleyState) -> HodgkinHuxleyState:
        return state
