"""Time, memory and rate of one network: `python -m benchmarks speed TASK [--n N] [--threads K] [--repeats R] [--json]`.

Tasks: `cuba`, `coba` (Vogels and Abbott), `brunel`, `adex` (cells alone) and `adexnet` (AMPA, NMDA with magnesium
block, GABA_A), `pd14` (Potjans and Diesmann; N is the scale in per cent), all at 0.1 ms with spikes on the grid; the
numbers stand in `_tasks.py`. Training tasks, a step of Adam on 128 samples: `ff` (700-256-256-20) and `rec` (700-256
all-to-all recurrent-20); the numbers stand in `_training.py`. The process is pinned to K cores before JAX starts.
`--native` and `--pure` choose the kernels; given both, each runs in its own process.

Keys: task, n, synapses, threads, compile_s, build_s, run_s_per_bio_s (median of the repeats, without compilation),
run_s_per_bio_s_min, rate_Hz, peak_MB, kernels. Of training tasks: task, T, density, batch, threads, build_s, compile_s,
ms_per_step (median), ms_per_step_min, temp_MB (of the compiled step), loss,
peak_MB, kernels; with `--plain` also plain_ms_per_step and plain_temp_MB of the same step in plain JAX, timed in turn
with ours, and gradient_error, the largest difference relative to the largest entry.

To add a task: a builder in `_tasks.TASKS`.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

SIMULATION = ("cuba", "coba", "brunel", "adex", "adexnet", "pd14")
TRAINING = ("ff", "rec")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `speed`."""
    parser.add_argument("task", choices=(*SIMULATION, *TRAINING))
    parser.add_argument("--n", type=int, help="number of neurons (default: that of the task)")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default 1; peers train with 2)")
    parser.add_argument("--T", type=int, default=100, help="time steps of a training task (default 100)")
    parser.add_argument("--density", type=float, default=0.02, help="share of input spikes of one (default 0.02)")
    parser.add_argument("--plain", action="store_true", help="a training task also in plain JAX")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs (default 3)")
    parser.add_argument("--bio", type=float, default=1.0, help="model time of a run, s (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--native", action="store_true", help="native kernels (default where they are built)")
    parser.add_argument("--pure", action="store_true", help="pure JAX kernels")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def pin(threads: int) -> None:
    """Bind this process to its first `threads` cores, before JAX makes its thread pool."""
    if "jax" in sys.modules:
        raise RuntimeError("speed: JAX was imported before the process was pinned to its cores")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if threads > len(cores):
            raise SystemExit(f"speed: --threads {threads}, but this process may use {len(cores)} cores")
        os.sched_setaffinity(0, cores[:threads])
    if threads == 1:
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
        os.environ["XLA_FLAGS"] = flags.strip()


def main(arguments: argparse.Namespace) -> int:
    """Measure and print; each kind of kernels in its own process where both are asked for."""
    if min(arguments.threads, arguments.repeats) < 1 or not arguments.bio > 0:
        raise SystemExit("speed: --threads and --repeats must be at least 1, --bio above 0")
    if arguments.native and arguments.pure:
        for kernels in ("--native", "--pure"):
            show(measure_elsewhere(arguments, kernels), arguments.json)
        return 0
    pin(arguments.threads)
    if arguments.task in TRAINING:
        from ._training import measure
    else:
        from ._measure import measure

    native = True if arguments.native else False if arguments.pure else None
    show(measure(arguments, native), arguments.json)
    return 0


def measure_elsewhere(arguments: argparse.Namespace, *kernels: str) -> dict[str, Any]:
    """The same measurement in a fresh process, with the default kernels or those of an option."""
    command = [sys.executable, "-m", "benchmarks", "speed", arguments.task, *kernels, "--json"]
    for name in ("n", "threads", "repeats", "bio", "seed", "T", "density"):
        value = getattr(arguments, name, None)
        command += [] if value is None else [f"--{name}", str(value)]
    command += ["--plain"] if getattr(arguments, "plain", False) else []
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"speed: {' '.join(command[1:])} ended with {done.returncode}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(result: dict[str, Any], as_json: bool) -> None:
    """One line."""
    text = json.dumps(result) if as_json else "  ".join(f"{key} {value}" for key, value in result.items())
    print(text, flush=True)
