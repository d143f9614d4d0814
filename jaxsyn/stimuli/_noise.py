"""Random currents and spikes, drawn by a hash of (seed, name, neuron, step): chunks and batches change nothing."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, Parameter, Weights, as_float, float_dtype, is_concrete, param
from ..kernels import normal, poisson, poisson_survival, poisson_terms
from ._base import AbstractStimulus, AbstractWaveform, Draw, amplitude, as_targets, event_weights


class NoiseState(eqx.Module):
    """Present value of a colored noise, `I_pA`, shape (n,)."""

    I_pA: Array


class OrnsteinUhlenbeck(AbstractWaveform):
    """Colored noise: dx = -(x - mean)/tau dt + sd sqrt(2/tau) dW, stepped exactly and started stationary.

    x' = mean + (x - mean) a + sd sqrt(1 - a^2) xi with a = exp(-dt/tau): sd is the stationary standard deviation for
    any dt.

    Args:
        target: Population name or names.
        mean_pA: Mean current, pA.
        sd_pA: Stationary standard deviation, pA, >= 0.
        tau_ms: Correlation time, ms, > 0.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Gillespie (1996), Phys. Rev. E 54:2084, eq. 1.9.
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.OrnsteinUhlenbeck("E", mean_pA=200.0, sd_pA=50.0, tau_ms=5.0).unit
        'pA'
    """

    independent: ClassVar[bool] = True
    mean_pA: Parameter = param()
    sd_pA: Parameter = param(low=0.0)
    tau_ms: Parameter = param(above=0.0)
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(self, target: str | Sequence[str], *, mean_pA: Any, sd_pA: Any, tau_ms: Any) -> None:
        self.target, self.weights, self.unit = as_targets(target), None, "pA"
        self.mean_pA, self.sd_pA, self.tau_ms = as_float(mean_pA), as_float(sd_pA), as_float(tau_ms)

    def prepare(self, index: Array, dt_ms: float) -> tuple[Array, Array, Array]:
        decay = jnp.exp(-dt_ms / self.tau_ms)
        return decay, self.sd_pA * jnp.sqrt(-jnp.expm1(-2.0 * dt_ms / self.tau_ms)), index

    def init_state(self, n: int, draw: Draw) -> NoiseState:
        start = normal(draw.seed, draw.stream, jnp.arange(n, dtype=jnp.uint32), jnp.uint32(0xFFFFFFFF))
        return NoiseState(self.mean_pA + self.sd_pA * start.astype(self.mean_pA.dtype))

    def sample(self, prepared: Any, state: NoiseState, draw: Draw, tick: Array) -> tuple[Array, NoiseState]:
        decay, kick, index = prepared
        xi = normal(draw.seed, draw.stream, index, tick.astype(jnp.uint32)).astype(state.I_pA.dtype)
        return state.I_pA, NoiseState(self.mean_pA + (state.I_pA - self.mean_pA) * decay + kick * xi)


class GaussianNoise(AbstractWaveform):
    """Independent Gaussian current in each step: mean + sd xi. The step is part of the model (no limit dt -> 0).

    Args:
        target: Population name or names.
        I_pA: Standard deviation, pA.
        drive: The same for discrete neurons; give one of the two.
    Raises:
        ValueError: Amplitude missing or not finite.
    References:
        Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569 (thalamic noise of the network program).
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.GaussianNoise("E", drive=5.0).unit
        '1'
    """

    independent: ClassVar[bool] = True
    amplitude: Parameter = param()
    target: tuple[str, ...] = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    weights: None = eqx.field(static=True)

    def __init__(self, target: str | Sequence[str], *, I_pA: Any = None, drive: Any = None) -> None:
        self.target, self.weights = as_targets(target), None
        self.amplitude, self.unit = amplitude("GaussianNoise", I_pA, drive)

    def prepare(self, index: Array, dt_ms: float) -> Array:
        return index

    def sample(self, prepared: Array, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        xi = normal(draw.seed, draw.stream, prepared, tick.astype(jnp.uint32))
        return self.amplitude * xi.astype(self.amplitude.dtype), state


def _bound(owner: str, rate_Hz: Array, given: float | None) -> float:
    if given is not None:
        return float(given)
    if not is_concrete(rate_Hz):
        raise ValueError(f"{owner}: the rate is traced, so its maximum is unknown; give max_rate_Hz")
    return float(np.max(np.asarray(rate_Hz), initial=0.0))


class Poisson(AbstractStimulus):
    """Independent Poisson trains: the number of events in a step is Poisson(rate dt), several in one step included.

    Drawn by inversion of the distribution with 32-bit uniforms (smallest probability 2e-10 in a step).

    Args:
        target: Population name or names.
        rate_Hz: Rate of each neuron's train, Hz, >= 0, scalar or one for each target neuron.
        weights: One of weight_nS, weight_pA, weight_mV, weight: weight of an event in the unit of the receptor, a
            number or a mapping from receptor to number.
        max_rate_Hz: Largest rate that `rate_Hz` will be given later (scans); default: the present one.
    Raises:
        ValueError: Rate negative or not finite, no weight, or several.
    References:
        Devroye (1986), Non-Uniform Random Variate Generation, X.3.3.
    Example:
        >>> import jaxsyn as js
        >>> js.stimuli.Poisson(("E", "I"), rate_Hz=2000.0, weight_nS={"AMPA": 0.6}).target
        ('E', 'I')
    """

    independent: ClassVar[bool] = True
    weights: Weights
    target: tuple[str, ...] = eqx.field(static=True)
    max_rate_Hz: float = eqx.field(static=True)
    rate_Hz: Parameter = param(low=0.0)

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        rate_Hz: Any,
        max_rate_Hz: float | None = None,
        **weights: Any,
    ) -> None:
        self.target = as_targets(target)
        self.rate_Hz = as_float(rate_Hz)
        self.weights = event_weights("Poisson", weights)
        self.max_rate_Hz = _bound("Poisson", self.rate_Hz, max_rate_Hz)

    def up_to(self, field: str, value: float) -> "Poisson":
        if field != "rate_Hz" or value <= self.max_rate_Hz:
            return self
        key = "weight" if self.weights.unit == "1" else f"weight_{self.weights.unit}"
        return Poisson(self.target, rate_Hz=self.rate_Hz, max_rate_Hz=value, **{key: dict(self.weights.values)})

    def prepare(self, index: Array, dt_ms: float) -> tuple[list[Array], Array]:
        terms = poisson_terms(self.max_rate_Hz * dt_ms * 1e-3)
        return list(poisson_survival(self.rate_Hz * (dt_ms * 1e-3), terms)), index

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        survival, index = prepared
        counts = poisson(draw.seed, draw.stream, index, tick.astype(jnp.uint32), survival)
        return counts.astype(float_dtype()), state


class InhomogeneousPoisson(AbstractStimulus):
    """Poisson trains with a rate that changes in time: the mean of a step is the rate at its middle times dt.

    Args:
        target: Population name or names.
        rate_Hz: Samples of the rate, Hz, >= 0, shape (k,) or (k, n), each for `every_ms` (0 after the last); or a
            function of the time in ms (an array (), any traceable expression) giving the rate, scalar or (n,).
        every_ms: Time between samples, ms; only for samples.
        max_rate_Hz: Largest rate; needed for a function. Higher rates are cut there.
        weights: One of weight_nS, weight_pA, weight_mV, weight, as for `Poisson`.
    Raises:
        ValueError: Samples negative, not finite or of wrong rank; missing `every_ms` or `max_rate_Hz`.
    References:
        Lewis and Shedler (1979), Nav. Res. Logist. 26:403 (the process; drawn here step by step).
    Example:
        >>> import jaxsyn as js, numpy as np
        >>> js.stimuli.InhomogeneousPoisson("E", rate_Hz=np.ones(5), every_ms=1.0, weight=1.0).max_rate_Hz
        1.0
    """

    independent: ClassVar[bool] = True
    samples: Array | None
    function: Callable[[Array], Array] | None = eqx.field(static=True)
    every_ms: float = eqx.field(static=True)
    target: tuple[str, ...] = eqx.field(static=True)
    weights: Weights
    max_rate_Hz: float = eqx.field(static=True)

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        rate_Hz: Any,
        every_ms: float | None = None,
        max_rate_Hz: float | None = None,
        **weights: Any,
    ) -> None:
        self.target = as_targets(target)
        self.weights = event_weights("InhomogeneousPoisson", weights)
        self.function = rate_Hz if callable(rate_Hz) else None
        self.samples = None if callable(rate_Hz) else as_float(rate_Hz)
        if self.samples is None:
            if max_rate_Hz is None:
                raise ValueError("InhomogeneousPoisson: a rate function needs max_rate_Hz, the largest rate it takes")
            self.every_ms, self.max_rate_Hz = 0.0, float(max_rate_Hz)
            return
        if every_ms is None or every_ms <= 0:
            raise ValueError(
                f"InhomogeneousPoisson.every_ms: got {every_ms}; allowed: > 0, the time between the samples"
            )
        if self.samples.ndim not in (1, 2):
            raise ValueError(
                f"InhomogeneousPoisson: got samples of shape {self.samples.shape}; allowed: (k,) or (k, n)"
            )
        if is_concrete(self.samples) and not bool(np.all(np.asarray(self.samples) >= 0)):
            raise ValueError("InhomogeneousPoisson: got rates that are negative or NaN; allowed: finite and >= 0")
        self.every_ms = float(every_ms)
        self.max_rate_Hz = _bound("InhomogeneousPoisson", self.samples, max_rate_Hz)

    def take(self, index: np.ndarray[Any, Any]) -> "InhomogeneousPoisson":
        if self.function is not None and jax.eval_shape(self._rate_at, as_float(0.0)).ndim:
            raise ValueError(
                "InhomogeneousPoisson: a function that gives one rate for each neuron cannot be cut; give samples "
                "(k, n), or one stimulus with a rate for all for each population"
            )
        if self.samples is None or self.samples.ndim == 1:
            return self
        return eqx.tree_at(lambda s: s.samples, self, self.samples[:, index])

    def prepare(self, index: Array, dt_ms: float) -> tuple[float, int, Array]:
        return dt_ms, poisson_terms(self.max_rate_Hz * dt_ms * 1e-3), index

    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        dt_ms, terms, index = prepared
        rate = self._rate_at((tick.astype(as_float(0.0).dtype) + 0.5) * dt_ms)
        mean = jnp.clip(rate, 0.0, self.max_rate_Hz) * (dt_ms * 1e-3)
        counts = poisson(draw.seed, draw.stream, index, tick.astype(jnp.uint32), poisson_survival(mean, terms))
        return counts.astype(float_dtype()), state

    def _rate_at(self, t_ms: Array) -> Array:
        if self.function is not None:
            return jnp.asarray(self.function(t_ms))
        assert self.samples is not None  # one of the two is given
        k = jnp.floor(t_ms / self.every_ms).astype(jnp.int32)
        inside = k < self.samples.shape[0]
        return jnp.where(inside, self.samples[jnp.minimum(k, self.samples.shape[0] - 1)], 0.0)
