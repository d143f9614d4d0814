"""Brunel's sparsely connected network."""

from ..connect import FixedInDegree, Uniform
from ..network import Network, Population, Projection
from ..neurons import LIF, Exact
from ..receptors import Delta
from ..stimuli import Poisson


def brunel(
    n: int = 12500,
    *,
    g: float = 5.0,
    eta: float = 2.0,
    J_mV: float = 0.1,
    epsilon: float = 0.1,
    seed: int = 0,
    dt_ms: float = 0.1,
) -> Network:
    """Sparse random network of excitatory and inhibitory LIF neurons with delta synapses, model A.

    n LIF neurons (80 % "E", 20 % "I"): tau_m 20 ms, threshold 20, reset 10 mV above rest, 2 ms refractory. Each has
    C_E = epsilon N_E excitatory inputs of J, C_I = epsilon N_I inhibitory ones of -g J, delay 1.5 ms, and an external
    Poisson train of eta nu_thr C_E events of J, nu_thr = threshold / (J C_E tau_m). Spikes on the grid.

    Args:
        n: Number of neurons.
        g: Relative strength of inhibition.
        eta: External rate relative to threshold.
        J_mV: Weight of an excitatory synapse, mV.
        epsilon: Fraction of each population that a neuron has as inputs.
        seed: Seed.
        dt_ms: Step, ms.
    Returns:
        The network, populations "E" and "I".
    References:
        Brunel (2000), J. Comput. Neurosci. 8:183, model A. Reference rates (NEST 3.10): asynchronous irregular (g 5,
        eta 2) 37.3 +- 0.2 Hz (paper 37.7); reduced (n 1250, J 0.5 mV, g 6, eta 1.5) E 28.0 +- 0.4, I 28.9 +- 0.2 Hz.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.brunel(1250, g=6.0, eta=1.5, J_mV=0.5).size("E")
        1000
    """
    n_exc = 4 * n // 5
    c_exc, c_inh = round(epsilon * n_exc), round(epsilon * (n - n_exc))
    cell = LIF(tau_m_ms=20.0, C_pF=1.0, E_L_mV=0.0, V_th_mV=20.0, V_reset_mV=10.0)
    both = {
        name: Population(
            *(cell, size, {"delta": Delta()}),
            integrator=Exact(on_grid=True),
            refractory_ms=2.0,
            initial={"V_mV": Uniform(0.0, 20.0)},
        )
        for name, size in (("E", n_exc), ("I", n - n_exc))
    }
    projections = {
        "E_all": Projection("E", ("E", "I"), FixedInDegree(c_exc, multapses=True), weight_mV=J_mV, delay_ms=1.5),
        "I_all": Projection("I", ("E", "I"), FixedInDegree(c_inh, multapses=True), weight_mV=-g * J_mV, delay_ms=1.5),
    }
    rate_Hz = eta * 20.0 / (J_mV * 20.0) * 1000.0  # eta nu_thr C_E, in which C_E cancels
    stimuli = {"external": Poisson(("E", "I"), rate_Hz=rate_Hz, weight_mV=J_mV)}
    return Network(both, projections, stimuli, dt_ms=dt_ms, seed=seed)
