"""Trained networks of ordinary units become spiking networks.

Each affine part of the model becomes projections, each activation a population; the result is an ordinary `Network`
that `js.run` steps.
"""

from ._ann import Activation as Activation
from ._ann import Ann as Ann
from ._ann import Node as Node
from ._builder import UnsupportedLayer as UnsupportedLayer
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
