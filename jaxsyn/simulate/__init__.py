"""Running networks: `run` (pure, differentiable), `simulate` (host driver), `solve` (one population, error controlled).

`run`, `simulate` and `Lanes` (many runs side by side, for sweeps) share one loop (`advance`), unless numbers with
gradient travel: then `run` goes chunk by chunk through the parts of the network (`_chunks.py`). A new kind of record
gets its collector in `_plan.py`.
"""

from ._lanes import Lanes as Lanes
from ._outline import Outline as Outline
from ._outline import outline as outline
from ._progress import progress_bar as progress_bar
from ._run import RunOptions as RunOptions
from ._run import run as run
from ._simulate import simulate as simulate
from ._solution import Solution as Solution
from ._solution import SpikeTrains as SpikeTrains
from ._solution import Trace as Trace
from ._solve import Solved as Solved
from ._solve import solve as solve
from ._stream import load_stream as load_stream
