"""A balanced network of adaptive exponential neurons with AMPA, NMDA and GABA_A receptors."""

from ..connect import FixedProbability, Uniform
from ..network import Network, Population, Projection
from ..neurons import AdEx
from ..receptors import AMPA, GABA_A, NMDA, AbstractReceptor
from ..stimuli import Poisson

_IN_DEGREE = 80  # p = 0.02 of 4000


def cortical_adex(n: int = 4000, *, seed: int = 0, dt_ms: float = 0.1) -> Network:
    """Asynchronous irregular activity of regular-spiking and fast-spiking AdEx neurons, as in cortex awake.

    n neurons, 80 % regular-spiking "E" (Delta_T 2 mV, a 4 nS, b 20 pA, tau_w 500 ms) and 20 % fast-spiking "I" (Delta_T
    0.5 mV, no adaptation), C 200 pF, g_L 10 nS, E_L and V_reset -65 mV, V_T -50 mV, refractory for 5 ms. Each has 80
    random inputs (p = 0.02 of 4000). A spike of "E" opens 6 nS of AMPA (2 ms) and 0.6 nS of NMDA (rise 2 ms, decay 100
    ms, magnesium block), one of "I" 60 nS of GABA_A (5 ms, -80 mV): few and strong synapses, as in the networks of
    Vogels and Abbott. Delays are uniform, 0.5 to 2.5 ms from "E" and 0.5 to 1.5 ms from "I". The background is an
    independent Poisson train for each neuron, 2500 Hz of 1 nS AMPA.

    Args:
        n: Number of neurons; the number of inputs of each stays 80.
        seed: Seed.
        dt_ms: Step, ms.
    Returns:
        The network, populations "E" and "I".
    References:
        Own reference (200 to 1000 ms, seeds 0 to 4): E 6.0 +- 0.3 Hz, I 11.9 +- 0.1 Hz, CV of intervals 0.82 and 0.85,
        pair correlation in bins of 5 ms 0.001; in the long run E 5.7 and I 11.6 Hz.
        Cells: Zerlaut et al. (2018), J. Comput. Neurosci. 44:45, with the capacitance of the authors' program
        (github.com/yzerlaut/JCNS_2018). Receptors: Brunel and Wang (2001), J. Comput. Neurosci. 11:63; Jahr and Stevens
        (1990). Weights and background are ours, after Vogels and Abbott (2005), J. Neurosci. 25:10786.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.cortical_adex(400).size("I")
        80
    """
    receptors: dict[str, AbstractReceptor] = {"AMPA": AMPA(), "NMDA": NMDA(), "GABA_A": GABA_A(E_rev_mV=-80.0)}
    passive = {"C_pF": 200.0, "g_L_nS": 10.0, "E_L_mV": -65.0, "V_T_mV": -50.0, "V_reset_mV": -65.0, "tau_w_ms": 500.0}
    cells = {
        "E": AdEx(**passive, Delta_T_mV=2.0, a_nS=4.0, b_pA=20.0),
        "I": AdEx(**passive, Delta_T_mV=0.5, a_nS=0.0, b_pA=0.0),
    }
    start = {"V_mV": Uniform(-75.0, -55.0)}
    adapted = {**start, "w_pA": Uniform(0.0, 110.0)}  # as in the long run, which adaptation reaches only after 1 s
    n_exc = 4 * n // 5
    populations = {
        "E": Population(cells["E"], n_exc, receptors, refractory_ms=5.0, initial=adapted),
        "I": Population(cells["I"], n - n_exc, receptors, refractory_ms=5.0, initial=start),
    }
    rule = FixedProbability(_IN_DEGREE / max(n, _IN_DEGREE))
    to_exc = {"AMPA": 6.0, "NMDA": 0.6}
    projections = {
        "E_all": Projection("E", ("E", "I"), rule, weight_nS=to_exc, delay_ms=Uniform(0.5, 2.5)),
        "I_all": Projection("I", ("E", "I"), rule, weight_nS={"GABA_A": 60.0}, delay_ms=Uniform(0.5, 1.5)),
    }
    background = Poisson(("E", "I"), rate_Hz=2500.0, weight_nS={"AMPA": 1.0})
    return Network(populations, projections, {"background": background}, dt_ms=dt_ms, seed=seed)
