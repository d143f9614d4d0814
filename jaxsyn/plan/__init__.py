"""Memory and time of a run, known before anything is drawn, compiled or run.

`estimate` takes a network, or its `js.network.sketch`, which needs no memory of its own; `calibrate` measures the
constants of this machine in under a minute. A new kind of cost is a field of `js.cost.Work` or `js.cost.Delivery`, a
constant of `js.cost.Machine`, and its measurement in `_calibrate.py`; memory of building and running is in
`_memory.py`.
"""

from ._calibrate import calibrate as calibrate
from ._estimate import Estimate as Estimate
from ._estimate import estimate as estimate
