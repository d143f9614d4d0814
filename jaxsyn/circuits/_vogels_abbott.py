"""The benchmark networks of Brette et al. (2007) after Vogels and Abbott (2005): COBA and CUBA."""

from ..connect import FixedProbability, Uniform
from ..network import Network, Population, Projection
from ..neurons import LIF, RK2, Exact
from ..receptors import AbstractReceptor, Conductance, Current, Exponential
from ..stimuli import InhomogeneousPoisson

_IN_DEGREE = 80  # p = 0.02 of 4000


def coba(n: int = 4000, *, seed: int = 0, dt_ms: float = 0.1, delay_ms: float = 0.1) -> Network:
    """Conductance-based balanced network, benchmark 1 of Brette et al. (2007).

    n LIF neurons (80 % excitatory "E", 20 % inhibitory "I"), 80 random inputs each: C 200 pF, tau_m 20 ms, E_L -60,
    V_th -50, V_reset -60 mV, 5 ms refractory; excitation 6 nS, 5 ms, 0 mV; inhibition 67 nS, 10 ms, -80 mV. A Poisson
    train of 300 Hz and 6 nS reaches each neuron during the first 50 ms; after that activity sustains itself.
    Spikes on the grid; midpoint rule, which is second order and cheaper than exponential Euler (no exponential).

    Args:
        n: Number of neurons; the number of inputs of each stays 80.
        seed: Seed.
        dt_ms: Step, ms.
        delay_ms: Delay of all synapses, ms.
    Returns:
        The network, populations "E" and "I".
    References:
        Brette et al. (2007), J. Comput. Neurosci. 23:349, appendix 2; Vogels and Abbott (2005), J. Neurosci. 25:10786.
        Reference rates (200 to 1000 ms): E 19.5 +- 0.4, I 19.1 +- 0.1 Hz, CV of E 1.58 (NEST 3.10, 4 seeds).
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.coba(400).size()
        400
    """
    receptors: dict[str, AbstractReceptor] = {
        "exc": Conductance(Exponential(5.0), E_rev_mV=0.0),
        "inh": Conductance(Exponential(10.0), E_rev_mV=-80.0),
    }
    cell = LIF(tau_m_ms=20.0, C_pF=200.0, E_L_mV=-60.0, V_th_mV=-50.0, V_reset_mV=-60.0)
    kick = InhomogeneousPoisson(("E", "I"), rate_Hz=[300.0], every_ms=50.0, weight_nS={"exc": 6.0})
    n_exc = 4 * n // 5
    both = {
        name: Population(
            *(cell, size, receptors),
            integrator=RK2(on_grid=True),
            refractory_ms=5.0,
            initial={"V_mV": Uniform(-60.0, -50.0)},
        )
        for name, size in (("E", n_exc), ("I", n - n_exc))
    }
    rule = FixedProbability(_IN_DEGREE / max(n, _IN_DEGREE))
    projections = {
        "E_all": Projection("E", ("E", "I"), rule, weight_nS={"exc": 6.0}, delay_ms=delay_ms),
        "I_all": Projection("I", ("E", "I"), rule, weight_nS={"inh": 67.0}, delay_ms=delay_ms),
    }
    return Network(both, projections, {"kick": kick}, dt_ms=dt_ms, seed=seed)


def cuba(n: int = 4000, *, seed: int = 0, dt_ms: float = 0.1, delay_ms: float = 0.1) -> Network:
    """Current-based balanced network, benchmark 2 of Brette et al. (2007).

    As `coba`, with currents: excitation 16.2 pA, 5 ms; inhibition -90 pA, 10 ms (0.27 and 4.5 nS times the driving
    forces at -60 mV); E_L -49 mV keeps it active. Exact integration, spikes on the grid.

    Args:
        n: Number of neurons; the number of inputs of each stays 80.
        seed: Seed.
        dt_ms: Step, ms.
        delay_ms: Delay of all synapses, ms.
    Returns:
        The network, populations "E" and "I".
    References:
        Brette et al. (2007), J. Comput. Neurosci. 23:349, appendix 2. NEST's example script has -139.5 pA instead.
        Reference rates (200 to 1000 ms): E 5.77 +- 0.15, I 5.60 +- 0.06 Hz, CV of E 0.50 (NEST 3.10, 6 seeds).
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.cuba(400).size("I")
        80
    """
    receptors: dict[str, AbstractReceptor] = {"exc": Current(Exponential(5.0)), "inh": Current(Exponential(10.0))}
    cell = LIF(tau_m_ms=20.0, C_pF=200.0, E_L_mV=-49.0, V_th_mV=-50.0, V_reset_mV=-60.0)
    n_exc = 4 * n // 5
    both = {
        name: Population(
            *(cell, size, receptors),
            integrator=Exact(on_grid=True),
            refractory_ms=5.0,
            initial={"V_mV": Uniform(-60.0, -50.0)},
        )
        for name, size in (("E", n_exc), ("I", n - n_exc))
    }
    rule = FixedProbability(_IN_DEGREE / max(n, _IN_DEGREE))
    projections = {
        "E_all": Projection("E", ("E", "I"), rule, weight_pA={"exc": 16.2}, delay_ms=delay_ms),
        "I_all": Projection("I", ("E", "I"), rule, weight_pA={"inh": -90.0}, delay_ms=delay_ms),
    }
    return Network(both, projections, dt_ms=dt_ms, seed=seed)
