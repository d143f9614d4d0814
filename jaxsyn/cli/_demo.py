"""`jaxsyn demo`: simulate, resume, learn, convert; one table and one report."""

import dataclasses
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core import write_whole
from ..analysis import NetworkStatistics
from ..plot import training
from ..simulate import Solution
from ..train import Digits, History, digits
from . import _demo_convert, _demo_digits, _demo_network
from ._info import info
from ._output import write_json, write_raster

if TYPE_CHECKING:
    from rich.console import Console

RATE_E_HZ = (2.0, 10.0)
MAX_CORRELATION = 0.02
MIN_ACCURACY = 0.96


class Length(NamedTuple):
    """How long the network is simulated, from when on it is looked at, and how irregular it has to be.

    The CV takes neurons with five intervals or more: in a short window these are the fast and regular ones.
    """

    duration_ms: float
    t_start_ms: float
    min_cv: float


FULL, QUICK = Length(1000.0, 200.0, 0.7), Length(500.0, 100.0, 0.5)


class Criterion(NamedTuple):
    """One line of the table: what was measured, what was found, what is asked for, and whether it holds."""

    name: str
    found: str
    asked: str
    ok: bool


def run_demo(out: Path, quick: bool, console: "Console") -> dict[str, Any]:
    """Run the demo; write raster.png, training.png and report.json into a folder.

    Args:
        out: Folder, made if absent.
        quick: Simulate less.
        console: Where to print.
    Returns:
        What report.json holds; "ok" says whether every criterion is met.
    """
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    length, checkpoints, resumed = (QUICK if quick else FULL), out / "checkpoints", out / "second_half.npz"
    net = _demo_network.network()
    _say(console, net.summary())
    with console.status("simulating"):
        solution = _demo_network.simulate_whole(net, length.duration_ms, checkpoints)
    _say(console, str(solution))
    second = _demo_network.start_second_half(length.duration_ms, checkpoints, resumed)
    try:
        data = digits()
        _say(console, f"data: {data.citation}")
        with console.status("training") as status:
            history = _learn(data, status.update)
            status.update("converting")
            converted = _demo_convert.convert_digits(data)
        _say(console, f"converted digits: {converted.report}")
        _draw(out, solution, history)
        with console.status("waiting for the second process"):
            difference = _compare(second, solution, length.duration_ms / 2.0, resumed)
    finally:
        second.kill()
        second.wait()
    _say(console, f"bit-identical: {'yes' if difference is None else 'no'}")
    activity = _demo_network.activity(solution, length.t_start_ms)
    accuracy = history["test_accuracy"][-1]
    criteria = [*_of_network(activity, length), _of_resume(difference, length), _of_digits(accuracy, data)]
    criteria += _of_conversion(converted, data)
    report = {
        "ok": all(c.ok for c in criteria),
        "quick": quick,
        "seconds": round(time.perf_counter() - began, 2),
        "criteria": [c._asdict() for c in criteria],
        "network": _network_report(solution, activity, length),
        "bit_identical": difference is None,
        "digits": {"accuracy": accuracy, "history": history, "citation": data.citation},
        "conversion": {**converted._asdict(), "report": dataclasses.asdict(converted.report)},
        "environment": info(),
    }
    write_json(out / "report.json", report)
    _print_table(console, criteria, report, out)
    return report


def _say(console: "Console", text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _learn(data: Digits, show: Callable[[str], None]) -> History:
    def report(row: dict[str, float]) -> None:
        show(f"training: epoch {row['epoch']} of {_demo_digits.EPOCHS}, held out {100 * row['test_accuracy']:.1f} %")

    return _demo_digits.learn(data, report)[1]


def _draw(out: Path, solution: Solution, history: History) -> None:
    write_raster(out / "raster.png", solution)
    from matplotlib import pyplot

    figure = training(history)
    write_whole(out / "training.png", lambda file: figure.savefig(file, format="png", dpi=200))
    pyplot.close(figure)


def _compare(second: subprocess.Popen[str], solution: Solution, half_ms: float, resumed: Path) -> str | None:
    """What differs between the uninterrupted run and the resumed one, or None."""
    _, errors = second.communicate()
    if second.returncode:
        return f"the second process failed: {(errors.strip().splitlines() or ['no message'])[-1]}"
    return _demo_network.first_difference(_demo_network.arrays_of(solution, half_ms), resumed)


def _of_network(activity: dict[str, NetworkStatistics], length: Length) -> list[Criterion]:
    e, i = activity["E"], activity["I"]
    low, high = RATE_E_HZ
    irregular = all(s.isi_cv >= length.min_cv for s in (e, i))  # not where it is NaN
    asynchronous = all(s.pair_correlation <= MAX_CORRELATION for s in (e, i))
    return [
        Criterion("rate of E", f"{e.rate_Hz:.1f} Hz", f"{low:g} to {high:g} Hz", low <= e.rate_Hz <= high),
        Criterion("rate of I", f"{i.rate_Hz:.1f} Hz", "above that of E", i.rate_Hz > e.rate_Hz),
        Criterion(
            "irregular: CV of intervals",
            f"{e.isi_cv:.2f}, {i.isi_cv:.2f}",
            f">= {length.min_cv:g}",
            irregular,
        ),
        Criterion(
            "asynchronous: pair correlation",
            f"{e.pair_correlation:.4f}, {i.pair_correlation:.4f}",
            f"<= {MAX_CORRELATION:g}",
            asynchronous,
        ),
    ]


def _of_resume(difference: str | None, length: Length) -> Criterion:
    found = "bit-identical" if difference is None else f"differs: {difference}"
    name = f"resumed at {length.duration_ms / 2:g} ms in a new process"
    return Criterion(name, found, "bit-identical", difference is None)


def _of_digits(accuracy: float, data: Digits) -> Criterion:
    name = f"accuracy on {len(data.y_test)} held-out digits"
    return Criterion(name, f"{100 * accuracy:.1f} %", f">= {100 * MIN_ACCURACY:g} %", accuracy >= MIN_ACCURACY)


def _of_conversion(found: _demo_convert.Conversion, data: Digits) -> list[Criterion]:
    n, few, levels = len(data.y_test), _demo_convert.FEW, _demo_convert.LEVELS
    return [
        Criterion(
            f"converted exactly, T = {levels}: answers to {n} digits",
            f"{100 * found.exact:.1f} % right, {'all' if found.same_answers else 'not all'} as the model",
            "all as the model",
            found.same_answers,
        ),
        Criterion(
            f"converted and trained on, T = {few}",
            f"{100 * found.tuned:.1f} % (before {100 * found.rate:.1f} %)",
            f">= {100 * MIN_ACCURACY:g} %",
            found.tuned >= MIN_ACCURACY,
        ),
    ]


def _network_report(solution: Solution, activity: dict[str, NetworkStatistics], length: Length) -> dict[str, Any]:
    return {
        "duration_ms": length.duration_ms,
        "statistics_from_ms": length.t_start_ms,
        "populations": {name: vars(statistics) for name, statistics in activity.items()},
        "simulate_s": round(solution.wall_s, 3),
        "compile_s": round(solution.compile_s, 3),
        "times_real_time": round(solution.times_real_time, 3),
    }


def _print_table(console: "Console", criteria: list[Criterion], report: dict[str, Any], out: Path) -> None:
    from rich.table import Table

    speed = report["network"]["times_real_time"]
    table = Table(
        title=f"jaxsyn demo: {report['seconds']:.0f} s, network at {speed:.2g} x real time",
        caption=f"raster.png, training.png and report.json in {out}",
    )
    for column in ("", "found", "asked for", "ok"):
        table.add_column(column, justify="left" if not column else "right")
    for c in criteria:
        table.add_row(c.name, c.found, c.asked, "[green]yes[/]" if c.ok else "[red]NO[/]")
    console.print(table)
    for c in criteria:
        if not c.ok:
            console.print(
                f"failed: {c.name}: got {c.found}; asked for {c.asked}", style="red", markup=False, soft_wrap=True
            )
