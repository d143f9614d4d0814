"""Weights carry one unit and reach a receptor by name."""

import pickle

import pytest

from jaxsyn import SimulationError
from jaxsyn._core import Weights

UNITS = {"AMPA": "nS", "GABA_A": "nS", "jump": "mV"}


def test_one_value_or_one_for_each_receptor() -> None:
    assert Weights.parse("here") is None
    plain = Weights.parse("here", nS=2.0)
    assert plain is not None
    assert plain.resolve("here", {"AMPA": "nS"}) == {"AMPA": 2.0}
    named = Weights.parse("here", nS={"GABA_A": 1.0, "AMPA": 2.0})
    assert named is not None
    assert named.resolve("here", UNITS) == {"GABA_A": 1.0, "AMPA": 2.0}
    pure = Weights.parse("here", pure=0.5)
    assert pure is not None
    assert pure.resolve("here", {"": "1"}) == {"": 0.5}


@pytest.mark.parametrize(
    ("given", "receptors", "message"),
    [
        ({"nS": 1.0, "pA": 2.0}, UNITS, "here: got weights in pA and nS"),
        ({"nS": {}}, UNITS, "empty weight mapping"),
        ({"nS": 1.0}, UNITS, r"the target has receptors \['AMPA', 'GABA_A', 'jump'\]; say which one"),
        ({"nS": 1.0}, {}, "give the population a receptor first"),
        ({"nS": {"NMDA": 1.0}}, UNITS, r"unknown receptor 'NMDA'; the target has \['AMPA', 'GABA_A', 'jump'\]"),
        ({"nS": {"jump": 1.0}}, UNITS, "receptor 'jump' takes weight_mV, got weight_nS"),
        ({"pure": {"AMPA": 1.0}}, UNITS, "receptor 'AMPA' takes weight_nS, got weight$"),
        ({"nS": 1.0}, {"": "1"}, "takes weight, got weight_nS"),
    ],
)
def test_refusals(given: dict[str, object], receptors: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Weights.parse("here", **given).resolve("here", receptors)  # type: ignore[union-attr]


def test_a_simulation_error_keeps_the_last_good_state() -> None:
    error = SimulationError("E.V_mV is not finite at step 3", state={"tick": 2})
    assert error.state == {"tick": 2}
    assert str(error) == "E.V_mV is not finite at step 3"
    assert SimulationError("x").state is None
    assert str(pickle.loads(pickle.dumps(SimulationError("x")))) == "x"
