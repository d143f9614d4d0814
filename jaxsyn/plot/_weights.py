"""Synaptic weights: their distribution, or the matrix of them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ._inputs import Floats
from ._style import (
    GRID,
    Axes,
    color_bar,
    despine,
    legend_above,
    new_figure,
    note,
    population_colors,
    style,
    whole_numbers,
)

# Weights of one projection, shape (synapses,) or (sources, targets); or several of the first kind by name.
Weights: TypeAlias = Any


def _finite(name: str, values: Any, ndim: tuple[int, ...]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in ndim or array.size == 0:
        allowed = " or ".join({1: "(synapses,)", 2: "(sources, targets)"}[d] for d in ndim)
        raise ValueError(
            f"{name}: got shape {array.shape}; allowed: {allowed}, not empty. Flatten it, or choose a part"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got a weight that is not finite; allowed: finite. Look where it diverged")
    return array


def _moments(values: Floats) -> str:
    return f"{values.mean():.3g} ± {values.std():.2g}".replace("-", "\N{MINUS SIGN}")


def _histograms(ax: Axes, named: Mapping[str, Floats], bins: int) -> None:
    """Outlines over one common set of bins, lightly filled; a dashed line at the mean."""
    low, high = min(v.min() for v in named.values()), max(v.max() for v in named.values())
    margin = 0.5 * (abs(low) or 1.0) if high == low else 0.0
    edges = np.linspace(low - margin, high + margin, (bins | 1 if margin else bins) + 1).tolist()
    colors = population_colors(named)
    for name, values in named.items():
        ax.hist(values, edges, histtype="stepfilled", color=colors[name], alpha=0.25)
        label = f"{name}: {_moments(values)}"
        ax.hist(values, edges, histtype="step", color=colors[name], linewidth=1.2, label=label)
        ax.axvline(values.mean(), color=colors[name], linestyle="--", linewidth=0.9)
    if low < 0.0 < high:
        ax.axvline(0.0, color=GRID, linewidth=0.8, zorder=0)
    ax.set_ylabel("synapses")
    despine(ax)
    if list(named) == [""]:
        note(ax, _moments(named[""]))
    else:
        legend_above(ax, min(len(named), 2))


def _matrix(ax: Axes, values: Floats, label: str) -> None:
    """Sources in rows, targets in columns; red and blue around 0 where both signs occur."""
    both = values.min() < 0.0 < values.max()
    largest = np.abs(values).max() or 1.0
    negative = values.min() < 0.0
    low, high = (-largest, largest) if both else ((-largest, 0.0) if negative else (0.0, largest))
    cmap = "RdBu_r" if both else ("Blues_r" if negative else "Reds")
    image = ax.imshow(values, cmap=cmap, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
    ax.set_xlabel("target neuron")
    ax.set_ylabel("source neuron")
    whole_numbers(ax.xaxis, ax.yaxis)
    color_bar(ax, image, label)


def weights(values: Weights, *, unit: str = "", bins: int = 50, ax: Axes | None = None) -> Axes:
    """Distribution of synaptic weights, or the matrix of them.

    A flat array gives a histogram with mean ± standard deviation, several by name histograms over common bins
    (dashed: the means), a matrix an image.

    Args:
        values: Weights of shape (synapses,); a mapping of such arrays by name; or a matrix (sources, targets).
        unit: Unit of the weights, "nS", "pA" or "mV"; none for pure numbers.
        bins: Number of bins of the histogram.
        ax: Axes to draw into. Default: those of a new figure.
    Returns:
        The axes.
    Raises:
        ValueError: no weights, weights that are not finite, or an array of another rank.
    Example:
        >>> axes = weights([0.9, 1.0, 1.1, 1.2], unit="nS", bins=3)
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('weight (nS)', 'synapses')
    """
    if bins < 1:
        raise ValueError(f"bins: got {bins}; allowed: >= 1. Give the number of bins of the histogram")
    label = f"weight ({unit})" if unit else "weight"
    if isinstance(values, Mapping):
        named = {name: _finite(f"weights[{name!r}]", v, (1,)) for name, v in values.items()}
        if not named:
            raise ValueError("weights: got no projection; allowed: at least one array by name")
    else:
        named = {"": _finite("weights", values, (1, 2))}
    matrix = next(iter(named.values()))
    with style(ax):
        if matrix.ndim == 2:
            axes = new_figure(4.2, 3.4).subplots() if ax is None else ax
            _matrix(axes, matrix, label)
        else:
            axes = new_figure(4.2, 2.8).subplots() if ax is None else ax
            _histograms(axes, named, bins)
            axes.set_xlabel(label)
    return axes
