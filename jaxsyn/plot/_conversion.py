"""How a converted network approaches its model: accuracy against steps, error by layer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._style import EXCITATORY, GRID, INHIBITORY, OTHERS, Axes, Figure, despine, legend_above, new_figure, style

_PARTS = ("clipping", "rounding", "arrival")


def conversion(report: Any) -> Figure:
    """Accuracy (or agreement with the model) against the number of steps, and the error of each layer with its parts.

    Args:
        report: What `js.convert.report` gives: anything with `by_steps`, `model_accuracy` and `layers`.
    Returns:
        The figure.
    Raises:
        ValueError: A report without steps, as of a first-spike network.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}, {"kind": "relu"}]
        >>> snn = js.convert.from_layers(layers, np.ones((3, 2)), n_steps=4)
        >>> figure = conversion(js.convert.report(snn, np.ones((3, 2)), steps=(1, 2)))
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['answers as the model (%)', 'relative error']
    """
    if 0 in report.by_steps:
        raise ValueError("report: got one of a first-spike network; allowed: one of a network of time steps")
    with style(None):
        figure = new_figure(6.2, 2.5)
        left, right = figure.subplots(1, 2)
        _curve(left, report.by_steps, report.model_accuracy)
        _bars(right, report.layers)
    return figure


def _curve(ax: Axes, by_steps: Mapping[int, Any], model: float | None) -> None:
    steps = sorted(by_steps)
    column = 0 if model is None else 1
    shown = [100.0 * by_steps[n][column] for n in steps]
    ax.plot(steps, shown, color=EXCITATORY, marker="o", markersize=2.5, linewidth=1.2, label="spiking")
    if model is not None:
        ax.axhline(100.0 * model, color=OTHERS[0], linewidth=1.0, linestyle="--", label="model")
        legend_above(ax, 2)
    ax.set_xscale("log", base=2)
    ax.set_xticks(steps, [str(n) for n in steps])
    ax.minorticks_off()
    ax.set_xlabel("steps T")
    ax.set_ylabel("accuracy (%)" if model is not None else "answers as the model (%)")
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    despine(ax)


def _bars(ax: Axes, layers: Any) -> None:
    at = np.arange(len(layers), dtype=np.float64)
    colors = dict(zip(_PARTS, (OTHERS[0], INHIBITORY, EXCITATORY), strict=True))
    for k, part in enumerate(_PARTS):
        ax.bar(at + 0.26 * (k - 1), [getattr(f, part) for f in layers], 0.24, color=colors[part], label=part)
    ax.set_xticks(at, [f.path for f in layers], rotation=30.0, ha="right", rotation_mode="anchor")
    ax.set_ylabel("relative error")
    despine(ax)
    legend_above(ax, 3)
