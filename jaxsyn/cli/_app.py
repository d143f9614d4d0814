"""The commands and their options. Each imports what it needs when it runs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

main = typer.Typer(
    name="jaxsyn",
    help="Spiking neural networks in JAX: simulate, resume, train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path | None, typer.Option("--out", help="Folder of the results.", show_default=False)]
LogJson = Annotated[bool, typer.Option("--log-json", help="Messages as one JSON object a line, on stderr.")]


def _version(wanted: bool) -> bool:
    if wanted:
        from .._version import __version__

        typer.echo(__version__)
        raise typer.Exit
    return wanted


@main.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Exit codes: 0 done, 1 the run or a check failed, 2 bad usage or configuration."""


@main.command()
def run(
    config: Annotated[Path, typer.Argument(help="Configuration, *.toml or *.json.", show_default=False)],
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in the folder.")] = False,
    log_json: LogJson = False,
) -> None:
    """Simulate a configuration; results go to --out (default: the name of the configuration + "-out")."""
    from ._run import Request
    from ._run import run as run_config

    def work(log: Any, show: bool) -> None:
        summary = run_config(Request(config, folder, resume, overwrite, show), log)
        if log_json:
            log.info("done", out=str(folder), **summary)
        else:
            _print_summary(summary, folder)

    folder = _folder(config, out, resume, overwrite)
    _guarded(work, log_json, "go on with --resume from the last checkpoint")


@main.command()
def sweep(
    config: Annotated[Path, typer.Argument(help="Configuration with a table [sweep], *.toml or *.json.")],
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on behind the last finished batch.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the results in the folder.")] = False,
    log_json: LogJson = False,
) -> None:
    """Simulate a configuration with many parameters and seeds side by side; results go to --out."""
    from ._run import Request
    from ._sweep import sweep as run_sweep

    def work(log: Any, show: bool) -> None:
        found, summary = run_sweep(Request(config, folder, resume, overwrite, show), log)
        if log_json:
            log.info("done", out=str(folder), **summary)
        else:
            _print_sweep(found, summary, folder)

    folder = _folder(config, out, resume, overwrite)
    _guarded(work, log_json, "go on with --resume behind the last finished batch")


def _folder(config: Path, out: Path | None, resume: bool, overwrite: bool) -> Path:
    if resume and overwrite:
        raise typer.BadParameter("give one of --resume and --overwrite, not both")
    return Path(f"{config.stem}-out") if out is None else out


def _guarded(work: Callable[[Any, bool], None], log_json: bool, remedy: str) -> None:
    """Do the work with a logger; what goes wrong becomes a message and an exit code."""
    from ._log import make_logger
    from ._problems import ConfigError

    log = make_logger(log_json)
    try:
        work(log, not log_json and sys.stderr.isatty())
    except ConfigError as error:
        if log_json:
            log.error("bad configuration", problems=[vars(p) for p in error.problems])
        else:
            typer.echo(f"error: bad configuration\n{error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        log.error("interrupted", remedy=remedy)
        raise typer.Exit(1) from None
    except Exception as error:
        expected = type(error).__name__ in ("SimulationError", "MemoryError") or isinstance(error, OSError)
        log.error("run failed", reason=str(error), kind=type(error).__name__, exc_info=not expected)
        raise typer.Exit(1) from None


def _print_sweep(found: Any, summary: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from ._sweep import rows

    seconds, (titles, lines) = summary["seconds"], rows(found)
    left = summary["lanes"] - len(lines)
    more = f"{left} more lanes and " if left else ""
    table = Table(caption=f"{more}results in {folder}", caption_justify="left")
    for title in titles:
        table.add_column(title, justify="right")
    for line in lines:
        table.add_row(*line)
    console = Console()
    computing = f"{seconds['simulate']:.2f} s (+ {seconds['compile']:.1f} s compiling)"
    failed = f", {len(summary['failures'])} ended early" if summary["failures"] else ""
    runs = f"{summary['lanes']} runs of {summary['duration_ms']:g} ms of {summary['neurons']} neurons"
    console.print(f"{runs} in {computing}{failed}", highlight=False, soft_wrap=True)
    console.print(table)


@main.command()
def plan(
    config: Annotated[Path | None, typer.Argument(help="Configuration, *.toml or *.json.", show_default=False)] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", help="Mean rate in Hz: one for all, or E=5 for each population.", show_default=False),
    ] = None,
    devices: Annotated[int, typer.Option("--devices", min=1, help="Number of devices that share the network.")] = 1,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure this machine first (under a minute).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Say how much memory and time a configuration will take, without building it."""
    from . import _plan
    from ._problems import ConfigError

    if config is None and not calibrate:
        raise typer.BadParameter("give a configuration, or --calibrate")
    if calibrate:
        typer.echo(_plan.calibrate(), err=as_json)
    if config is None:
        return
    try:
        estimate = _plan.plan(config, rate or [], devices)
    except ConfigError as error:
        typer.echo(f"error: bad configuration\n{error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(json.dumps(estimate.to_dict(), indent=2) if as_json else str(estimate))


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    seconds, size = summary["seconds"], f"{summary['neurons']} neurons, {summary['synapses']} synapses"
    computing = f"{seconds['simulate']:.2f} s (+ {seconds['compile']:.1f} s compiling)"
    table = Table(caption=f"results in {folder}", caption_justify="left")
    for title in ("population", "neurons", "spikes", "rate (Hz)", "CV of intervals"):
        table.add_column(title, justify="left" if title == "population" else "right")
    for name, row in summary["populations"].items():
        cv = "" if row["isi_cv"] is None else f"{row['isi_cv']:.2f}"
        table.add_row(name, str(row["neurons"]), str(row["spikes"]), f"{row['rate_Hz']:.2f}", cv)
    console = Console()
    console.print(f"{summary['t_stop_ms']:g} ms of {size} in {computing}", highlight=False, soft_wrap=True)
    console.print(table)


@main.command()
def demo(
    quick: Annotated[bool, typer.Option("--quick", help="A smaller network and less training.")] = False,
    out: Out = None,
) -> None:
    """Simulate a balanced cortical network, resume it bit for bit, train a classifier, and convert one."""
    from rich.console import Console

    from ._demo import run_demo

    report = run_demo(out or Path("jaxsyn-demo"), quick, Console())
    if not report.get("ok", True):
        raise typer.Exit(1)


@main.command()
def convert(
    model: Annotated[Path, typer.Argument(help="Model as a list of layers, *.json or *.npz.", show_default=False)],
    calibration: Annotated[
        Path, typer.Option("--calibration", help="Samples x, perhaps labels y, *.npz; or samples, *.npy.")
    ],
    mode: Annotated[str, typer.Option("--mode", help="rate, signed, exact or first-spike.")] = "rate",
    steps: Annotated[int | None, typer.Option("--steps", help="Steps that a sample is shown for.")] = None,
    out: Out = None,
) -> None:
    """Convert a trained network to a spiking one and report how good it is on the calibration data."""
    from ._convert import Request, convert_model

    folder = Path(f"{model.stem}-snn") if out is None else out
    try:
        report = convert_model(Request(model, calibration, mode, steps, folder))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{report}\n\nresults in {folder}")


@main.command()
def info(as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Show versions, devices, and which kernels are in use and why."""
    from . import _info

    found = _info.info()
    typer.echo(json.dumps(found, indent=2) if as_json else _info.text(found))


@main.command()
def doctor(out: Out = None) -> None:
    """Check this installation and this machine; say what is wrong and what to do."""
    from rich.console import Console

    from ._doctor import examine

    console = Console()
    colors = {"ok": "green", "warn": "yellow", "fail": "red"}
    failed = False
    for check in examine(Path.cwd() if out is None else out):
        failed |= check.status == "fail"
        console.print(f"[{colors[check.status]}]{check.status:<5}[/]{check.name}: ", end="")
        console.print(check.found, markup=False, highlight=False, soft_wrap=True)
        if check.remedy:
            console.print(f"     -> {check.remedy}", markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
