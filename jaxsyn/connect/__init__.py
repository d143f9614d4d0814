"""Who reaches whom: rules that draw sparse graphs, the graph itself, and dense transforms.

To add a rule, subclass `AbstractRule` as a frozen dataclass with `build`, drawing from the bits of
`key.generator("edges")` through `_draw.py`; export it here; add it to the table of tests/connect/test_rules.py.
To add a distribution, subclass `AbstractDistribution` with `transform`. To add a dense transform, subclass
`AbstractTransform` with `plan` and `create`, and `AbstractBoundTransform` with what it computes.
"""

from ._attention import BoundQueryKeyAttention as BoundQueryKeyAttention
from ._attention import BoundQuerySum as BoundQuerySum
from ._attention import BoundSelfAttention as BoundSelfAttention
from ._attention import QueryKeyAttention as QueryKeyAttention
from ._attention import QuerySum as QuerySum
from ._attention import SelfAttention as SelfAttention
from ._batch_norm import BatchNorm as BatchNorm
from ._batch_norm import BatchNormState as BatchNormState
from ._batch_norm import BoundBatchNorm as BoundBatchNorm
from ._bcoo import bcoo_push as bcoo_push
from ._bcoo import bcoo_rows as bcoo_rows
from ._chain import BoundChain as BoundChain
from ._chain import Chain as Chain
from ._conv import BoundConv as BoundConv
from ._conv import Conv as Conv
from ._degree import FixedInDegree as FixedInDegree
from ._degree import FixedOutDegree as FixedOutDegree
from ._degree import FixedTotal as FixedTotal
from ._delay import delay_span as delay_span
from ._delay import delay_to_steps as delay_to_steps
from ._delay import sample_delays as sample_delays
from ._delayed_dense import BoundDelayedDense as BoundDelayedDense
from ._dense import BoundDense as BoundDense
from ._dense import Dense as Dense
from ._distance import AbstractKernel as AbstractKernel
from ._distance import AbstractLayout as AbstractLayout
from ._distance import ConstantKernel as ConstantKernel
from ._distance import DistanceDependent as DistanceDependent
from ._distance import ExponentialKernel as ExponentialKernel
from ._distance import GaussianKernel as GaussianKernel
from ._distance import Grid as Grid
from ._distance import Positions as Positions
from ._distributions import AbstractDistribution as AbstractDistribution
from ._distributions import Draws as Draws
from ._distributions import LogNormal as LogNormal
from ._distributions import Normal as Normal
from ._distributions import TruncatedNormal as TruncatedNormal
from ._distributions import Uniform as Uniform
from ._distributions import Value as Value
from ._distributions import fixed_values as fixed_values
from ._distributions import parts_of as parts_of
from ._distributions import sample_values as sample_values
from ._edges import AbstractRule as AbstractRule
from ._edges import EdgeList as EdgeList
from ._edges import Expected as Expected
from ._edges import join_edges as join_edges
from ._explicit import AllToAll as AllToAll
from ._explicit import Edges as Edges
from ._explicit import OneToOne as OneToOne
from ._explicit import from_bcoo as from_bcoo
from ._explicit import from_scipy as from_scipy
from ._graph import SparseGraph as SparseGraph
from ._graph import arrange as arrange
from ._graph import build_graph as build_graph
from ._graph import padded_size as padded_size
from ._key import GraphKey as GraphKey
from ._order import CHUNK as CHUNK
from ._order import Order as Order
from ._pool import AvgPool as AvgPool
from ._pool import BoundPool as BoundPool
from ._pool import MaxPool as MaxPool
from ._probability import BlockModel as BlockModel
from ._probability import FixedProbability as FixedProbability
from ._small_world import SmallWorld as SmallWorld
from ._split import SplitGraph as SplitGraph
from ._trainable_delay import Delays as Delays
from ._trainable_delay import TrainableDelay as TrainableDelay
from ._transform import AbstractBoundTransform as AbstractBoundTransform
from ._transform import AbstractTransform as AbstractTransform
from ._transform import BoundIdentity as BoundIdentity
from ._transform import Flatten as Flatten
from ._transform import Identity as Identity
from ._transform import Reshape as Reshape
