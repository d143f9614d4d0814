"""Learning on data sets: `python -m benchmarks learning TASK [--seed S] [--data DIR] [--json]`.

One line with the keys task, seed, metric, value, seconds (training and scoring, with compilation) and epochs. Tasks and
their data stand in `TASKS`; a task that needs a file looks for DIR/<name>.npz. Where DIR also holds
<name>_eval.npz, with the same keys, all of <name>.npz is trained on and <name>_eval.npz scored; else the split
that the task documents. Nothing is ever chosen by the data that are scored.

To add a task: a module here with `run(seed, data) -> Outcome` (or several, a line each as they come), named in `TASKS`;
`data` is a `_data.Folder`.
"""

import argparse
import json
import time

TASKS = {
    "convert_conv": "_convert_conv",
    "convert_exact": "_convert_exact",
    "convert_mlp": "_convert_mlp",
    "convert_speed": "_convert_speed",
    "digits": "_digits",
    "fashion_conv": "_fashion_conv",
    "fashion_mlp": "_fashion_mlp",
    "fashion_transformer": "_fashion_transformer",
    "fsdd": "_fsdd",
    "fsdd_speaker": "_fsdd_speaker",
    "memory": "_memory",
    "randman": "_randman",
    "smnist": "_smnist",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `learning`."""
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--seed", type=int, default=0, help="of weights and order of the samples (default 0)")
    parser.add_argument("--data", metavar="DIR", help="folder with the data files")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Learn, score, print."""
    import importlib

    from ._data import Folder, Outcome

    if arguments.seed < 0:
        raise SystemExit(f"learning: --seed {arguments.seed}, but seeds are whole numbers >= 0")
    module = importlib.import_module(f"benchmarks.learning.{TASKS[arguments.task]}")
    began = time.perf_counter()
    found = module.run(arguments.seed, Folder(arguments.data))
    for outcome in [found] if isinstance(found, Outcome) else found:
        line = {
            "task": arguments.task,
            "seed": arguments.seed,
            "metric": outcome.metric,
            "value": round(outcome.value, 5),
            "seconds": round(time.perf_counter() - began, 1),
            "epochs": outcome.epochs,
        }
        print(json.dumps(line) if arguments.json else "  ".join(f"{k} {v}" for k, v in line.items()), flush=True)
    return 0
