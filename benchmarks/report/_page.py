"""The page in Markdown, from the results alone."""

from collections.abc import Iterable, Sequence
from typing import Any

from ._goals import GOALS
from ._plan import CELLS, LONG, OPERATIONS, TRAINING, Cell
from ._store import Line, Results

NAMES = {"jaxsyn": "jaxsyn", "brian2": "Brian2", "brainevent": "brainevent", "sparx": "sparx", "nest": "NEST"}
APART = 10.0  # per cent between rates, above which two simulators do not do the same work
UNITS = {"us_per_call": "us a call", "ns_per_draw": "ns a draw", "ns_per_draw_each": "ns a draw, a rate for each"}


def page(results: Results, figures: Sequence[str]) -> str:
    """The whole page."""
    parts = [_head(results), _goals(results), _networks(results), _slower(results), _rates(results)]
    parts += [_operations(results), _growth(results), _training(results), _long(results), _figures(figures)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, or nothing without rows."""
    rows = list(rows)
    if not rows:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def seconds(line: Line) -> str:
    """Median and range of the time for a second of model time."""
    low, high = line["run_s_per_bio_s_min"], line["run_s_per_bio_s_max"]
    return f"{_short(line['run_s_per_bio_s'])} ({_short(low)} to {_short(high)})"


def rate(line: Line) -> str:
    """Mean rate, as a range where several networks were drawn."""
    low, high = (f"{line.get(f'rate_Hz_{end}', line['rate_Hz']):.2f}" for end in ("min", "max"))
    return low if low == high else f"{low} to {high}"


def sides(results: Results, cell: Cell) -> list[tuple[str, Line]]:
    """The simulators of a cell that were run, ours first."""
    found: list[tuple[str, Line | None]] = [("jaxsyn", results.together(cell.ours()))]
    found += [("jaxsyn, pure JAX", results.together(cell.ours_pure()))]
    found += [(NAMES[name], results.of(run)) for name, run in cell.theirs().items()]
    return [(name, line) for name, line in found if line is not None]


def compared(results: Results) -> list[tuple[Cell, Line, list[tuple[str, Line]]]]:
    """The cells that we were run on: our line, and those of all sides."""
    found = [(cell, results.together(cell.ours()), sides(results, cell)) for cell in CELLS]
    return [(cell, own, lines) for cell, own, lines in found if own is not None]


def title(cell: Cell) -> str:
    """What a cell is, in a few words."""
    size = f"{cell.n} %" if cell.task == "pd14" else f"{cell.n}"
    return f"{cell.task} {size}, {cell.threads} thread{'s' * (cell.threads > 1)}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _command(words: str) -> str:
    return f"`python -m benchmarks {words}`"


def _head(results: Results) -> str:
    m = results.machine
    commits = sorted({line.get("commit", "") for line in results.lines.values()} - {""})
    others = sorted({line["kernels"] for line in results.lines.values() if line["simulator"] != "jaxsyn"})
    versions = ", ".join(f"{key} {m[key]}" for key in ("Python", "jax", "jaxlib", "numpy") if key in m)
    return f"""# Benchmarks

This page is written by `python -m benchmarks report --brian2-python PYTHON --brainevent-python PYTHON --sparx-python
PYTHON --nest-python PYTHON`, which runs everything below and keeps the raw lines in `{results.path.name}`. Only ratios
within one table count: seconds do not carry over to another machine.

- Machine: {m["cpu"]}, {m["cores"]} cores, {m["memory_GB"]:.0f} GB, {m["system"]}
- Versions: {versions}; jaxsyn at {", ".join(commits) or "an unknown commit"}
- Others: {"; ".join(others) or "none were run"}

Times are seconds of computing for one second of model time at steps of 0.1 ms, without building and compiling: the
median of three or more runs, and the smallest and largest."""


def _goals(results: Results) -> str:
    rows = [row for goal in GOALS if (row := goal.row(results)) is not None]
    if not rows:
        return ""
    met = sum(row[-1] == "yes" for row in rows)
    text = f"{met} of {len(rows)} are met. Times faster: ratio of medians to the fastest of those named."
    return f"## Goals\n\n{text}\n\n" + table(("what", "goal", "found", "met"), rows)


def _networks(results: Results) -> str:
    parts = []
    for cell, own, found in compared(results):
        rows = [
            [
                *(name, seconds(line), f"{line['run_s_per_bio_s'] / own['run_s_per_bio_s']:.2f}", rate(line)),
                *(f"{line['build_s']:.2f}", f"{line['compile_s']:.2f}", f"{line['peak_MB']:.0f}"),
            ]
            for name, line in found
        ]
        words = " ".join(("peers", cell.task, *cell.options()[:-2]))
        text = f"{own['n']} neurons, {own['synapses'] / 1e6:.3g} million synapses. {_command(words)}"
        if cell.seeds > 1:
            text += f", jaxsyn with `--seed` 1 to {cell.seeds}"
        once = [NAMES[name] for name, run in cell.theirs().items() if "--repeats 1 " in run.key]
        text += f"; {' and '.join(once)} one run" if once else ""
        head = ("", "s/s", "of ours", "rate (Hz)", "build (s)", "compile (s)", "peak (MB)")
        parts.append(f"### {title(cell)}\n\n{text}\n\n{table(head, rows)}")
    if not parts:
        return ""
    intro = """## Networks

`cuba`, `coba`: Vogels and Abbott; `brunel`: Brunel's model A; `adex`: AdEx cells without synapses; `adexnet`: with
AMPA, NMDA and GABA_A; `pd14`: the microcircuit of Potjans and Diesmann, neurons and inputs in per cent. The others:
Brian2 as a compiled C++ program and NEST, in double precision; brainevent's products between cells in plain JAX, and
sparx, in single precision. "of ours": their time over ours. The peak of Brian2 includes some 100 MB of the process that
starts its program."""
    return "\n\n".join([intro, *parts])


def _slower(results: Results) -> str:
    rows = []
    for cell, own, found in compared(results):
        shares = {name: line["run_s_per_bio_s"] / own["run_s_per_bio_s"] for name, line in found}
        rows += [f"- {title(cell)}: {name} takes {s:.2f} of our time" for name, s in shares.items() if s < 1.0]
    return "## Where jaxsyn is slower\n\n" + ("\n".join(rows) or "On none of these.")


def _rates(results: Results) -> str:
    rows = []
    for cell, own, found in compared(results):
        if own["rate_Hz"]:
            apart = {name: 100.0 * (line["rate_Hz"] / own["rate_Hz"] - 1.0) for name, line in found}
            rows += [f"- {title(cell)}: {name} by {p:+.0f} %" for name, p in apart.items() if abs(p) > APART]
    text = "Who fires at another rate does other work. "
    text += f"Apart from ours by more than {APART:g} %:\n\n" if rows else f"All rates lie within {APART:g} % of ours."
    return f"## Rates\n\n{text}" + "\n".join(rows)


def _operations(results: Results) -> str:
    rows = []
    for name, run in OPERATIONS.items():
        line = results.of(run)
        if line is None or name == "growth":
            continue
        found = [f"{line[key]:.3g} {unit}" for key, unit in UNITS.items() if key in line]
        if "ratio" in line:
            found = [f"{line['ratio']:.2f} times one run"]
        if "peak_over_final" in line:
            found = [
                f"{line['build_s']:.1f} s, peak {line['peak_over_final']:.2f} of the final {line['final_MB']:.0f} MB"
            ]
        rows.append([name, f"{line['n']}", "; ".join(found), _command(" ".join(("speed", run.task, *run.options)))])
    if not rows:
        return ""
    text = """## Single operations

`propagate`: one projection of 1000 x 1000 neurons, 10 % connected, 10 % active; `poisson`: counts of mean 1; `compact`:
the indices of the spikes at 8 Hz; `batch`: COBA over 8 initial states with `jax.vmap`; `build`: 1000 inputs for each
neuron, each with a weight of its own. One thread unless said."""
    return f"{text}\n\n{table(('what', 'neurons', 'median', 'command'), rows)}"


def _growth(results: Results) -> str:
    line = results.of(OPERATIONS["growth"])
    if line is None:
        return ""
    rows = [
        [
            *(f"{one['n']}", seconds(one), f"{one['run_s_per_bio_s'] / one['n'] * 1e6:.3g}", f"{one['rate_Hz']:.1f}"),
            *(f"{one['compile_s']:.2f}", f"{one['build_s']:.2f}", f"{one['peak_MB']:.0f}"),
        ]
        for one in line["of_each_n"]
    ]
    head = ("neurons", "s/s", "us/s a neuron", "rate (Hz)", "compile (s)", "build (s)", "peak (MB)")
    text = f"COBA with 80 inputs a neuron, one thread; time grows as N to the {line['exponent']:.3f}."
    return f"## Growth\n\n{text} {_command('speed growth --bio 0.5')}\n\n{table(head, rows)}"


def _training(results: Results) -> str:
    rows = []
    for name, run in TRAINING.items():
        line = results.of(run)
        if line is not None:
            ours, plain = line["ms_per_step"], line["plain_ms_per_step"]
            command = _command(" ".join(("speed", run.task, *run.options)))
            rows.append(
                [name, f"{ours:.1f}", f"{plain:.1f}", f"{plain / ours:.2f}", f"{line['gradient_error']}", command]
            )
    if not rows:
        return ""
    text = "A step of Adam on 128 samples of 100 time steps, two threads, in ms: ours and the same model in plain JAX."
    head = ("task", "jaxsyn", "plain JAX", "plain of ours", "difference of gradients", "command")
    return f"## Training\n\n{text}\n\n{table(head, rows)}"


def _long(results: Results) -> str:
    line = results.of(LONG)
    if line is None:
        return ""
    size = f"{line['n']} neurons, {line['synapses'] / 1e6:.3g} million synapses, {line['steps']:.0e} steps"
    took = line["run_s_per_bio_s"] * line["steps"] / 1e4
    memory = f"{line['memory_first_MB']:.0f} MB, at the end {line['memory_last_MB']:.0f} MB"
    spikes, state = ("equal" if line[key] else "**not equal**" for key in ("spikes_equal", "state_equal"))
    return f"""## A long run

{size} with streaming and checkpoints took {took:.0f} s.
Memory after the first tenth of {line["chunks"]} chunks: {memory}; growth {100 * line["memory_growth"]:.2f} %.
A run resumed from the middle: spikes of the last second ({line["last_spikes"]}) {spikes}, last state {state}.
{_command("long")}"""


CAPTIONS: dict[str, str] = {
    "bench_growth.svg": "Time against the number of neurons; below the dashed line faster than real time.",
    "bench_peers.svg": "Time of each simulator over ours; right of the line jaxsyn is faster.",
    "bench_limit.svg": "Share of the limit, the time in which the bytes of a run are moved once (speed/_limit.py).",
}


def _figures(figures: Sequence[str]) -> str:
    parts: list[Any] = [f"![{CAPTIONS[f.split('/')[-1]]}]({f})\n\n{CAPTIONS[f.split('/')[-1]]}" for f in figures]
    return "## Pictures\n\n" + "\n\n".join(parts) if parts else ""
