"""A fixed step converges to the error-controlled solution of the same equations, at the order of its method.

Slopes of the mean error of spike times, in float64. All neurons of a step size share one network, to compile once.
"""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js
from tests.conformance.own_models import QuadraticIF, Saturating

N = 8
T_MS = 40.0
ARRIVALS_MS = (4.0, 20.8, 28.0)

n, r = js.neurons, js.receptors
TONIC = {"C_pF": 200.0, "g_L_nS": 10.0, "E_L_mV": -70.0, "V_T_mV": -50.0, "tau_w_ms": 30.0, "a_nS": 2.0, "b_pA": 20.0}


@dataclasses.dataclass(frozen=True)
class Model:
    """Cells with one receptor, driven by a range of currents and a few arrivals.

    `scale` is that of the steps; the error is taken over the `first` spikes.
    """

    neuron: Any
    receptor: Any
    weight: float
    I_pA: tuple[float, float]
    scale: float = 1.0
    refractory_ms: float | None = 2.0
    first: int = 100

    def population(self, integrator: Any = None) -> js.Population:
        return js.Population(
            self.neuron(), N, {"syn": self.receptor()}, integrator=integrator, refractory_ms=self.refractory_ms
        )

    @property
    def currents(self) -> Any:
        return np.linspace(*self.I_pA, N)


def slow() -> Any:
    return r.Conductance(r.DualExponential(2.0, 30.0))


def smooth() -> Any:
    return r.Current(r.Alpha(2.0))


MODELS = {
    "LIF": Model(n.LIF, slow, 5.0, (400.0, 700.0)),
    "LIF linear": Model(n.LIF, smooth, 200.0, (400.0, 700.0)),
    "EIF": Model(n.EIF, slow, 3.0, (500.0, 800.0), 2.0, first=2),
    "AdEx": Model(lambda: n.AdEx(**TONIC, V_reset_mV=-58.0), slow, 3.0, (500.0, 900.0), 2.0, first=2),
    "Izhikevich": Model(n.Izhikevich, smooth, 5.0, (10.0, 20.0), 0.25),
    "own": Model(QuadraticIF, Saturating, 5.0, (400.0, 900.0)),
    "squid": Model(n.HodgkinHuxley.squid, slow, 0.1, (10.0, 20.0), 0.2, None),
}
STEPS_MS = (0.2, 0.1, 0.05)  # times the scale of the model
GRID = 1.0
CASES: dict[tuple[str, Any], float] = {
    ("LIF", n.RK4()): 4.0,
    ("LIF", n.RK2()): 2.0,
    ("LIF", n.Euler()): 1.0,
    ("LIF", n.ExponentialEuler()): 2.0,
    ("LIF", n.RK4(on_grid=True)): GRID,
    ("LIF linear", n.Exact()): 4.0,
    ("LIF linear", n.Exact(on_grid=True)): GRID,
    ("EIF", n.RK4()): 4.0,
    ("EIF", n.RK2()): 2.0,
    ("AdEx", n.RK4()): 4.0,
    ("AdEx", n.RK2()): 2.0,
    ("AdEx", n.RK4(on_grid=True)): GRID,
    ("Izhikevich", n.RK4()): 4.0,
    ("Izhikevich", n.RK2()): 2.0,
    ("Izhikevich", n.Euler()): 1.0,
    ("own", n.RK4()): 4.0,
    ("squid", n.RK4()): 4.0,
    ("squid", n.RK2()): 2.0,
    ("squid", n.ExponentialEuler()): 1.0,
}


def label(case: tuple[str, Any]) -> str:
    return f"{case[0]}-{type(case[1]).__name__}{'-grid' if case[1].on_grid else ''}"


@functools.cache
def truth(name: str) -> js.SpikeTrains:
    model = MODELS[name]
    arrivals = [(t, "syn", model.weight) for t in ARRIVALS_MS]
    cells = model.population()
    return js.solve(cells, T_MS, I_pA=model.currents, arrivals=arrivals, rtol=1e-12, atol=1e-12).spikes


def fixed(scale: float, step: float) -> dict[str, js.SpikeTrains]:
    """Spikes of all cases of one scale, simulated in one network."""
    cases = [case for case in CASES if MODELS[case[0]].scale == scale]
    events = {"times_ms": np.repeat(ARRIVALS_MS, N), "neurons": np.tile(np.arange(N), len(ARRIVALS_MS))}
    stimuli: dict[str, Any] = {}
    for case in cases:
        model, name = MODELS[case[0]], label(case)
        weight = {f"weight_{model.receptor().weight_unit}": model.weight}
        stimuli |= {f"dc {name}": js.stimuli.Constant(name, I_pA=model.currents)}
        stimuli |= {f"in {name}": js.stimuli.SpikeTimes(name, **events, **weight)}
    populations = {label(case): MODELS[case[0]].population(case[1]) for case in cases}
    net = js.Network(populations, stimuli=stimuli, dt_ms=step * scale)
    return dict(js.simulate(net, T_MS, record=js.record.Spikes()).spikes)


@pytest.fixture(scope="module")
def errors() -> dict[str, list[float]]:
    """Mean error of the spike times at each step, by case."""
    found: dict[str, list[float]] = {label(case): [] for case in CASES}
    with jax.enable_x64(True):
        for scale in {model.scale for model in MODELS.values()}:
            for step in STEPS_MS:
                spikes = fixed(scale, step)
                for case in CASES:
                    if MODELS[case[0]].scale == scale:
                        found[label(case)].append(
                            mean_error(spikes[label(case)], truth(case[0]), MODELS[case[0]].first)
                        )
    return found


def mean_error(got: js.SpikeTrains, wanted: js.SpikeTrains, first: int) -> float:
    gaps = []
    for i in range(N):
        a, b = got.train(i), wanted.train(i)
        assert abs(len(a) - len(b)) <= 1
        assert len(b) > 1
        common = min(len(a), len(b), first)
        gaps.append(np.abs(a[:common] - b[:common]))
    return float(np.concatenate(gaps).mean())


@pytest.mark.parametrize(("case", "order"), CASES.items(), ids=[label(case) for case in CASES])
def test_order(errors: dict[str, list[float]], case: tuple[str, Any], order: float) -> None:
    found = errors[label(case)]
    slope = np.polyfit(np.log(STEPS_MS), np.log(found), 1)[0]
    print(f"{label(case)}: slope {slope:.2f}, errors {found}")
    assert slope == pytest.approx(order, abs=0.3)
