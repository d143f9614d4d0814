"""What a network is, as a table of texts and checksums: what a state belongs to."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

from .._core import float_dtype
from ..network import Group, Network, SparseLink, TransformLink
from ._entry import array_digest, host

Table = dict[str, Any]
Values = dict[str, str]


def describe(net: Network) -> Table:
    """Structure of a network, and the values of all its numbers: scalars as text, arrays as checksums.

    Populations and projections stand under their names, independent of how the engine fuses them.

    Args:
        net: The network.
    Returns:
        Tables of texts that JSON can hold.
    Example:
        >>> import jaxsyn as js
        >>> describe(js.Network({"E": js.Population(js.neurons.LIF(), 10)}, dt_ms=0.1))["populations"]["E"]["neurons"]
        10
    """
    populations = {
        name: _population(group, name, first, size) for group in net.groups for name, first, size in group.members
    }
    projections: Table = {}
    for link in net.links:
        targets = [name for name, _, _ in net.groups[link.target].members]
        label = link.name if link.name not in projections else f"{link.name} -> {'+'.join(targets)}"
        projections[label] = _link(link, link.population, targets)
    stimuli = {name: _stimulus(bound) for name, bound in net.stimuli.items()}
    return {
        "numbers": str(float_dtype()),
        "dt_ms": net.dt_ms,
        "seed": int(net.seed),
        "populations": populations,
        "projections": projections,
        "stimuli": stimuli,
    }


def _population(group: Group, name: str, first: int, size: int) -> Table:
    values: Values = {}

    def part(leaf: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return leaf[first : first + size] if leaf.shape[:1] == (group.size,) else leaf

    return {
        "neurons": size,
        "model": outline(group.neuron, "neuron", values, part),
        "integrator": outline(group.integrator, "integrator", values),
        "surrogate": outline(group.surrogate, "surrogate", values),
        "refractory_ms": outline(group.refractory_ms, "refractory_ms", values, part),
        "receptors": {r: outline(receptor, r, values, part) for r, receptor in group.receptors.items()},
        "values": values,
    }


def _link(link: Any, source: str, targets: list[str]) -> Table:
    values: Values = {"gain": value_text(host(link.gain))}
    table: Table = {"source": source, "targets": targets, "receptors": list(link.receptors)}
    drawn = {"longest delay": link.slots - 1}
    if isinstance(link, SparseLink):
        n = link.graph.n_synapses
        row_ptr, post = host(link.graph.row_ptr), host(link.graph.post)[:n]
        values["connections"] = f"sha256 {array_digest(row_ptr)} {array_digest(post)}"
        values["delays"] = value_text(host(link.graph.delays if link.delays is None else link.delays.ms))
        values["weights"] = value_text(host(link.weights())[:, : max(n, 1)])
        table |= {"kind": link.form, "short_term": outline(link.short_term, "short_term", values)}
        return {**table, "drawn": {"synapses": n, **drawn}, "values": values}
    assert isinstance(link, TransformLink)
    return {**table, "kind": outline(link.transform, "transform", values), "drawn": drawn, "values": values}


def _stimulus(bound: Any) -> Table:
    values: Values = {}
    kind = outline(bound.stimulus, "", values)
    values = {name.replace("weights.values.", "weight "): text for name, text in values.items()}
    return {"targets": list(bound.stimulus.target), "neurons": bound.size, "kind": kind, "values": values}


def outline(
    thing: Any,
    name: str,
    values: Values,
    part: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]] = lambda leaf: leaf,
) -> str:
    """Type of a thing with its static fields; its numbers go to `values` under their names."""
    if thing is None:
        return "none"
    if hasattr(thing, "shape") and hasattr(thing, "dtype"):
        values[name] = value_text(part(host(thing)))
        return "given"
    if isinstance(thing, eqx.Module):
        shown = []
        for field in dataclasses.fields(thing):
            value = getattr(thing, field.name)
            if field.metadata.get("static", False):
                shown.append(f"{field.name}={plain(value)}")
                continue
            inner = outline(value, f"{name}.{field.name}".lstrip("."), values, part)
            if inner != "given":
                shown.append(f"{field.name}={inner}")
        return f"{type(thing).__name__}({', '.join(shown)})" if shown else type(thing).__name__
    if isinstance(thing, Mapping):
        items = (f"{k}: {outline(v, f'{name}.{k}', values, part)}" for k, v in sorted(thing.items()))
        return "{" + ", ".join(items) + "}"
    if isinstance(thing, list | tuple):
        return "(" + ", ".join(outline(v, f"{name}.{i}", values, part) for i, v in enumerate(thing)) + ")"
    return plain(thing)


def plain(value: Any) -> str:
    """A static value as text that is the same in every process; functions by their name."""
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic | np.dtype):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, list | tuple):
        return "(" + ", ".join(plain(v) for v in value) + ")"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{plain(k)}: {plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return value_text(value)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return type(value).__qualname__


def value_text(array: np.ndarray[Any, Any]) -> str:
    """Numbers as text: the number itself where all are the same, else shape and checksum."""
    array = np.asarray(array)
    if array.size and (array.size == 1 or bool((array == array.flat[0]).all())):
        return repr(array.flat[0].item())
    return f"{array.dtype}{list(array.shape)} sha256 {array_digest(array)}"
