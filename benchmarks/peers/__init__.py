"""The same network here and elsewhere in one run: `python -m benchmarks peers TASK --brian2-python PYTHON ...`.

Only ratios within one run on one machine count, and only where both fire at the same rate. Each simulator runs in the
Python that is named for it, an environment of its own; one that is not named is skipped, and its line says how to
install it. One line for each simulator with the keys of `speed`, then the ratio of the run times (above 1: jaxsyn is
faster) and the difference of the rates.

- Brian2: a compiled C++ program (standalone mode, `-O3 -march=native -ffast-math`), float64
- brainevent: its event-driven sparse products in a `jax.lax.scan` around cells in plain JAX, float32
- sparx: its own network classes, one compiled call, float32
- NEST: its own models, float64; no AdEx with a magnesium block
- Training (`ff`, `rec`): Spyx and sparx with their own layers, one compiled step of the same model on the same data;
  `--T`, `--density`, and the keys of `speed` for them. Spyx tests the threshold before it adds the input.

`python -m benchmarks report` runs all of it and writes a page.

To add a simulator: a script `NAME_tasks.py` here, or `NAME_training.py` for `ff` and `rec`, that prints the keys of
`speed` as one JSON object, and a line in `PEERS`. It runs without jaxsyn; what the scripts share stands in `common.py`
and `training.py`.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks._process import show
from benchmarks.speed import SIMULATION, TRAINING, add_options, check_options, measure_elsewhere, options_of


@dataclasses.dataclass(frozen=True)
class Peer:
    """A simulator: how it is installed, and which tasks its script has."""

    install: str
    tasks: tuple[str, ...]


PEERS = {
    "brian2": Peer("pip install brian2", ("cuba", "coba", "brunel", "adex", "adexnet")),
    "brainevent": Peer("pip install brainevent numba", ("cuba", "coba", "brunel", "adex", "adexnet")),
    "sparx": Peer("pip install sparxml", ("cuba", "coba", "brunel", "pd14", *TRAINING)),
    "nest": Peer("pip install nest-simulator", ("cuba", "coba", "brunel", "adex", "pd14")),
    "spyx": Peer("pip install spyx", TRAINING),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `peers`."""
    parser.add_argument("task", choices=(*SIMULATION, *TRAINING))
    add_options(parser)
    parser.add_argument("--pure", action="store_true", help="also jaxsyn with pure JAX kernels")
    add_pythons(parser)


def add_pythons(parser: argparse.ArgumentParser) -> None:
    """An option for the Python of each simulator."""
    for name in PEERS:
        parser.add_argument(f"--{name}-python", metavar="PYTHON", help=f"a Python in which {name} is installed")


def main(arguments: argparse.Namespace) -> int:
    """Measure jaxsyn and its peers one after another; 1 if a simulator that was named failed."""
    check_options("peers", arguments)
    ours = [measure_elsewhere(arguments)]
    if arguments.pure:
        ours.append(measure_elsewhere(arguments, "--pure"))
    results = [{"simulator": "jaxsyn", **result} for result in ours]
    for result in results:
        show(result, arguments.json)
    theirs = []
    for name in PEERS:
        theirs.append(run_peer(name, getattr(arguments, f"{name}_python"), arguments.task, options_of(arguments)))
        show(theirs[-1], arguments.json)
    for result in theirs:
        for own in ours if "kernels" in result else ():
            show({"task": arguments.task, "against": result["simulator"], **comparison(own, result)}, arguments.json)
    return 1 if any("error" in result for result in theirs) else 0


def run_peer(name: str, python: str | None, task: str, options: Sequence[str]) -> dict[str, Any]:
    """The line of one simulator; with `skipped` where it was not run, with `error` where it failed."""
    peer = PEERS[name]
    about = {"simulator": name, "task": task}
    if task not in peer.tasks:
        return {**about, "skipped": f"its script has {', '.join(peer.tasks)}"}
    remedy = f"in an environment of its own: {peer.install}; then --{name}-python PYTHON"
    if python is None:
        return {**about, "skipped": f"no Python named; {remedy}"}
    script = f"{name}_{'training' if task in TRAINING else 'tasks'}.py"
    command = [python, str(pathlib.Path(__file__).with_name(script)), task, *options]
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "XLA_FLAGS")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    tools = str(pathlib.Path(python).parent)  # some look for their own compiler or data through the path
    environment["PATH"] = os.pathsep.join([tools, environment.get("PATH", "")])
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        return {**about, "error": f"{python}: {error.strerror}; {remedy}"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {**about, "error": f"ended with {done.returncode}: {said}; {remedy}"}
    result: dict[str, Any] = json.loads(lines[-1])
    return {"simulator": name, **result}


def comparison(own: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    """Time of the peer over ours, by medians and by minima, and how far its rate or loss is from ours, in per cent."""
    time, check = ("ms_per_step", "loss") if "ms_per_step" in own else ("run_s_per_bio_s", "rate_Hz")
    ratios = {f"{key} ratio": round(peer[key] / own[key], 2) for key in (time, f"{time}_min")}
    apart = {f"{check} difference %": round(100.0 * (peer[check] / own[check] - 1.0), 1)} if own[check] else {}
    return {"kernels": own["kernels"], **ratios, **apart}
