"""The state of a sharded network: from that of the whole network to the devices, and back."""

import functools
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from .._core import float_dtype
from ._deal import Deal
from ._group import GroupState
from ._link import LinkState
from ._network import NetworkState
from ._shard import ShardedNetwork, stimulus_deal

Host = np.ndarray[Any, Any]


def scatter(sharded: ShardedNetwork, state: NetworkState) -> NetworkState:
    """The state on the devices: every array has a leading axis, one entry on each device.

    Histories are whole on each device, in identifiers. `peak` gets a second entry, the most spikes that one device
    sent in a window.

    Args:
        sharded: The network on its devices.
        state: State of the whole network.
    Returns:
        What the devices step.
    Example:
        >>> import jax, jaxsyn as js
        >>> sharded = js.shard(js.circuits.cuba(100), jax.make_mesh((1,), ("devices",)))
        >>> scatter(sharded, sharded.whole.init_state()).groups[0].membrane.neuron.V_mV.shape
        (1, 100)
    """
    state = jax.tree.map(np.asarray, state)
    net = sharded.whole

    def put(x: Any) -> Any:
        return sharded.put(lambda d: x)

    def cut(tree: Any, deal: Deal) -> Any:
        own = (sum(deal.sizes),)
        return jax.tree.map(lambda x: sharded.put(lambda d: x[deal.index(d)]) if x.shape[:1] == own else put(x), tree)

    groups = []
    for s, part, deal in zip(state.groups, sharded.parts.groups, sharded.deals, strict=True):
        ids = None
        if s.ids is not None and s.counts is not None:
            listed = np.arange(s.ids.shape[1]) < s.counts[:, None]
            ids = put(np.where(listed, deal.identifiers(np.where(listed, s.ids, 0)), 0).astype(np.int32))
        peak = None if s.peak is None else put(np.array([s.peak, 0], np.int32))
        counts = None if s.counts is None else put(s.counts)
        values = None
        if part.value_slots:
            empty = np.zeros((part.value_slots, sum(deal.sizes)), float_dtype())
            values = put(_to_identifiers(empty if s.values is None else s.values, deal))
        groups.append(GroupState(cut(s.membrane, deal), cut(s.clamp, deal), ids, counts, values, peak))
    links = []
    for link, k in zip(net.links, state.links, strict=True):
        deal = Deal((link.n_sources,), sharded.n_devices)
        values = None if k.values is None else put(_to_identifiers(k.values, deal))
        links.append(LinkState(cut(k.release, deal), values, k.statistics))
    stimuli = {
        name: cut(s, stimulus_deal(net, net.stimuli[name], sharded.n_devices)) for name, s in state.stimuli.items()
    }
    return NetworkState(put(state.tick), tuple(groups), tuple(links), stimuli)


def gather(sharded: ShardedNetwork, state: NetworkState) -> NetworkState:
    """The state of the whole network from that on the devices; the same in every process.

    Args:
        sharded: The network on its devices.
        state: State on the devices.
    Returns:
        State of the whole network; its lists of spikes hold nothing behind their end.
    Example:
        >>> import jax, jaxsyn as js
        >>> sharded = js.shard(js.circuits.cuba(100), jax.make_mesh((1,), ("devices",)))
        >>> gather(sharded, scatter(sharded, sharded.whole.init_state())).groups[0].membrane.neuron.V_mV.shape
        (100,)
    """
    net, n = sharded.whole, sharded.n_devices
    state = to_host(state)

    def one(x: Any) -> Any:
        return None if x is None else jax.numpy.asarray(x[0])

    def collect(tree: Any, like: Any, deal: Deal) -> Any:
        own = (sum(deal.sizes),)
        return jax.tree.map(
            lambda x, y: jax.numpy.asarray(deal.collect(x)) if y.shape[:1] == own else one(x), tree, like
        )

    like = jax.eval_shape(net.init_state)
    groups = []
    for s, y, deal in zip(state.groups, like.groups, sharded.deals, strict=True):
        ids = None
        if s.ids is not None and s.counts is not None:
            listed = np.arange(s.ids.shape[2]) < s.counts[0][:, None]
            room = min(s.ids.shape[2], max(sum(deal.sizes), 1))  # the ring of the devices may be longer than it can get
            ids = one(np.where(listed, deal.indices(np.asarray(s.ids[0])), 0).astype(np.int32)[None, :, :room])
        peak = None if s.peak is None else jax.numpy.asarray(s.peak[0][0])
        values = (
            None if y.values is None or s.values is None else jax.numpy.asarray(_from_identifiers(s.values[0], deal))
        )
        membrane, clamp = collect(s.membrane, y.membrane, deal), collect(s.clamp, y.clamp, deal)
        groups.append(GroupState(membrane, clamp, ids, one(s.counts), values, peak))
    links = []
    for link, k, z in zip(net.links, state.links, like.links, strict=True):
        deal = Deal((link.n_sources,), n)
        values = None if k.values is None else jax.numpy.asarray(_from_identifiers(k.values[0], deal))
        links.append(LinkState(collect(k.release, z.release, deal), values, k.statistics))
    stimuli = {
        name: collect(s, like.stimuli[name], stimulus_deal(net, net.stimuli[name], n))
        for name, s in state.stimuli.items()
    }
    return NetworkState(one(state.tick), tuple(groups), tuple(links), stimuli)


def to_host(tree: Any) -> Any:
    """All entries of arrays on several devices; where other processes hold some, they are asked, and must ask too.

    Args:
        tree: Arrays with one entry on each device, in any containers.
    Returns:
        The same as NumPy arrays.
    Example:
        >>> import jax.numpy as jnp
        >>> to_host({"x": jnp.ones(2)})["x"].tolist()
        [1.0, 1.0]
    """
    leaves = jax.tree.leaves(tree)
    if leaves and not leaves[0].is_fully_addressable:
        tree = _replicate(leaves[0].sharding.mesh)(tree)  # one program for all: processes wait for each other once
        tree = jax.tree.map(lambda x: x.addressable_shards[0].data, tree)
    return jax.tree.map(np.asarray, tree)


@functools.cache
def _replicate(mesh: Mesh) -> Any:
    everywhere = cast(Any, PartitionSpec)()
    return jax.jit(lambda tree: tree, out_shardings=NamedSharding(mesh, everywhere))


def _to_identifiers(ring: Any, deal: Deal) -> Host:
    """A history of numbers (slots, neurons) by identifier, zero for neurons that are not real."""
    out = np.zeros((ring.shape[0], deal.n * deal.size), ring.dtype)
    out[:, deal.identifiers(np.arange(ring.shape[1]))] = ring
    return out


def _from_identifiers(ring: Any, deal: Deal) -> Host:
    """The inverse of `_to_identifiers`."""
    out: Host = ring[:, deal.identifiers(np.arange(sum(deal.sizes)))]
    return out
