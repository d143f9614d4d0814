"""What a run keeps: `Spikes`, `State`, `Mean`, `Rate`, `SpikeCount`, `Weights`.

Descriptions only; `simulate` does the work. To add one: subclass `AbstractRecord` here and give it a collector in
`simulate/_collect.py`.
"""

from ._record import AbstractRecord as AbstractRecord
from ._record import Mean as Mean
from ._record import Rate as Rate
from ._record import SpikeCount as SpikeCount
from ._record import Spikes as Spikes
from ._record import State as State
from ._record import Weights as Weights
