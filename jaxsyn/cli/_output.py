"""Files that a run leaves: each is written whole or not at all, and its bytes depend on the results alone."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from .._core import write_whole
from ..analysis import isi_cv
from ..simulate import Solution, SpikeTrains, Trace

Named = Iterator[tuple[str, np.ndarray[Any, Any]]]


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, indented."""
    write_whole(path, lambda file: _put(file, json.dumps(content, indent=2, default=str) + "\n"))


def _put(file: IO[bytes], text: str) -> None:
    file.write(text.encode())


def write_npz(path: Path, arrays: Named) -> None:
    """Write named arrays one after the other, so that only one has to be in memory."""

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays:
                entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980: the time of writing is no result
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    write_whole(path, write)


def spike_arrays(solution: Solution) -> Named:
    """Spikes by population: `E/times_ms`, `E/neurons`, `E/n`; and the span of the recording."""
    yield "t_start_ms", np.asarray(solution.t_start_ms)
    yield "t_stop_ms", np.asarray(solution.t_stop_ms)
    for name in solution.spikes:
        trains = solution.spikes[name]
        yield f"{name}/times_ms", trains.times_ms
        yield f"{name}/neurons", trains.neurons
        yield f"{name}/n", np.asarray(trains.n)


def state_arrays(solution: Solution) -> Named:
    """Traces and counts by name of the record: `E.V_mV/times_ms`, `E.V_mV/values`, `E.V_mV/index`."""
    for name, trace in {**solution.states, **solution.reductions}.items():
        if not isinstance(trace, Trace):
            yield f"{name}/values", trace
            continue
        yield f"{name}/times_ms", trace.times_ms
        yield f"{name}/values", trace.values
        yield f"{name}/unit", np.asarray(trace.unit)
        if trace.index is not None:
            yield f"{name}/index", np.asarray(trace.index)


def population_summary(trains: SpikeTrains) -> dict[str, Any]:
    """What one looks at first: numbers, mean rate, and the mean CV of the interspike intervals."""
    cv = isi_cv(trains)
    cv = cv[np.isfinite(cv)]
    return {
        "neurons": trains.n,
        "spikes": len(trains),
        "rate_Hz": trains.rate_Hz(),
        "isi_cv": float(cv.mean()) if cv.size else None,
    }


def write_raster(path: Path, solution: Solution) -> bool:
    """Draw the spikes; False where none were recorded."""
    if not any(solution.spikes[name].n for name in solution.spikes):
        return False
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from ..plot import raster

    figure = raster(solution)
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=150))
    pyplot.close(figure)
    return True
