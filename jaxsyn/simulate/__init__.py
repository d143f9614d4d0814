"""Running networks: `run` (pure, differentiable), `simulate` (host driver) and what they give back.

`run` and `simulate` share one loop (`advance`); a new kind of record gets its collector in `_plan.py`.
"""

from ._run import run as run
from ._simulate import Options as Options
from ._simulate import simulate as simulate
from ._solution import Solution as Solution
from ._solution import SpikeTrains as SpikeTrains
from ._solution import Trace as Trace
