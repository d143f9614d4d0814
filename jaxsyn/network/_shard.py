"""One network on several devices: each has a slice of every population, and the synapses onto it."""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ..connect import BoundDense, SparseGraph, SplitGraph
from ._deal import Deal
from ._group import Group
from ._link import AbstractLink, SparseLink, TransformLink
from ._network import BoundStimulus, Network, adjacent_parts

AXIS = "shards"
SPEC = cast(Any, PartitionSpec)(AXIS)  # one entry of the leading axis on each device
_LONGEST_WINDOW = 256  # steps; the spikes of a window are kept until its end


@dataclasses.dataclass(frozen=True)
class ShardedNetwork:
    """A network on several devices: what `shard` gives and `simulate` takes.

    Not a pytree: its arrays lie where they belong. Change the network itself, and shard it again.

    Attributes:
        whole: The network as it was, in host memory.
        parts: The network of each device: every array has a leading axis, one entry on each device.
        deals: Which neurons of each group the devices have.
        mesh: The devices, one axis.
        window_steps: Steps between two exchanges of emissions, the shortest delay; 0: within each step.
    Example:
        >>> import jax, jaxsyn as js
        >>> sharded = js.shard(js.circuits.cuba(100), jax.make_mesh((1,), ("devices",)))
        >>> sharded.window_steps, sharded.parts.links[0].graph.post.shape[0]
        (1, 1)
    """

    whole: Network
    parts: Network
    deals: tuple[Deal, ...]
    mesh: Mesh
    window_steps: int

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return int(self.mesh.devices.size)

    def put(self, share: Callable[[int], Any]) -> jax.Array:
        """An array with an entry `share(d)` on each device d; only those of this process are made."""
        return _put(self.mesh, share)


def shard(net: Network, mesh: Mesh) -> ShardedNetwork:
    """Deal a network to several devices, by target neuron.

    Each device steps an equal slice of every population and holds the synapses onto it. Emissions, never currents, are
    exchanged once for each shortest delay, in one collective operation. Spikes are those of one device: random numbers
    depend on neuron and step, and every target sums its arrivals in the same order. States, records and checkpoints
    have the form of the whole network, so that a run can go on with another number of devices.

    Args:
        net: The network. The processes of a distributed run must give the same one.
        mesh: Devices of any kind, any axes.
    Returns:
        What `js.simulate` takes in place of a network.
    Raises:
        ValueError: Something in the network cannot be sharded; names it and the remedy.
    Example:
        >>> import jax, jaxsyn as js
        >>> sharded = js.shard(js.circuits.cuba(200), jax.make_mesh((jax.device_count(),), ("devices",)))
        >>> js.simulate(sharded, 20.0, record=js.record.Spikes()).result
        'done'
    """
    if not isinstance(net, Network):
        raise ValueError(f"shard: got {type(net).__name__}; allowed: js.Network(...)")
    for link in net.links:
        _check(net, link)
    mesh = Mesh(mesh.devices.ravel(), (AXIS,))
    n = int(mesh.devices.size)
    whole: Network = jax.device_put(net, _host_device(), may_alias=True)
    deals = tuple(Deal(tuple(size for _, _, size in group.members), n) for group in whole.groups)
    dealer = _Dealer(mesh, deals)
    parts = whole.with_parts(
        groups=tuple(dealer.group(whole, g) for g in range(len(deals))),
        links=tuple(dealer.link(whole, link) for link in whole.links),
        stimuli={name: dealer.stimulus(whole, bound) for name, bound in whole.stimuli.items()},
        seed=_put(mesh, lambda d: whole.seed),
    )
    return ShardedNetwork(whole, parts, deals, mesh, _window_steps(whole, deals))


def _host_device() -> Any:
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        raise ValueError(
            "shard: JAX was started without CPU, where the whole network is kept; add it, as in JAX_PLATFORMS=cuda,cpu"
        ) from None


def _put(mesh: Mesh, share: Callable[[int], Any]) -> jax.Array:
    own = [(d, device) for d, device in enumerate(mesh.devices) if device.process_index == jax.process_index()]
    if not own:
        raise ValueError(f"shard: process {jax.process_index()} has no device of the mesh; give each process one")
    pieces = [jax.device_put(np.asarray(share(d))[None], device) for d, device in own]
    shape = (mesh.devices.size, *pieces[0].shape[1:])
    return jax.make_array_from_single_device_arrays(shape, NamedSharding(mesh, SPEC), pieces)


def _window_steps(net: Network, deals: tuple[Deal, ...]) -> int:
    """The shortest delay in steps, at most so many that the neurons of all steps can be counted in int32."""
    most = max((deal.size for deal in deals), default=1)
    shortest = [min(_LONGEST_WINDOW, 2**30 // max(most, 1))]
    for link in net.links:
        if isinstance(link, SparseLink):
            shortest.append(int(np.min(link.graph.delays)))
        elif isinstance(link, TransformLink):
            shortest.append(int(link.delay_steps))
    return min(shortest)


def _check(net: Network, link: AbstractLink) -> None:
    """Refuse what cannot be sharded."""
    name = f"shard: projection {link.name!r}"
    if isinstance(link, SparseLink | TransformLink) and link.delays is not None:
        raise ValueError(f"{name}: delays that are trained cannot be sharded; round them with js.freeze(net)")
    if isinstance(link, TransformLink) and not isinstance(link.transform, BoundDense):
        kind = type(link.transform).__name__.removeprefix("Bound")
        raise ValueError(f"{name}: {kind} cannot be cut by target; allowed: sparse rules and js.connect.Dense()")
    if not isinstance(link, SparseLink | TransformLink):
        raise ValueError(f"{name}: {type(link).__name__} cannot be cut by target; allowed: sparse rules and Dense")
    if link.population not in net.populations():
        raise ValueError(f"{name}: several sources cannot be cut by target; make one projection for each source")
    target = net.groups[link.target]
    if link.instant and any(target.at_once(r) for r in link.receptors):
        raise ValueError(
            f"{name}: delay 0 into delta receptors or discrete neurons orders populations within a step, which several "
            "devices would have to do together; give a delay of at least one step"
        )


@dataclasses.dataclass(frozen=True)
class _Dealer:
    """Cuts the parts of a network."""

    mesh: Mesh
    deals: tuple[Deal, ...]

    def _cut(self, tree: Any, deal: Deal) -> Any:
        """Leaves with one entry for each neuron cut, all others given to each device."""

        def leaf(x: Any) -> Any:
            x = np.asarray(x)
            cut = x.shape[:1] == (sum(deal.sizes),)
            return _put(self.mesh, (lambda d: x[deal.index(d)]) if cut else lambda d: x)

        return jax.tree.map(leaf, tree)

    def group(self, net: Network, g: int) -> Group:
        """The slices of a group. Numbers that arrive within the step come from other devices: a history of one."""
        group, deal = net.groups[g], self.deals[g]
        members = tuple((m[0], *s) for m, s in zip(group.members, deal.slices, strict=True))
        real = None if deal.even else _put(self.mesh, deal.real)
        slots = max(group.value_slots, int(any(k.source == g and k.reads_values for k in net.links)))
        cut: Group = self._cut(group, deal)
        return dataclasses.replace(cut, members=members, size=deal.size, real=real, value_slots=slots)

    def link(self, net: Network, link: AbstractLink) -> AbstractLink:
        """The synapses onto the slices of the target group. Sources are counted by identifier."""
        source, deal = net.groups[link.source], self.deals[link.source]
        which = next(i for i, m in enumerate(source.members) if m[0] == link.population)
        first, size = deal.slices[which]
        sources = Deal((link.n_sources,), deal.n)
        ids: dict[str, Any] = {"first": deal.n * first, "n_sources": deal.n * size}
        if isinstance(link, SparseLink):
            return self._sparse(link, sources, ids)
        assert isinstance(link, TransformLink)
        return self._dense(net, link, ids)

    def _sparse(self, link: SparseLink, sources: Deal, ids: dict[str, Any]) -> SparseLink:
        target = self.deals[link.target]
        if link.graph.post.dtype != np.int32:
            raise ValueError(f"projection {link.name!r}: compact synapses stay on one device; drop storage to shard")
        split = SplitGraph(link.graph, *target.owner(), n_parts=target.n, n_pre=ids["n_sources"])
        graph = SparseGraph(
            _put(self.mesh, split.row_ptr),
            _put(self.mesh, split.post),
            _put(self.mesh, lambda d: link.graph.delays),
            n_pre=ids["n_sources"],
            n_post=target.size,
        )
        weight = _put(self.mesh, lambda d: split.cut(np.asarray(link.weight), d))
        gain = _put(self.mesh, lambda d: link.gain)
        short_term = self._cut(link.short_term, sources)
        return dataclasses.replace(link, graph=graph, weight=weight, gain=gain, short_term=short_term, **ids)

    def _dense(self, net: Network, link: TransformLink, ids: dict[str, Any]) -> TransformLink:
        assert isinstance(link.transform, BoundDense)
        members = net.groups[link.target].members
        which = next(i for i, m in enumerate(members) if m[1:] == (link.first_target, link.n_targets))
        first, size = self.deals[link.target].slices[which]
        columns = Deal((link.n_targets,), self.deals[link.target].n)
        room = ((0, ids["n_sources"] - link.n_sources), (0, 0))
        weight, bias = np.pad(np.asarray(link.transform.weight), room), link.transform.bias
        transform = BoundDense(
            _put(self.mesh, lambda d: weight[:, columns.index(d)]),
            None if bias is None else _put(self.mesh, lambda d: np.asarray(bias)[columns.index(d)]),
        )
        gain, delay_steps = self._cut((link.gain, link.delay_steps), columns)
        ids |= {"first_target": first, "n_targets": size}
        return dataclasses.replace(link, transform=transform, gain=gain, delay_steps=delay_steps, **ids)

    def stimulus(self, net: Network, bound: BoundStimulus) -> BoundStimulus:
        """The stimulus for the slices of its targets; draws go by the place in the whole target."""
        deal = stimulus_deal(net, bound, self.mesh.devices.size)
        shares = [bound.stimulus.take(deal.index(d)) for d in range(deal.n)]
        stimulus = jax.tree.map(lambda *xs: _put(self.mesh, lambda d: xs[d]), *shares)
        places = {name: (g, *deal_of.slices[i]) for g, deal_of in enumerate(self.deals)
                  for i, (name, _, _) in enumerate(net.groups[g].members)}  # fmt: skip
        return BoundStimulus(
            stimulus=stimulus,
            weights=self._cut(bound.weights, deal),
            parts=adjacent_parts([places[name] for name in bound.stimulus.target]),
            size=deal.size,
            stream=bound.stream,
            index=_put(self.mesh, lambda d: deal.index(d).astype(np.uint32)),
        )


def stimulus_deal(net: Network, bound: BoundStimulus, n: int) -> Deal:
    """Which values of a stimulus the devices have."""
    return Deal(tuple(net.size(name) for name in bound.stimulus.target), n)
