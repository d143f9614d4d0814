"""The same network with other numbers. The structure stays: nothing is drawn or sorted again."""

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, is_concrete
from ._addresses import Address, addresses, find, variables
from ._group import Group
from ._network import Network

Leaves = dict[int, Array]  # by position among the leaves of a network


def uniform(net: Network, known: Mapping[str, Address], values: Mapping[str, Any], lead: int = 0) -> dict[int, Any]:
    """Which parameters of populations that are stepped together come out the same for all of them.

    Such a parameter is one number in a network that is built with it, and one for each neuron otherwise; both give the
    same up to rounding. So that bits agree it is one number here too.

    Args:
        net: The network.
        known: What `addresses` gave.
        values: Checked values by path, known now, behind `lead` axes of lanes.
        lead: Number of leading axes, 0 or 1.
    Returns:
        Truth by position of the leaf, of the shape of the lanes.
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)  # two populations of one model
        >>> known, path = js.network.addresses(net), "populations.E.neuron.C_pF"
        >>> for C_pF in (150.0, float(net.groups[0].neuron.C_pF)):
        ...     print(bool(next(iter(js.network.uniform(net, known, {path: C_pF}).values()))))
        False
        True
    """
    old, out = jax.tree.leaves(net), {}
    parts: dict[int, dict[int, Any]] = {}
    for path, value in values.items():
        address = known[path]
        if isinstance(address.place, slice) and address.given is None and is_concrete(value):
            (leaf,) = address.leaves
            parts.setdefault(leaf, {})[address.place.start] = (address, np.asarray(value, old[leaf].dtype))
    for leaf, given in parts.items():
        address = next(iter(given.values()))[0]
        if not is_concrete(old[leaf]) or address.group is None:
            continue
        base = np.asarray(old[leaf])
        columns = []
        for _, first, size in net.groups[address.group].members:
            value = given[first][1] if first in given else base[first : first + size] if base.ndim else base
            ndim = lead if first in given else 0
            columns.append(value[..., None] if value.ndim == ndim else value)
        heads = [column[..., :1] for column in columns if column.shape[-1]]
        agree = [np.all(column == heads[0], axis=-1) for column in columns if column.shape[-1]]
        out[leaf] = functools.reduce(np.logical_and, agree) if agree else np.asarray(False)
    return out


def replaced(
    net: Network, known: Mapping[str, Address], values: Mapping[str, Array], single: Collection[int] = ()
) -> Leaves:
    """The leaves of a network that change when paths get other values; traceable, so that `jax.vmap` makes lanes.

    Args:
        net: The network.
        known: What `addresses` gave.
        values: Checked values by path, a number or one for each neuron.
        single: Leaves that are one number for all, see `uniform`.
    Returns:
        New leaves by position, initial states included where they follow from what changed.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 3)}, dt_ms=0.1)
        >>> len(js.network.replaced(net, js.network.addresses(net), {"populations.E.neuron.C_pF": jnp.ones(())}))
        2
    """
    old, structure = jax.tree.flatten(net)
    new: Leaves = {}
    for path, value in values.items():
        address = known[path]
        for leaf in address.leaves:
            new[leaf] = _put(net, address, new.get(leaf, old[leaf]), value)
    new |= {leaf: new[leaf][0] for leaf in single}
    changed = with_leaves(net, new)
    numbered = jax.tree.unflatten(structure, range(len(old)))
    for g in sorted({a.group for p in values if (a := known[p]).starts and a.group is not None}):
        group, leaves = changed.groups[g], variables(numbered.groups[g].start)
        given = {known[p].given for p in values if known[p].group == g}
        given |= {(m, v) for m, names in enumerate(group.given) for v in names}
        for variable, fresh in variables(_fresh_start(group)).items():
            start = new.get(leaves[variable], old[leaves[variable]])
            for member, (_, first, size) in enumerate(group.members):
                if (member, variable) not in given:
                    start = start.at[first : first + size].set(fresh[first : first + size])
            new[leaves[variable]] = start
    return new


def _put(net: Network, address: Address, leaf: Any, value: Any) -> Any:
    if address.place is None:
        return value
    if isinstance(address.place, slice):
        assert address.group is not None
        leaf = jnp.broadcast_to(leaf, (net.groups[address.group].size,))
        value = jnp.broadcast_to(value, (address.n,))
    return leaf.at[address.place].set(value)


def _fresh_start(group: Group) -> Any:
    shape = (group.size,)
    receptors = {name: receptor.init_state(shape) for name, receptor in group.receptors.items()}
    return dataclasses.replace(group.start, neuron=group.neuron.init_state(shape), receptors=receptors)


def with_leaves(net: Network, leaves: Mapping[int, Array]) -> Network:
    """The network with other leaves at some positions.

    Args:
        net: The network.
        leaves: New leaves by position, as `replaced` gives them.
    Returns:
        The network.
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)
        >>> js.network.with_leaves(net, {}).size()
        100
    """
    old, structure = jax.tree.flatten(net)
    new: Network = jax.tree.unflatten(structure, [leaves.get(i, leaf) for i, leaf in enumerate(old)])
    return new


def roomy(net: Network, values: Mapping[str, Any]) -> Network:
    """The network with static room for values: the largest rates that its random stimuli will be given.

    Args:
        net: The network.
        values: Values by path, of any shape; traced ones are left out.
    Returns:
        The network; nothing that it computes changes.
    Example:
        >>> import jaxsyn as js
        >>> drive = js.stimuli.Poisson("E", rate_Hz=10.0, weight_mV=1.0)
        >>> cells = js.Population(js.neurons.LIF(), 2, {"in": js.receptors.Delta()})
        >>> net = js.Network({"E": cells}, stimuli={"drive": drive}, dt_ms=0.1)
        >>> js.network.roomy(net, {"stimuli.drive.rate_Hz": [5.0, 50.0]}).stimuli["drive"].stimulus.max_rate_Hz
        50.0
    """
    stimuli = dict(net.stimuli)
    for path, value in values.items():
        room, _, rest = path.partition(".")
        name, _, field = rest.rpartition(".")
        if room == "stimuli" and name in stimuli and is_concrete(value) and np.size(value):
            bound = stimuli[name]
            stimulus = bound.stimulus.up_to(field, float(np.max(np.asarray(value))))
            stimuli[name] = dataclasses.replace(bound, stimulus=stimulus)
    return _with(net, stimuli=stimuli)


def _with(net: Network, **fields: Any) -> Network:
    """A copy of the network with other fields; its constructor would build it anew."""
    copy = object.__new__(Network)
    for field in dataclasses.fields(Network):
        object.__setattr__(copy, field.name, fields.get(field.name, getattr(net, field.name)))
    return copy


def with_parameters(net: Network, values: Mapping[str, Any]) -> Network:
    """The same network with other numbers: same graph, same order, compiled programs stay of use.

    Initial values that were given stay; the others follow from the new parameters. Random structure (who reaches whom,
    drawn weights, delays, initial values) stays: "seed" is that of what is drawn during a run.

    Args:
        net: The network.
        values: A number, or one for each neuron, by path (see `addresses`); may be traced.
    Returns:
        The network.
    Raises:
        ValueError: Unknown path, or a value of a wrong shape or out of range.
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)
        >>> values = {"projections.E_all.gain": 0.5, "populations.E.neuron.C_pF": 150.0}
        >>> weaker = js.network.with_parameters(net, values)
        >>> float(weaker.links[0].gain)
        0.5
    """
    known = addresses(net)
    checked = {path: find(known, path, "with_parameters").check("with_parameters", v) for path, v in values.items()}
    net = roomy(net, checked)
    single = [leaf for leaf, same in uniform(net, known, checked).items() if same]
    new = with_leaves(net, replaced(net, known, checked, single))
    groups = list(new.groups)
    for path in checked:
        address = known[path]
        if address.given is not None and address.group is not None:
            (member, variable), group = address.given, groups[address.group]
            given = [sorted({*names, variable}) if m == member else names for m, names in enumerate(group.given)]
            groups[address.group] = dataclasses.replace(group, given=tuple(map(tuple, given)))
    return _with(new, groups=tuple(groups))
