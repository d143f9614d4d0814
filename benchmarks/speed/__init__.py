"""Time, memory and rate of one task: `python -m benchmarks speed TASK [--n N] [--threads K] [--repeats R] [--json]`.

Networks, all at 0.1 ms with spikes on the grid; their numbers stand in `_tasks.py`:

- `cuba`, `coba` (Vogels and Abbott), `brunel`
- `adex` (cells alone) and `adexnet` (AMPA, NMDA with magnesium block, GABA_A)
- `pd14` (Potjans and Diesmann; N is the scale in per cent)

Single operations, called once in each step of a loop (`_operations.py`), and what is asked of COBA and of the builder
besides (`_scaling.py`):

- `propagate`: one projection of N x N neurons, 10 % connected, 10 % active; `us_per_call`
- `poisson`: a count for each neuron at one mean and at a mean of its own; `ns_per_draw`, `ns_per_draw_each`
- `compact`: the indices of the spikes of N neurons at 8 Hz; `us_per_call`
- `batch`: COBA over 8 initial states with `jax.vmap`; `ratio` to one run
- `sweep`: `js.sweep` of COBA over 8 and 64 gains, and single runs; `ratio_8`, `ratio_64` of runs a second
- `growth`: COBA from 1000 to N neurons at 80 inputs; `exponent` of time over neurons, `compile_s` of each
- `build`: drawing and sorting 1000 inputs for each of N neurons; `peak_over_final` memory
- `gradient`: COBA with a weight of its own for each synapse; `ratio_trainable` of a run that can be trained to one with
  fixed weights, `ratio_gradient` of its gradient to that run, `smooth_error` (`_gradient.py`); `--bio 0.1`: 1000 steps

Training, a step of Adam on 128 samples: `ff` (700-256-256-20) and `rec` (700-256 all-to-all recurrent-20); the numbers
stand in `benchmarks/peers/training.py`. Freed memory stays with the process, and up to 128 steps derivatives store
everything (`remat=False`; docs/training.md, "Memory").

The process is pinned to K cores before JAX starts. For a network the native kernels get K threads, and XLA one: its own
pool makes steps of this size slower. `--native` and `--pure` choose the kernels; given both, each runs in its own
process.

Keys: task, n, synapses, threads, compile_s, build_s, run_s_per_bio_s (median of the repeats, without compilation; of
an operation, for one call each 0.1 ms; null where nothing runs), run_s_per_bio_s_min, run_s_per_bio_s_max, rate_Hz,
peak_MB, kernels, and those named above. Networks have limit_s_per_bio_s: the time in which this machine moves the bytes
that the run cannot avoid to move (`_limit.py`). Of training tasks: task, T, density, batch, threads, build_s,
compile_s, ms_per_step (median), ms_per_step_min, temp_MB (of the compiled step), loss, peak_MB, kernels; with `--plain`
also plain_ms_per_step and plain_temp_MB of the same step in plain JAX, timed in turn with ours, and gradient_error, the
largest difference relative to the largest entry.

To add a task: a network in `_tasks.TASKS`, or a function that gives a `Measurement` in `_measure.OPERATIONS`.
"""

import argparse
from typing import Any

from benchmarks._process import elsewhere, pin, show

SIMULATION = ("cuba", "coba", "brunel", "adex", "adexnet", "pd14")
OPERATIONS = ("propagate", "poisson", "compact", "batch", "sweep", "growth", "build", "gradient")
TRAINING = ("ff", "rec")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `speed`."""
    parser.add_argument("task", choices=(*SIMULATION, *OPERATIONS, *TRAINING))
    add_options(parser)
    parser.add_argument("--plain", action="store_true", help="a training task also in plain JAX")
    parser.add_argument("--native", action="store_true", help="native kernels (default where they are built)")
    parser.add_argument("--pure", action="store_true", help="pure JAX kernels")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `peers` takes as well."""
    parser.add_argument("--n", type=int, help="number of neurons (default: that of the task)")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default 1; peers train with 2)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs (default 3)")
    parser.add_argument("--bio", type=float, default=1.0, help="model time of a run, s (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--T", type=int, default=100, help="time steps of a training task (default 100)")
    parser.add_argument("--density", type=float, default=0.02, help="share of input spikes of one (default 0.02)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def check_options(what: str, arguments: argparse.Namespace) -> None:
    """Refuse what cannot be measured."""
    if min(arguments.threads, arguments.repeats) < 1 or not 1e-3 <= arguments.bio < float("inf"):
        raise SystemExit(f"{what}: --threads and --repeats must be at least 1, --bio at least 0.001 s")
    if arguments.n is not None and arguments.n < 1:
        raise SystemExit(f"{what}: --n must be at least 1, got {arguments.n}")
    if not 0 <= arguments.seed < 2**31:
        raise SystemExit(f"{what}: --seed must lie from 0 to 2^31 - 1, got {arguments.seed}")


def main(arguments: argparse.Namespace) -> int:
    """Measure and print; each kind of kernels in its own process where both are asked for."""
    check_options("speed", arguments)
    if arguments.native and arguments.pure:
        for kernels in ("--native", "--pure"):
            show(measure_elsewhere(arguments, kernels), arguments.json)
        return 0
    pin(arguments.threads, pool=arguments.threads if arguments.task in TRAINING else 1)
    if arguments.task in TRAINING:
        from ._training import measure
    else:
        from ._measure import measure

    native = True if arguments.native else False if arguments.pure else None
    show(measure(arguments, native), arguments.json)
    return 0


def options_of(arguments: argparse.Namespace) -> list[str]:
    """The options of `add_options` that matter for the task, as they are written on a command line."""
    some = ("T", "density") if arguments.task in TRAINING else ("n", "bio")
    given = {name: getattr(arguments, name) for name in (*some, "threads", "repeats", "seed")}
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]


def measure_elsewhere(arguments: argparse.Namespace, *kernels: str) -> dict[str, Any]:
    """The same measurement in a fresh process, with the default kernels or those of an option."""
    plain = ["--plain"] if getattr(arguments, "plain", False) and arguments.task in TRAINING else []
    return elsewhere("speed", arguments.task, *kernels, *options_of(arguments), *plain)[-1]
