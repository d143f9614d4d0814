"""Stimuli and cells that the Izhikevich files name: 20 patterns (2004, figure 1) and 8 cell types (2003, figure 2).

A stimulus is a base value and pieces (start, stop, value at the start, slope) on open intervals; the first that holds
counts. References: Izhikevich (2004), IEEE Trans. Neural Netw. 15:1063; (2003) 14:1569; author's script, ModelDB 39948.
"""

import dataclasses
import math
from typing import Any

import numpy as np

_EVER = math.inf
_ALWAYS = -math.inf
Piece = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """A current as a function of time, linear in pieces."""

    base: float
    pieces: tuple[Piece, ...]

    def __call__(self, t_ms: Any) -> np.ndarray[Any, Any]:
        """Values at times in ms, any shape."""
        t = np.asarray(t_ms, float)
        out = np.full(t.shape, self.base)
        for start, stop, value, slope in reversed(self.pieces):
            inside = (t > start) & (t < stop)
            out = np.where(inside, value + (slope * (t - start) if slope else 0.0), out)
        return out

    def edges_ms(self, T_ms: float) -> list[float]:
        """Times within (0, T) at which the current or its slope jumps."""
        edges = {x for piece in self.pieces for x in piece[:2] if 0.0 < x < T_ms}
        return sorted(edges)


def _pulses(starts: tuple[float, ...], width: float, value: float, base: float = 0.0) -> Stimulus:
    return Stimulus(base, tuple((a, a + width, value, 0.0) for a in starts))


def _from(start: float, value: float, slope: float = 0.0, base: float = 0.0) -> Stimulus:
    return Stimulus(base, ((start, _EVER, value, slope),))


_INHIBITED = Stimulus(75.0, ((_ALWAYS, 50.0, 80.0, 0.0), (250.0, _EVER, 80.0, 0.0)))
_VARIED = Stimulus(0.0, ((10.0, 15.0, 1.0, 0.0), (70.0, 75.0, -6.0, 0.0), (80.0, 85.0, 1.0, 0.0)))
_RAMPS = Stimulus(0.0, ((0.0, 200.0, 0.0, 1 / 25.0), (300.0, 312.5, 0.0, 4.0 / 12.5)))
_NINTH = 100.0 / 11.0

STIMULI = {
    "A_tonic_spiking": _from(10.0, 14.0),
    "B_phasic_spiking": _from(20.0, 0.5),
    "C_tonic_bursting": _from(22.0, 15.0),
    "D_phasic_bursting": _from(20.0, 0.6),
    "E_mixed_mode": _from(16.0, 10.0),
    "F_spike_frequency_adaptation": _from(8.5, 30.0),
    "G_class1": _from(30.0, 0.0, slope=0.075),
    "H_class2": _from(30.0, -0.5, slope=0.015, base=-0.5),
    "I_spike_latency": _pulses((10.0,), 3.0, 7.04),
    "J_subthreshold_oscillation": _pulses((20.0,), 5.0, 2.0),
    "K_resonator": _pulses((40.0, 60.0, 280.0, 320.0), 4.0, 0.65),
    "L_integrator": _pulses((_NINTH, _NINTH + 5.0, 70.0, 80.0), 2.0, 9.0),
    "M_rebound_spike": _pulses((20.0,), 5.0, -15.0),
    "N_rebound_burst": _pulses((20.0,), 5.0, -15.0),
    "O_threshold_variability": _VARIED,
    "P_bistability": _pulses((37.5, 216.0), 5.0, 1.24, base=0.24),
    "Q_DAP": _pulses((9.0,), 2.0, 20.0),
    "R_accommodation": _RAMPS,
    "S_inhibition_induced_spiking": _INHIBITED,
    "T_inhibition_induced_bursting": _INHIBITED,
    "RS": _from(15.0, 14.0),
    "IB": _from(15.0, 11.0),
    "CH": _from(15.0, 10.0),
    "FS": _from(15.0, 10.0),
    "TC": _from(30.0, 1.5),
    "TC_rebound_burst": _from(45.0, 0.0, base=-25.0),
    "RZ": Stimulus(-2.0, ((60.0, 65.0, 10.0, 0.0), (10.0, _EVER, -0.5, 0.0))),
    "LTS": _from(25.0, 10.0),
}

CELLS = {
    "RS": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0},
    "IB": {"a": 0.02, "b": 0.2, "c": -55.0, "d": 4.0},
    "CH": {"a": 0.02, "b": 0.2, "c": -50.0, "d": 2.0},
    "FS": {"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0},
    "TC": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 0.05},
    "TC_rebound_burst": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 0.05},
    "RZ": {"a": 0.1, "b": 0.26, "c": -65.0, "d": 2.0},
    "LTS": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 2.0},
}
