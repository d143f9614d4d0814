"""The table of all models. A row is a small network that lets one model act; the tests of this folder take every row.

To add a model, add a row: `build(k)` gives the network with parameters of the model scaled by k, near 1.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxsyn as js
from tests.conformance.own_models import QuadraticIF, Saturating

N = 3
EVENTS = {"times_ms": [1.0, 1.4, 3.0, 3.2, 3.4], "neurons": [0, 1, 0, 1, 2]}


@dataclasses.dataclass(frozen=True)
class Row:
    """A model in a network.

    Attributes:
        name: Of the row.
        build: Network for a scale of the model's parameters.
        watch: State variable that shows the action.
        learns: Whether gradients pass.
        spikes: Whether its action is spikes.
        shows: Whether new values of its parameters change the action (and not the gradient alone).
    """

    name: str
    build: Callable[[float], js.Network]
    watch: str = "E.V_mV"
    learns: bool = False
    spikes: bool = True
    shows: bool = True

    def __str__(self) -> str:
        return self.name


def cell(neuron: Any, integrator: Any, learns: bool, drive: float, dt_ms: float) -> js.Network:
    """A driven population."""
    surrogate = js.surrogate.SuperSpike() if learns else None
    unit = "drive" if isinstance(neuron, js.neurons.AbstractDiscreteNeuron) else "I_pA"
    population = js.Population(neuron, N, integrator=integrator, surrogate=surrogate)
    return js.Network({"E": population}, stimuli={"dc": js.stimuli.Constant("E", **{unit: drive})}, dt_ms=dt_ms)


def _continuous() -> Iterator[Row]:
    n = js.neurons
    squid, miles, basket = n.HodgkinHuxley.squid, n.HodgkinHuxley.traub_miles, n.HodgkinHuxley.wang_buzsaki
    makes: dict[str, tuple[Callable[[float], Any], float]] = {
        "LIF": (lambda k: n.LIF(tau_m_ms=20.0 * k), 900.0),
        "EIF": (lambda k: n.EIF(g_L_nS=10.0 * k), 900.0),
        "AdEx": (lambda k: n.AdEx(tau_w_ms=jnp.linspace(20.0, 144.0, N) * k), 3000.0),
        "Izhikevich": (lambda k: n.Izhikevich(a_per_ms=0.02 * k), 20.0),
        "HodgkinHuxley.squid": (lambda k: dataclasses.replace(squid(), g_L_nS=0.3 * k), 30.0),
        "HodgkinHuxley.traub_miles": (lambda k: dataclasses.replace(miles(), g_L_nS=10.0 * k), 1500.0),
        "HodgkinHuxley.wang_buzsaki": (lambda k: dataclasses.replace(basket(), g_L_nS=0.1 * k), 20.0),
        "own neuron": (lambda k: QuadraticIF(C_pF=100.0 * k), 900.0),
    }
    for name, (make, drive) in makes.items():
        dt_ms = 0.05 if name.startswith("Hodgkin") else 0.1
        for learns in (False, True):
            integrator = (
                n.RK2(on_grid=True) if learns and name != "LIF" else None
            )  # the default is RK4: compiles longer

            def build(k: float, make: Any = make, options: Any = (integrator, learns, drive, dt_ms)) -> js.Network:
                return cell(make(k), *options)

            yield Row(f"{name}, {'surrogate' if learns else 'located'}", build, learns=learns)


def _integrators() -> Iterator[Row]:
    """Those that are no default."""
    n = js.neurons
    for integrator in (n.Euler(), n.RK2(), n.ExponentialEuler(), n.Exact(on_grid=True)):

        def build(k: float, integrator: Any = integrator) -> js.Network:
            return cell(n.LIF(tau_m_ms=20.0 * k), integrator, False, 900.0, 0.1)

        yield Row(type(integrator).__name__, build)


def _discrete() -> Iterator[Row]:
    n = js.neurons
    makes: dict[str, tuple[Callable[[float], Any], Any]] = {
        "DiscreteLIF": (lambda k: n.DiscreteLIF(decay=0.9 * k), 0.3),
        "DiscreteLIF to zero": (lambda k: n.DiscreteLIF(decay=0.9 * k, reset="zero", detach_reset=True), 0.3),
        "DiscreteALIF": (lambda k: n.DiscreteALIF(decay=0.9 * k), 0.3),
        "DiscreteCuBaLIF": (lambda k: n.DiscreteCuBaLIF(alpha=0.8 * k), 0.3),
        "DiscreteIF": (lambda k: n.DiscreteIF(threshold=1.0 * k), 0.3),
        "AccumulateFire": (lambda k: n.AccumulateFire(threshold=1.0 * k, wait_steps=3, window_steps=5), 0.3),
        "SignedIF": (lambda k: n.SignedIF(threshold=1.0 * k), 0.3),
        "IzhikevichPublished": (lambda k: n.IzhikevichPublished(0.02 * k, substeps=4), 20.0),  # coarser: roundings grow
    }
    for name, (make, drive) in makes.items():
        variable = "E.V_mV" if name.startswith("Izh") else "E.v"

        def build(k: float, make: Any = make, drive: Any = drive) -> js.Network:
            return cell(make(k), None, True, drive, 1.0)

        yield Row(name, build, watch=variable, learns=True)

    def readout(k: float) -> js.Network:
        return cell(n.LeakyIntegrator(decay=0.9 * k), None, False, 0.3, 1.0)

    def relayed(k: float) -> js.Network:
        events = js.stimuli.SpikeTimes("in", **EVENTS, weight=1.0, amplitudes=k)
        populations = {"in": js.Population(n.Relay(), N), "E": js.Population(n.LeakyIntegrator(), N)}
        link = {"in_E": js.Projection("in", "E", js.connect.OneToOne(), weight=1.0, delay_ms=0.2)}
        return js.Network(populations, link, {"listed": events}, dt_ms=0.2)

    def changes(k: float) -> js.Network:
        events = js.stimuli.SpikeTimes("in", **EVENTS, weight=1.0, amplitudes=k)
        populations = {"in": js.Population(n.Relay(), N), "E": js.Population(n.Difference(), N)}
        link = {"in_E": js.Projection("in", "E", js.connect.Identity())}
        return js.Network(populations, link, {"listed": events}, dt_ms=0.2)

    yield Row("Difference", changes, watch="E.last", spikes=False)
    yield Row("LeakyIntegrator", readout, watch="E.v", learns=True, spikes=False)
    yield Row("Relay", relayed, watch="E.v", spikes=False)


def _receptors() -> Iterator[Row]:
    r = js.receptors
    courses: dict[str, Callable[[float], Any]] = {
        "Exponential": lambda k: r.Exponential(2.0 * k),
        "Alpha": lambda k: r.Alpha(1.0 * k),
        "DualExponential": lambda k: r.DualExponential(1.0, 3.0 * k),
    }
    makes: dict[str, tuple[Callable[[float], Any], dict[str, float]]] = {}
    for name, course in courses.items():
        makes[f"Current({name})"] = (lambda k, c=course: r.Current(c(k)), {"weight_pA": 2000.0})
        makes[f"Conductance({name})"] = (lambda k, c=course: r.Conductance(c(k)), {"weight_nS": 40.0})
    makes |= {
        "Delta": (lambda k: r.Delta(), {"weight_mV": 6.0}),
        "AMPA": (lambda k: r.AMPA(tau_ms=2.0 * k), {"weight_nS": 40.0}),
        "NMDA": (lambda k: r.NMDA(tau_decay_ms=100.0 * k), {"weight_nS": 300.0}),
        "GABA_A": (lambda k: r.GABA_A(E_rev_mV=-70.0 * k), {"weight_nS": 40.0}),
        "own receptor": (lambda k: Saturating(tau_ms=5.0 * k), {"weight_nS": 80.0}),
    }
    for name, (make, weight) in makes.items():

        def build(k: float, make: Any = make, weight: Any = weight) -> js.Network:
            linear = make(1.0).weight_unit != "nS"
            integrator = None if linear else js.neurons.RK2(on_grid=True)
            E = js.Population(
                *(js.neurons.LIF(), N, {"syn": make(k)}), integrator=integrator, surrogate=js.surrogate.SuperSpike()
            )
            return js.Network({"E": E}, stimuli={"in": js.stimuli.SpikeTimes("E", **EVENTS, **weight)}, dt_ms=0.2)

        yield Row(name, build, learns=True, spikes=name != "GABA_A", shows=name != "Delta")


def _stimuli() -> Iterator[Row]:
    s = js.stimuli
    samples = np.linspace(0.0, 2.0, 30)
    rates = np.full((30, 1), 5000.0)
    makes: dict[str, Callable[[float], Any]] = {
        "Constant": lambda k: s.Constant("E", drive=0.5 * k),
        "Step": lambda k: s.Step("E", drive=0.6 * k, start_ms=2.0, stop_ms=9.0),
        "Ramp": lambda k: s.Ramp("E", drive=1.0 * k, start_ms=2.0, stop_ms=9.0),
        "Sine": lambda k: s.Sine("E", drive=1.0 * k, frequency_Hz=100.0),
        "Sampled": lambda k: s.Sampled("E", drive=samples * k, every_ms=0.4),
        "GaussianNoise": lambda k: s.GaussianNoise("E", drive=1.0 * k),
        "Poisson": lambda k: s.Poisson("E", rate_Hz=2000.0 * k, weight=0.7, max_rate_Hz=4000.0),
        "InhomogeneousPoisson samples": lambda k: s.InhomogeneousPoisson(
            "E", rate_Hz=rates * k, every_ms=1.0, weight=0.5, max_rate_Hz=6000.0
        ),
        "InhomogeneousPoisson function": lambda k: s.InhomogeneousPoisson(
            "E", rate_Hz=_rising, weight=0.5 * k, max_rate_Hz=5000.0
        ),
        "SpikeTimes": lambda k: s.SpikeTimes("E", **EVENTS, weight=0.9 * k),
    }
    for name, make in makes.items():

        def build(k: float, make: Any = make) -> js.Network:
            E = js.Population(js.neurons.DiscreteLIF(), N, surrogate=js.surrogate.SuperSpike())
            return js.Network({"E": E}, stimuli={"in": make(k)}, dt_ms=0.2)

        yield Row(name, build, watch="E.v", learns=True)

    def colored(k: float) -> js.Network:
        E = js.Population(js.neurons.LIF(), N, surrogate=js.surrogate.SuperSpike())
        noise = s.OrnsteinUhlenbeck("E", mean_pA=900.0, sd_pA=50.0 * k, tau_ms=5.0)
        return js.Network({"E": E}, stimuli={"in": noise}, dt_ms=0.2)

    yield Row("OrnsteinUhlenbeck", colored, learns=True)


def _rising(t_ms: Any) -> Any:
    return 400.0 * t_ms


def _short_term() -> Iterator[Row]:
    p = js.plasticity
    makes: dict[str, Callable[[float], Any]] = {
        "TsodyksMarkram": lambda k: p.TsodyksMarkram(U=0.3 * k, tau_rec_ms=10.0, tau_fac_ms=5.0),
        "TsodyksMarkramThreeState": lambda k: p.TsodyksMarkramThreeState(U=0.5 * k, tau_rec_ms=10.0),
    }
    for name, make in makes.items():

        def build(k: float, make: Any = make) -> js.Network:
            one = js.stimuli.SpikeTimes("in", **EVENTS, weight=1.0)
            E = js.Population(js.neurons.LIF(), N, {"syn": js.receptors.AMPA()})
            link = js.Projection("in", "E", js.connect.AllToAll(), weight_nS=80.0, delay_ms=0.4, short_term=make(k))
            return js.Network(
                {"in": js.Population(js.neurons.Relay(), N), "E": E}, {"link": link}, {"s": one}, dt_ms=0.2
            )

        yield Row(name, build)


def _surrogates() -> Iterator[Row]:
    s = js.surrogate
    shapes = (s.SuperSpike, s.Triangle, s.Arctangent, s.Sigmoid, s.Boxcar, s.Exponential, s.Gaussian, s.MultiGaussian)
    for surrogate in (*shapes, s.StraightThrough):

        def build(k: float, surrogate: Any = surrogate) -> js.Network:
            shape = surrogate() if surrogate is s.StraightThrough else surrogate(k=2.0 * k)
            E = js.Population(js.neurons.DiscreteLIF(), N, surrogate=shape)
            return js.Network({"E": E}, stimuli={"in": js.stimuli.Constant("E", drive=0.3)}, dt_ms=1.0)

        yield Row(surrogate.__name__, build, watch="E.v", learns=True, shows=False)


ROOMS = {
    "neurons": [*_continuous(), *_integrators(), *_discrete()],
    "receptors": list(_receptors()),
    "stimuli": list(_stimuli()),
    "plasticity": list(_short_term()),
    "surrogate": list(_surrogates()),
}
ROWS = [row for rows in ROOMS.values() for row in rows]
