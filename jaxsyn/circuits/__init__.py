"""Published networks as one-line builders, with their sources and reference rates.

To add one: a function that returns a `Network`, its source and the rates somebody else measured in the docstring, and a
test of these rates in `tests/circuits`.
"""

from ._brunel import brunel as brunel
from ._cortical import cortical_adex as cortical_adex
from ._potjans_diesmann import potjans_diesmann as potjans_diesmann
from ._rates import reference_rates_Hz as reference_rates_Hz
from ._transformer import spiking_transformer as spiking_transformer
from ._vogels_abbott import coba as coba
from ._vogels_abbott import cuba as cuba
