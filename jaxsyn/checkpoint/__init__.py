"""Checkpoints: the whole state of a run, or any tree of arrays, written so that a kill never costs the previous one.

Each entry of a folder is complete or absent: arrays as Orbax writes them, and `metadata.json` with versions, the tick,
checksums and a description of the network, so that a damaged file or another network is refused and named.

- `Checkpoints`: what `simulate(checkpoint=...)` takes; `save`: one state; `restore`: a state, to go on from
- `latest`: the step of the newest entry
- `describe`, `first_difference`: what a network is, and in what two differ; for whatever else is kept on disk
- `save_tree`, `restore_tree`: trained parameters, optimizer states, or any other pytree of arrays

To write one more kind of thing: turn it into named arrays (`_leaves.py`), give it a `kind` and what must agree at
restore in the metadata, and write it with `write_checkpoint` (`_entry.py`).
"""

from ._checkpoints import Checkpoints as Checkpoints
from ._checkpoints import restore as restore
from ._checkpoints import save as save
from ._compare import first_difference as first_difference
from ._describe import describe as describe
from ._folder import latest as latest
from ._tree import restore_tree as restore_tree
from ._tree import save_tree as save_tree
