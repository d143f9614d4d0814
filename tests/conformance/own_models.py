"""A neuron and a receptor of a user, a dozen lines each. The README shows them; the table tests them like our own."""

import jax
import jax.numpy as jnp

import jaxsyn as js


class QuadraticIF(js.neurons.AbstractContinuousNeuron):
    """C dV/dt = k (V - V_rest) (V - V_crit) + I; at V >= V_peak a spike, V := V_reset."""

    C_pF: jax.Array = js.param(100.0, above=0.0)
    k_nS_per_mV: jax.Array = js.param(0.7, above=0.0)
    V_rest_mV: jax.Array = js.param(-60.0)
    V_crit_mV: jax.Array = js.param(-45.0)
    V_peak_mV: jax.Array = js.param(30.0)
    V_reset_mV: jax.Array = js.param(-60.0)

    def init_state(self, shape):
        return js.neurons.VoltageState(jnp.zeros(shape) + self.V_rest_mV)

    def derivative(self, state, I_pA):
        rise_pA = self.k_nS_per_mV * (state.V_mV - self.V_rest_mV) * (state.V_mV - self.V_crit_mV)
        return js.neurons.VoltageState((rise_pA + I_pA) / self.C_pF)

    def threshold_gap(self, state):
        return state.V_mV - self.V_peak_mV

    def reset(self, state):
        return js.neurons.VoltageState(jnp.zeros_like(state.V_mV) + self.V_reset_mV)


class Saturating(js.receptors.AbstractReceptor):
    """dg/dt = -g / tau; I = g / (1 + g / g_max) (E - V)."""

    tau_ms: jax.Array = js.param(5.0, above=0.0)
    g_max_nS: jax.Array = js.param(20.0, above=0.0)
    E_rev_mV: jax.Array = js.param(0.0)
    weight_unit = "nS"

    def init_state(self, shape):
        return js.receptors.DecayState(jnp.zeros(shape))

    def arrive(self, state, weight):
        return js.receptors.DecayState(state.value + weight)

    def derivative(self, state):
        return js.receptors.DecayState(-state.value / self.tau_ms)

    def current(self, state, V_mV):
        return state.value / (1.0 + state.value / self.g_max_nS) * (self.E_rev_mV - V_mV)
