"""Deterministic currents: constant, step, ramp, sine, and any sampled array."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._core import Array, Parameter, as_float, param
from ._base import AbstractWaveform, Draw, amplitude, as_targets


class Constant(AbstractWaveform):
    """Constant current.

    Args:
        target: Population name or names.
        I_pA: Current, pA, scalar or one value for each target neuron.
        drive: The same for discrete neurons, a pure number; give one of the two.
    Raises:
        ValueError: Both or neither amplitude given, or not finite.
    References:
        Any textbook; Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.Constant("E", I_pA=300.0).unit
        'pA'
    """

    amplitude: Parameter = param()
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(self, target: str | Sequence[str], *, I_pA: Any = None, drive: Any = None) -> None:
        self.target, self.weights = as_targets(target), None
        self.amplitude, self.unit = amplitude("Constant", I_pA, drive)

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        return self.amplitude, state


class Step(AbstractWaveform):
    """Current between two times: I for start <= t < stop, else 0; t is the start of the step of the network.

    Args:
        target: Population name or names.
        I_pA: Current, pA.
        drive: The same for discrete neurons; give one of the two.
        start_ms: First time with current, ms.
        stop_ms: First time without, ms.
    Raises:
        ValueError: Amplitude missing, or times not finite or not increasing.
    References:
        Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> import jaxsyn as js
        >>> float(js.stimuli.Step("E", I_pA=300.0, start_ms=10.0, stop_ms=20.0).stop_ms)
        20.0
    """

    amplitude: Parameter = param()
    start_ms: Parameter = param()
    stop_ms: Parameter = param()
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        I_pA: Any = None,
        drive: Any = None,
        start_ms: Any = 0.0,
        stop_ms: Any = 3e38,
    ) -> None:
        self.target, self.weights = as_targets(target), None
        self.amplitude, self.unit = amplitude("Step", I_pA, drive)
        self.start_ms, self.stop_ms = as_float(start_ms), as_float(stop_ms)

    def prepare(self, index: Array, dt_ms: float) -> tuple[Array, Array]:
        first = jnp.ceil(self.start_ms / dt_ms - 1e-4)
        last = jnp.ceil(jnp.minimum(self.stop_ms / dt_ms, 2.1e9) - 1e-4)
        return first.astype(jnp.int32), last.astype(jnp.int32)

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        first, last = prepared
        return jnp.where((tick >= first) & (tick < last), self.amplitude, 0.0), state


class Ramp(AbstractWaveform):
    """Linear ramp: 0 before start, then up to I at stop, constant I after.

    Args:
        target: Population name or names.
        I_pA: Final current, pA.
        drive: The same for discrete neurons; give one of the two.
        start_ms: Start of the ramp, ms.
        stop_ms: End of the ramp, ms, after `start_ms`.
    Raises:
        ValueError: Amplitude missing or times not finite.
    References:
        Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.Ramp("E", I_pA=300.0, stop_ms=100.0).unit
        'pA'
    """

    amplitude: Parameter = param()
    start_ms: Parameter = param()
    stop_ms: Parameter = param()
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(
        self, target: str | Sequence[str], *, I_pA: Any = None, drive: Any = None, start_ms: Any = 0.0, stop_ms: Any
    ) -> None:
        self.target, self.weights = as_targets(target), None
        self.amplitude, self.unit = amplitude("Ramp", I_pA, drive)
        self.start_ms, self.stop_ms = as_float(start_ms), as_float(stop_ms)

    def prepare(self, index: Array, dt_ms: float) -> float:
        return dt_ms

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        t_ms = tick.astype(self.amplitude.dtype) * prepared
        part = (t_ms - self.start_ms) / jnp.maximum(self.stop_ms - self.start_ms, 1e-6)
        return self.amplitude * jnp.clip(part, 0.0, 1.0), state


class Sine(AbstractWaveform):
    """Sine: I sin(2 pi f t + phase).

    The phase is reduced step by 4096 steps, so that in float32 it drifts by 1e-7 turns in each of these blocks only.

    Args:
        target: Population name or names.
        I_pA: Amplitude, pA.
        drive: The same for discrete neurons; give one of the two.
        frequency_Hz: Frequency, Hz.
        phase: Phase at t = 0, radians.
    Raises:
        ValueError: Amplitude missing or parameters not finite.
    References:
        Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> import jaxsyn as js
        >>> float(js.stimuli.Sine("E", I_pA=50.0, frequency_Hz=8.0).frequency_Hz)
        8.0
    """

    amplitude: Parameter = param()
    frequency_Hz: Parameter = param()
    phase: Parameter = param()
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(
        self, target: str | Sequence[str], *, I_pA: Any = None, drive: Any = None, frequency_Hz: Any, phase: Any = 0.0
    ) -> None:
        self.target, self.weights = as_targets(target), None
        self.amplitude, self.unit = amplitude("Sine", I_pA, drive)
        self.frequency_Hz, self.phase = as_float(frequency_Hz), as_float(phase)

    def prepare(self, index: Array, dt_ms: float) -> Array:
        return self.frequency_Hz * (dt_ms * 1e-3)

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        # turns = tick * cycles, split so that each product is exact enough: tick = 4096 high + low
        high, low = (tick >> 12).astype(prepared.dtype), (tick & 4095).astype(prepared.dtype)
        block = prepared * 4096.0
        turns = jnp.mod(high * jnp.mod(block, 1.0), 1.0) + low * prepared
        return self.amplitude * jnp.sin(2.0 * jnp.pi * jnp.mod(turns, 1.0) + self.phase), state


class Sampled(AbstractWaveform):
    """Any current, given as samples: each holds for `every_ms`; 0 after the last.

    Args:
        target: Population name or names.
        I_pA: Samples, pA, shape (k,) for all neurons alike or (k, n).
        drive: The same for discrete neurons; give one of the two.
        every_ms: Time between samples, ms, a whole number of steps.
        start_ms: Time of the first sample, ms.
    Raises:
        ValueError: Samples missing, not finite or of wrong rank; `every_ms` not a multiple of the step.
    References:
        NEST `step_current_generator` (same rule).
    Example:
        >>> import jaxsyn as js, numpy as np
        >>> js.stimuli.Sampled("E", I_pA=np.linspace(0.0, 100.0, 11), every_ms=1.0).samples.shape
        (11,)
    """

    samples: Array
    every_ms: float = eqx.field(static=True)
    start_ms: float = eqx.field(static=True)
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        I_pA: Any = None,
        drive: Any = None,
        every_ms: float,
        start_ms: float = 0.0,
    ) -> None:
        self.target, self.weights = as_targets(target), None
        self.samples, self.unit = amplitude("Sampled", I_pA, drive)
        self.every_ms, self.start_ms = float(every_ms), float(start_ms)
        if self.samples.ndim not in (1, 2) or self.samples.shape[0] == 0:
            raise ValueError(f"Sampled: got samples of shape {self.samples.shape}; allowed: (k,) or (k, n) with k >= 1")
        if not bool(jnp.isfinite(self.samples).all()):
            raise ValueError("Sampled: got samples that are not finite; remove NaN and inf before")

    def bind(self, n: int, dt_ms: float) -> "Sampled":
        if self.samples.ndim == 2 and self.samples.shape[1] != n:
            raise ValueError(
                f"Sampled: got samples for {self.samples.shape[1]} neurons; allowed: {n}, or one row of samples"
            )
        steps = round(self.every_ms / dt_ms)
        if steps < 1 or abs(steps * dt_ms - self.every_ms) > 1e-6 * dt_ms * max(steps, 1):
            raise ValueError(f"Sampled.every_ms: got {self.every_ms}; allowed: a whole multiple of dt_ms = {dt_ms}")
        return self

    def take(self, index: np.ndarray[Any, Any]) -> "Sampled":
        return self if self.samples.ndim == 1 else eqx.tree_at(lambda s: s.samples, self, self.samples[:, index])

    def prepare(self, index: Array, dt_ms: float) -> tuple[int, int]:
        return round(self.every_ms / dt_ms), round(self.start_ms / dt_ms)

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        steps, first = prepared
        k = (tick - first) // steps
        inside = (tick >= first) & (k < self.samples.shape[0])
        return jnp.where(inside, self.samples[jnp.clip(k, 0, self.samples.shape[0] - 1)], 0.0), state
