"""The table misses no model: every public concrete class of the rooms stands in some network of it."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import jaxsyn as js
from tests.conformance.own_models import QuadraticIF, Saturating
from tests.conformance.table import ROWS

BASES = {
    js.neurons: (js.neurons.AbstractNeuron, js.neurons.AbstractIntegrator),
    js.receptors: (js.receptors.AbstractReceptor, js.receptors.AbstractKinetics),
    js.stimuli: (js.stimuli.AbstractStimulus,),
    js.plasticity: (js.plasticity.AbstractShortTerm,),
    js.surrogate: (js.surrogate.AbstractSurrogate,),
}


def parts(tree: Any) -> Iterator[Any]:
    """Every module within a network."""
    yield tree
    if dataclasses.is_dataclass(tree):
        for field in dataclasses.fields(tree):
            yield from parts(getattr(tree, field.name))
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from parts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from parts(value)


@pytest.fixture(scope="module")
def found() -> list[Any]:
    return [part for row in ROWS for part in parts(row.build(1.0))]


@pytest.mark.parametrize("room", BASES, ids=lambda room: room.__name__.split(".")[1])
def test_every_public_model_is_in_the_table(room: Any, found: list[Any]) -> None:
    public = [c for c in vars(room).values() if inspect.isclass(c) and issubclass(c, BASES[room])]
    concrete = {c for c in public if not inspect.isabstract(c)} - {getattr(js.stimuli, "SpikeTimes", None)}
    missing = sorted(c.__name__ for c in concrete - {type(part) for part in found})
    assert not missing, f"add a row for {', '.join(missing)} to tests/conformance/table.py"


def test_every_course_is_there_as_current_and_as_conductance(found: list[Any]) -> None:
    courses = {
        c for c in vars(js.receptors).values() if inspect.isclass(c) and issubclass(c, js.receptors.AbstractKinetics)
    }
    wanted = {
        (kind, c)
        for kind in (js.receptors.Current, js.receptors.Conductance)
        for c in courses
        if not inspect.isabstract(c)
    }
    assert wanted <= {(type(p), type(p.kinetics)) for p in found if hasattr(p, "kinetics")}


def test_every_kinetics_of_hodgkin_and_huxley_is_there(found: list[Any]) -> None:
    cells = [p for p in found if isinstance(p, js.neurons.HodgkinHuxley)]
    kinds = {type(p.kinetics) for p in cells}
    assert kinds == set(js.neurons.AbstractKinetics.__subclasses__())


def test_listed_spikes_and_the_models_of_a_user_are_there(found: list[Any]) -> None:
    kinds = {type(part) for part in found}
    assert {js.stimuli.SpikeEvents, QuadraticIF, Saturating} <= kinds
