"""The activation to train with when spikes are to carry the result."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, Parameters, param


@jax.custom_jvp
def _round(x: Array) -> Array:
    """Nearest whole number, half up; its derivative is taken to be 1."""
    return jnp.floor(x + 0.5)


_round.defjvps(lambda tangent, out, x: tangent)


class QCFS(Parameters):
    """Quantized, clipped activation with a threshold that is learned: what T = `levels` steps of spikes can carry.

    a = threshold clip(floor(z levels/threshold + 1/2)/levels, 0, 1). The gradient passes straight through the rounding:
    1 to z between 0 and threshold, and to the threshold (a - z)/threshold there and 1 above.

    Args:
        threshold: Largest activation, > 0.
        levels: Levels above 0, >= 1.
    Raises:
        ValueError: threshold not positive, levels no whole number >= 1.
    References:
        Bu et al. (2022), ICLR, Optimal ANN-SNN conversion, eqs. 10 and 15.
    Example:
        >>> import jax, jax.numpy as jnp
        >>> act = QCFS(threshold=1.0, levels=2)
        >>> act(jnp.asarray([-1.0, 0.3, 0.6, 5.0])).tolist()
        [0.0, 0.5, 0.5, 1.0]
        >>> float(jax.grad(act)(0.3))
        1.0
    """

    threshold: Any = param(2.0, above=0.0)
    levels: int = eqx.field(static=True, default=4)

    def __check_init__(self) -> None:
        if isinstance(self.levels, bool) or not isinstance(self.levels, int) or self.levels < 1:
            raise ValueError(
                f"QCFS.levels: got {self.levels!r}; allowed: a whole number >= 1, the steps of the network"
            )

    def __call__(self, z: Any, *, key: Any = None) -> Array:
        """Activations, shape as given; `key` is what layers of Equinox are called with."""
        share = jnp.clip(jnp.asarray(z) / self.threshold, 0.0, 1.0)
        out: Array = self.threshold * _round(share * self.levels) / self.levels
        return out
