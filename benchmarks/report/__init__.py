"""All benchmarks and their page: `python -m benchmarks report [--results FILE] [--write PAGE] --NAME-python PYTHON`.

Runs what `_plan.py` lists and FILE does not hold yet, one process after the other, and appends a JSON line for each; so
it may be stopped and started again, and be given more simulators later. FILE begins with the machine, and another
machine is refused. Then PAGE and its figures (in the folder `figures` beside it) are written from FILE alone.

To add a benchmark: a `Cell` or `Run` in `_plan.py`, and, if it is no network, a row in `_page.py`; a goal: `_goals.py`.
"""

import argparse
import pathlib
import time

from benchmarks.peers import add_pythons

GROUPS = ("networks", "operations", "training", "long")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `report`."""
    parser.add_argument(
        "--results", metavar="FILE", default="docs/benchmarks.jsonl", help="raw lines, kept and resumed"
    )
    parser.add_argument("--write", metavar="PAGE", default="docs/benchmarks.md", help="the page")
    parser.add_argument(
        "--skip", nargs="+", default=[], choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}"
    )
    parser.add_argument("--no-run", action="store_true", help="only write the page from the results there are")
    add_pythons(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run what is missing, write the page; 1 if a run failed."""
    from ._figures import draw
    from ._page import page
    from ._plan import plan
    from ._store import Results, execute, machine

    results = Results.open(pathlib.Path(arguments.results), machine())
    failed = False
    wanted = [] if arguments.no_run else [run for run in plan() if run.group not in arguments.skip]
    missing = [run for run in wanted if run.key not in results.lines]
    for k, run in enumerate(missing):
        python = None if run.simulator == "jaxsyn" else getattr(arguments, f"{run.simulator}_python")
        if run.simulator != "jaxsyn" and python is None:
            continue
        began = time.perf_counter()
        line = execute(run, python)
        took = f"{time.perf_counter() - began:.0f} s"
        print(f"{k + 1} of {len(missing)}: {run.key}: {line.get('error', took)}", flush=True)
        failed |= "error" in line
        if "error" not in line:
            results.append(run.key, line)
    if not results.lines:
        raise SystemExit(f"report: {arguments.results} holds no results and none were run")
    out = pathlib.Path(arguments.write)
    figures = draw(results, out.parent / "figures")
    out.write_text(page(results, [str(path.relative_to(out.parent)) for path in figures]), encoding="utf-8")
    return 1 if failed else 0
