"""The few hot operations.

Each stands in up to three forms that give the same result: a native CPU version (C++ behind `jax.ffi`, built with the
package where there is a compiler), a serial JAX form for CPUs without it, and a parallel JAX form for accelerators.
`native=True` asks for the first; on other platforms it changes nothing.

- `push`, `pull`, `outer`: values along the synapses of a sparse graph, and its two transposes; differentiable.
- `carrier`, `with_carrier`, `carried_change`: how their weights' gradient is added up from call to call, in place.
- `deliver`, `emit`, `tally`: spikes as indices in a ring of steps; not differentiable.
- `spike_matmul`: spikes times a dense matrix, by events; differentiable.
- `pack`, `unpack`, `unpack_events`: spikes as bits.
- `elementwise`: a function of each neuron by itself, run as a program of vector instructions.
- `recurrence`: the same step after step, in one call, with products with matrices in it; differentiable.
- `settle`: the identity, behind which values are in memory and not computed again for each consumer.
- `random_bits`, `uniform`, `normal`, `bernoulli`, `poisson`: functions of (seed, stream, index, step).

To add one: write its JAX form and its shape rule, make it a primitive with `define_kernel` (`_primitive.py`, which
with `_derivatives.py` alone leans on JAX's extension interfaces; `_program.py` reads jaxprs), and, where it pays, add a
handler to `csrc/jaxsyn_kernels.cc`, its name to `_library.py`, and a row to the tables of `tests/kernels/`, which hold
every form against a NumPy reference.
"""

from ._carried import carried_change as carried_change
from ._carried import carrier as carrier
from ._carried import with_carrier as with_carrier
from ._count import Operations as Operations
from ._count import count_operations as count_operations
from ._deliver import deliver as deliver
from ._deliver import target_blocks as target_blocks
from ._elementwise import elementwise as elementwise
from ._emit import emit as emit
from ._emit import tally as tally
from ._library import elementwise_supported as elementwise_supported
from ._library import native_available as native_available
from ._library import native_status as native_status
from ._pack import pack as pack
from ._pack import unpack as unpack
from ._pack import unpack_events as unpack_events
from ._random import bernoulli as bernoulli
from ._random import normal as normal
from ._random import poisson as poisson
from ._random import poisson_survival as poisson_survival
from ._random import poisson_terms as poisson_terms
from ._random import random_bits as random_bits
from ._random import stream_id as stream_id
from ._random import uniform as uniform
from ._recurrence import recurrence as recurrence
from ._settle import settle as settle
from ._spike_products import spike_matmul as spike_matmul
from ._trilinear import outer as outer
from ._trilinear import pull as pull
from ._trilinear import push as push
from ._trilinear import synapse_rows as synapse_rows
