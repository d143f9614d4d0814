"""How training went: loss and accuracy over epochs."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, overload

import numpy as np

from ._inputs import Floats
from ._style import (
    EXCITATORY,
    GRID,
    INHIBITORY,
    OTHERS,
    Axes,
    Figure,
    despine,
    legend_above,
    new_figure,
    note,
    style,
    whole_numbers,
)

# Values by name of metric, one for each epoch; or one mapping of numbers for each epoch.
History: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_COLORS = {"train": INHIBITORY, "test": EXCITATORY, "validation": OTHERS[0], "": INHIBITORY}
_SPLITS = {"train": "train", "training": "train", "test": "test", "val": "validation", "validation": "validation"}
_CLOCKS = ("epoch", "epochs", "step", "steps")


def _columns(history: History) -> dict[str, Floats]:
    """Values by name, each a finite-length vector."""
    if not isinstance(history, Mapping):
        names = list(dict.fromkeys(name for row in history for name in row))
        history = {name: [row.get(name, np.nan) for row in history] for name in names}
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    for name, values in columns.items():
        if values.ndim != 1 or values.size == 0:
            raise ValueError(
                f"history[{name!r}]: got shape {values.shape}; allowed: (epochs,). Give one value an epoch"
            )
    return columns


def _split(name: str) -> tuple[str, str]:
    """(metric, split) of a name such as "train_loss", "loss", "accuracy_test"."""
    words = name.replace("-", "_").replace(" ", "_").split("_")
    split = next((_SPLITS[word] for word in words if word in _SPLITS), "")
    metric = " ".join(word for word in words if word not in _SPLITS) or "value"
    return {"acc": "accuracy"}.get(metric, metric), split


def _panels(history: History) -> tuple[dict[str, dict[str, Floats]], str, Floats | None]:
    """(values by metric and split, name of the clock, its values)."""
    columns = _columns(history)
    clock = next((name for name in columns if name in _CLOCKS), None)
    x = None if clock is None else columns.pop(clock)
    panels: dict[str, dict[str, Floats]] = {}
    for name, values in columns.items():
        metric, split = _split(name)
        panels.setdefault(metric, {})[split] = values
        if x is not None and len(values) != len(x):
            raise ValueError(f"history[{name!r}]: got {len(values)} values for {len(x)} of {clock}; allowed: equal")
    if not panels:
        raise ValueError(
            'history: got no metric; allowed: at least one, such as {"loss": [...], "test_accuracy": [...]}'
        )
    return panels, (clock or "epoch").removesuffix("s"), x


def _draw(ax: Axes, metric: str, splits: Mapping[str, Floats], clock: str, x: Floats | None) -> None:
    """One line for each split; accuracies in percent with the last one named."""
    percent = metric == "accuracy" and all(np.nanmax(values, initial=0.0) <= 1.0 for values in splits.values())
    for split, values in splits.items():
        shown = 100.0 * values if percent else values
        at = np.arange(1.0, len(values) + 1.0) if x is None else x
        marker = "o" if len(values) <= 30 else ""
        color = _COLORS[split]
        ax.plot(at, shown, color=color, label=split or metric, marker=marker, markersize=2.5, linewidth=1.2)
    ax.set_xlabel(clock)
    ax.set_ylabel(f"{metric} (%)" if metric == "accuracy" else metric)
    whole_numbers(ax.xaxis)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    if metric == "accuracy":
        split = next((s for s in ("test", "validation") if s in splits), next(iter(splits)))
        known = splits[split][np.isfinite(splits[split])]
        last = known[-1] * (100.0 if percent else 1.0)  # the best one would be chosen by the test
        note(ax, f"{split} {last:.1f} %".lstrip())
    elif min(np.nanmin(values) for values in splits.values()) >= 0.0:
        ax.set_ylim(bottom=0.0)
    despine(ax)
    if len(splits) > 1:
        legend_above(ax, len(splits))


@overload
def training(history: History, *, ax: None = None) -> Figure: ...


@overload
def training(history: History, *, ax: Axes) -> Axes: ...


def training(history: History, *, ax: Axes | None = None) -> Figure | Axes:
    """Curves of a training run: a panel for each metric, a line for each split.

    Args:
        history: Values by name, one for each epoch, or one mapping of numbers for each epoch. "train", "test" and
            "val" in a name are splits ("train_loss", "test_accuracy"); "epoch" or "step" is the horizontal axis.
            Accuracies up to 1 are shown in percent.
        ax: Draw into these axes; for a history of one metric.
    Returns:
        The figure; with `ax`, those axes.
    Raises:
        ValueError: no metric, values of another shape, or several metrics for one `ax`.
    Example:
        >>> figure = training({"loss": [2.3, 0.8, 0.4], "test_accuracy": [0.3, 0.8, 0.96]})
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss', 'accuracy (%)']
    """
    panels, clock, x = _panels(history)
    if ax is not None:
        if len(panels) != 1:
            raise ValueError(f"ax: got one for {', '.join(panels)}; allowed: one metric. Leave ax out, or choose one")
        for metric, splits in panels.items():
            _draw(ax, metric, splits, clock, x)
        return ax
    with style(ax):
        figure = new_figure(3.1 * len(panels), 2.5)
        for axes, (metric, splits) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            _draw(axes, metric, splits, clock, x)
    return figure
