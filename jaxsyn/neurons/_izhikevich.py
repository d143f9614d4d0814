"""Izhikevich's quadratic neuron, twice: as the differential equation, and as the published recurrence."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, Parameter, float_dtype, param
from ._base import AbstractContinuousNeuron, AbstractDiscreteNeuron, SpikeFunction


class IzhikevichState(eqx.Module):
    """Membrane potential `V_mV` and recovery current `u_pA`, shape (n,)."""

    V_mV: Array
    u_pA: Array


class Izhikevich(AbstractContinuousNeuron):
    """Izhikevich neuron as an accurate differential equation.

    C dV/dt = k2 V^2 + k1 V + k0 - u + I;  du/dt = a (b (V - V_b) - leak u); at V >= V_peak: V := c, u := u + d.
    The defaults (C = 1 pF) are the model of 2003, where currents are numbers read as pA. Firing patterns of the
    published figures depend on their coarse step; for those use `IzhikevichPublished`.

    Args:
        a_per_ms: Rate of recovery, 1/ms.
        b_nS: Sensitivity of recovery to V, nS.
        V_reset_mV: c, potential after a spike, mV.
        d_pA: Recovery added by each spike, pA.
        C_pF: Capacitance, pF, > 0.
        k2_nS_per_mV, k1_nS, k0_pA: Coefficients of the quadratic.
        V_b_mV: Potential at which the recovery drive vanishes, mV.
        u_leak: 1, or 0 for the accommodation variant without the leak of u.
        V_rest_mV: Initial potential, mV; u starts at its b (V - V_b).
        V_peak_mV: Potential that counts as a spike, mV.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569, eqs. 1-3; (2004) 15:1063, figure 1.
    Example:
        >>> import jaxsyn as js
        >>> float(js.neurons.Izhikevich(a_per_ms=0.1).init_state(()).u_pA)
        -14.0
    """

    a_per_ms: Parameter = param(0.02)
    b_nS: Parameter = param(0.2)
    V_reset_mV: Parameter = param(-65.0)
    d_pA: Parameter = param(8.0)
    C_pF: Parameter = param(1.0, above=0.0)
    k2_nS_per_mV: Parameter = param(0.04, above=0.0)
    k1_nS: Parameter = param(5.0)
    k0_pA: Parameter = param(140.0)
    V_b_mV: Parameter = param(0.0)
    u_leak: Parameter = param(1.0, low=0.0, high=1.0)
    V_rest_mV: Parameter = param(-70.0)
    V_peak_mV: Parameter = param(30.0)

    def init_state(self, shape: tuple[int, ...]) -> IzhikevichState:
        V = jnp.zeros(shape, float_dtype()) + self.V_rest_mV
        return IzhikevichState(V, self.b_nS * (V - self.V_b_mV))

    def derivative(self, state: IzhikevichState, I_pA: Array) -> IzhikevichState:
        V, u = jnp.minimum(state.V_mV, self.V_peak_mV + 100.0), state.u_pA
        dV = ((self.k2_nS_per_mV * V + self.k1_nS) * V + self.k0_pA - u + I_pA) / self.C_pF
        return IzhikevichState(dV, self.a_per_ms * (self.b_nS * (V - self.V_b_mV) - self.u_leak * u))

    def threshold_gap(self, state: IzhikevichState) -> Array:
        return state.V_mV - self.V_peak_mV

    def reset(self, state: IzhikevichState) -> IzhikevichState:
        return IzhikevichState(jnp.zeros_like(state.V_mV) + self.V_reset_mV, state.u_pA + self.d_pA)


class IzhikevichPublished(AbstractDiscreteNeuron):
    """Izhikevich neuron exactly as in the published programs: the coarse step is part of the model.

    `substeps` times V += (dt/substeps) (k2 V^2 + k1 V + k0 - u + I), then u += dt a (b (V - V_b) - leak u) with the new
    V (with the old V if `simultaneous`); then, if V >= V_peak: spike, V := c, u := u + d.
    Figure 1 of 2004 uses one substep of the network's dt (0.1 to 0.5 ms); the network of 2003 uses dt = 1 ms in two
    substeps and tests at the start of the next step, which is the same thing with spikes stamped one step earlier.

    Args:
        a_per_ms, b, V_reset_mV, d: a, b, c, d of the papers.
        k2, k1, k0: Coefficients of the quadratic.
        V_b_mV: Potential at which the recovery drive vanishes, mV.
        u_leak: 1, or 0 for the accommodation variant without the leak of u.
        V_rest_mV: Initial potential, mV.
        V_peak_mV: Potential that counts as a spike, mV.
        dt_ms: Step of the recurrence, ms; must equal the network's dt_ms.
        substeps: Euler steps of V within a step.
        simultaneous: Whether u uses the old V.
    Raises:
        ValueError: A parameter is not finite or out of range; `substeps` < 1.
    References:
        Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569 (network program); (2004) 15:1063 (figure program).
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.IzhikevichPublished(dt_ms=1.0, substeps=2).substeps
        2
    """

    a_per_ms: Parameter = param(0.02)
    b: Parameter = param(0.2)
    V_reset_mV: Parameter = param(-65.0)
    d: Parameter = param(8.0)
    k2: Parameter = param(0.04)
    k1: Parameter = param(5.0)
    k0: Parameter = param(140.0)
    V_b_mV: Parameter = param(0.0)
    u_leak: Parameter = param(1.0, low=0.0, high=1.0)
    V_rest_mV: Parameter = param(-65.0)
    V_peak_mV: Parameter = param(30.0)
    dt_ms: float = eqx.field(static=True, default=1.0)
    substeps: int = eqx.field(static=True, default=1)
    simultaneous: bool = eqx.field(static=True, default=False)

    def __check_init__(self) -> None:
        if self.substeps < 1:
            raise ValueError(f"IzhikevichPublished.substeps: got {self.substeps}; allowed: a whole number >= 1")
        if not self.dt_ms > 0:
            raise ValueError(f"IzhikevichPublished.dt_ms: got {self.dt_ms}; allowed: > 0, the dt_ms of the network")

    def init_state(self, shape: tuple[int, ...]) -> IzhikevichState:
        V = jnp.zeros(shape, float_dtype()) + self.V_rest_mV
        return IzhikevichState(V, self.b * (V - self.V_b_mV))

    def step(self, state: IzhikevichState, drive: Array, spike: SpikeFunction) -> tuple[Any, Array]:
        V, u = state.V_mV, state.u_pA
        for _ in range(self.substeps):
            V = V + (self.dt_ms / self.substeps) * (self.k2 * V * V + self.k1 * V + self.k0 - u + drive)
        V_for_u = state.V_mV if self.simultaneous else V
        u = u + self.dt_ms * (self.a_per_ms * (self.b * (V_for_u - self.V_b_mV) - self.u_leak * u))
        spikes = spike(V - self.V_peak_mV)
        V = jnp.where(spikes > 0, self.V_reset_mV, V)
        return IzhikevichState(V, u + self.d * spikes), spikes
