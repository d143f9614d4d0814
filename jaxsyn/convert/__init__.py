"""Trained networks of ordinary units become spiking networks.

Each affine part of the model becomes projections, each activation a population; the result holds an ordinary `Network`
that `js.run` steps (docs/conversion.md). In short: read (`_layers`, `_equinox`, `_file`) into an `Ann`, `fold` batch
normalization, `calibrate` thresholds, `build` the network; `finetune` goes on training, `report` says how good it is.

To add a kind of layer: a transform of `js.connect` or of `_transforms.py`, a method of `_builder.py`, and its place in
both readers; add it to the random networks of benchmarks/learning/_architectures.py. To add a mode: a neuron in
`_network.py`. To add a calibration: subclass `AbstractCalibration` with `threshold`.
"""

from ._ann import Activation as Activation
from ._ann import Ann as Ann
from ._ann import Node as Node
from ._builder import UnsupportedLayer as UnsupportedLayer
from ._cache import calibrate_cached as calibrate_cached
from ._calibrate import AbstractCalibration as AbstractCalibration
from ._calibrate import LeastSquares as LeastSquares
from ._calibrate import Percentile as Percentile
from ._calibrate import calibrate as calibrate
from ._convert import Options as Options
from ._convert import convert as convert
from ._convert import from_equinox as from_equinox
from ._convert import from_layers as from_layers
from ._converted import AbstractConverted as AbstractConverted
from ._converted import Activity as Activity
from ._converted import Converted as Converted
from ._converted import each as each
from ._converted import observe as observe
from ._converted import predict as predict
from ._equinox import read_equinox as read_equinox
from ._file import read_model as read_model
from ._file import write_model as write_model
from ._finetune import finetune as finetune
from ._finetune import logit_cross_entropy as logit_cross_entropy
from ._first_spike import FirstSpike as FirstSpike
from ._first_spike import FirstSpikes as FirstSpikes
from ._first_spike import first_spike as first_spike
from ._first_spike import spike_times as spike_times
from ._fold import fold as fold
from ._layers import read_layers as read_layers
from ._many import convert_many as convert_many
from ._many import member as member
from ._network import build as build
from ._qcfs import QCFS as QCFS
from ._report import LayerReport as LayerReport
from ._report import Report as Report
from ._report import report as report
