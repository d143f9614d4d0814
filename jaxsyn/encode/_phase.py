"""Binary digits of a value, one spike for each 1."""

import dataclasses
import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype
from ._base import AbstractEncoder, checked, steps_of, whole


@dataclasses.dataclass(frozen=True)
class Phase(AbstractEncoder):
    """Weighted spikes: step t carries binary digit k = t mod K of the value, of weight 2^-(1+k).

    Values from 1 - 2^-K on have all digits 1.

    Args:
        n_bits: Digits K, from 1 to what the float type in force can hold (24, or 53 with x64).
        n_steps: Steps T, over which the digits are repeated; 0, the default, for K steps.
    Raises:
        ValueError: n_bits or n_steps out of range; at encode: values outside 0 to 1.
    References:
        Kim, Kim, Huh, Lee and Choi (2018), Neurocomputing 311:373 (weighted spikes).
    Example:
        >>> import jaxsyn as js
        >>> code = js.encode.Phase(n_bits=3)
        >>> code.encode([0.625]).ravel().tolist(), code.decode(code.encode([0.625])).tolist()
        ([1.0, 0.0, 1.0], [0.625])
    """

    n_bits: int
    n_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("Phase", "n_bits", self.n_bits)
        most = np.finfo(float_dtype()).nmant + 1
        if self.n_bits > most:
            raise ValueError(
                f"Phase.n_bits: got {self.n_bits}; allowed: 1 to {most}, the digits that {float_dtype()} holds"
            )
        whole("Phase", "n_steps", self.n_steps, low=0)

    @property
    def _length(self) -> int:
        return self.n_steps or self.n_bits

    def encode(self, x: Any) -> Array:
        """Spikes (T, ..., n) of values (..., n) in 0 to 1."""
        array = jnp.minimum(checked("Phase", x), 1.0 - 2.0**-self.n_bits)
        whole_parts = [jnp.floor(array * 2.0**k) for k in range(self.n_bits + 1)]  # exact: powers of two
        digits = jnp.stack([new - 2.0 * old for old, new in itertools.pairwise(whole_parts)])
        return digits[np.arange(self._length) % self.n_bits]

    def decode(self, spikes: Any) -> Array:
        """Values (..., n), at most 2^-K below what was encoded; each digit is the mean of its steps."""
        array = steps_of("Phase", spikes, self._length)
        seen = min(self.n_bits, self._length)
        digits = [jnp.mean(array[k :: self.n_bits], axis=0) * 2.0 ** -(1 + k) for k in range(seen)]
        return sum(digits[1:], start=digits[0])
