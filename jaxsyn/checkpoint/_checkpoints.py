"""Checkpoints of a running network."""

import dataclasses
from typing import Any

import jax
import numpy as np

from ..network import Network, NetworkState
from ._checks import check_keep
from ._compare import first_difference
from ._describe import Table, describe
from ._entry import Metadata, digest, read_arrays, read_metadata, write_checkpoint
from ._folder import Folder, choose
from ._leaves import like, named_leaves, stored_form, to_arrays

KIND = "network state"


@dataclasses.dataclass
class Checkpoints:
    """A folder of checkpoints for `simulate(checkpoint=...)`: one every so often, and one at the end of the run.

    A kill while one is written leaves the earlier ones valid. Older ones are deleted when a new one is complete.

    Args:
        folder: Where; made if absent. One folder for each run.
        every_ms: Model time between checkpoints, ms, a multiple of dt_ms; None writes only the one at the end.
        keep: Number of checkpoints to leave, >= 1.
    Raises:
        ValueError: Period not positive, or keep < 1.
    Example:
        >>> import jaxsyn as js
        >>> from jaxsyn import checkpoint
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 10)}, dt_ms=0.1)
        >>> _ = js.simulate(net, 20.0, checkpoint=checkpoint.Checkpoints("kept", every_ms=10.0))
        >>> int(checkpoint.restore("kept", net).tick)
        200
    """

    folder: Folder
    every_ms: float | None = None
    keep: int = 2
    _described: tuple[Network, Table] | None = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.every_ms is not None and not (np.isfinite(self.every_ms) and self.every_ms > 0):
            raise ValueError(f"Checkpoints.every_ms: got {self.every_ms!r}; allowed: > 0, a multiple of dt_ms, or None")
        check_keep("Checkpoints", self.keep)

    def save(self, net: Network, state: NetworkState) -> None:
        """Write a checkpoint of a state of a network."""
        if self._described is None or self._described[0] is not net:  # hashing a large graph takes a second
            self._described = (net, describe(net))
        table = self._described[1]
        tick = int(state.tick)
        about = {"kind": KIND, "t_ms": tick * net.dt_ms, "network": table, "network_sha256": digest(table)}
        write_checkpoint(self.folder, tick, self.keep, to_arrays(state), about)


def save(folder: Folder, net: Network, state: NetworkState) -> None:
    """Write one state of a network, in place of what was saved in this folder before.

    Args:
        folder: Where; made if absent. A kill meanwhile leaves the previous state valid.
        net: The network.
        state: Its state, e.g. `solution.final_state`.
    Raises:
        ValueError: The state holds something else than numbers.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 10)}, dt_ms=0.1)
        >>> save("one", net, net.init_state())
        >>> int(restore("one", net).tick)
        0
    """
    Checkpoints(folder, keep=1).save(net, state)


def restore(folder: Folder, net: Network, step: int | None = None, *, strict: bool = True) -> NetworkState:
    """Read a state back, to go on from there bit for bit: `simulate(net, rest_ms, state=restore(folder, net))`.

    Args:
        folder: Folder of the checkpoints.
        net: The network that was saved, built anew.
        step: Tick of the checkpoint to take; None takes the one written last.
        strict: Refuse a network that differs in anything. False takes over the state where it has the same form:
            populations and the names of the projections must agree; seed, graphs, numbers and stimuli may differ.
    Returns:
        The state.
    Raises:
        ValueError: No such checkpoint, a damaged one, or another network; names the first difference.
    Example:
        >>> import jaxsyn as js
        >>> def build(n): return js.Network({"E": js.Population(js.neurons.LIF(), n)}, dt_ms=0.1)
        >>> save("small", build(10), build(10).init_state())
        >>> restore("small", build(20))
        Traceback (most recent call last):
        ValueError: checkpoint small: population 'E' has 20 neurons, the checkpoint has 10; restore into the network ...
    """
    entry = choose(folder, step)
    metadata = read_metadata(entry)
    if metadata.get("kind") != KIND:
        raise ValueError(f"checkpoint {folder}: holds a {metadata.get('kind')}; use jaxsyn.checkpoint.restore_tree")
    template = jax.eval_shape(net.init_state)
    remedy = "restore into the network that was saved"
    try:
        tables = describe(net), metadata["network"]
        difference, basic = (first_difference(*tables, strict=s) for s in (strict, False))
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"checkpoint {entry.path}: its description of the network is malformed; {remedy}") from None
    form = _state_difference(net, template, metadata)
    if basic is None and form is None:
        remedy += ", or pass strict=False to take over its state all the same"
    if difference or form:
        raise ValueError(f"checkpoint {folder}: {difference or form}; {remedy}")
    arrays = read_arrays(entry, metadata)
    leaves = [like(leaf, arrays[name]) for name, leaf in named_leaves(template).items()]
    state: NetworkState = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return state


def _state_difference(net: Network, template: NetworkState, metadata: Metadata) -> str | None:
    """The first array of the state that is missing or of another form; rings of spikes may have another capacity."""
    wanted: dict[str, Any] = named_leaves(template)
    saved = {spec["name"]: spec for spec in metadata["arrays"]}
    rings = {f"groups.{g}.ids": max(group.size, 1) for g, group in enumerate(net.groups)}
    for name in [*wanted, *saved]:
        if name not in saved or name not in wanted:
            return f"{name} is only in the state of the {'checkpoint' if name in saved else 'network'}"
        shape, dtype = stored_form(wanted[name])
        there = tuple(saved[name]["shape"])
        if name in rings and len(there) == 2 and 1 <= there[1] <= rings[name]:
            shape = (shape[0], there[1])
        if (shape, str(dtype)) != (there, saved[name]["dtype"]):
            return f"{name} is {dtype}{list(shape)}, the checkpoint has {saved[name]['dtype']}{list(there)}"
    return None
