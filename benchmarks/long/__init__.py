"""A long run with streaming and checkpoints: `python -m benchmarks long [--steps S] [--n N] [--json]`.

N sparsely connected LIF neurons (80 excitatory and 20 inhibitory inputs each, delays of 1.5 ms, Poisson drive, about
1 Hz) for S steps of 0.1 ms. Spikes of each chunk go to disk, ten checkpoints too. The network is then built anew,
restored from the checkpoint in the middle and run to the end. Exit status 1 unless

- the memory of the process is flat within 1 %: after the first tenth of the chunks, its largest value after a chunk
  grows by no more from the first half of the others to the second,
- the spikes of the last second (the second half, if that is shorter) are those of the resumed run, and some,
- the last state is that of the resumed run.

Keys: those of `speed`, and steps, chunks, memory_first_MB, memory_last_MB, memory_growth (this growth), memory_spread
(largest over smallest, less 1: the buffers of a chunk may or may not be back with the system when it is looked at),
spikes, last_spikes, spikes_equal, state_equal, ok.
"""

import argparse

from benchmarks._process import pin, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `long`."""
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of 0.1 ms, a multiple of 40")
    parser.add_argument("--n", type=int, default=100_000, help="neurons, at least 125 (default 100000)")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Run, resume, compare."""
    if arguments.steps < 40 or arguments.steps % 40:
        raise SystemExit(f"long: --steps {arguments.steps}, must be a multiple of 40")
    if arguments.n < 125 or arguments.threads < 1 or not 0 <= arguments.seed < 2**31:
        raise SystemExit("long: --n must be at least 125, --threads at least 1, --seed from 0 to 2^31 - 1")
    pin(arguments.threads, pool=1)
    from ._run import measure

    line = measure(arguments.steps, arguments.n, arguments.threads, arguments.seed)
    show(line, arguments.json)
    return 0 if line["ok"] else 1
