"""`jaxsyn sweep`: a configuration with a table of parameters and seeds, run side by side into a folder."""

import shutil
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._version import __version__
from ..kernels import native_status
from ..simulate import Solution, Trace
from ..sweep import Sweep
from ..sweep import sweep as run_sweep
from ._build import Builder
from ._config import parse, read
from ._output import population_summary, write_json, write_npz
from ._problems import ConfigError, Problem
from ._run import Request

BATCHES, RESULTS = "batches", ("results.npz", "summary.json")


def activity(solution: Solution) -> dict[str, dict[str, float]]:
    """What is kept of the spikes of each run: rate and mean CV of the intervals by population."""
    found = {name: population_summary(solution.spikes[name]) for name in solution.spikes}
    return {
        name: {key: float("nan") if row[key] is None else float(row[key]) for key in ("rate_Hz", "isi_cv")}
        for name, row in found.items()
    }


def sweep(request: Request, log: Any) -> tuple[Sweep, dict[str, Any]]:
    """Run a sweep; gives its results and what `summary.json` holds.

    Args:
        request: What to run and where to write it.
        log: A structlog logger.
    Raises:
        ConfigError: The configuration, or the request, cannot be run.
    """
    config = parse(request.config, read(request.config))
    _check(request, config)
    builder = Builder(request.config, config)
    began = time.perf_counter()
    net, records = builder.network(), builder.records()
    built_s = time.perf_counter() - began
    table = config.sweep
    parameters = {path: builder.make(v, ("sweep", "parameters", path)) for path, v in table.parameters.items()}
    _prepare(request)
    log.info("built", neurons=net.size(), seconds=round(built_s, 3), kernels=native_status())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what it warns of is logged below
        try:
            found = run_sweep(
                net,
                parameters,
                config.run.duration_ms,
                seeds=table.seeds,
                record=records,
                summary=activity,
                zipped=table.zipped,
                keep=table.keep,
                batch_size=table.batch_size,
                folder=request.out / BATCHES,
                progress=request.progress,
            )
        except ValueError as error:
            raise builder.refusal(("sweep",), error) from error
    for lane, reason in found.failures.items():
        log.warning("lane ended early", lane=lane, reason=reason)
    write_npz(request.out / "results.npz", _arrays(found))
    summary = {
        "config": request.config.name,
        "jaxsyn": __version__,
        "kernels": native_status(),
        "neurons": net.size(),
        "duration_ms": config.run.duration_ms,
        "axes": {axis.name: len(axis) for axis in found.axes},
        "lanes": int(np.prod(found.shape)),
        "failures": found.failures,
        "seconds": {"build": built_s, "compile": found.compile_s, "simulate": found.wall_s},
    }
    write_json(request.out / "summary.json", summary)
    return found, summary


def _refuse(request: Request, field: str, got: str, allowed: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(str(request.config), field, got, allowed, remedy)])


def _check(request: Request, config: Any) -> None:
    if config.sweep is None:
        raise _refuse(request, "sweep", "nothing", "a table of parameters or seeds", "add [sweep], or use jaxsyn run")
    for key in ("checkpoint_every_ms", "stream"):
        if getattr(config.run, key) not in (None, False):
            remedy = "remove it; a sweep keeps each finished batch and goes on from there with --resume"
            raise _refuse(request, f"run.{key}", str(getattr(config.run, key)), "nothing in a sweep", remedy)


def _prepare(request: Request) -> None:
    """Make the folder ready; what an earlier sweep left there is neither lost nor mixed in unasked."""
    out = request.out
    if out.exists() and not out.is_dir():
        raise _refuse(request, "--out", f"{out}, which is a file", "a folder", "name another one")
    left = [*out.glob(f"{BATCHES}/*"), *(out / name for name in RESULTS if (out / name).exists())]
    if left and not (request.resume or request.overwrite):
        remedy = "go on with --resume, replace it with --overwrite, or name another folder with --out"
        raise _refuse(request, "--out", f"{out}, which holds results", "a folder without results", remedy)
    if request.overwrite:
        shutil.rmtree(out / BATCHES, ignore_errors=True)
        for name in RESULTS:
            (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


def _arrays(found: Sweep) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Everything but the spikes, which stay in the batches; each with one dimension for each axis."""
    yield "dims", np.asarray(found.dims)
    for path, values in found.coordinates.items():
        yield f"coordinates/{path}", values
    yield "results", found.results
    if (found.results != "done").all():
        return
    for population, row in (found.summary or {}).items():
        for key, values in row.items():
            yield f"{population}/{key}", np.asarray(values)
    for name, recorded in [*found.states.items(), *found.reductions.items()]:
        yield f"{name}/values", np.asarray(recorded.values if isinstance(recorded, Trace) else recorded)
        if isinstance(recorded, Trace):
            yield f"{name}/times_ms", recorded.times_ms
            yield f"{name}/unit", np.asarray(recorded.unit)


def rows(found: Sweep, most: int = 20) -> tuple[list[str], list[list[str]]]:
    """The first lanes as a table: what was varied, and the rate of each population."""
    rates = {} if (found.results != "done").all() else {p: row["rate_Hz"] for p, row in (found.summary or {}).items()}
    titles = [*found.coordinates, *(f"rate {p} (Hz)" for p in rates)]
    out = []
    for index in list(np.ndindex(found.shape))[:most]:
        places = {path: i for axis, i in zip(found.axes, index, strict=True) for path in axis.values}
        values = [found.coordinates[path][i] for path, i in places.items()]
        cells = [f"{v:g}" if np.ndim(v) == 0 else f"[{places[p]}]" for p, v in zip(places, values, strict=True)]
        out.append([*cells, *(f"{np.asarray(rate)[index]:.2f}" for rate in rates.values())])
    return titles, out
