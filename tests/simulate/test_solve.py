"""The error-controlled solution against closed forms and stored truth; refusals."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

CELL = js.neurons.LIF  # tau 20 ms, 200 pF, rest and reset -60 mV, threshold -50 mV


@pytest.fixture
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def rise_ms(I_pA: float, gap_mV: float = 10.0) -> float:
    """Time from rest to threshold at a constant current."""
    return -20.0 * np.log(1.0 - gap_mV / (I_pA * 20.0 / 200.0))


@pytest.mark.usefixtures("x64")
def test_constant_current_and_refractory_time() -> None:
    cells = js.Population(CELL(), 3, refractory_ms=np.array([0.0, 1.7, 3.3]))
    solved = js.solve(cells, 60.0, I_pA=np.array([400.0, 400.0, 90.0]), save_at_ms=[0.0, 60.0])
    every = rise_ms(400.0)
    assert solved.result == "done"
    np.testing.assert_allclose(solved.spikes.train(0), every * np.arange(1, 11), atol=1e-9)
    np.testing.assert_allclose(solved.spikes.train(1), every * np.arange(1, 9) + 1.7 * np.arange(8), atol=1e-9)
    assert len(solved.spikes.train(2)) == 0
    V = solved.states["V_mV"]
    assert V.values.shape == (2, 3)
    assert V.unit == "mV"
    np.testing.assert_allclose(V.values[:, 2], [-60.0, -60.0 + 9.0 * (1.0 - np.exp(-3.0))], atol=1e-9)
    assert (solved.after_spikes["V_mV"] == -60.0).all()
    assert (solved.steps > 60).all()


@pytest.mark.usefixtures("x64")
def test_current_with_edges_and_as_a_function_of_time() -> None:
    cell = js.Population(CELL(), 1)

    def pulse(t_ms: Any) -> Any:
        return jnp.where((t_ms >= 5.003) & (t_ms < 9.0), 500.0, 0.0)

    solved = js.solve(cell, 20.0, I_pA=pulse, edges_ms=[5.003, 9.0], save_at_ms=[20.0])
    np.testing.assert_allclose(solved.spikes.times_ms, [], atol=1e-9)
    peak = 50.0 * (1.0 - np.exp(-3.997 / 20.0))
    np.testing.assert_allclose(solved.states["V_mV"].values, [[-60.0 + peak * np.exp(-11.0 / 20.0)]], atol=1e-9)
    ramp = js.solve(cell, 20.0, I_pA=lambda t_ms: 50.0 * t_ms, rtol=1e-12, atol=1e-12).spikes.times_ms
    V = 50.0 * 0.1 * (ramp[0] - 20.0 * (1.0 - np.exp(-ramp[0] / 20.0)))
    np.testing.assert_allclose(V, 10.0, atol=1e-9)


@pytest.mark.usefixtures("x64")
def test_arrivals_at_a_kinetic_and_at_a_delta_receptor() -> None:
    receptors = {"slow": js.receptors.Current(js.receptors.Exponential(5.0)), "jump": js.receptors.Delta()}
    cells = js.Population(CELL(), 2, receptors, refractory_ms=2.0)
    arrivals = [
        (1.0, "slow", np.array([100.0, 0.0])),
        (3.0, "jump", 4.0),
        (4.0, "jump", [0.0, 11.0]),
        (5.0, "jump", 1.0),
    ]
    solved = js.solve(cells, 8.0, arrivals=arrivals, save_at_ms=[2.0, 3.0, 7.0])
    t = np.array([1.0, 2.0])
    trace = 100.0 / 200.0 * 100.0 / 15.0 * (np.exp(-t / 20.0) - np.exp(-t / 5.0))
    np.testing.assert_allclose(solved.states["V_mV"].values[:2, 0], -60.0 + trace + [0.0, 4.0], atol=1e-9)
    np.testing.assert_allclose(solved.states["slow.value"].values[:, 0], 100.0 * np.exp(-np.array([1, 2, 6]) / 5.0))
    assert solved.spikes.neurons.tolist() == [1]  # 4 mV, then 11 mV; the 1 mV meets it refractory
    assert solved.spikes.times_ms.tolist() == [4.0]
    assert solved.states["V_mV"].values[2, 1] == -60.0


@pytest.mark.usefixtures("x64")
def test_a_neuron_without_reset_fires_once_a_crossing() -> None:
    cell = js.Population(js.neurons.HodgkinHuxley.squid(), 1)
    solved = js.solve(cell, 40.0, I_pA=10.0, save_at_ms=[40.0])
    np.testing.assert_allclose(solved.spikes.times_ms, [1.90097, 16.82258, 31.4620], atol=2e-2)
    np.testing.assert_allclose(solved.spikes.times_ms[:2], [1.90097, 16.82258], atol=1e-5)
    assert set(solved.states) == {"V_mV", "m", "h", "n"}
    assert solved.states["m"].unit == ""


def test_single_precision_spikes_as_often() -> None:
    cell = js.Population(js.neurons.HodgkinHuxley.squid(), 1)
    times = js.solve(cell, 40.0, I_pA=10.0).spikes.times_ms
    np.testing.assert_allclose(times[:2], [1.90097, 16.82258], atol=2e-3)
    assert len(times) == 3


def test_no_neurons() -> None:
    solved = js.solve(js.Population(CELL(), 0), 5.0, save_at_ms=[1.0])
    assert len(solved.spikes) == 0
    assert solved.result == "done"
    assert solved.states["V_mV"].values.shape == (1, 0)


def test_says_that_a_rate_runs_away() -> None:
    cell = js.Population(CELL(V_reset_mV=-50.0), 1)  # above threshold again and again
    with pytest.raises(js.SimulationError, match=r"neuron 0 stopped at t = .* after 50 spikes.*runs away.*max_spikes"):
        js.solve(cell, 40.0, I_pA=400.0, max_spikes=50)
    part = js.solve(cell, 40.0, I_pA=400.0, max_spikes=50, throw=False)
    assert part.result.startswith("neuron 0 stopped")
    assert len(part.spikes) == 50


def test_says_that_no_step_is_accurate() -> None:
    cell = js.Population(CELL(), 1)
    with pytest.raises(js.SimulationError, match="no step is accurate enough"):
        js.solve(cell, 40.0, I_pA=lambda t_ms: jnp.where(t_ms > 10.0, jnp.nan, 0.0))
    with pytest.raises(js.SimulationError, match="max_steps"):
        js.solve(cell, 40.0, I_pA=100.0, max_steps=10)


def test_initial_values_are_used() -> None:
    cells = js.Population(CELL(), 2, initial={"V_mV": [-55.0, -51.0]})
    solved = js.solve(cells, 1.0, save_at_ms=[0.0])
    np.testing.assert_array_equal(solved.states["V_mV"].values, [[-55.0, -51.0]])


@pytest.mark.parametrize(
    ("population", "options", "message"),
    [
        (js.Population(js.neurons.DiscreteLIF(), 1), {}, "DiscreteLIF is a discrete neuron"),
        (js.Population(js.neurons.IzhikevichPublished(), 1), {}, "IzhikevichPublished is a discrete neuron"),
        (js.Population(CELL(), 2), {"duration_ms": 0.0}, "duration_ms: got 0.0"),
        (js.Population(CELL(), 2), {"I_pA": [1.0, 2.0, 3.0]}, "allowed: a finite number, 2 of them"),
        (js.Population(CELL(), 2), {"I_pA": np.nan}, "allowed: a finite number"),
        (js.Population(CELL(), 2), {"save_at_ms": [11.0]}, "save_at_ms: got 11.0 ms; allowed: 0 to 10.0"),
        (js.Population(CELL(), 2), {"edges_ms": [-1.0]}, "edges_ms: got -1.0"),
        (js.Population(CELL(), 2), {"arrivals": [(1.0, "AMPA", 1.0)]}, "unknown receptor 'AMPA'; "
            "the population has none"),
        (js.Population(CELL(), 2), {"tolerance": 1.0}, "unknown option 'tolerance'; allowed: edges_ms"),
        (js.Population(CELL(), 2), {"rtol": -1.0}, "rtol: got -1.0"),
        (js.Population(CELL(), 2), {"max_spikes": 0}, "max_spikes: got 0"),
        (js.Population(CELL(), 2, {"A": js.receptors.AMPA()}), {"arrivals": [(1.0, "A", [1.0])]}, "2 neurons"),
        (js.Population(CELL(), 2, initial={"w_pA": 0.0}), {}, "unknown initial variable 'w_pA'"),
    ],
)  # fmt: skip
def test_bad_input(population: js.Population, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        js.solve(population, **{"duration_ms": 10.0, **options})
