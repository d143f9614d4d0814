"""Stimuli: what drives a network from outside.

Waveforms inject a current (`Constant`, `Step`, `Ramp`, `Sine`, `Sampled`, `OrnsteinUhlenbeck`, `GaussianNoise`); the
others send events to receptors (`Poisson`, `InhomogeneousPoisson`, `SpikeTimes`). To add one: subclass
`AbstractWaveform` or `AbstractStimulus` and write `sample` (and `prepare`, `init_state` where needed).
"""

from ._base import AbstractStimulus as AbstractStimulus
from ._base import AbstractWaveform as AbstractWaveform
from ._base import Draw as Draw
from ._events import SpikeEvents as SpikeEvents
from ._events import SpikeTimes as SpikeTimes
from ._noise import GaussianNoise as GaussianNoise
from ._noise import InhomogeneousPoisson as InhomogeneousPoisson
from ._noise import NoiseState as NoiseState
from ._noise import OrnsteinUhlenbeck as OrnsteinUhlenbeck
from ._noise import Poisson as Poisson
from ._waveforms import Constant as Constant
from ._waveforms import Ramp as Ramp
from ._waveforms import Sampled as Sampled
from ._waveforms import Sine as Sine
from ._waveforms import Step as Step
