"""`jaxsyn plan`: what it says, and where it refuses."""

import json

import pytest

import jaxsyn as js
from jaxsyn.cost import Machine

from .conftest import SMALL, call, changed


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch, tmp_path):
    """No constants of this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_configuration_is_planned_without_being_built(write, monkeypatch):
    monkeypatch.setattr(js.connect.FixedProbability, "build", None)  # a plan draws nothing
    result = call("plan", write(SMALL))
    assert result.exit_code == 0, result.output
    for part in ("25 neurons, 50 synapses", "memory", "building", "time", "10 Hz is assumed", "nothing was measured"):
        assert part in result.stdout


def test_rates_devices_and_json(write):
    path = write(SMALL)
    both = ("--rate", "E=5", "--rate", "I=2.5")
    plan = json.loads(call("plan", path, *both, "--devices", 4, "--json").stdout)
    assert plan["rates_Hz"] == {"E": 5.0, "I": 2.5}
    assert plan["devices"] == 4
    assert plan["synapses"] == 50.0
    assert plan["memory"]["records"] > 0  # the samples are read back from the stream of a run with checkpoints
    assert json.loads(call("plan", path, "--rate", "7", "--json").stdout)["rates_Hz"] == {"E": 7.0, "I": 7.0}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--rate", "Z=5"), ("--rate", "Z=5", "NAME=HZ with a name of E, I")),
        (("--rate", "E=5"), ("a rate for each population", "add --rate I=HZ")),
        (("--rate", "fast"), ("fast", "a finite number >= 0")),
        (("--rate", "E=-1", "--rate", "I=1"), ("E=-1", "a finite number >= 0")),
        (("--rate", "nan"), ("nan", "a finite number >= 0")),
        (("--devices", "0"), ("--devices",)),
    ],
    ids=["name", "missing", "text", "negative", "nan", "devices"],
)
def test_bad_options_are_refused(write, options, parts):
    result = call("plan", write(SMALL), *options)
    assert result.exit_code == 2
    for part in parts:
        assert part in result.output


@pytest.mark.parametrize(
    ("path", "value", "parts"),
    [
        ("projections.E_I.delay_ms", 1.55, ("projections.E_I.delay_ms", "1.55", "a multiple of network.dt_ms")),
        ("projections.E_I.rule", {"kind": "fixed_in_degree", "k": 30}, ("projections.E_I", "30", "at most 20")),
        ("projections.E_I.target", "Z", ("projections.E_I.target", "Z")),
        ("populations.E.size", 1.5, ("populations.E.size", "1.5", "a whole number")),
        ("run.record.1.variable", "E.nothing", ("E.nothing", "V_mV")),
        ("projections.E_I.weight_pA", {"AMPA": [1.0, 2.0]}, ("projections.E_I", "shape (2,)", "(50,)")),
    ],
    ids=["delay", "degree", "target", "size", "variable", "weights"],
)
def test_a_bad_configuration_is_refused_with_its_place(write, path, value, parts):
    result = call("plan", write(changed(path, value)))
    assert result.exit_code == 2, result.output
    for part in parts:
        assert part in result.output


def test_a_configuration_too_large_to_be_built_is_planned_and_said_so(write):
    config = changed("populations.E.size", 10**9)
    config["populations"]["I"]["size"] = 10**9
    config["projections"]["E_I"]["rule"] = {"kind": "fixed_in_degree", "k": 1000}
    config["run"]["record"] = [{"kind": "rate", "population": "E"}]
    result = call("plan", write(config), "--rate", "5", "--devices", "64")
    assert result.exit_code == 0, result.output
    assert "2,000,000,000 neurons, 1e+12 synapses" in result.stdout
    assert "projection 'E_I' cannot be built" in result.stdout


def test_calibration_is_kept_and_used(write, monkeypatch, tmp_path):
    monkeypatch.setattr("jaxsyn.cli._plan.measure", lambda: Machine(name="calibrated on a day", event_s=2e-9))
    result = call("plan", write(SMALL), "--calibrate")
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "cache" / "jaxsyn" / "machine.json") in result.stdout
    assert "constants measured on this machine (calibrated on a day)" in result.stdout
    assert "calibrated on a day" in call("plan", write(SMALL)).stdout
    assert call("plan").exit_code == 2  # neither a configuration nor --calibrate
