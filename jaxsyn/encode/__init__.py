"""Arrays to spikes and back: codes for inputs of a network, and an auditory front end.

A code is made once with its parameters and then turns arrays into spikes, time first: `encode` takes values (..., n)
and gives spikes (T, ..., m), any number of leading axes, inside `jax.jit` and `jax.vmap` or outside. Where a code can
be read back there is `decode`. The result goes to `run` as it is: `inputs={"in": code.encode(x)}` for one sample.

- `Direct`, `Rate`, `Bernoulli`, `Poisson`: the value is a current, or how often there is a spike
- `LinearLatency`, `MembraneLatency`, `LogLatency`: the value is when the one spike comes
- `DeltaDifference`, `DeltaReference`: spikes where a signal changes
- `Phase`, `Burst`, `WeightedBurst`: the value in binary digits, in the length and tempo of a burst, in its weights
- `PopulationLatency`, `PopulationRate`: each value to several neurons with Gaussian receptive fields
- `Cochlea`: sound to the spikes of frequency channels

To add a code: subclass `AbstractEncoder` with `encode`, check values with `checked` of `_base.py` (they are data of a
user), give it a `decode` if it has one, and put it into the table of tests/encode/test_codes.py.
"""

from ._base import AbstractEncoder as AbstractEncoder
from ._burst import Burst as Burst
from ._burst import WeightedBurst as WeightedBurst
from ._cochlea import Cochlea as Cochlea
from ._delta import DeltaDifference as DeltaDifference
from ._delta import DeltaReference as DeltaReference
from ._latency import LinearLatency as LinearLatency
from ._latency import LogLatency as LogLatency
from ._latency import MembraneLatency as MembraneLatency
from ._phase import Phase as Phase
from ._population import PopulationLatency as PopulationLatency
from ._population import PopulationRate as PopulationRate
from ._rate import Bernoulli as Bernoulli
from ._rate import Direct as Direct
from ._rate import Poisson as Poisson
from ._rate import Rate as Rate
