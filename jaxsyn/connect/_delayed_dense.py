"""The full matrix with a trained delay for each of its entries."""

from typing import Any

import jax
import jax.numpy as jnp

from .. import kernels
from ._trainable_delay import Delays
from ._transform import AbstractBoundTransform, check_input


class BoundDelayedDense(AbstractBoundTransform):
    """y_j(t) = sum_i w_ij x_i(t - d_ij), x interpolated between steps. What `Dense` with a `TrainableDelay` becomes.

    It takes the last emissions side by side: those of `delays.low` steps ago first, `delays.window` times n_pre. With
    w_ij spread over the two whole delays beside d_ij, this is one product with a matrix of window n_pre rows.

    Args:
        weight: Weights, shape (n_pre, n_post).
        delays: Delays, shape (n_pre, n_post).
    Example:
        >>> from jaxsyn.connect import Delays
        >>> delays = Delays(jnp.full((1, 1), 0.25), low=0, high=1, dt_ms=1.0)
        >>> layer = BoundDelayedDense(jnp.ones((1, 1)), delays)
        >>> layer(jnp.asarray([1.0, 0.0]), ())[0].tolist()
        [0.75]
    """

    weight: jax.Array
    delays: Delays

    def matrix(self, rows: int) -> jax.Array:
        """Weights by delay and source, (window * rows, n_post), with rows of zeros behind the sources."""
        spread = self.delays.taps() * self.weight[None]
        spread = jnp.pad(spread, ((0, 0), (0, rows - self.weight.shape[0]), (0, 0)))
        return spread.reshape(-1, self.weight.shape[1])

    def __call__(
        self, x: jax.Array, statistics: Any, *, training: bool = False, axis_name: str | None = None
    ) -> tuple[jax.Array, Any]:
        """See `AbstractBoundTransform`; x is (window * n_pre,)."""
        n = self.weight.shape[0]
        check_input("Dense with trained delays", x, (self.delays.window * n,))
        return x @ self.matrix(n), statistics

    def of_spikes(self, x: jax.Array, *, native: bool) -> jax.Array:
        """The same for spikes as bits (each step padded to whole words) or numbers; zeros among them cost nothing."""
        n = self.weight.shape[0]
        rows = -(-n // 32) * 32 if x.dtype == jnp.uint32 else n
        return kernels.spike_matmul(x, self.matrix(rows), native=native)

    def init_statistics(self) -> tuple[()]:
        """No statistics."""
        return ()
