"""What to look at during a run: small static descriptions, checked when a run starts."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


def _period(owner: str, every_ms: float | None) -> float | None:
    if every_ms is None:
        return None
    if isinstance(every_ms, bool) or not np.isfinite(every_ms) or every_ms <= 0:
        raise ValueError(
            f"record.{owner}.every_ms: got {every_ms!r}; allowed: > 0, a multiple of dt_ms, or None for each step"
        )
    return float(every_ms)


def _index(owner: str, index: Any) -> tuple[int, ...] | None:
    if index is None:
        return None
    values = np.asarray([index] if np.isscalar(index) else list(index))
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu") or (values.size and values.min() < 0):
        raise ValueError(f"record.{owner}.index: got {index!r}; allowed: whole numbers >= 0, e.g. range(5)")
    return tuple(int(v) for v in values)


class AbstractRecord(abc.ABC):
    """A request to keep something of a run."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Key of the result."""


@dataclasses.dataclass(frozen=True)
class Spikes(AbstractRecord):
    """All spikes of some populations, packed as bits while running; with sub-step times where spikes are located.

    Args:
        populations: Names; None for all.
    Example:
        >>> import jaxsyn as js
        >>> js.record.Spikes(("E",)).populations
        ('E',)
    """

    populations: tuple[str, ...] | None = None

    def __init__(self, populations: str | Sequence[str] | None = None) -> None:
        names = (populations,) if isinstance(populations, str) else populations
        object.__setattr__(self, "populations", None if names is None else tuple(names))

    @property
    def name(self) -> str:
        return "spikes"


@dataclasses.dataclass(frozen=True)
class State(AbstractRecord):
    """A state variable of a population, sampled at the ends of steps.

    Args:
        variable: "population.field" for the neuron ("E.V_mV") or "population.receptor.field" ("E.AMPA.value").
        every_ms: Time between samples, ms, a multiple of dt_ms; None samples each step.
        index: Neurons to keep; None keeps all.
    Raises:
        ValueError: Malformed variable, period or index.
    Example:
        >>> import jaxsyn as js
        >>> js.record.State("E.V_mV", every_ms=1.0, index=range(3)).index
        (0, 1, 2)
    """

    variable: str
    every_ms: float | None = None
    index: tuple[int, ...] | None = None

    def __init__(self, variable: str, every_ms: float | None = None, index: Any = None) -> None:
        if not isinstance(variable, str) or variable.count(".") not in (1, 2):
            raise ValueError(f"record.State: got {variable!r}; allowed: 'population.field' such as 'E.V_mV'")
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "every_ms", _period("State", every_ms))
        object.__setattr__(self, "index", _index("State", index))

    @property
    def name(self) -> str:
        return self.variable


@dataclasses.dataclass(frozen=True)
class Mean(AbstractRecord):
    """The mean of a state variable over a population, sampled at the ends of steps; reduced inside the run.

    Args:
        variable: As for `State`.
        every_ms: Time between samples, ms; None samples each step.
    Raises:
        ValueError: Malformed variable or period.
    Example:
        >>> import jaxsyn as js
        >>> js.record.Mean("E.V_mV", every_ms=1.0).name
        'mean E.V_mV'
    """

    variable: str
    every_ms: float | None = None

    def __init__(self, variable: str, every_ms: float | None = None) -> None:
        State(variable)
        object.__setattr__(self, "variable", variable)
        object.__setattr__(self, "every_ms", _period("Mean", every_ms))

    @property
    def name(self) -> str:
        return f"mean {self.variable}"


@dataclasses.dataclass(frozen=True)
class Rate(AbstractRecord):
    """The mean firing rate of a population in successive windows, Hz; counted inside the run.

    Args:
        population: Name.
        every_ms: Length of the windows, ms, a multiple of dt_ms.
    Raises:
        ValueError: Malformed period.
    Example:
        >>> import jaxsyn as js
        >>> js.record.Rate("E").every_ms
        1.0
    """

    population: str
    every_ms: float = 1.0

    def __post_init__(self) -> None:
        if _period("Rate", self.every_ms) is None:
            raise ValueError("record.Rate.every_ms: got None; allowed: > 0, the length of the windows")

    @property
    def name(self) -> str:
        return f"rate {self.population}"


@dataclasses.dataclass(frozen=True)
class SpikeCount(AbstractRecord):
    """The number of spikes of each neuron of a population over the run; counted inside the run.

    Args:
        population: Name.
    Example:
        >>> import jaxsyn as js
        >>> js.record.SpikeCount("E").name
        'count E'
    """

    population: str

    @property
    def name(self) -> str:
        return f"count {self.population}"


@dataclasses.dataclass(frozen=True)
class Weights(AbstractRecord):
    """Weights of a sparse projection, in the order of `Network.synapses`.

    Args:
        projection: Name.
        every_ms: Time between samples, ms.
        index: Synapses to keep; None keeps all.
    Raises:
        ValueError: Malformed period or index.
    Example:
        >>> import jaxsyn as js
        >>> js.record.Weights("E_E", every_ms=100.0, index=range(10)).name
        'weights E_E'
    """

    projection: str
    every_ms: float | None = None
    index: tuple[int, ...] | None = None

    def __init__(self, projection: str, every_ms: float | None = None, index: Any = None) -> None:
        object.__setattr__(self, "projection", projection)
        object.__setattr__(self, "every_ms", _period("Weights", every_ms))
        object.__setattr__(self, "index", _index("Weights", index))

    @property
    def name(self) -> str:
        return f"weights {self.projection}"
