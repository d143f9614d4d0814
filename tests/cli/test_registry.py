"""Models by name: what a room exports can be named without touching the command line."""

import pytest

import jaxsyn as js
from jaxsyn.cli._registry import find, models
from jaxsyn.cli._schema import component


def test_a_new_neuron_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class QuickLIF(js.neurons.AbstractDiscreteNeuron):
        """A neuron that somebody adds to the room."""

        tau_ms: object = js.neurons.LIF.__dataclass_fields__["tau_m_ms"].default

        def init_state(self, shape: tuple[int, ...]) -> object:
            return js.neurons.EmptyState()

        def step(self, state: object, drive: object, spike: object) -> tuple[object, object]:
            return state, drive

    monkeypatch.setattr(js.neurons, "QuickLIF", QuickLIF, raising=False)
    models.cache_clear()
    try:
        assert models(js.neurons.AbstractNeuron)["QuickLIF"].make is QuickLIF
    finally:
        monkeypatch.undo()
        models.cache_clear()
    assert "QuickLIF" not in models(js.neurons.AbstractNeuron)


def test_names_of_rules_say_what_they_do() -> None:
    assert "fixed_in_degree" in models(js.connect.AbstractRule)
    assert "AdEx" in models(js.neurons.AbstractNeuron)
    assert "spike_events" not in models(js.stimuli.AbstractStimulus)


@pytest.mark.parametrize("name", ["fixed_probability", "FixedProbability", "fixedprobability", "FIXED_PROBABILITY"])
def test_case_and_underscores_do_not_matter(name: str) -> None:
    assert find(name, models(js.connect.AbstractRule)) == "fixed_probability"


def test_tables_have_the_arguments_of_the_models() -> None:
    poisson = component(models(js.stimuli.AbstractStimulus)["poisson"], "kind").model_fields
    assert list(poisson) == [
        *("kind", "target", "rate_Hz", "max_rate_Hz", "weight_nS", "weight_pA", "weight_mV", "weight")
    ]
    assert [name for name, field in poisson.items() if field.is_required()] == ["kind", "target", "rate_Hz"]
    squid = component(models(js.neurons.AbstractNeuron)["HodgkinHuxley.squid"])
    assert list(squid.model_fields) == ["area_um2"]
    assert squid.MODEL.owner is js.neurons.HodgkinHuxley
