"""`jaxsyn plan`: memory and time of a configuration, before anything is drawn."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cost import save_machine
from ..plan import Estimate, estimate
from ..plan import calibrate as measure
from ._build import Builder
from ._config import parse, read
from ._problems import ConfigError, Problem, closest


def calibrate() -> str:
    """Measure this machine and keep its constants; says where."""
    began = time.perf_counter()
    machine = measure()
    file = save_machine(machine)
    rows = [f"measured this machine in {time.perf_counter() - began:.0f} s, kept in {file}"]
    rows += [f"  {name:<16}{value:.3g}" for name, value in dataclasses.asdict(machine).items() if name != "name"]
    return "\n".join(rows)


def plan(config: Path, rates: Sequence[str], devices: int) -> Estimate:
    """Plan a configuration.

    Args:
        config: The configuration.
        rates: Rates as given on the command line: one number, or NAME=NUMBER for each population.
        devices: Number of devices.
    Raises:
        ConfigError: The configuration, or a rate, is wrong.
    """
    checked = parse(config, read(config))
    builder = Builder(config, checked)
    sketch = builder.sketch()
    run = checked.run
    try:
        return estimate(
            sketch,
            run.duration_ms,
            rates_Hz=_rates(config, rates, list(sketch.network.populations())),
            record=builder.records(),
            devices=devices,
            stream=bool(run.stream or run.checkpoint_every_ms is not None),
        )
    except ValueError as error:
        raise builder.refusal(("run",), error) from error


def _rates(config: Path, given: Sequence[str], names: Sequence[str]) -> Any:
    """Rates by population, or one number, or None where none is given."""
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return _number(config, given[0], given[0])
    rates = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in names:
            raise _refused(config, text, f"NAME=HZ with a name of {', '.join(names)}", closest(name, names))
        rates[name] = _number(config, text, number)
    missing = [name for name in names if name not in rates]
    if missing:
        raise _refused(config, " ".join(given), "a rate for each population", f"add --rate {missing[0]}=HZ")
    return rates


def _number(config: Path, text: str, number: str) -> float:
    try:
        rate = float(number)
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate < float("inf"):
        raise _refused(config, text, "a finite number >= 0, Hz", "write --rate 5, or --rate E=5 --rate I=10")
    return rate


def _refused(config: Path, got: str, allowed: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(str(config), "--rate", got, allowed, remedy)])
