"""Carriers: how the gradient of sparse weights is added up from chunk to chunk, in place.

The derivative of a scan by what its steps share is a sum of one array for each step, as large as all weights, however
few synapses met a spike. So weights go into the chunks without derivative. Beside them goes a carrier, zeros whose
change is that of the weights, from chunk to chunk, and what each chunk adds to the gradient is added where it stands.
"""

from collections.abc import Sequence
from typing import TypeAlias

import equinox as eqx
import jax

from .. import kernels
from .._core import Array, float_dtype
from ._components import Component, vectorizes
from ._link import AbstractLink, SparseLink
from ._network import Network
from ._step import Mode

Carriers: TypeAlias = dict[int, Array]


def carried(net: Network, parts: Sequence[Component], mode: Mode) -> tuple[Network, Carriers]:
    """The network with weights without derivative where carriers have it, and these, by the number of the link.

    Args:
        net: The network.
        parts: What `components(net, mode)` gave.
        mode: See `step`.
    Returns:
        The network for `Chunk`, and what goes from chunk to chunk.
    Example:
        >>> import jaxsyn as js
        >>> cells = js.Population(js.neurons.DiscreteLIF(), 9, surrogate=js.surrogate.SuperSpike())
        >>> loop = js.Projection("E", "E", js.connect.FixedProbability(0.5), weight=0.1, delay_ms=1.0)
        >>> net = js.Network({"E": cells}, {"loop": loop}, dt_ms=1.0)
        >>> sorted(js.network.carried(net, js.network.components(net), js.network.SIMULATE)[1])
        [0]
    """
    links, carriers = list(net.links), {}
    for i in [i for part in parts for i in part.inner]:
        link = links[i]
        if mode.axis_name is None and isinstance(link, SparseLink) and _carries(link, mode):
            carriers[i] = kernels.carrier(link.weight)
            links[i] = eqx.tree_at(lambda k: k.weight, link, jax.lax.stop_gradient(link.weight))
    return eqx.tree_at(lambda n: n.links, net, tuple(links)), carriers


def _carries(link: SparseLink, mode: Mode) -> bool:
    return vectorizes(link, mode) and link.delays is None and link.weight.dtype == float_dtype()


def with_carrier(link: AbstractLink, carrier: Array | None) -> AbstractLink:
    """A link whose weights have the change of their carrier; without one as it is.

    Args:
        link: The link.
        carrier: Its carrier, or None.
    Returns:
        The link.
    Example:
        >>> import jaxsyn as js
        >>> link = js.circuits.coba(100).links[0]
        >>> with_carrier(link, None) is link
        True
    """
    if carrier is None:
        return link
    joined: AbstractLink = eqx.tree_at(
        lambda k: k.weight, link, replace_fn=lambda weight: kernels.with_carrier(weight, carrier)
    )
    return joined
