"""Another network is refused, and the first difference is named as its builder would say it."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.checkpoint import restore, save

Parts = dict[str, Any]


def parts() -> Parts:
    """Arguments of a small network with one of each thing."""
    receptors = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A()}
    return {
        "populations": {
            "E": js.Population(js.neurons.AdEx(), 8, receptors, refractory_ms=2.0),
            "I": js.Population(js.neurons.LIF(), 4, receptors),
            "out": js.Population(js.neurons.DiscreteLIF(), 3),
        },
        "projections": {
            "E_E": js.Projection(
                "E",
                "E",
                js.connect.FixedProbability(0.5),
                weight_nS={"AMPA": js.connect.Uniform(0.5, 1.0)},
                delay_ms=js.connect.Uniform(0.5, 2.0),
            ),
            "E_I": js.Projection(
                *("E", "I", js.connect.AllToAll()),
                weight_nS={"AMPA": 1.0},
                delay_ms=1.0,
                short_term=js.plasticity.TsodyksMarkram(),
            ),
            "I_out": js.Projection("I", "out", js.connect.Dense(), delay_ms=0.5),
        },
        "stimuli": {
            "background": js.stimuli.Poisson(("E", "I"), rate_Hz=500.0, weight_nS={"AMPA": 0.5}),
            "wave": js.stimuli.Sampled("E", I_pA=np.linspace(0.0, 100.0, 11), every_ms=1.0),
        },
        "dt_ms": 0.1,
        "seed": 0,
    }


def build(**changes: Any) -> js.Network:
    return js.Network(**{**parts(), **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("saved")
    net = build()
    save(path, net, net.init_state())
    return path


def with_(key: str, name: str, value: Any) -> Callable[[], Parts]:
    """The parts with one thing replaced, added or (None) taken away."""

    def changed() -> Parts:
        things = {**parts()[key], name: value() if callable(value) else value}
        return {key: {k: v for k, v in things.items() if v is not None}}

    return changed


def adex(**parameters: Any) -> Callable[[], js.Population]:
    receptors = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A()}
    return lambda: js.Population(js.neurons.AdEx(**parameters), 8, receptors, refractory_ms=2.0)


def e_e(rule: Any = None, **changes: Any) -> Callable[[], js.Projection]:
    options = {
        "weight_nS": {"AMPA": js.connect.Uniform(0.5, 1.0)},
        "delay_ms": js.connect.Uniform(0.5, 2.0),
        **changes,
    }
    return lambda: js.Projection("E", "E", rule or js.connect.FixedProbability(0.5), **options)


RECEPTORS = {"AMPA": js.receptors.AMPA(), "GABA_A": js.receptors.GABA_A()}

DIFFERENCES = {
    "population 'E' has 9 neurons, the checkpoint has 8": with_(
        "populations", "E", js.Population(js.neurons.AdEx(), 9, RECEPTORS, refractory_ms=2.0)
    ),
    "population 'X' is not in the checkpoint, which has ['E', 'I', 'out']": with_(
        "populations", "X", js.Population(js.neurons.LIF(), 1)
    ),
    "population 'E': model is EIF, the checkpoint has AdEx": with_(
        "populations", "E", js.Population(js.neurons.EIF(), 8, RECEPTORS, refractory_ms=2.0)
    ),
    "population 'out': model is DiscreteLIF(reset='zero', detach_reset=False, scale_drive=False), the checkpoint has "
    "DiscreteLIF(reset='subtract', detach_reset=False, scale_drive=False)": with_(
        "populations", "out", js.Population(js.neurons.DiscreteLIF(reset="zero"), 3)
    ),
    "population 'E': integrator is RK2(on_grid=False), the checkpoint has RK4(on_grid=False)": with_(
        "populations",
        "E",
        js.Population(js.neurons.AdEx(), 8, RECEPTORS, refractory_ms=2.0, integrator=js.neurons.RK2()),
    ),
    "population 'E': refractory_ms is none, the checkpoint has given": with_(
        "populations", "E", js.Population(js.neurons.AdEx(), 8, RECEPTORS)
    ),
    "population 'I' has receptors ['AMPA', 'GABA_A', 'NMDA'], the checkpoint has ['AMPA', 'GABA_A']": with_(
        "populations", "I", js.Population(js.neurons.LIF(), 4, {**RECEPTORS, "NMDA": js.receptors.NMDA()})
    ),
    "population 'I': receptor 'AMPA' is Conductance(kinetics=Alpha, Mg_mM=none), the checkpoint has "
    "Conductance(kinetics=Exponential, Mg_mM=none)": with_(
        "populations",
        "I",
        js.Population(js.neurons.LIF(), 4, {**RECEPTORS, "AMPA": js.receptors.Conductance(js.receptors.Alpha())}),
    ),
    "population 'E': neuron.tau_w_ms is 100.0, the checkpoint has 144.0": with_(
        "populations", "E", adex(tau_w_ms=100.0)
    ),
    "population 'E': neuron.tau_w_ms differs": with_("populations", "E", adex(tau_w_ms=np.linspace(100.0, 200.0, 8))),
    "projection 'I_E' is not in the checkpoint": with_(
        "projections",
        "I_E",
        lambda: js.Projection("I", "E", js.connect.AllToAll(), weight_nS={"GABA_A": 1.0}, delay_ms=1.0),
    ),
    "projection 'E_I' of the checkpoint is missing; the network has ['E_E', 'I_out']": with_(
        "projections", "E_I", None
    ),
    "projection 'E_E' has 64 synapses, the checkpoint has": with_("projections", "E_E", e_e(js.connect.AllToAll())),
    "projection 'E_E': receptors is ['GABA_A'], the checkpoint has ['AMPA']": with_(
        "projections", "E_E", e_e(weight_nS={"GABA_A": js.connect.Uniform(0.5, 1.0)})
    ),
    "projection 'E_I' has delays up to 15 steps, the checkpoint has 10": with_(
        "projections",
        "E_I",
        lambda: js.Projection(
            *("E", "I", js.connect.AllToAll()),
            weight_nS={"AMPA": 1.0},
            delay_ms=1.5,
            short_term=js.plasticity.TsodyksMarkram(),
        ),
    ),
    "projection 'E_E': weights differ": with_(
        "projections", "E_E", e_e(weight_nS={"AMPA": js.connect.Uniform(0.5, 1.1)})
    ),
    "projection 'E_E': kind is bcoo, the checkpoint has ids": with_("projections", "E_E", e_e(propagation="bcoo")),
    "projection 'E_E': gain is 2.0, the checkpoint has 1.0": with_("projections", "E_E", e_e(gain=2.0)),
    "projection 'E_I': short_term.U is 0.25, the checkpoint has 0.5": with_(
        "projections",
        "E_I",
        lambda: js.Projection(
            *("E", "I", js.connect.AllToAll()),
            weight_nS={"AMPA": 1.0},
            delay_ms=1.0,
            short_term=js.plasticity.TsodyksMarkram(U=0.25),
        ),
    ),
    "projection 'I_out': kind is BoundDense, the checkpoint has BoundDense(bias=none)": with_(
        "projections", "I_out", lambda: js.Projection("I", "out", js.connect.Dense(bias=True), delay_ms=0.5)
    ),
    "stimulus 'background': rate_Hz is 400.0, the checkpoint has 500.0": with_(
        "stimuli",
        "background",
        js.stimuli.Poisson(("E", "I"), rate_Hz=400.0, max_rate_Hz=500.0, weight_nS={"AMPA": 0.5}),
    ),
    "stimulus 'background': weight AMPA is 0.25, the checkpoint has 0.5": with_(
        "stimuli", "background", js.stimuli.Poisson(("E", "I"), rate_Hz=500.0, weight_nS={"AMPA": 0.25})
    ),
    "stimulus 'background': targets is ['E'], the checkpoint has ['E', 'I']": with_(
        "stimuli", "background", js.stimuli.Poisson("E", rate_Hz=500.0, weight_nS={"AMPA": 0.5})
    ),
    "stimulus 'wave': samples differ": with_(
        "stimuli", "wave", js.stimuli.Sampled("E", I_pA=np.linspace(0.0, 99.0, 11), every_ms=1.0)
    ),
    "stimulus 'wave' of the checkpoint is missing; the network has ['background']": with_("stimuli", "wave", None),
    "seed is 1, the checkpoint has 0": lambda: {"seed": 1},
    "dt_ms is 0.05, the checkpoint has 0.1": lambda: {"dt_ms": 0.05},
}


@pytest.mark.parametrize("message", DIFFERENCES, ids=lambda m: m[:40])
def test_first_difference_is_named(folder: pathlib.Path, message: str) -> None:
    net = build(**DIFFERENCES[message]())
    with pytest.raises(ValueError, match=rf"{re.escape(message)}.*; restore into the network that was saved"):
        restore(folder, net)


def test_the_same_network_is_taken(folder: pathlib.Path) -> None:
    assert int(restore(folder, build()).tick) == 0


def test_order_of_populations_and_projections_counts(folder: pathlib.Path) -> None:
    mixed = dict(reversed(parts()["projections"].items()))
    with pytest.raises(ValueError, match=r"projection names are in the order \['I_out', 'E_I', 'E_E'\]"):
        restore(folder, build(projections=mixed))


def test_numbers_of_another_precision_are_refused(folder: pathlib.Path) -> None:
    import jax

    with jax.enable_x64(True), pytest.raises(ValueError, match=r"numbers are float64, the checkpoint has float32"):
        restore(folder, build())


def test_functions_and_odd_objects_are_told_apart_without_addresses() -> None:
    from jaxsyn.checkpoint._describe import plain

    class Odd:
        pass

    assert plain(test_the_same_network_is_taken).endswith(".test_the_same_network_is_taken")
    assert "0x" not in plain(Odd())
    assert plain({"a": (1, np.float32(2.0), None)}) == "{'a': (1, 2.0, None)}"
    assert plain(np.arange(3)).startswith("int64[3] sha256 ")
