"""How neurons are dealt to devices."""

import dataclasses
import functools
from typing import Any

import numpy as np

Ints = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class Deal:
    """Populations in one long array, dealt to devices: to each device a slice of every population.

    All slices of a population have the same size; the last ones are filled up with copies of its last neuron, which are
    not real. So all devices have the same layout and, on average, the same load. Identifiers number the neurons of all
    devices in the order of the long array: `n * first of the slice + place in the population`; those of the real
    neurons rise as their indices do.

    Args:
        sizes: Sizes of the populations.
        n: Number of devices.
    Example:
        >>> deal = Deal((3, 2), 2)
        >>> deal.size, deal.index(0).tolist(), deal.index(1).tolist(), deal.real(1).tolist()
        (3, [0, 1, 3], [2, 2, 4], [True, False, True])
    """

    sizes: tuple[int, ...]
    n: int

    @functools.cached_property
    def slices(self) -> tuple[tuple[int, int], ...]:
        """First index and size of the slice of each population on a device."""
        sizes = [-(-size // self.n) for size in self.sizes]
        return tuple(zip(_starts(sizes), sizes, strict=True))

    @property
    def size(self) -> int:
        """Number of neurons of a device, real or not."""
        return sum(size for _, size in self.slices)

    @property
    def even(self) -> bool:
        """Whether all neurons are real."""
        return all(size % self.n == 0 for size in self.sizes)

    def _each(self, device: int) -> list[tuple[int, Ints, int]]:
        """First index, places and size of each population on a device."""
        places = [device * size + np.arange(size) for _, size in self.slices]
        return list(zip(_starts(self.sizes), places, self.sizes, strict=True))

    def index(self, device: int) -> Ints:
        """Indices of the neurons of a device in the long array, (size,)."""
        parts = [first + np.minimum(place, size - 1) for first, place, size in self._each(device)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def real(self, device: int) -> Ints:
        """Which of them are real, bool (size,)."""
        return np.concatenate([np.zeros(0, bool), *(place < size for _, place, size in self._each(device))])

    def owner(self) -> tuple[Ints, Ints]:
        """Device of each neuron of the long array, and its index there; (sum of sizes,) each."""
        device, local = np.zeros(sum(self.sizes), np.int64), np.zeros(sum(self.sizes), np.int64)
        for d in range(self.n):
            real = self.real(d)
            at = self.index(d)[real]
            device[at], local[at] = d, np.flatnonzero(real)
        return device, local

    def collect(self, shares: np.ndarray[Any, Any], axis: int = 0) -> np.ndarray[Any, Any]:
        """Shares of the devices, (n, ..., size, ...), as the long array; `axis` of a share is that of the neurons."""
        shares = np.moveaxis(shares, axis + 1, 1)
        rest = shares.shape[2:]
        parts = [shares[:, first : first + size].reshape(self.n * size, *rest) for first, size in self.slices]
        whole = [part[:size] for part, size in zip(parts, self.sizes, strict=True)]
        return np.moveaxis(np.concatenate([shares[0, :0], *whole]), 0, axis)

    def identifiers(self, index: Ints) -> Ints:
        """Identifiers of neurons of the long array."""
        which = np.searchsorted(_starts(self.sizes), index, side="right") - 1
        shift = [self.n * first - start for (first, _), start in zip(self.slices, _starts(self.sizes), strict=True)]
        out: Ints = index + np.asarray(shift, np.int64)[which]
        return out

    def indices(self, identifier: Ints) -> Ints:
        """Indices in the long array of the real neurons with some identifiers; anything for others, within bounds."""
        firsts = [self.n * first for first, _ in self.slices]
        which = np.searchsorted(firsts, identifier, side="right") - 1
        shift = np.asarray([start - first for start, first in zip(_starts(self.sizes), firsts, strict=True)], np.int64)
        out: Ints = np.clip(identifier + shift[which], 0, max(sum(self.sizes) - 1, 0))
        return out


def _starts(sizes: Any) -> list[int]:
    return [0, *np.cumsum(sizes).astype(int).tolist()][: len(sizes)]
