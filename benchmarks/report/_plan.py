"""What the report runs: networks on several simulators, single operations, training, one long run."""

import dataclasses
from collections.abc import Iterator

from benchmarks.peers import PEERS
from benchmarks.speed import SIMULATION


@dataclasses.dataclass(frozen=True)
class Run:
    """One process: a task of one simulator and its options, as on the command line."""

    group: str
    simulator: str
    task: str
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name under which its line is kept."""
        return " ".join((self.simulator, self.task, *self.options))


@dataclasses.dataclass(frozen=True)
class Cell:
    """A network of one size on so many threads: ours with several seeds, and its peers."""

    task: str
    n: int
    threads: int = 1
    peers: tuple[str, ...] = ()
    bio_s: float = 1.0
    repeats: int = 3
    seeds: int = 1
    pure: bool = False

    def options(self, seed: int = 1, repeats: int | None = None) -> tuple[str, ...]:
        """Words of the command line."""
        given = {"n": self.n, "threads": self.threads, "repeats": repeats or self.repeats, "bio": self.bio_s}
        return tuple(word for name, value in {**given, "seed": seed}.items() for word in (f"--{name}", f"{value:g}"))

    def ours(self) -> list[Run]:
        """Native kernels, one process a seed."""
        return [Run("networks", "jaxsyn", self.task, self.options(1 + k)) for k in range(self.seeds)]

    def ours_pure(self) -> list[Run]:
        """Pure JAX kernels."""
        return [Run("networks", "jaxsyn", self.task, (*self.options(), "--pure"))] if self.pure else []

    def theirs(self) -> dict[str, Run]:
        """One process a peer; NEST at full scale takes minutes, so once."""
        once = self.task == "pd14" and self.n == 100
        return {name: Run("networks", name, self.task, self.options(1, 1 if once else None)) for name in self.peers}

    def __iter__(self) -> Iterator[Run]:
        return iter([*self.ours(), *self.ours_pure(), *self.theirs().values()])


def _options(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ALL = tuple(name for name, peer in PEERS.items() if set(peer.tasks) & set(SIMULATION))
FAST = ("brian2", "brainevent")
CELLS = (
    Cell("cuba", 4000, 1, ALL, seeds=3, pure=True),
    Cell("coba", 4000, 1, ALL, seeds=3, pure=True),
    Cell("brunel", 12500, 1, ALL, bio_s=0.3, seeds=3, pure=True),
    Cell("brunel", 12500, 2, ALL, bio_s=0.3),
    Cell("coba", 400_000, 2, FAST, bio_s=0.2),
    *(Cell("adex", n, 1, FAST, bio_s=0.5, pure=n == 10_000) for n in (1000, 10_000, 100_000)),
    *(Cell("adexnet", n, 1, FAST, bio_s=0.2 if n > 10_000 else 0.5, pure=n == 10_000) for n in (1000, 10_000, 100_000)),
    Cell("pd14", 10, 2, ("sparx", "nest"), seeds=3),
    Cell("pd14", 100, 2, ("nest",), bio_s=0.5),
)
OPERATIONS = {
    name: Run("operations", "jaxsyn", task, _options(words))
    for name, task, words in (
        ("propagate", "propagate", ""),
        ("propagate, pure JAX", "propagate", "--pure"),
        ("poisson", "poisson", ""),
        ("poisson, pure JAX", "poisson", "--pure"),
        ("compact", "compact", ""),
        ("compact, pure JAX", "compact", "--pure"),
        ("batch, 1 thread", "batch", "--threads 1"),
        ("batch, 2 threads", "batch", "--threads 2"),
        ("build", "build", ""),
        ("growth", "growth", "--bio 0.5"),
    )
}
TRAINING = {
    name: Run("training", "jaxsyn", name, _options("--threads 2 --repeats 10 --plain")) for name in ("ff", "rec")
}
LONG = Run("long", "jaxsyn", "long")


def plan() -> list[Run]:
    """Everything, in the order in which it runs: the sides of a comparison one after the other."""
    return [*(run for cell in CELLS for run in cell), *OPERATIONS.values(), *TRAINING.values(), LONG]
