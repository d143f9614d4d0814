"""The cortical microcircuit of Potjans and Diesmann."""

import math

import numpy as np

from ..connect import FixedTotal, Normal, TruncatedNormal
from ..network import Network, Population, Projection
from ..neurons import LIF, Exact
from ..receptors import Current, Exponential
from ..stimuli import Constant, Poisson

SIZES = {"L23E": 20683, "L23I": 5834, "L4E": 21915, "L4I": 5479, "L5E": 4850, "L5I": 1065, "L6E": 14395, "L6I": 2948}
_PROBABILITIES = np.array(  # rows are targets, columns sources, both in the order of SIZES
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
_EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
RATES_HZ = np.array([0.943, 3.026, 4.368, 5.882, 7.733, 8.664, 1.096, 7.851])  # full scale, Poisson input
_START_MV = ((-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94), (-63.11, 4.94), (-61.66, 4.55),
             (-66.72, 5.46), (-61.43, 4.48))  # fmt: skip
_TAU_M_MS, _TAU_SYN_MS, _C_PF, _EXTERNAL_HZ = 10.0, 0.5, 250.0, 8.0


def potjans_diesmann(
    n_scale: float = 1.0,
    k_scale: float = 1.0,
    *,
    external: str = "poisson",
    seed: int = 0,
    dt_ms: float = 0.1,
    native: bool | None = None,
    threads: int = 1,
) -> Network:
    """Cortical microcircuit: four layers under 1 mm^2 of cortex, 77169 LIF neurons and 299 million synapses.

    Eight populations of LIF neurons (tau_m 10 ms, threshold -50, reset -65 mV, refractory 2 ms) with exponential
    currents (0.5 ms), wired with fixed total numbers of synapses. Weights are normal (mean for a PSP of 0.15 mV,
    relative deviation 0.1; inhibitory -4 times, L4E to L23E twice that), delays normal (1.5 +- 0.75 ms, from
    inhibitory cells 0.75 +- 0.375 ms). Scaled down, weights grow by 1 / sqrt(k_scale), and a current makes up for the
    mean input that is lost.

    Args:
        n_scale: Share of the neurons, in (0, 1].
        k_scale: Share of the inputs of a neuron, in (0, 1].
        external: "poisson", or "dc" (its mean as a current; only with k_scale 1, otherwise the network falls silent).
        seed: Seed.
        dt_ms: Step, ms.
        native: Use native kernels; None: where there are any.
        threads: Threads of the native kernels.
    Returns:
        The network, populations L23E, L23I, L4E, L4I, L5E, L5I, L6E, L6I; projections "SOURCE_all" and "L4E_L23E".
    Raises:
        ValueError: A scale out of range, or an unknown external input.
    References:
        Potjans and Diesmann (2014), Cereb. Cortex 24:785, tables 4 and 5; van Albada, Helias and Diesmann (2015), PLoS
        Comput. Biol. 11:e1004490 (scaling). Reference rates (NEST, full scale, Poisson): 0.94, 3.03, 4.37, 5.88, 7.73,
        8.66, 1.10, 7.85 Hz; at n_scale = k_scale = 0.1: 0.40, 2.01, 4.01, 4.94, 6.53, 7.73, 0.82, 6.97 Hz.
    Example:
        >>> import jaxsyn as js
        >>> js.circuits.potjans_diesmann(0.01, 0.01).size("L4E")
        219
    """
    for name, scale in (("n_scale", n_scale), ("k_scale", k_scale)):
        if not 0.0 < scale <= 1.0:
            raise ValueError(f"potjans_diesmann.{name}: got {scale}; allowed: above 0 and at most 1")
    if external not in ("poisson", "dc"):
        raise ValueError(f"potjans_diesmann.external: got {external!r}; allowed: 'poisson', 'dc'")
    weight_pA, external_pA = _weights_pA()
    numbers = _synapses()
    receptor = Current(Exponential(_TAU_SYN_MS))
    cell = LIF(_TAU_M_MS, _C_PF, E_L_mV=-65.0, V_th_mV=-50.0, V_reset_mV=-65.0)
    sizes = {name: round(size * n_scale) for name, size in SIZES.items()}
    populations = {
        name: Population(
            *(cell, sizes[name], {"psc": receptor}),
            integrator=Exact(on_grid=True),
            refractory_ms=2.0,
            initial={"V_mV": Normal(*start)},
        )
        for name, start in zip(SIZES, _START_MV, strict=True)
    }
    projections = {}
    for j, source in enumerate(SIZES):
        mean_ms = 0.75 if j % 2 else 1.5
        for pA in sorted(set(weight_pA[:, j])):  # one projection for all targets of equal weight
            counts = np.round(numbers[:, j] * n_scale * k_scale).astype(int)
            reached = {t: n for t, n, w in zip(SIZES, counts, weight_pA[:, j], strict=True) if n and w == pA}
            mean_pA = pA / math.sqrt(k_scale)
            sign = {"high": 0.0} if j % 2 else {"low": 0.0}
            projections[f"{source}_{'_'.join(reached) if len(reached) == 1 else 'all'}"] = Projection(
                *(source, tuple(reached), [FixedTotal(int(n), multapses=True) for n in reached.values()]),
                weight_pA=TruncatedNormal(mean_pA, 0.1 * abs(mean_pA), **sign),
                delay_ms=TruncatedNormal(mean_ms, 0.5 * mean_ms, low=0.5 * dt_ms),
            )
    lost = 1e-3 * _TAU_SYN_MS * (1.0 - math.sqrt(k_scale))
    recurrent = (weight_pA * numbers / np.array(list(SIZES.values()))[:, None]) @ RATES_HZ
    dc_pA = lost * recurrent
    stimuli: dict[str, Constant | Poisson] = {}
    if external == "poisson":
        dc_pA = dc_pA + lost * external_pA * _EXTERNAL * _EXTERNAL_HZ
        for name, inputs in zip(sizes, np.round(_EXTERNAL * k_scale), strict=True):
            rate_Hz, w_pA = inputs * _EXTERNAL_HZ, external_pA / math.sqrt(k_scale)
            stimuli[f"external_{name}"] = Poisson(name, rate_Hz=float(rate_Hz), weight_pA=w_pA)
    else:
        dc_pA = dc_pA + 1e-3 * _TAU_SYN_MS * external_pA * _EXTERNAL * _EXTERNAL_HZ
    if np.any(dc_pA):
        stimuli["dc"] = Constant(tuple(sizes), I_pA=np.repeat(dc_pA, list(sizes.values())))
    return Network(populations, projections, stimuli, dt_ms=dt_ms, seed=seed, native=native, threads=threads)


def _synapses() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Numbers of synapses at full scale, drawn with replacement, that connect pairs with the given probabilities."""
    sizes = np.array(list(SIZES.values()), np.float64)
    pairs = np.outer(sizes, sizes)
    numbers: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.log1p(-_PROBABILITIES) / np.log1p(-1.0 / pairs)
    return numbers


def _weights_pA() -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], float]:
    """Mean weights (target, source), and that of the external input: peaks of the PSP of 0.15 mV and its multiples."""
    psp_mV = np.full((8, 8), 0.15)
    psp_mV[:, 1::2] *= -4.0
    psp_mV[0, 2] = 0.30
    ratio = _TAU_M_MS / _TAU_SYN_MS
    q = ratio ** (1.0 / (_TAU_SYN_MS - _TAU_M_MS))
    pA_per_mV = _C_PF * (_TAU_SYN_MS - _TAU_M_MS) / (_TAU_M_MS * _TAU_SYN_MS * (q**_TAU_M_MS - q**_TAU_SYN_MS))
    return psp_mV * pA_per_mV, 0.15 * pA_per_mV
