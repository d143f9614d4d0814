"""`python -m benchmarks WHAT ...`: picks the benchmark; each imports what it needs, after the process is set up."""

import argparse
import importlib
import os
import sys

COMMANDS = {
    "oracles": "compare with reference files: pass or fail, one line a file",
    "speed": "time one task",
    "plan": "memory and time as planned, against what happens",
    "long": "a long run with streaming and checkpoints: memory, faults, resuming",
    "scaling": "estimates for many devices; compare with small runs on simulated ones",
    "peers": "time one network here and in another simulator",
    "report": "run everything that is missing and write the page of benchmarks",
    "learning": "train on a data set and score what was learned",
}


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark and give its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Figures of jaxsyn, not tests.")
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, text in COMMANDS.items():
        room = importlib.import_module(f"benchmarks.{name}")
        room.add_arguments(commands.add_parser(name, help=text, description=(room.__doc__ or "").partition("\n")[0]))
    arguments = parser.parse_args(argv)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    status: int = importlib.import_module(f"benchmarks.{arguments.what}").main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
