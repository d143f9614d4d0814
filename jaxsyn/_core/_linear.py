"""Linear systems y' = A y + B I about a rest point, and their exact step.

The membrane and its receptors are joined into *one* matrix before the exponential is taken. Own exponentials for each
part need the factor tau_s tau_m / (tau_s - tau_m), which is 0/0 at tau_s = tau_m; the joined exponential has no such
place (Rotter and Diesmann 1999, Biol. Cybern. 81:381).
"""

import dataclasses

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


@dataclasses.dataclass(frozen=True)
class Propagator:
    """The exact step of a `LinearSystem` over one interval: `entries[row, column]`, structural zeros left out."""

    variables: tuple[Name, ...]
    entries: Entries
    rest: dict[Name, Array]

    def apply(self, values: dict[Name, Array], I_pA: Array | None) -> dict[Name, Array]:
        """Values of all variables one interval later, I_pA held constant meanwhile. Shapes (n,)."""
        out: dict[Name, Array] = {}
        centered = {v: values[v] - self.rest[v] if v in self.rest else values[v] for v in self.variables}
        for row in self.variables:
            total: Array | None = None
            for column in self.variables:
                entry = self.entries.get((row, column))
                if entry is not None:
                    term = entry * centered[column]
                    total = term if total is None else total + term
            drive = self.entries.get((row, ("I_pA",)))
            if drive is not None and I_pA is not None:
                total = drive * I_pA if total is None else total + drive * I_pA
            if total is None:
                total = jnp.zeros_like(values[row])
            out[row] = total + self.rest[row] if row in self.rest else total
        return out


def _reachable(pattern: np.ndarray) -> np.ndarray:
    """Non-zeros that exp(A t) can have: the transitive closure of the non-zeros of A, and the diagonal."""
    closure = pattern | np.eye(len(pattern), dtype=bool)
    for _ in range(len(pattern)):
        closure = closure | (closure.astype(int) @ closure.astype(int) > 0)
    return closure


_TERMS = 14  # 0.5^15 / 15! = 2e-17
_SQUARINGS = 40


def _expm(matrix: Array) -> Array:
    """exp of small matrices (..., k, k), by scaling, Taylor series and squaring.

    `jax.scipy.linalg.expm` is as accurate, but its program for one 3 x 3 matrix takes 0.3 s to compile.
    """
    identity = jnp.broadcast_to(jnp.eye(matrix.shape[-1], dtype=matrix.dtype), matrix.shape)
    norm = jnp.max(jnp.sum(jnp.abs(matrix), axis=-1), axis=-1)
    norm = jnp.maximum(jax.lax.stop_gradient(norm), 1e-30)
    squarings = jnp.clip(jnp.ceil(jnp.log2(norm)) + 1.0, 0.0, float(_SQUARINGS))
    scaled = matrix * jnp.exp2(-squarings)[..., None, None]

    def horner(total: Array, k: Array) -> tuple[Array, None]:
        return identity + scaled @ total / k, None

    terms = jnp.arange(_TERMS, 0, -1, dtype=matrix.dtype)
    total, _ = jax.lax.scan(horner, identity, terms)

    def square(total: Array, k: Array) -> tuple[Array, None]:
        return jnp.where((k < squarings)[..., None, None], total @ total, total), None

    total, _ = jax.lax.scan(square, total, jnp.arange(_SQUARINGS, dtype=matrix.dtype))
    return total


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
    exponential = _expm(matrix)
    entries = {
        (row, column): exponential[..., i, j]
        for i, row in enumerate(names[:-1])
        for j, column in enumerate(names)
        if keep[i, j]
    }
    return Propagator(system.variables, entries, dict(system.rest))
