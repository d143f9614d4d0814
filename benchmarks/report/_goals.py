"""What is asked of the engine, and what was found: one row each, met or not."""

from collections.abc import Callable
from typing import NamedTuple

from ._plan import CELLS, LONG, OPERATIONS, Cell
from ._store import Results


class Goal(NamedTuple):
    """A figure, its bound, and whether it is to lie above or below."""

    what: str
    bound: float
    above: bool
    unit: str
    find: Callable[[Results], float | None]

    def row(self, results: Results) -> list[str] | None:
        """What, goal, found, met; nothing where it was not measured."""
        found = self.find(results)
        if found is None:
            return None
        met = found >= self.bound if self.above else found <= self.bound
        sign = "at least" if self.above else "at most"
        return [self.what, f"{sign} {self.bound:g} {self.unit}".strip(), f"{found:.3g}", "yes" if met else "**no**"]


def cell(task: str, n: int, threads: int) -> Cell:
    """The cell of the plan."""
    return next(c for c in CELLS if (c.task, c.n, c.threads) == (task, n, threads))


def ratio(results: Results, cell: Cell, peers: tuple[str, ...]) -> float | None:
    """Median time of the fastest of some peers over ours."""
    own = results.together(cell.ours())
    found = [line for name, run in cell.theirs().items() if name in peers and (line := results.of(run)) is not None]
    if own is None or len(found) < len(peers):
        return None
    return float(min(line["run_s_per_bio_s"] for line in found) / own["run_s_per_bio_s"])


def _faster(task: str, n: int, threads: int, peers: tuple[str, ...], bound: float) -> Goal:
    where = f"{task} {n}, {threads} thread{'s' * (threads > 1)}: times faster than {' and '.join(peers)}"
    return Goal(where, bound, True, "", lambda results: ratio(results, cell(task, n, threads), peers))


def _slowdown(results: Results) -> float | None:
    """Largest time of the pure JAX kernels over that of the native ones."""
    pairs = [(results.together(c.ours_pure()), results.together(c.ours())) for c in CELLS if c.pure]
    found = [a["run_s_per_bio_s"] / b["run_s_per_bio_s"] for a, b in pairs if a is not None and b is not None]
    return max(found, default=None)


def _of(name: str, key: str) -> Callable[[Results], float | None]:
    def find(results: Results) -> float | None:
        line = results.of(OPERATIONS[name])
        return None if line is None else float(line[key])

    return find


def _of_cell(task: str, n: int, threads: int, key: str) -> Callable[[Results], float | None]:
    def find(results: Results) -> float | None:
        line = results.together(cell(task, n, threads).ours())
        return None if line is None else float(line[key])

    return find


def _long(results: Results) -> float | None:
    line = results.of(LONG)
    return None if line is None else float(line["memory_growth"])


GOALS = (
    _faster("cuba", 4000, 1, ("brian2",), 1.4),
    _faster("coba", 4000, 1, ("brian2", "sparx"), 4.5),
    _faster("brunel", 12500, 1, ("sparx",), 4.0),
    _faster("brunel", 12500, 2, ("sparx",), 6.0),
    _faster("coba", 400_000, 2, ("brainevent",), 3.0),
    *(_faster("adex", n, 1, ("brainevent",), 1.3) for n in (1000, 10_000, 100_000)),
    *(
        _faster("adexnet", n, 1, ("brian2", "brainevent"), bound)
        for n, bound in ((1000, 2.5), (10_000, 4.0), (100_000, 4.0))
    ),
    _faster("pd14", 100, 2, ("nest",), 40.0),
    Goal("pd14 at full scale, 2 threads", 2.2, False, "s/s", _of_cell("pd14", 100, 2, "run_s_per_bio_s")),
    Goal("pd14 at full scale: building", 60.0, False, "s", _of_cell("pd14", 100, 2, "build_s")),
    Goal("pd14 at full scale: peak memory", 5000.0, False, "MB", _of_cell("pd14", 100, 2, "peak_MB")),
    Goal("pd14 at full scale: compiling", 5.0, False, "s", _of_cell("pd14", 100, 2, "compile_s")),
    Goal("propagate: one call", 10.0, False, "us", _of("propagate", "us_per_call")),
    Goal("poisson: one draw", 2.0, False, "ns", _of("poisson", "ns_per_draw")),
    Goal("poisson: one draw, a rate for each neuron", 2.0, False, "ns", _of("poisson", "ns_per_draw_each")),
    Goal("compact: one call", 10.0, False, "us", _of("compact", "us_per_call")),
    Goal("compact in pure JAX: one call", 120.0, False, "us", _of("compact, pure JAX", "us_per_call")),
    Goal("batch of 8 over one run, 1 thread", 8.0, False, "", _of("batch, 1 thread", "ratio")),
    Goal("batch of 8 over one run, 2 threads", 4.5, False, "", _of("batch, 2 threads", "ratio")),
    Goal("growth of the time with N: exponent", 1.05, False, "", _of("growth", "exponent")),
    Goal("compiling COBA, any N", 1.5, False, "s", _of("growth", "compile_s")),
    Goal("1e8 synapses: building", 30.0, False, "s", _of("build", "build_s")),
    Goal("1e8 synapses: peak over final memory", 1.5, False, "", _of("build", "peak_over_final")),
    Goal("pure JAX over native kernels, worst task", 12.0, False, "", _slowdown),
    Goal("1e6 steps: growth of memory after the first tenth", 0.01, False, "", _long),
)
