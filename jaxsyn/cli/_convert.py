"""`jaxsyn convert`: a model from a file becomes a spiking network; thresholds, report and picture go to a folder."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import convert
from .._core import write_whole
from ..plot import conversion
from ._output import write_json, write_npz


class Request(NamedTuple):
    """What to convert, how, and where the results go."""

    model: Path
    calibration: Path
    mode: str
    n_steps: int | None
    out: Path


def convert_model(request: Request) -> convert.Report:
    """Convert a model; write report.json, report.txt, thresholds.npz and, for modes of time steps, accuracy.png.

    Args:
        request: See `Request`. The calibration is *.npz with samples "x" and perhaps labels "y", or *.npy with samples.
    Returns:
        The report on these data.
    Raises:
        ValueError: A file that is not what it should be, or a model or data that do not fit.
        OSError: A file that cannot be read or written.
    """
    ann, (x, y) = convert.read_model(request.model), _samples(request.calibration)
    options: dict[str, Any] = {} if request.n_steps is None else {"n_steps": request.n_steps}
    if request.mode != "first-spike":
        options["cache"] = request.out / "cache"
    converted = convert.convert(ann, x, request.mode, **options)
    found = convert.report(converted, x, y)
    _write(request.out, converted, found)
    return found


def _samples(path: Path) -> tuple[Any, Any]:
    """Samples and labels of a file; None without labels."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded as arrays:
            if "x" not in arrays.files:
                raise ValueError(f"no array 'x' among {arrays.files}; save the samples as x, and labels as y")
            return arrays["x"], (arrays["y"] if "y" in arrays.files else None)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from None


def _write(out: Path, converted: Any, found: convert.Report) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "report.json", dataclasses.asdict(found))
    write_whole(out / "report.txt", lambda file: _put(file, f"{found}\n"))
    named = ((layer.path, np.asarray(layer.threshold)) for layer in found.layers)
    write_npz(out / "thresholds.npz", named)
    if isinstance(converted, convert.Converted):
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure = conversion(found)
        write_whole(out / "accuracy.png", lambda file: figure.savefig(file, format="png", dpi=150))
        pyplot.close(figure)


def _put(file: Any, text: str) -> None:
    file.write(text.encode())
