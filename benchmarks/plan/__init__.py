"""What was planned against what happens: `python -m benchmarks plan [TASK[:N] ...] [--bio S] [--calibrate] [--json]`.

Each network of `speed` is planned by its sketch, then built and run, in a fresh process pinned to one core. The plan
knows the mean rates (`_measure.RATES_HZ`: published ones where there are any), and the constants of this machine:
those of the user's cache folder, those measured now with `--calibrate`, or the defaults.

Keys: task, n, machine; peak_MB, build_s, compile_s, run_s_per_bio_s as they happened (the least of the repeats); and
the ratio of planned to happened for synapses, building (memory), peak (memory), build, compile, run. Exit status 1 if
memory is off by more than a tenth, or running by more than 40 %, anywhere.
"""

import argparse
from typing import Any

from benchmarks._process import elsewhere, pin, show

TASKS = (
    "coba:4000",
    "coba:40000",
    "cuba:4000",
    "brunel:12500",
    "adexnet:10000",
    "adexnet:100000",
    "pd14:10",
    "pd14:30",
)
_MEMORY, _TIME = 0.1, 0.4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `plan`."""
    parser.add_argument("tasks", nargs="*", metavar="TASK[:N]", help=f"default: {' '.join(TASKS)}")
    parser.add_argument("--bio", type=float, default=0.5, help="model time of a run, s (default 0.5)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs (default 3)")
    parser.add_argument("--calibrate", action="store_true", help="measure this machine first, and keep its constants")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(arguments: argparse.Namespace) -> int:
    """Compare; each network in its own process."""
    tasks = arguments.tasks or TASKS
    if arguments.repeats < 1 or not 1e-3 <= arguments.bio < float("inf"):
        raise SystemExit("plan: --repeats must be at least 1, --bio at least 0.001 s")
    options = ["--bio", str(arguments.bio), "--repeats", str(arguments.repeats)]
    calibrate = ["--calibrate"] if arguments.calibrate else []
    if len(tasks) > 1:
        lines = []
        for k, task in enumerate(tasks):
            lines += elsewhere("plan", task, *options, *(calibrate if k == 0 else []), accept=(0, 1))
            show(lines[-1], arguments.json)
        return 0 if all(right(line) for line in lines) else 1
    pin(1)
    from ._measure import compare

    task, _, n = tasks[0].partition(":")
    line = compare(task, n, arguments.bio, arguments.repeats, calibrate=arguments.calibrate)
    show(line, arguments.json)
    return 0 if right(line) else 1


def right(line: dict[str, Any]) -> bool:
    """Whether a plan was as close as it promises."""
    memory = all(abs(line[f"{what}_ratio"] - 1.0) <= _MEMORY for what in ("building", "peak"))
    return memory and abs(line["run_ratio"] - 1.0) <= _TIME
