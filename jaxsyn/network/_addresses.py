"""Where the numbers of a network stand, by path.

A path says where a number stands in what the network was built from: "populations.E.neuron.C_pF",
"projections.E_E.gain", "stimuli.background.rate_Hz", "seed".
"""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import allowed_numbers, as_float, float_dtype, outside
from ..stimuli import AbstractStimulus, AbstractWaveform
from ._group import Group
from ._link import SparseLink
from ._network import Network

SEED = "seed"


@dataclasses.dataclass(frozen=True)
class Address:
    """Where the number of a path stands, and what it may be.

    Attributes:
        path: Its path.
        leaves: Positions among the leaves of the network.
        place: Entries within a leaf; None for the whole leaf.
        n: Number of neurons that may have a value each; None where there is one number.
        limits: Range, as declared by the field.
        grid_ms: Step of which it has to be a multiple, or None.
        group: Its group, or None.
        starts: Whether the initial state of the group may depend on it.
        given: (member, variable) for an initial value.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 3)}, dt_ms=0.1)
        >>> js.network.addresses(net)["populations.E.neuron.C_pF"].n
        3
    """

    path: str
    leaves: tuple[int, ...]
    place: Any = None
    n: int | None = None
    limits: Any = dataclasses.field(default_factory=dict)
    grid_ms: float | None = None
    group: int | None = None
    starts: bool = False
    given: tuple[int, str] | None = None

    def allowed(self) -> str:
        """What may stand there, as text."""
        if self.path == SEED:
            return "whole numbers from 0 to 2^32 - 1"
        text = allowed_numbers(self.limits)
        return text if self.grid_ms is None else f"{text} and a multiple of dt_ms = {self.grid_ms:g}"

    def check(self, owner: str, values: Any, lead: int = 0) -> Any:
        """The values as an array of the type of the leaf; traced ones pass unread.

        Args:
            owner: Whose values they are, for messages.
            values: A number or an array (n,), behind `lead` leading axes.
            lead: Number of leading axes.
        Raises:
            ValueError: Wrong kind or shape, not finite, out of range.
        """
        where = f"{owner}: {self.path!r}"
        if isinstance(values, jax.core.Tracer):
            return values
        try:
            numbers = np.asarray(values)
        except ValueError:
            numbers = np.asarray(None)
        if numbers.dtype.kind not in ("iu" if self.path == SEED else "iuf") and numbers.size:
            raise ValueError(f"{where}: got {_short(values)}; allowed: {self.allowed()}")
        shape = numbers.shape[lead:]
        if shape != () and shape != (self.n,):
            each = "one number" if self.n is None else f"one number, or {self.n}, one for each neuron"
            raise ValueError(f"{where}: got shape {shape}; allowed: {each}")
        if self.path == SEED:
            bad = (numbers < 0) | (numbers >= 2**32)
        else:
            numbers = numbers.astype(np.float64)
            bad = outside(numbers, self.limits)
            if self.grid_ms is not None:
                steps = np.where(bad, 0.0, numbers) / self.grid_ms
                bad = bad | (np.abs(steps - np.rint(steps)) > 1e-4)
        if bad.any():
            raise ValueError(f"{where}: got {numbers[bad][0]}; allowed: {self.allowed()}")
        return jnp.asarray(numbers.astype(np.uint32)) if self.path == SEED else as_float(numbers)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def addresses(net: Network) -> dict[str, Address]:
    """Every number of a network that can be given another value, by path.

    Args:
        net: The network.
    Returns:
        Addresses by path: parameters of neurons, receptors, short-term plasticity and stimuli, initial values, gains,
        weights where all synapses of a projection share one, weights of stimuli, and the seed of everything random
        that happens during a run.
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)
        >>> [path for path in js.network.addresses(net) if path.startswith("projections.E_all")]
        ['projections.E_all.gain', 'projections.E_all.weight_nS.exc']
    """
    leaves, structure = jax.tree.flatten(net)
    numbered = jax.tree.unflatten(structure, range(len(leaves)))
    found: dict[str, Address] = {}
    for g, (group, numbers) in enumerate(zip(net.groups, numbered.groups, strict=True)):
        for address in _of_group(g, group, numbers, net.dt_ms):
            found[address.path] = address
    for link, numbers in zip(net.links, numbered.links, strict=True):
        for address in _of_link(net, link, numbers):
            other = found.get(address.path)  # the same projection, to another group of targets
            both = address if other is None else dataclasses.replace(other, leaves=other.leaves + address.leaves)
            found[address.path] = both
    for name, bound in net.stimuli.items():
        for address in _of_stimulus(net, name, bound, numbered.stimuli[name]):
            found[address.path] = address
    found[SEED] = Address(SEED, (int(numbered.seed),))
    return found


def find(known: Mapping[str, Address], path: Any, owner: str) -> Address:
    """The address of a path.

    Args:
        known: What `addresses` gave.
        path: Its path.
        owner: Who asks, for messages.
    Returns:
        The address.
    Raises:
        ValueError: There is none; names those that are close.
    Example:
        >>> import jaxsyn as js
        >>> known = js.network.addresses(js.circuits.coba(100))
        >>> find(known, "projections.E_all.gian", "sweep")
        Traceback (most recent call last):
        ValueError: sweep: got unknown path 'projections.E_all.gian'; allowed: ...; did you mean ...E_all.gain'?
    """
    if path in known:
        return known[path]
    text = str(path)
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    heads = (".".join(text.split(".")[:k]) for k in (2, 1))
    among = next((found for head in heads if (found := [p for p in known if p.startswith(f"{head}.")])), list(known))
    shown = ", ".join(among[:40]) + (", ..." if len(among) > 40 else "")
    raise ValueError(f"{owner}: got unknown path {path!r}; allowed: {shown}{hint}")


def _fields(module: Any, numbers: Any, prefix: str) -> Iterator[tuple[str, int, Any]]:
    """Path, leaf and limits of each parameter of a module and of the modules in it."""
    for field in dataclasses.fields(module):
        value, number = getattr(module, field.name), getattr(numbers, field.name)
        if "above" in field.metadata and value is not None:
            yield f"{prefix}.{field.name}", number, field.metadata
        elif isinstance(value, eqx.Module) and not field.metadata.get("static", False):
            yield from _fields(value, number, f"{prefix}.{field.name}")


def _of_group(g: int, group: Group, numbers: Any, dt_ms: float) -> Iterator[Address]:
    for member, (name, first, size) in enumerate(group.members):
        place = None if len(group.members) == 1 else slice(first, first + size)
        prefix = f"populations.{name}"
        parts: list[tuple[Any, Any, str]] = [(group.neuron, numbers.neuron, f"{prefix}.neuron")]
        parts += [(r, numbers.receptors[k], f"{prefix}.receptors.{k}") for k, r in group.receptors.items()]
        for module, leaves, inner in parts:
            for path, leaf, limits in _fields(module, leaves, inner):
                yield Address(path, (leaf,), place, size, limits, group=g, starts=True)
        if group.refractory_ms is not None and group.integrator is not None:
            grid = dt_ms if group.integrator.on_grid else None
            path = f"{prefix}.refractory_ms"
            yield Address(path, (numbers.refractory_ms,), place, size, {"low": 0.0}, grid, group=g)
        whole = slice(first, first + size)
        for variable, leaf in variables(numbers.start).items():
            path = f"{prefix}.initial.{variable}"
            yield Address(path, (leaf,), whole, size, group=g, starts=True, given=(member, variable))


def variables(start: Any) -> dict[str, Any]:
    """Leaves of an initial state by name: "V_mV", "AMPA.value"."""
    own = {f.name: getattr(start.neuron, f.name) for f in dataclasses.fields(start.neuron)}
    for name, state in start.receptors.items():
        own |= {f"{name}.{f.name}": getattr(state, f.name) for f in dataclasses.fields(state)}
    return own


def _weight_name(unit: str, receptor: str) -> str:
    return f"weight_{unit}.{receptor}" if receptor else "weight"


def _of_link(net: Network, link: Any, numbers: Any) -> Iterator[Address]:
    prefix = f"projections.{link.name}"
    yield Address(f"{prefix}.gain", (numbers.gain,))
    if not isinstance(link, SparseLink):
        return
    if link.weight.shape[1] == 1 and link.scale is None and link.weight.dtype == float_dtype():
        units = net.groups[link.target].weight_units()
        for row, receptor in enumerate(link.receptors):
            path = f"{prefix}.{_weight_name(units[receptor], receptor)}"
            yield Address(path, (numbers.weight,), (row, 0))
    if link.short_term is not None:
        for path, leaf, limits in _fields(link.short_term, numbers.short_term, f"{prefix}.short_term"):
            yield Address(path, (leaf,), None, link.n_sources, limits)


def _of_stimulus(net: Network, name: str, bound: Any, numbers: Any) -> Iterator[Address]:
    stimulus: AbstractStimulus = bound.stimulus
    for path, leaf, limits in _fields(stimulus, numbers.stimulus, f"stimuli.{name}"):
        if isinstance(stimulus, AbstractWaveform) and path.endswith(".amplitude"):
            path = f"stimuli.{name}.{'drive' if stimulus.unit == '1' else 'I_pA'}"
        yield Address(path, (leaf,), None, bound.size, limits)
    if stimulus.weights is None:
        return
    units = net.groups[bound.parts[0].group].weight_units() if bound.parts else {}
    for receptor, leaf in numbers.weights.items():
        own = numbers.stimulus.weights.values  # the same number, as the stimulus itself knows it
        leaves = (leaf, own[receptor if receptor in own else ""])
        yield Address(f"stimuli.{name}.{_weight_name(units[receptor], receptor)}", leaves, None, bound.size)
