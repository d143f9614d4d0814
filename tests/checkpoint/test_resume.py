"""A run of T is that of T/2, a checkpoint, a new process, and T/2, bit for bit: every model, stimulus and record."""

import inspect
import os
import pathlib
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import jaxsyn as js

from . import zoo

Results = dict[str, dict[str, Any]]
KINDS = ("float32", "float64")


def start(what: str, folder: pathlib.Path, kind: str) -> subprocess.Popen[str]:
    script = pathlib.Path(zoo.__file__)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COV")}  # measuring doubles their time
    env = {**inherited, "PYTHONPATH": str(script.parents[2]), "JAX_ENABLE_X64": str(int(kind == "float64"))}
    if kind == "float64":  # its second process need not compile again; that of float32 does
        env |= {"JAX_COMPILATION_CACHE_DIR": str(folder / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-W", "error", str(script), what, str(folder)]
    return subprocess.Popen(command, env=env, text=True, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """All that the processes wrote, by precision and part: `whole`, and `first` and `rest` with an exit between."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for what in ("whole", "rest"):
        children = [start(what, folder, kind) for kind, folder in folders.items()]
        for child in children:
            errors = child.communicate(timeout=600)[1]
            assert child.returncode == 0, errors
    return {
        kind: {part: dict(np.load(folder / f"{part}.npz")) for part in ("whole", "first", "rest")}
        for kind, folder in folders.items()
    }


def same_bits(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("population", zoo.populations())
def test_population_goes_on(results: dict[str, Results], population: str, kind: str) -> None:
    parts = results[kind]
    whole, first, rest = (parts[p][f"spikes {population} times"] for p in ("whole", "first", "rest"))
    if population != "grid":  # the ramp is still low in the first half
        assert min(len(first), len(rest)) >= 1, "it has to spike in both halves"
    assert same_bits(whole, np.concatenate([first, rest]))
    neurons = [parts[p][f"spikes {population} neurons"] for p in ("first", "rest")]
    assert same_bits(parts["whole"][f"spikes {population} neurons"], np.concatenate(neurons))
    g = zoo.build().place(population)[0]
    states = [name for name in parts["whole"] if name.startswith(f"state.groups[{g}]")]
    assert states
    assert [name for name in states if not same_bits(parts["whole"][name], parts["rest"][name])] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["state.links", "state.stimuli", "state.tick"])
def test_state_goes_on(results: dict[str, Results], what: str, kind: str) -> None:
    whole, rest = results[kind]["whole"], results[kind]["rest"]
    names = [name for name in whole if name.startswith(what)]
    assert names
    assert [name for name in names if not same_bits(whole[name], rest[name])] == []
    floats = {str(whole[name].dtype) for name in names if whole[name].dtype.kind == "f"}
    assert floats <= {kind}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("record", zoo.RECORDS, ids=lambda r: r.name)
def test_record_goes_on(results: dict[str, Results], record: js.record.AbstractRecord, kind: str) -> None:
    names = [n for n in results[kind]["whole"] if n.startswith((f"record {record.name} ", f"{record.name} "))]
    assert names
    for name in names:
        whole, first, rest = (results[kind][part][name] for part in ("whole", "first", "rest"))
        joined = first + rest if name.startswith("record count") else np.concatenate([first, rest])
        assert whole.size
        assert same_bits(whole, joined)


def concrete(room: ModuleType, base: type) -> set[str]:
    """Names of the public classes of a room that can be used as they are."""
    found = vars(room).items()
    return {n for n, c in found if inspect.isclass(c) and issubclass(c, base) and not inspect.isabstract(c)}


def test_the_zoo_is_complete() -> None:
    """A new model has to be added to zoo.py."""
    populations, stimuli = zoo.populations(), zoo.stimuli()
    receptors = [r for p in populations.values() for r in p.receptors.values()]
    kinetics = {type(r.kinetics).__name__ for r in receptors if hasattr(r, "kinetics")}
    short_term = {type(p.short_term).__name__ for p in zoo.projections().values()}
    abstract = {"SpikeEvents"}  # what SpikeTimes becomes
    assert concrete(js.neurons, js.neurons.AbstractNeuron) == {type(p.neuron).__name__ for p in populations.values()}
    assert concrete(js.receptors, js.receptors.AbstractReceptor) == {type(r).__name__ for r in receptors}
    assert concrete(js.receptors, js.receptors.AbstractKinetics) == kinetics
    assert concrete(js.stimuli, js.stimuli.AbstractStimulus) - abstract == {type(s).__name__ for s in stimuli.values()}
    assert concrete(js.plasticity, js.plasticity.AbstractShortTerm) == short_term - {"NoneType"}
    assert concrete(js.record, js.record.AbstractRecord) == {type(r).__name__ for r in zoo.RECORDS}
    integrators = {type(p.integrator).__name__ for p in populations.values()} - {"NoneType"}
    assert concrete(js.neurons, js.neurons.AbstractIntegrator) == integrators
