"""Figures, not tests: `python -m benchmarks WHAT`, one line of text or (`--json`) one JSON object a result.

- `oracles DIR`: every reference file of DIR whose name is known, simulated and compared; exit status 1 if one fails
- `speed TASK`: time, memory and rate of one network on one or more cores
- `plan [TASK[:N] ...]`: memory and time as planned by `js.plan`, against what happens
- `peers TASK`: the same network in another simulator, side by side in one run

To add one: a package with `add_arguments(parser)` and `main(arguments) -> int`, named in `__main__.COMMANDS`.
"""
