"""Linear systems y' = A y + B I about a rest point, and their exact step.

The membrane and its receptors are joined into *one* matrix before the exponential is taken. Own exponentials for each
part need the factor tau_s tau_m / (tau_s - tau_m), which is 0/0 at tau_s = tau_m; the joined exponential has no such
place (Rotter and Diesmann 1999, Biol. Cybern. 81:381).
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._types import Array

Name = tuple[str, ...]
Entries = dict[tuple[Name, Name], Array]


@dataclasses.dataclass(frozen=True)
class LinearSystem:
    """y' = A (y - rest) + b I with named variables.

    Attributes:
        variables: Names of the variables, in order.
        entries: Non-zero entries, `entries[row, column]` in 1/ms (or mixed units), scalar or (n,). The column
            `("I_pA",)` holds the coupling b to the injected current.
        rest: Resting value of a variable; absent means 0.
    """

    variables: tuple[Name, ...]
    entries: Entries
    rest: dict[Name, Array] = dataclasses.field(default_factory=dict)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["entries", "rest"], meta_fields=["variables"]
)  # derivatives pass through what a run prepares
@dataclasses.dataclass(frozen=True)
class Propagator:
    """The exact step of a `LinearSystem` over one interval: `entries[row, column]` of exp(A t) - 1, zeros left out.

    The difference to the identity is kept, and added to the values: exp(A t) itself is so close to it in a short step
    that its rounding would add up (in float32 to 1e-5 after 500 steps of tau / 200).
    """

    variables: tuple[Name, ...]
    entries: dict[tuple[Name, Name], Any]
    rest: dict[Name, Any]

    def apply(self, values: dict[Name, Array], I_pA: Array | None) -> dict[Name, Array]:
        """Values of all variables one interval later, I_pA held constant meanwhile. Shapes (n,)."""
        out: dict[Name, Array] = {}
        centered = {v: values[v] - self.rest[v] if v in self.rest else values[v] for v in self.variables}
        for row in self.variables:
            change: Array | None = None
            for column in self.variables:
                entry = self.entries.get((row, column))
                if entry is not None:
                    term = entry * centered[column]
                    change = term if change is None else change + term
            drive = self.entries.get((row, ("I_pA",)))
            if drive is not None and I_pA is not None:
                change = drive * I_pA if change is None else change + drive * I_pA
            out[row] = values[row] if change is None else values[row] + change
        return out


def _reachable(pattern: np.ndarray) -> np.ndarray:
    """Non-zeros that exp(A t) can have: the transitive closure of the non-zeros of A, and the diagonal."""
    closure = pattern | np.eye(len(pattern), dtype=bool)
    for _ in range(len(pattern)):
        closure = closure | (closure.astype(int) @ closure.astype(int) > 0)
    return closure


_TERMS = 14  # 0.5^15 / 15! = 2e-17
_SQUARINGS = 40


def _expm1(matrix: Array) -> Array:
    """exp(M) - 1 of small matrices (..., k, k), by scaling, Taylor series and squaring: (1 + E)^2 - 1 = 2 E + E^2.

    `jax.scipy.linalg.expm` loses the digits of the difference, and its program for one 3 x 3 matrix takes 0.3 s to
    compile.
    """
    identity = jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    norm = jnp.max(jnp.sum(jnp.abs(matrix), axis=-1), axis=-1)
    norm = jnp.maximum(jax.lax.stop_gradient(norm), 1e-30)
    squarings = jnp.clip(jnp.ceil(jnp.log2(norm)) + 1.0, 0.0, float(_SQUARINGS))
    scaled = matrix * jnp.exp2(-squarings)[..., None, None]

    def horner(total: Array, k: Array) -> tuple[Array, None]:
        return identity + scaled @ total / k, None

    terms = jnp.arange(_TERMS, 1, -1, dtype=matrix.dtype)
    total, _ = jax.lax.scan(horner, identity, terms)

    def square(less_1: Array, k: Array) -> tuple[Array, None]:
        return jnp.where((k < squarings)[..., None, None], 2.0 * less_1 + less_1 @ less_1, less_1), None

    less_1, _ = jax.lax.scan(square, scaled @ total, jnp.arange(_SQUARINGS, dtype=matrix.dtype))
    return less_1


def propagator(system: LinearSystem, interval_ms: Array | float) -> Propagator:
    """Exact one-interval step: exp of the joined matrix, with the constant drive as one more column.

    Args:
        system: The joined system; entries scalar or (n,).
        interval_ms: Length of the interval, ms.
    Returns:
        The propagator, entries scalar or (n,).
    """
    names = (*system.variables, ("I_pA",))
    pattern = np.zeros((len(names), len(names)), dtype=bool)
    for row, column in system.entries:
        pattern[names.index(row), names.index(column)] = True
    keep = _reachable(pattern)
    shape = jnp.broadcast_shapes(*[jnp.shape(e) for e in system.entries.values()]) if system.entries else ()
    dtype = jnp.result_type(*system.entries.values()) if system.entries else jnp.result_type(float)
    matrix = jnp.zeros((*shape, len(names), len(names)), dtype=dtype)
    for (row, column), entry in system.entries.items():
        scaled = jnp.broadcast_to(jnp.asarray(entry * interval_ms, dtype), shape)
        matrix = matrix.at[..., names.index(row), names.index(column)].set(scaled)
    less_1 = _expm1(matrix)
    entries = {
        (row, column): less_1[..., i, j]
        for i, row in enumerate(names[:-1])
        for j, column in enumerate(names)
        if keep[i, j]
    }
    return Propagator(system.variables, entries, dict(system.rest))
