"""Figures, not tests: `python -m benchmarks WHAT`, one line of text or (`--json`) one JSON object a result.

- `oracles DIR`: every reference file of DIR whose name is known, simulated and compared; exit status 1 if one fails
- `speed TASK`: time, memory and rate of one network on one or more cores
- `plan [TASK[:N] ...]`: memory and time as planned by `js.plan`, against what happens
- `peers TASK`: the same network in another simulator, side by side in one run
- `report`: all of these, and the page docs/benchmarks.md made of them
- `long`: a million steps with streaming and checkpoints; memory, and a run resumed from the middle
- `scaling`: what a network takes on 1 to 1024 devices, and small runs on simulated ones against it
- `learning TASK`: accuracy on data sets, trained or converted

To add one: a package with `add_arguments(parser)` and `main(arguments) -> int`, named in `__main__.COMMANDS`.
"""
