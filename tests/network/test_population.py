"""What a population accepts, and what it chooses by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js

LIF, AdEx = js.neurons.LIF(), js.neurons.AdEx()
CURRENT = {"x": js.receptors.Current(js.receptors.Exponential(2.0))}
CONDUCTANCE = {"x": js.receptors.AMPA()}
SURROGATE = js.surrogate.SuperSpike()


pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize(
    ("neuron", "receptors", "options", "integrator", "on_grid"),
    [
        (LIF, CURRENT, {}, "Exact", False),
        (LIF, {}, {"surrogate": SURROGATE}, "Exact", True),
        (LIF, CONDUCTANCE, {}, "RK4", False),
        (AdEx, CONDUCTANCE, {}, "RK4", False),
        (AdEx, CONDUCTANCE, {"surrogate": SURROGATE}, "RK4", True),
        (LIF, CURRENT, {"integrator": js.neurons.RK2(on_grid=True)}, "RK2", True),
    ],
)
def test_the_integrator_fits_the_model(
    neuron: Any, receptors: Any, options: Any, integrator: str, on_grid: bool
) -> None:
    chosen = js.Population(neuron, 2, receptors, **options).integrator
    assert (type(chosen).__name__, chosen.on_grid) == (integrator, on_grid)


def test_receptors_stand_in_one_order_whatever_order_they_are_given_in() -> None:
    receptors = {"b": js.receptors.AMPA(), "a": js.receptors.GABA_A()}
    assert list(js.Population(LIF, 1, receptors).receptors) == ["a", "b"]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no model": (lambda: js.Population("LIF", 3), r"Population\.neuron: got 'LIF'; allowed: a neuron model"),
    "class": (lambda: js.Population(js.neurons.LIF, 3), r"Population\.neuron: got <class"),
    "negative size": (lambda: js.Population(LIF, -1), r"Population\.size: got -1; allowed: a whole number >= 0"),
    "half a neuron": (lambda: js.Population(LIF, 2.5), r"Population\.size: got 2\.5"),
    "true neurons": (lambda: js.Population(LIF, True), r"Population\.size: got True"),
    "no receptor": (
        lambda: js.Population(LIF, 2, {"x": 2.0}),
        r"Population\.receptors\['x'\]: got 2\.0; allowed: e\.g\.",
    ),
    "dot": (lambda: js.Population(LIF, 2, {"a.b": js.receptors.AMPA()}), r"Population\.receptors: got name 'a\.b'"),
    "nameless": (lambda: js.Population(LIF, 2, {"": js.receptors.AMPA()}), r"Population\.receptors: got name ''"),
    "neuron": (lambda: js.Population(LIF, 2, {"neuron": js.receptors.AMPA()}), r"got name 'neuron'; allowed:"),
    "number": (lambda: js.Population(LIF, 2, {1: js.receptors.AMPA(), "x": js.receptors.AMPA()}), r"got name 1"),
    "values of a parameter": (
        lambda: js.Population(js.neurons.LIF(tau_m_ms=[1.0, 2.0]), 3),
        r"Population: LIF parameter tau_m_ms has 2 values for 3 neurons; give 3 values or a scalar",
    ),
    "values of a receptor": (
        lambda: js.Population(LIF, 3, {"x": js.receptors.AMPA(tau_ms=[1.0, 2.0])}),
        r"Population: LIF parameter .*x.*tau_ms has 2 values for 3 neurons",
    ),
    "values of a surrogate": (
        lambda: js.Population(LIF, 3, surrogate=js.surrogate.SuperSpike([1.0, 2.0])),
        r"Population: LIF parameter k has 2 values for 3 neurons",
    ),
    "values of refractoriness": (
        lambda: js.Population(LIF, 3, refractory_ms=[1.0, 2.0]),
        r"parameter refractory_ms has 2 values for 3 neurons",
    ),
    "negative refractoriness": (
        lambda: js.Population(LIF, 3, refractory_ms=-1.0),
        r"Population\.refractory_ms: got -1\.0",
    ),
    "NaN refractoriness": (lambda: js.Population(LIF, 3, refractory_ms=np.nan), r"Population\.refractory_ms: got nan"),
    "located surrogate": (
        lambda: js.Population(LIF, 3, surrogate=SURROGATE, integrator=js.neurons.RK4()),
        r"a surrogate gradient belongs to spikes on the grid; use RK4\(on_grid=True\)",
    ),
    "exact AdEx": (
        lambda: js.Population(AdEx, 3, integrator=js.neurons.Exact()),
        r"integrator Exact: AdEx with receptors none is not linear",
    ),
    "discrete with receptors": (
        lambda: js.Population(js.neurons.DiscreteLIF(), 3, CURRENT),
        r"DiscreteLIF is a discrete neuron, its recurrence is the whole step; it takes no receptors",
    ),
    "discrete with an integrator": (
        lambda: js.Population(js.neurons.DiscreteLIF(), 3, integrator=js.neurons.RK4()),
        r"it takes no integrator",
    ),
    "discrete refractory": (
        lambda: js.Population(js.neurons.DiscreteLIF(), 3, refractory_ms=1.0),
        r"it takes no refractory_ms",
    ),
    "initial shape": (
        lambda: js.Population(LIF, 3, initial={"V_mV": [1.0, 2.0]}),
        r"Population\.initial\['V_mV'\]: got shape \(2,\); allowed: finite, a number or 3 values, or a distribution",
    ),
    "initial NaN": (lambda: js.Population(LIF, 3, initial={"V_mV": np.nan}), r"Population\.initial\['V_mV'\]"),
    "initial name": (
        lambda: js.Network({"a": js.Population(LIF, 3, CURRENT, initial={"x.rise": 1.0})}, dt_ms=0.1),
        r"Population 'a': unknown initial variable 'x\.rise'; allowed: V_mV, x\.value",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        build()
