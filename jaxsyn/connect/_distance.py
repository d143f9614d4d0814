"""Connection by distance: where neurons lie, how probability falls, and the draw over near pairs only."""

import abc
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from . import _checks as check
from ._draw import raw, room_for, sorted_edges
from ._edges import AbstractRule, EdgeList, Expected, Int64s
from ._exact import Floats, exp
from ._key import GraphKey
from ._pairs import sheet, sheet_pairs

_CANDIDATES = 1 << 18  # pairs looked at in one go
_LOOKED_AT = 1 << 22  # pairs that are looked at to learn how many edges there will be


class AbstractKernel(abc.ABC):
    """Connection probability as a function of distance. One more kernel is one more frozen subclass."""

    @abc.abstractmethod
    def probability(self, d: Floats) -> Floats:
        """Probability at each distance d, in [0, 1], same shape."""


@dataclasses.dataclass(frozen=True)
class GaussianKernel(AbstractKernel):
    """p(d) = p0 exp(-d^2 / (2 scale^2)).

    Args:
        p0: Probability at distance 0, in [0, 1].
        scale: Standard deviation, > 0, in the unit of the positions.
    Raises:
        ValueError: p0 outside [0, 1] or scale <= 0.
    Example:
        >>> float(GaussianKernel(p0=0.5, scale=1.0).probability(np.zeros(1))[0])
        0.5
    """

    p0: float
    scale: float

    def __post_init__(self) -> None:
        _check_kernel(self)

    def probability(self, d: Floats) -> Floats:
        """See `AbstractKernel`."""
        return self.p0 * exp(d * d * (-0.5 / (self.scale * self.scale)))


@dataclasses.dataclass(frozen=True)
class ExponentialKernel(AbstractKernel):
    """p(d) = p0 exp(-d / scale).

    Args:
        p0: Probability at distance 0, in [0, 1].
        scale: Length over which the probability falls e-fold, > 0, in the unit of the positions.
    Raises:
        ValueError: p0 outside [0, 1] or scale <= 0.
    Example:
        >>> float(ExponentialKernel(p0=0.5, scale=1.0).probability(np.zeros(1))[0])
        0.5
    """

    p0: float
    scale: float

    def __post_init__(self) -> None:
        _check_kernel(self)

    def probability(self, d: Floats) -> Floats:
        """See `AbstractKernel`."""
        return self.p0 * exp(d * (-1.0 / self.scale))


@dataclasses.dataclass(frozen=True)
class ConstantKernel(AbstractKernel):
    """p(d) = p0: with `d_max`, every pair within a disc.

    Args:
        p0: Probability, in [0, 1].
    Raises:
        ValueError: p0 outside [0, 1].
    Example:
        >>> ConstantKernel(1.0).probability(np.zeros(2)).tolist()
        [1.0, 1.0]
    """

    p0: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "p0", check.probability("ConstantKernel.p0", self.p0))

    def probability(self, d: Floats) -> Floats:
        """See `AbstractKernel`."""
        return np.full_like(d, self.p0)


def _check_kernel(kernel: GaussianKernel | ExponentialKernel) -> None:
    name = type(kernel).__name__
    object.__setattr__(kernel, "p0", check.probability(f"{name}.p0", kernel.p0))
    object.__setattr__(kernel, "scale", check.number(f"{name}.scale", kernel.scale, low=0.0))
    if kernel.scale == 0.0:
        raise check.refuse(f"{name}.scale", 0.0, "> 0", "Give the length over which the probability falls.")


class AbstractLayout(abc.ABC):
    """Where the neurons lie. One more layout is one more frozen subclass."""

    @abc.abstractmethod
    def positions(self, n_pre: int, n_post: int, same_population: bool) -> tuple[Floats, Floats]:
        """Positions of the source and target neurons, shapes (n_pre, dimensions) and (n_post, dimensions)."""

    def distances(
        self, n_pre: int, n_post: int, same_population: bool, d_max: float, box: Sequence[float] | None
    ) -> Iterator[tuple[Floats, Floats]]:
        """Distances up to d_max, and how many pairs each stands for: all pairs, or those of every k-th source."""
        x, y = self.positions(n_pre, n_post, same_population)
        lengths = box_lengths(box, x, y)
        every = -(-n_pre // max(1, _LOOKED_AT // _Cells(x, y, d_max, lengths).typical))
        sources = x[every // 2 :: every]
        for _, _, distance in _near_pairs(sources, y, d_max, lengths):
            yield distance, np.full(distance.size, n_pre / len(sources))


@dataclasses.dataclass(frozen=True)
class Grid(AbstractLayout):
    """A square sheet: neuron i lies at ((i mod side) spacing, floor(i / side) spacing).

    Source and target sheets start at the same corner; each has its own side.

    Args:
        spacing: Distance of neighbors, > 0, in any unit of length.
        side: Neurons in a row; None takes the smallest square that holds the population.
    Raises:
        ValueError: spacing <= 0, side no whole number >= 1.
    Example:
        >>> Grid(spacing=2.0).positions(4, 1, False)[0].tolist()
        [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
    """

    spacing: float = 1.0
    side: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing", check.number("Grid.spacing", self.spacing, low=0.0))
        if self.spacing == 0.0:
            raise check.refuse("Grid.spacing", 0.0, "> 0", "Give the distance of neighbors.")
        if self.side is not None:
            object.__setattr__(self, "side", check.count("Grid.side", self.side, low=1))

    def positions(self, n_pre: int, n_post: int, same_population: bool) -> tuple[Floats, Floats]:
        """See `AbstractLayout`."""
        return self._sheet(n_pre), self._sheet(n_post)

    def distances(
        self, n_pre: int, n_post: int, same_population: bool, d_max: float, box: Sequence[float] | None
    ) -> Iterator[tuple[Floats, Floats]]:
        """See `AbstractLayout`; counted from the offsets on the grid."""
        pre, post = sheet(n_pre, self._side(n_pre)), sheet(n_post, self._side(n_post))
        parts = (*pre, *post)
        ends = [max(part[axis][0] + part[axis][1] for part in parts) - 1 for axis in (0, 1)]
        corners = np.array([[0, 0], ends]) * self.spacing
        for distance, pairs in sheet_pairs(pre, post, self.spacing, box_lengths(box, corners, corners)):
            near = distance <= d_max
            yield distance[near], pairs[near]

    def _side(self, n: int) -> int:
        return self.side or math.isqrt(max(n - 1, 0)) + 1

    def _sheet(self, n: int) -> Floats:
        side, i = self._side(n), np.arange(n)
        return np.stack([i % side, i // side], axis=1).astype(np.float64) * self.spacing


@dataclasses.dataclass(frozen=True, eq=False)
class Positions(AbstractLayout):
    """Positions that are given, in one, two or three dimensions.

    Args:
        pre: Positions of the source neurons, shape (n_pre, dimensions).
        post: Positions of the target neurons, shape (n_post, dimensions); None takes `pre`.
    Raises:
        ValueError: not finite, not of that shape; at build: another number of neurons.
    Example:
        >>> Positions([[0.0], [3.0]]).positions(2, 2, True)[1].tolist()
        [[0.0], [3.0]]
    """

    pre: npt.ArrayLike
    post: npt.ArrayLike | None = None

    def __post_init__(self) -> None:
        pre = self._checked("Positions.pre", self.pre)
        post = pre if self.post is None else self._checked("Positions.post", self.post)
        if pre.shape[1] != post.shape[1]:
            raise check.refuse(
                "Positions.pre, post", f"{pre.shape[1]} and {post.shape[1]} dimensions", "equally many", "Add one."
            )
        object.__setattr__(self, "pre", pre)
        object.__setattr__(self, "post", post)

    def __eq__(self, other: object) -> bool:
        return check.same_fields(self, other)

    def __hash__(self) -> int:
        return hash((Positions, np.shape(self.pre)))

    def positions(self, n_pre: int, n_post: int, same_population: bool) -> tuple[Floats, Floats]:
        """See `AbstractLayout`."""
        pre, post = np.asarray(self.pre), np.asarray(self.post)
        for field, given, n in (("pre", pre, n_pre), ("post", post, n_post)):
            if len(given) != n:
                raise check.refuse(
                    f"Positions.{field}",
                    f"{len(given)} positions",
                    f"{n}, one for each neuron",
                    "Match the population.",
                )
        return pre, post

    @staticmethod
    def _checked(field: str, value: npt.ArrayLike) -> Floats:
        array = np.asarray(value)
        if array.ndim != 2 or not 1 <= array.shape[1] <= 3:
            raise check.refuse(field, f"shape {array.shape}", "(neurons, 1 to 3 dimensions)", "Give a row a neuron.")
        return check.finite(field, array, array.shape)


@dataclasses.dataclass(frozen=True)
class DistanceDependent(AbstractRule):
    """A pair at distance d is connected with probability kernel(d), 0 beyond d_max, independently.

    Distances are Euclidean; in a periodic box each coordinate difference is min(|x|, box - |x|). With a finite `d_max`
    only pairs in neighboring cells of that width are looked at, so that the cost grows with the edges; without one all
    pairs are.

    Args:
        kernel: Probability as a function of distance.
        d_max: Largest distance of a connected pair, in the unit of the positions.
        layout: Where the neurons lie.
        box: Length of the periodic box, one number or one for each dimension; None is open.
        autapses: Whether a neuron may reach itself (matters only within one population).
    Raises:
        ValueError: d_max negative or NaN, box <= 0; at build: positions that do not fit the populations or the box.
    Example:
        >>> rule = DistanceDependent(GaussianKernel(0.8, scale=2.0), d_max=6.0, layout=Grid(spacing=1.0), box=20.0)
        >>> len(rule.build(400, 400, key=GraphKey(0, "E_E"), same_population=True)) > 1000
        True
    """

    kernel: AbstractKernel
    d_max: float = math.inf
    layout: AbstractLayout = Grid()
    box: float | Sequence[float] | None = None
    autapses: bool = True

    def __post_init__(self) -> None:
        if self.d_max != math.inf:
            object.__setattr__(self, "d_max", check.number("DistanceDependent.d_max", self.d_max, low=0.0))
        if self.box is not None:
            lengths = np.atleast_1d(np.asarray(self.box, np.float64))
            box = tuple(check.number("DistanceDependent.box", x, low=0.0) for x in lengths.tolist())
            if 0.0 in box:
                raise check.refuse("DistanceDependent.box", self.box, "> 0", "Give the length of the box.")
            object.__setattr__(self, "box", box)
        check.flag("DistanceDependent.autapses", self.autapses)

    def build(self, n_pre: int, n_post: int, *, key: GraphKey, same_population: bool) -> EdgeList:
        """Draw the edges, sorted by (pre, post); see `AbstractRule.build`."""
        x, y = self.layout.positions(n_pre, n_post, same_population)
        if not n_pre or not n_post:
            return sorted_edges([], n_pre, n_post, 0)
        generator = key.generator("edges")
        pairs, mean, variance = [], 0.0, 0.0
        for pre, post, distance in _near_pairs(x, y, self.d_max, box_lengths(self.box, x, y)):
            if same_population and not self.autapses:
                other = pre != post
                pre, post, distance = pre[other], post[other], distance[other]
            p = np.clip(self.kernel.probability(distance), 0.0, 1.0)
            mean += float(p.sum())
            variance += float((p * (1.0 - p)).sum())
            check.synapses("DistanceDependent", mean)
            hit = (raw(generator, p.size) >> np.uint64(11)).astype(np.float64) * 2.0**-53 < p
            pairs.append(pre[hit] * n_post + post[hit])
        return sorted_edges(pairs, n_pre, n_post, min(room_for(mean, variance), n_pre * n_post))

    def expected(self, n_pre: int, n_post: int, *, same_population: bool) -> Expected:
        """See `AbstractRule.expected`; to about 2 % where listed positions make too many pairs to look at all."""
        mean = variance = 0.0
        if n_pre and n_post:
            box = None if self.box is None else tuple(np.atleast_1d(np.asarray(self.box, np.float64)).tolist())
            for distance, pairs in self.layout.distances(n_pre, n_post, same_population, self.d_max, box):
                p = np.clip(self.kernel.probability(distance), 0.0, 1.0)
                mean += float((pairs * p).sum())
                variance += float((pairs * p * (1.0 - p)).sum())
        if same_population and not self.autapses:
            p0 = float(np.clip(self.kernel.probability(np.zeros(1)), 0.0, 1.0)[0])
            mean, variance = max(mean - n_pre * p0, 0.0), max(variance - n_pre * p0 * (1.0 - p0), 0.0)
        return Expected(mean, min(room_for(mean, variance), n_pre * n_post))


def box_lengths(box: float | Sequence[float] | None, x: Floats, y: Floats) -> Floats | None:
    """Length of the periodic box in each dimension, or None."""
    if box is None:
        return None
    lengths = np.asarray(box, np.float64)
    if lengths.size not in (1, x.shape[1]):
        raise check.refuse("DistanceDependent.box", box, f"1 or {x.shape[1]} lengths", "Match the positions.")
    lengths = np.broadcast_to(lengths, x.shape[1:])
    extent = np.maximum(x.max(0), y.max(0)) - np.minimum(x.min(0), y.min(0))
    if (extent > lengths).any():
        raise check.refuse(
            "DistanceDependent.box",
            box,
            f"at least {tuple(extent.tolist())}, the extent of the positions",
            "Enlarge the box.",
        )
    return lengths


def _near_pairs(x: Floats, y: Floats, d_max: float, box: Floats | None) -> Iterator[tuple[Int64s, Int64s, Floats]]:
    """All pairs no farther apart than d_max, with their distance: chunks of rising source neurons."""
    cells = _Cells(x, y, d_max, box)
    step = max(1, _CANDIDATES // cells.typical)
    for start in range(0, len(x), step):
        sources = np.arange(start, min(start + step, len(x)))
        for pre, post in cells.candidates(sources):
            distance = np.zeros(pre.size)
            for axis in range(x.shape[1]):
                d = np.abs(x[pre, axis] - y[post, axis])
                if box is not None:
                    d = np.minimum(d, box[axis] - d)
                distance += d * d
            distance = np.sqrt(distance)
            near = distance <= d_max
            yield pre[near], post[near], distance[near]


class _Cells:
    """Target neurons sorted into cells at least d_max wide; one cell where fewer than three fit."""

    def __init__(self, x: Floats, y: Floats, d_max: float, box: Floats | None) -> None:
        self._low = np.minimum(x.min(0), y.min(0))
        extent = np.maximum(x.max(0), y.max(0)) - self._low if box is None else box
        self._extent = np.where(extent > 0.0, extent, 1.0)
        most = math.ceil(len(y) ** (1.0 / x.shape[1]))
        self.periodic = box is not None
        self.shape = tuple(_n_cells(float(length), d_max, most) for length in extent)
        cells = self._number(self._cell_of(y))
        self._targets = np.argsort(cells, kind="stable")
        self._starts = np.searchsorted(cells[self._targets], np.arange(math.prod(self.shape) + 1))
        self._sources = self._cell_of(x)
        self.typical = max(1, len(y) * 3 ** sum(n > 1 for n in self.shape) // math.prod(self.shape))

    def _cell_of(self, z: Floats) -> list[Int64s]:
        """Cell of each position along each axis."""
        scaled = (z - self._low) / self._extent
        return [np.clip(scaled[:, i] * n, 0, n - 1).astype(np.int64) for i, n in enumerate(self.shape)]

    def _number(self, cell: list[Int64s]) -> Int64s:
        """Number of a cell from its place along each axis."""
        number = np.zeros_like(cell[0])
        for place, n in zip(cell, self.shape, strict=True):
            number = number * n + place
        return number

    def candidates(self, sources: Int64s) -> Iterator[tuple[Int64s, Int64s]]:
        """Pairs of these sources with every target in their own and the neighboring cells."""
        for shift in itertools.product(*(((-1, 0, 1) if n > 1 else (0,)) for n in self.shape)):
            inside = np.ones(sources.size, bool)
            place: list[Int64s] = []
            for cell, offset, n in zip(self._sources, shift, self.shape, strict=True):
                moved = cell[sources] + offset
                inside &= self.periodic | ((moved >= 0) & (moved < n))
                place.append(moved % n)
            flat = self._number(place)
            begin = self._starts[flat]
            n_targets = np.where(inside, self._starts[flat + 1] - begin, 0)
            total = np.cumsum(n_targets)
            slot = np.repeat(begin - (total - n_targets), n_targets) + np.arange(total[-1])
            yield np.repeat(sources, n_targets), self._targets[slot]


def _n_cells(extent: float, d_max: float, most: int) -> int:
    fit = extent / d_max * (1.0 - 1e-9) if d_max > 0.0 else math.inf
    n = int(min(fit, most))
    return n if n >= 3 else 1
