"""Figures, cases and verdicts: what a comparison leaves behind."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One comparison: how far off, and how far off it may be."""

    what: str
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance; NaN is not."""
        return self.error <= self.tolerance

    @property
    def load(self) -> float:
        """Share of the tolerance that is used up."""
        if not self.error > 0:
            return math.inf if math.isnan(self.error) else 0.0
        return self.error / self.tolerance if self.tolerance > 0 else math.inf

    def __str__(self) -> str:
        return f"{self.what}: {self.error:.3g} > {self.tolerance:.3g}" if not self.ok else self.what


@dataclasses.dataclass(frozen=True)
class Case:
    """All comparisons of one case of a file."""

    name: str
    figures: Sequence[Figure]

    @property
    def ok(self) -> bool:
        """Whether every figure is within its tolerance; a case without figures was not compared."""
        return bool(self.figures) and all(f.ok for f in self.figures)


def broken(name: str, why: str) -> Case:
    """A case that could not be run."""
    return Case(name, [Figure(why, math.inf, 0.0)])


def difference(what: str, own: Any, listed: Any, tolerance: float, *, relative: float = 0.0) -> Figure:
    """Largest |own - listed|, each over (tolerance + relative |listed|) and shown for the worst; null is skipped."""
    want = _numbers(listed)
    got = _numbers(own)
    if got.shape != want.shape:
        return Figure(f"{what}: {got.size} values, {want.size} listed", math.inf, tolerance)
    known = np.isfinite(want)
    if not known.any():
        return Figure(what, 0.0, tolerance)
    error = np.abs(got[known] - want[known])
    allowed = tolerance + relative * np.abs(want[known])
    with np.errstate(divide="ignore", invalid="ignore"):
        load = np.where(error == 0, 0.0, error / allowed)
    k = int(np.argmax(np.where(np.isnan(load), np.inf, load)))
    return Figure(what, float(error[k]), float(allowed[k]))


def count(what: str, own: int, listed: int, tolerance: float = 0.0) -> Figure:
    """A number of things that has to be the same."""
    return Figure(f"{what} {own}, listed {listed}", float(abs(own - listed)), tolerance)


def spike_times(what: str, own: Any, listed: Any, tolerance_ms: float) -> list[Figure]:
    """Number of spikes, and their times where both have them."""
    got, want = np.asarray(own, float), np.asarray(listed, float)
    n = min(len(got), len(want))
    return [count(f"{what} spikes", len(got), len(want)), difference(f"{what} ms", got[:n], want[:n], tolerance_ms)]


def attempt(names: Sequence[str], work: Callable[[], Iterable[Case]]) -> Iterator[Case]:
    """The cases of a batch, or every one of them broken by the same error."""
    try:
        yield from list(work())
    except Exception as error:
        for name in names:
            yield broken(name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")


def merge(parts: Iterable[Case]) -> list[Case]:
    """Cases of equal name as one, in the order of first appearance."""
    figures: dict[str, list[Figure]] = {}
    for part in parts:
        figures.setdefault(part.name, []).extend(part.figures)
    return [Case(name, f) for name, f in figures.items()]


def _numbers(values: Any) -> np.ndarray[Any, Any]:
    """Any nesting of numbers as one flat array, null as NaN."""
    if isinstance(values, list | tuple):
        return np.concatenate([_numbers(v) for v in values]) if values else np.empty(0)
    return np.ravel(np.asarray(np.nan if values is None else values, float))
