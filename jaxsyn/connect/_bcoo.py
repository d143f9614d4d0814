"""Propagation as a sparse matrix product of JAX: the reference form, which runs on any backend."""

import jax
import jax.numpy as jnp


def bcoo_rows(row_ptr: jax.Array, n_padded: int) -> jax.Array:
    """Row of each stored entry of a graph; `n_rows` for padding.

    Args:
        row_ptr: Start of each row, shape (n_rows + 1,).
        n_padded: Number of stored entries.
    Returns:
        Rows, int32, shape (n_padded,).
    Example:
        >>> bcoo_rows(jnp.array([0, 2, 3], jnp.int32), 4).tolist()
        [0, 0, 1, 2]
    """
    n_rows = row_ptr.shape[0] - 1
    lengths = jnp.diff(row_ptr, append=jnp.full((1,), n_padded, row_ptr.dtype))
    return jnp.repeat(jnp.arange(n_rows + 1, dtype=jnp.int32), lengths, total_repeat_length=n_padded)


def bcoo_push(
    row_ptr: jax.Array,
    post: jax.Array,
    weight: jax.Array,
    source: jax.Array,
    *,
    n_post: int,
    rows: jax.Array | None = None,
) -> jax.Array:
    """y[r, post[s]] += weight[r, s] source[row(s)], as the product of a `BCOO` matrix (n_rows, n_post) for each r.

    Its cost is that of all stored entries, whatever fires. Differentiable in `weight` and `source`, under any order of
    grad, jvp and vmap. Scaled by rows and then summed over rows: the transpose of `bcoo_dot_general` fails under vmap
    (jax 0.10.2: its batched data and shared indices disagree in shape).

    Args:
        row_ptr: Start of each row, int32, shape (n_rows + 1,).
        post: Target of each stored entry, int32, shape (n_padded,).
        weight: Weights, one row for each receptor, shape (receptors, n_padded), or (receptors, 1) where all are equal.
        source: What each row emits, shape (n_rows,).
        n_post: Number of target neurons.
        rows: What `bcoo_rows` gives, to be computed once outside a loop; None computes it here.
    Returns:
        Arrivals, shape (receptors, n_post).
    Raises:
        ValueError: weight or source of a wrong shape (trace time).
    Example:
        >>> y = bcoo_push(jnp.array([0, 1], jnp.int32), jnp.array([1], jnp.int32), jnp.ones((1, 1)), jnp.ones(1),
        ...               n_post=2)
        >>> y.tolist()
        [[0.0, 1.0]]
    """
    from jax.experimental.sparse import BCOO, bcoo_multiply_dense, bcoo_reduce_sum

    n_rows, n_padded = row_ptr.shape[0] - 1, post.shape[0]
    if source.shape != (n_rows,):
        raise ValueError(f"bcoo_push: source: got shape {source.shape}; allowed: ({n_rows},), one entry for each row.")
    if weight.ndim != 2 or weight.shape[1] not in (1, n_padded):
        raise ValueError(
            f"bcoo_push: weight: got shape {weight.shape}; allowed: (receptors, {n_padded}) or (receptors, 1)."
        )
    if n_rows == 0 or n_post == 0:
        return jnp.zeros((weight.shape[0], n_post), weight.dtype)
    rows = bcoo_rows(row_ptr, n_padded) if rows is None else rows
    stored = rows < n_rows
    indices = jnp.stack([jnp.where(stored, rows, 0), jnp.where(stored, post, 0)], axis=1)

    def one(w: jax.Array) -> jax.Array:
        matrix = BCOO((jnp.where(stored, w, jnp.zeros((), w.dtype)), indices), shape=(n_rows, n_post))
        scaled = BCOO((bcoo_multiply_dense(matrix, source[:, None]), indices), shape=matrix.shape)
        return jnp.asarray(bcoo_reduce_sum(scaled, axes=(0,)).todense())

    return jax.vmap(one)(jnp.broadcast_to(weight, (weight.shape[0], n_padded)))
