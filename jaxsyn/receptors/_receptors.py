"""Delta, current and conductance receptors, and the three named ones of cortex."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, ArrayLike, LinearSystem, Parameter, as_float, param
from ._base import AbstractReceptor
from ._kinetics import AbstractKinetics, DualExponential, Exponential


class NoState(eqx.Module):
    """A receptor without state."""


class Delta(AbstractReceptor):
    """Voltage jump: an arrival of weight w adds w to V at once. Lost while the target is refractory.

    References:
        Brunel (2000), J. Comput. Neurosci. 8:183, eq. 2.
    Example:
        >>> import jaxsyn as js
        >>> js.receptors.Delta().weight_unit
        'mV'
    """

    weight_unit: ClassVar[str] = "mV"
    at_once: ClassVar[bool] = True

    def init_state(self, shape: tuple[int, ...]) -> NoState:
        return NoState()

    def arrive(self, state: NoState, weight: Array) -> NoState:
        return state

    def derivative(self, state: NoState) -> NoState:
        return state

    def current(self, state: NoState, V_mV: Array) -> Array:
        return jnp.zeros_like(V_mV)

    def linear(self) -> LinearSystem:
        return LinearSystem((), {})


class Current(AbstractReceptor):
    """Current receptor: I = value(t), pA, independent of V.

    Args:
        kinetics: Time course; its peak is the weight in pA.
    References:
        Brette et al. (2007), J. Comput. Neurosci. 23:349, appendix 2 (benchmark 2).
    Example:
        >>> import jaxsyn as js
        >>> js.receptors.Current(js.receptors.Alpha(tau_ms=2.0)).weight_unit
        'pA'
    """

    kinetics: AbstractKinetics

    weight_unit: ClassVar[str] = "pA"

    def init_state(self, shape: tuple[int, ...]) -> Any:
        return self.kinetics.init_state(shape)

    def arrive(self, state: Any, weight: Array) -> Any:
        return self.kinetics.arrive(state, weight)

    def input_variable(self) -> str:
        return self.kinetics.input_variable()

    def derivative(self, state: Any) -> Any:
        return self.kinetics.derivative(state)

    def current(self, state: Any, V_mV: Array) -> Array:
        value: Array = state.value
        return value

    def linear(self) -> LinearSystem:
        return self.kinetics.linear()

    def current_variable(self) -> tuple[str, ...]:
        return ("value",)


class Conductance(AbstractReceptor):
    """Conductance receptor: I = g(t) B(V) (E_rev - V), with B = 1, or the magnesium block of NMDA receptors.

    B(V) = 1 / (1 + [Mg] exp(-0.062 V / mV) / 3.57 mM). It acts at once; there is no saturation.

    Args:
        kinetics: Time course of g; its peak is the weight in nS.
        E_rev_mV: Reversal potential, mV.
        Mg_mM: Magnesium concentration, mM, >= 0; None for receptors without block.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Jahr and Stevens (1990), J. Neurosci. 10:3178, eq. 4a (block).
    Example:
        >>> import jaxsyn as js
        >>> js.receptors.Conductance(js.receptors.Exponential(2.0), E_rev_mV=0.0).weight_unit
        'nS'
    """

    kinetics: AbstractKinetics
    E_rev_mV: Parameter = param(0.0)
    Mg_mM: Parameter = param(None, low=0.0, optional=True)

    weight_unit: ClassVar[str] = "nS"

    def init_state(self, shape: tuple[int, ...]) -> Any:
        return self.kinetics.init_state(shape)

    def arrive(self, state: Any, weight: Array) -> Any:
        return self.kinetics.arrive(state, weight)

    def input_variable(self) -> str:
        return self.kinetics.input_variable()

    def derivative(self, state: Any) -> Any:
        return self.kinetics.derivative(state)

    def current(self, state: Any, V_mV: Array) -> Array:
        g: Array = state.value
        if self.Mg_mM is not None:
            g = g * magnesium_block(V_mV, self.Mg_mM)
        return g * (self.E_rev_mV - V_mV)

    def linear(self) -> LinearSystem:
        return self.kinetics.linear()


def magnesium_block(V_mV: ArrayLike, Mg_mM: ArrayLike = 1.0) -> Array:
    """Open fraction of NMDA receptors: 1 / (1 + [Mg] exp(-0.062 V) / 3.57).

    Args:
        V_mV: Membrane potential, mV, any shape.
        Mg_mM: Magnesium concentration, mM.
    Returns:
        Fraction in [0, 1], shape of V_mV.
    References:
        Jahr and Stevens (1990), J. Neurosci. 10:3178, eq. 4a.
    Example:
        >>> import jaxsyn as js
        >>> round(float(js.receptors.magnesium_block(-65.0)), 4)
        0.0597
    """
    return 1.0 / (1.0 + as_float(Mg_mM) / 3.57 * jnp.exp(-0.062 * as_float(V_mV)))


def AMPA(tau_ms: Any = 2.0, E_rev_mV: Any = 0.0) -> Conductance:
    """Fast excitation: exponential conductance.

    Args:
        tau_ms: Decay time constant, ms.
        E_rev_mV: Reversal potential, mV.
    Returns:
        The receptor; weights in nS.
    References:
        Brunel and Wang (2001), J. Comput. Neurosci. 11:63, section 2.1.
    Example:
        >>> import jaxsyn as js
        >>> float(js.receptors.AMPA().kinetics.tau_ms)
        2.0
    """
    return Conductance(Exponential(tau_ms), E_rev_mV)


def NMDA(tau_rise_ms: Any = 2.0, tau_decay_ms: Any = 100.0, E_rev_mV: Any = 0.0, Mg_mM: Any = 1.0) -> Conductance:
    """Slow excitation with magnesium block: dual exponential conductance, without saturation.

    Args:
        tau_rise_ms: Rise time constant, ms.
        tau_decay_ms: Decay time constant, ms.
        E_rev_mV: Reversal potential, mV.
        Mg_mM: Magnesium concentration, mM.
    Returns:
        The receptor; weights in nS (peak conductance without block).
    References:
        Brunel and Wang (2001), J. Comput. Neurosci. 11:63, section 2.1; Jahr and Stevens (1990) for the block.
    Example:
        >>> import jaxsyn as js
        >>> float(js.receptors.NMDA().Mg_mM)
        1.0
    """
    return Conductance(DualExponential(tau_rise_ms, tau_decay_ms), E_rev_mV, Mg_mM)


def GABA_A(tau_ms: Any = 5.0, E_rev_mV: Any = -70.0) -> Conductance:
    """Fast inhibition: exponential conductance.

    Args:
        tau_ms: Decay time constant, ms.
        E_rev_mV: Reversal potential, mV.
    Returns:
        The receptor; weights in nS, positive.
    References:
        Brunel and Wang (2001), J. Comput. Neurosci. 11:63, section 2.1.
    Example:
        >>> import jaxsyn as js
        >>> float(js.receptors.GABA_A().E_rev_mV)
        -70.0
    """
    return Conductance(Exponential(tau_ms), E_rev_mV)
