"""A small configuration that tests change, and the command line called in this process."""

import copy
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from jaxsyn.cli import main

Config = dict[str, Any]

SMALL: Config = {
    "network": {"dt_ms": 0.1, "seed": 1},
    "populations": {
        "E": {
            "model": "LIF",
            "size": 20,
            "receptors": {"AMPA": {"kind": "Current", "kinetics": {"kind": "Exponential", "tau_ms": 2.0}}},
            "refractory_ms": 2.0,
        },
        "I": {"model": "LIF", "size": 5, "receptors": {"AMPA": {"kind": "Current", "kinetics": "Exponential"}}},
    },
    "projections": {
        "E_I": {
            "source": "E",
            "target": "I",
            "rule": {"kind": "fixed_probability", "p": 0.5},
            "weight_pA": {"AMPA": 50.0},
            "delay_ms": 1.5,
        }
    },
    "stimuli": {
        "noise": {"kind": "ornstein_uhlenbeck", "target": "E", "mean_pA": 150.0, "sd_pA": 100.0, "tau_ms": 5.0},
        "bias": {"kind": "constant", "target": ["I"], "I_pA": 80.0},
    },
    "run": {
        "duration_ms": 60.0,
        "checkpoint_every_ms": 20.0,
        "record": [
            {"kind": "spikes"},
            {"kind": "state", "variable": "E.V_mV", "every_ms": 1.0, "index": [0, 1]},
            {"kind": "rate", "population": "E", "every_ms": 7.0},
            {"kind": "spike_count", "population": "I"},
        ],
    },
}


def changed(path: str, value: Any) -> Config:
    """The small configuration with one entry set, or (...) taken away; `run.record.0.kind` names it."""
    config = copy.deepcopy(SMALL)
    at: Any = config
    *way, last = path.split(".")
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return config


def call(*arguments: object) -> Result:
    """Call the command line in this process."""
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Callable[[Any], pathlib.Path]:
    """Write a configuration as JSON."""

    def to_file(config: Any, name: str = "net.json") -> pathlib.Path:
        path = tmp_path / name
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return path

    return to_file
