"""The random numbers that a projection is drawn from."""

import dataclasses
import hashlib

import numpy as np

from . import _checks as check


@dataclasses.dataclass(frozen=True)
class GraphKey:
    """Names the random numbers of one projection; the same key gives the same graph on any machine.

    Each purpose ("edges", "weight", "delay") has its own Philox stream, whose 128-bit key is the BLAKE2b hash of
    (seed, name, purpose). So a new projection, or another weight distribution, leaves all other draws as they were.
    (Python's own `hash` is salted: it differs from one process to the next.)

    Args:
        seed: Whole number >= 0.
        name: Name of the projection in its network.
    Raises:
        ValueError: negative or non-integer seed.
    References:
        Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11 (Philox).
    Example:
        >>> key = GraphKey(seed=0, name="E_I")
        >>> int(key.generator("edges").integers(1000)) == int(key.generator("edges").integers(1000))
        True
    """

    seed: int
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check.count("GraphKey.seed", self.seed))

    def generator(self, purpose: str) -> np.random.Generator:
        """A fresh NumPy generator at the start of the stream of this purpose."""
        parts = (str(self.seed), self.name, purpose)
        text = b"".join(len(part.encode()).to_bytes(8, "little") + part.encode() for part in parts)
        digest = hashlib.blake2b(text, digest_size=16, person=b"jaxsyn graph").digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
