"""The same network here and in Brian2, in one run: `python -m benchmarks peers TASK --brian2-python PYTHON`.

Only ratios within one run on one machine count, and only where both fire at the same rate. Brian2 runs as a compiled
C++ program (standalone mode, `-O3 -march=native -ffast-math`) from the Python that is named, an environment of its own.
One line for each simulator with the keys of `speed`, then the ratio of the run times (above 1: jaxsyn is faster).

To add a simulator: a script here that prints the keys of `speed` as one JSON object, and its name in `SCRIPTS`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from benchmarks.speed import SIMULATION, measure_elsewhere, show

SCRIPTS = {"brian2": "brian2_tasks.py"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `peers`."""
    parser.add_argument("task", choices=SIMULATION)
    parser.add_argument("--n", type=int, help="number of neurons (default: that of the task)")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default 1)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each (default 3)")
    parser.add_argument("--bio", type=float, default=1.0, help="model time of a run, s (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pure", action="store_true", help="also jaxsyn with pure JAX kernels")
    parser.add_argument("--brian2-python", default=sys.executable, help="a Python in which Brian2 is installed")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(arguments: argparse.Namespace) -> int:
    """Measure jaxsyn and its peers one after another."""
    ours = [measure_elsewhere(arguments)]
    if arguments.pure:
        ours.append(measure_elsewhere(arguments, "--pure"))
    results = [{"simulator": "jaxsyn", **result} for result in ours]
    for name, script in SCRIPTS.items():
        results.append({"simulator": name, **_peer(arguments, script, getattr(arguments, f"{name}_python"))})
    for result in results:
        show(result, arguments.json)
    failed = False
    for peer in results[len(ours) :]:
        if "error" in peer:
            failed = True
            continue
        for own in results[: len(ours)]:
            keys = ("run_s_per_bio_s", "run_s_per_bio_s_min")
            ratios = {f"{key} ratio": round(peer[key] / own[key], 2) for key in keys}
            rates = {"rate_Hz ratio": round(peer["rate_Hz"] / own["rate_Hz"], 3)} if own["rate_Hz"] else {}
            what = {"task": arguments.task, "against": peer["simulator"], "kernels": own["kernels"]}
            show({**what, **ratios, **rates}, arguments.json)
    return 1 if failed else 0


def _peer(arguments: argparse.Namespace, script: str, python: str) -> dict[str, Any]:
    path = pathlib.Path(__file__).with_name(script)
    command = [python, str(path), arguments.task]
    for name in ("n", "threads", "repeats", "bio", "seed"):
        value = getattr(arguments, name)
        command += [] if value is None else [f"--{name}", str(value)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        return {"task": arguments.task, "error": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
