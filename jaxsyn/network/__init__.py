"""The network: populations, projections and stimuli as one pytree, its state, and its step.

This is the only room that sees neurons, receptors, stimuli, plasticity and connectivity together. A new kind of
connection between groups is a new `AbstractLink`; the step (`_step.py`) says when its arrivals count.
"""

from ._addresses import Address as Address
from ._addresses import addresses as addresses
from ._addresses import find as find
from ._carriers import Carriers as Carriers
from ._carriers import carried as carried
from ._chunk import Chunk as Chunk
from ._chunk import written_out as written_out
from ._components import Component as Component
from ._components import components as components
from ._components import takes_bits as takes_bits
from ._deal import Deal as Deal
from ._exchange import Exchange as Exchange
from ._freeze import bounded as bounded
from ._freeze import freeze as freeze
from ._group import Emission as Emission
from ._group import Group as Group
from ._group import GroupState as GroupState
from ._group import Sent as Sent
from ._group import initial_state as initial_state
from ._group import unmarked as unmarked
from ._link import AbstractLink as AbstractLink
from ._link import LinkState as LinkState
from ._link import SparseLink as SparseLink
from ._link import TransformLink as TransformLink
from ._link import number as number
from ._load import RATE_HZ as RATE_HZ
from ._load import deliveries as deliveries
from ._load import model_second as model_second
from ._load import population_rates as population_rates
from ._load import spiking as spiking
from ._load import step_work as step_work
from ._network import BoundStimulus as BoundStimulus
from ._network import Network as Network
from ._network import NetworkState as NetworkState
from ._network import Part as Part
from ._parameters import replaced as replaced
from ._parameters import roomy as roomy
from ._parameters import uniform as uniform
from ._parameters import with_leaves as with_leaves
from ._parameters import with_parameters as with_parameters
from ._population import Population as Population
from ._projection import Projection as Projection
from ._scatter import gather as gather
from ._scatter import scatter as scatter
from ._scatter import to_host as to_host
from ._shard import AXIS as AXIS
from ._shard import SPEC as SPEC
from ._shard import ShardedNetwork as ShardedNetwork
from ._shard import shard as shard
from ._sketch import Sketch as Sketch
from ._sketch import sketch as sketch
from ._step import SIMULATE as SIMULATE
from ._step import Mode as Mode
from ._step import Prepared as Prepared
from ._step import prepare as prepare
from ._step import step as step
