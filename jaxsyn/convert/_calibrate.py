"""Thresholds of ReLU layers from what they do on data: the largest activation that spikes can carry."""

import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array
from ._ann import Activation, Ann, rounded

_BISECTIONS = 24  # of the largest activation: the bits of a float32


class AbstractCalibration(abc.ABC):
    """How a threshold follows from the activations of a layer. A frozen dataclass."""

    @abc.abstractmethod
    def threshold(self, a: Array, levels: int) -> Array:
        """Threshold, > 0 where any activation is, from activations >= 0 of any shape and the number of levels."""


@dataclasses.dataclass(frozen=True)
class Percentile(AbstractCalibration):
    """The smallest threshold that a share of the activations, silent ones included, does not exceed.

    Where that share is silent (a layer that seldom fires), the largest activation.

    Args:
        percent: That share, in (0, 100]; 100 takes the largest activation.
    Raises:
        ValueError: percent out of range.
    References:
        Rueckauer et al. (2017), Front. Neurosci. 11:682, section 2.2.2 (99.9 %).
    Example:
        >>> import jax.numpy as jnp
        >>> round(float(Percentile(75.0).threshold(jnp.asarray([0.0, 1.0, 2.0, 9.0]), 4)), 3)
        2.0
    """

    percent: float = 99.9

    def __post_init__(self) -> None:
        if isinstance(self.percent, bool) or not 0 < self.percent <= 100:
            raise ValueError(f"Percentile.percent: got {self.percent!r}; allowed: in (0, 100], such as 99.9")

    def threshold(self, a: Array, levels: int) -> Array:
        top = jnp.max(a)
        if self.percent == 100:
            return top

        def enough(threshold: Array) -> Array:
            return jnp.sum(a <= threshold, dtype=jnp.int32).astype(a.dtype) >= a.size * self.percent / 100.0

        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = 0.5 * (low + high)
            return jnp.where(enough(middle), low, middle), jnp.where(enough(middle), middle, high)

        zero = jnp.zeros_like(top)
        _, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (zero, top))
        return jnp.where(enough(zero), top, high)


@dataclasses.dataclass(frozen=True)
class LeastSquares(AbstractCalibration):
    """The threshold, a fraction of the largest activation, with the least mean squared error of rounding and clipping.

    Args:
        candidates: Number of fractions tried, evenly spaced up to 1, >= 2.
    Raises:
        ValueError: candidates no whole number >= 2.
    References:
        Li et al. (2021), ICML (SNN calibration), section 3.2: MMSE threshold.
    Example:
        >>> import jax.numpy as jnp
        >>> bool(LeastSquares().threshold(jnp.asarray([0.5] * 99 + [8.0]), 2) <= 8.0)
        True
    """

    candidates: int = 64

    def __post_init__(self) -> None:
        if isinstance(self.candidates, bool) or not isinstance(self.candidates, int) or self.candidates < 2:
            raise ValueError(f"LeastSquares.candidates: got {self.candidates!r}; allowed: a whole number >= 2")

    def threshold(self, a: Array, levels: int) -> Array:
        top = jnp.max(a)
        tried = top * jnp.arange(1, self.candidates + 1).astype(a.dtype) / self.candidates

        def error(threshold: Array) -> Array:
            safe = jnp.where(threshold > 0, threshold, 1.0)
            return jnp.mean(jnp.square(a - rounded(a, safe, levels) * (safe / levels)))

        return tried[jnp.argmin(jax.lax.map(error, tried))]


@eqx.filter_jit
def calibrate(ann: Ann, data: Array, how: AbstractCalibration, levels: int) -> tuple[Array, ...]:
    """Threshold of each activation of a network.

    Quantized activations keep theirs. Clipped ones take the calibrated one where it is below the bound: no activation
    exceeds that. Layers that are silent on the data get 1. Memory: samples times the widest layers.

    Args:
        ann: The network; its numbers may be traced.
        data: Samples, shape (samples, *input_shape).
        how: How a threshold follows from activations.
        levels: Steps that a sample will be shown for.
    Returns:
        Thresholds, scalars > 0, in the order of `ann.activations`.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.convert import read_layers
        >>> ann = read_layers([{"kind": "linear", "weight": [[2.0]], "bias": None}, {"kind": "relu"}], (1,))
        >>> [float(x) for x in calibrate(ann, jnp.asarray([[1.0], [4.0]]), Percentile(100.0), 4)]
        [8.0]
    """

    def activations(x: Array) -> list[Array]:
        kept: list[Array] = []

        def activate(i: int, z: Array) -> Array:
            op = ann.nodes[i].op
            assert isinstance(op, Activation)
            a = op(z)
            if op.levels is None:
                kept.append(a)
            return a

        ann.values(x, activate)
        return kept

    kept = iter(jax.vmap(activations)(data))
    thresholds = []
    for i in ann.activations:
        op = ann.nodes[i].op
        assert isinstance(op, Activation)
        if op.levels is not None and op.threshold is not None:
            thresholds.append(op.threshold)
            continue
        found = how.threshold(next(kept), levels)
        thresholds.append(jnp.where(found > 0, found, 1.0))
    return tuple(thresholds)
