"""Sweeps: many runs of one network that differ in parameters and seeds, side by side, on one graph.

- `sweep`: the call; `Sweep`: its results, labelled by axes; `Lane`: one run of them
- `Axis`: the values along one dimension

What can be swept is what `js.network.addresses(net)` lists; a new kind of parameter gets its address there. What a run
can keep is what `js.record` offers. What a batch leaves in a folder is decided in `_batch.py`.
"""

from ._axes import Axis as Axis
from ._result import Lane as Lane
from ._result import Sweep as Sweep
from ._sweep import sweep as sweep
