"""Axes of a sweep: which values each lane gets."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array
from ..network import Address, Network, addresses, find

SEED, SET = "seed", "set"

Values = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Axis:
    """Values along one dimension of a sweep.

    Args:
        name: Path of the parameter, "seed", or "set" where several parameters vary together.
        values: What each path takes along it, (k,), or (k, n) with one value for each neuron.
    Example:
        >>> import numpy as np
        >>> len(Axis("seed", {"seed": np.arange(8)}))
        8
    """

    name: str
    values: dict[str, Values]

    def __len__(self) -> int:
        return next((len(v) for v in self.values.values()), 0)

    def take(self, index: Any) -> "Axis":
        """The axis with some of its values, in that order."""
        return Axis(self.name, {path: v[index] for path, v in self.values.items()})


def make_axes(net: Network, parameters: Mapping[str, Any], seeds: Any, zipped: bool) -> tuple[Axis, ...]:
    """Checked axes: one for each parameter, or one for all if they are zipped; and one of the seeds, last.

    Raises:
        ValueError: Nothing to vary, an unknown path, an axis given twice or empty, a value of a wrong shape or out of
            range, lengths that differ where they are zipped.
    """
    known = addresses(net)
    given = {path: _values(known, path, values) for path, values in dict(parameters).items()}
    axes = [Axis(path, {path: values}) for path, values in given.items()]
    if zipped and axes:
        lengths = {path: len(values) for path, values in given.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{path!r} has {n}" for path, n in lengths.items())
            raise ValueError(f"sweep: zipped parameters differ in length: {shown}; give each the same number of values")
        axes = [Axis(SET, given)]
    if seeds is not None:
        if SEED in given:
            raise ValueError("sweep: got 'seed' among the parameters and as seeds; allowed: one of the two")
        axes.append(Axis(SEED, {SEED: _values(known, SEED, seeds)}))
    if not axes:
        raise ValueError("sweep: got neither parameters nor seeds; allowed: at least one axis, such as seeds=range(8)")
    return tuple(axes)


def _values(known: Mapping[str, Address], path: str, values: Any) -> Values:
    address = find(known, path, "sweep")
    listed = isinstance(values, list | tuple | range) or getattr(values, "ndim", 0) > 0
    if not listed:
        raise ValueError(f"sweep: {path!r}: got {values!r}; allowed: a list of values, such as [0.5, 1.0]")
    if not len(values):
        raise ValueError(f"sweep: {path!r}: got no values; allowed: at least one")
    address.check("sweep", values, lead=1)
    return np.asarray(values) if path == SEED else np.asarray(values, np.float64)


def shape_of(axes: Sequence[Axis]) -> tuple[int, ...]:
    """Lanes along each axis."""
    return tuple(len(axis) for axis in axes)


def count(axes: Sequence[Axis]) -> int:
    """Number of lanes."""
    return math.prod(shape_of(axes))


def values_of(net: Network, axes: Sequence[Axis], lanes: np.ndarray[Any, Any]) -> dict[str, Array]:
    """Values of some lanes by path, in the type of the network."""
    known, places = addresses(net), np.unravel_index(lanes, shape_of(axes))
    out: dict[str, Array] = {}
    for axis, place in zip(axes, places, strict=True):
        for path, values in axis.values.items():
            out[path] = jnp.asarray(known[path].check("sweep", values[place], lead=1))
    return out


def label(axes: Sequence[Axis], lane: int) -> str:
    """A lane in words: "projections.E_E.gain=0.5, seed=3"."""
    parts = []
    for axis, place in zip(axes, np.unravel_index(lane, shape_of(axes)), strict=True):
        for path, values in axis.values.items():
            value = values[place]
            number = f"{value:g}" if value.dtype.kind == "f" else str(value)
            parts.append(f"{path}={number}" if value.ndim == 0 else f"{path}[{place}]")
    return ", ".join(parts)
