"""The contract of a stimulus, and how its target and amplitude are written."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np

from .._core import Array, Parameters, Weights, as_float


def as_targets(target: str | Sequence[str]) -> tuple[str, ...]:
    """One population name or several, as a tuple."""
    names = (target,) if isinstance(target, str) else tuple(target)
    if not names or not all(isinstance(n, str) for n in names) or len(set(names)) < len(names):
        raise ValueError(f"target: got {target!r}; allowed: a population name, or several different ones")
    return names


class Draw(eqx.Module):
    """Where a stimulus draws its random numbers.

    Args:
        seed: Seed of the network, uint32.
        stream: Stable number of the name of the stimulus.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> js.stimuli.Draw(jnp.uint32(0), js.kernels.stream_id("noise")).stream == js.kernels.stream_id("noise")
        True
    """

    seed: Array
    stream: int = eqx.field(static=True)


class AbstractStimulus(Parameters):
    """A drive of one or several populations; several targets count as one long population, in the given order.

    Write `sample`; where needed also `prepare` (constants of a run) and `init_state`. A stimulus with `weights` gives
    numbers of events that arrive at its receptors; one without gives a current (pA), or the drive of discrete neurons.
    `independent` says that `sample` gives (n,) and treats each target neuron by itself, so that it runs as one pass.
    """

    independent: ClassVar[bool] = False
    target: eqx.AbstractVar[tuple[str, ...]]
    weights: eqx.AbstractVar[Weights | None]

    def bind(self, n: int, dt_ms: float) -> "AbstractStimulus":
        """The stimulus checked for n target neurons and a step; what the network keeps."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "above" in field.metadata and getattr(value, "ndim", 0) == 1 and value.shape[0] != n:
                raise ValueError(
                    f"{type(self).__name__}.{field.name}: got {value.shape[0]} values; allowed: a scalar or {n}, one "
                    f"for each neuron of {' + '.join(self.target)}"
                )
        return self

    def up_to(self, field: str, value: float) -> "AbstractStimulus":
        """The stimulus with room for values of a field up to this one, where a size depends on the largest."""
        return self

    def take(self, index: np.ndarray[Any, Any]) -> "AbstractStimulus":
        """The stimulus for some of its target neurons, shape (k,), as one device of several has them.

        By default parameter fields with one value for each neuron are cut; write it where others go by neuron too.
        """
        named = [f.name for f in dataclasses.fields(self) if "above" in f.metadata]
        cut = {name: value[index] for name in named if getattr(value := getattr(self, name), "ndim", 0) == 1}
        return eqx.tree_at(lambda s: [getattr(s, name) for name in cut], self, list(cut.values())) if cut else self

    def prepare(self, index: Array, dt_ms: float) -> Any:
        """Constants of a run; `index` is the place of each neuron within the whole target, uint32 (n,), for draws."""
        return None

    def init_state(self, n: int, draw: Draw) -> Any:
        """State at the start of a run."""
        return None

    @abc.abstractmethod
    def sample(self, prepared: Any, state: Any, draw: Draw, tick: Array) -> tuple[Array, Any]:
        """Values for the step from tick to tick + 1, shape (n,) or (), and the state after it.

        Currents hold during the step; events arrive at its end.
        """


class AbstractWaveform(AbstractStimulus):
    """A stimulus that injects a current of its own shape: pA into continuous, a pure number into discrete neurons."""

    unit: eqx.AbstractVar[str]


def event_weights(owner: str, given: dict[str, Any]) -> Weights:
    """The weight of an event from the keywords `weight_nS`, `weight_pA`, `weight_mV` or `weight`; there must be one."""
    known = ("weight_nS", "weight_pA", "weight_mV", "weight")
    for key in given:
        if key not in known:
            raise ValueError(f"{owner}: unknown argument {key!r}; the weight is one of {', '.join(known)}")
    nS, pA, mV, pure = (given.get(k) for k in known)
    weights = Weights.parse(owner, nS=nS, pA=pA, mV=mV, pure=pure)
    if weights is None:
        raise ValueError(
            f"{owner}: no weight given; give weight_nS, weight_pA, weight_mV, or weight (discrete neurons)"
        )
    return Weights(weights.unit, {k: as_float(v) for k, v in weights.values.items()})


def amplitude(owner: str, I_pA: Any, drive: Any) -> tuple[Any, str]:
    """The amplitude and its unit: `I_pA` for continuous neurons or `drive` for discrete ones."""
    if (I_pA is None) == (drive is None):
        raise ValueError(
            f"{owner}: give either I_pA (continuous neurons) or drive (discrete neurons), not both or none"
        )
    value = as_float(I_pA if drive is None else drive)
    if not isinstance(value, jax.Array | jax.ShapeDtypeStruct):
        raise ValueError(f"{owner}: got amplitude {value!r}; allowed: a number or one number for each target neuron")
    return value, "pA" if drive is None else "1"
