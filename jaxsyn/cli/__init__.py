"""The command line: `jaxsyn run`, `sweep`, `plan`, `convert`, `demo`, `info`, `doctor`.

Every command is a function of `_app.py` that imports what it needs when it is called, so that `--help` stays quick.
Exit codes: 0 done, 1 the run or a check failed, 2 bad usage or configuration. A configuration names models, rules,
stimuli and records as the rooms export them (`_registry.py`), so that a new one can be used here at once.

To add a command: a private file with one function that takes plain values, and a few lines in `_app.py`.
"""

from ._app import main as main
