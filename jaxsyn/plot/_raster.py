"""Raster plot with the population rates below."""

import math
from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from ..analysis import SpikeTable, bin_starts_ms, population_rate_Hz
from ._inputs import Activity, Floats, Number, populations
from ._style import GRID, Axes, Figure, despine, legend_above, new_figure, note, population_colors, style, whole_numbers

# Share of the total height that a line of text needs, about.
_LINE = 0.05
# Up to this many neurons a spike is a vertical line as high as its row, beyond it a dot.
_LINES_UP_TO = 100


def rate_bin_ms(duration_ms: float) -> float:
    """A round bin width (1, 2, 5 times a power of ten) that cuts the window into 100 to 250 bins."""
    power = 10.0 ** math.floor(math.log10(duration_ms / 200.0))
    return next(power * step for step in (1.0, 2.0, 5.0, 10.0) if power * step >= duration_ms / 250.0)


def draw_rates(
    ax: Axes, tables: Mapping[str, SpikeTable], colors: Mapping[str, Any], bin_ms: Number, smooth_ms: Number
) -> None:
    """One line of the instantaneous rate for each population."""
    for name, table in tables.items():
        rate = population_rate_Hz(table, bin_ms=bin_ms, smooth_ms=smooth_ms)
        middle = bin_starts_ms(table, bin_ms=bin_ms) + float(bin_ms) / 2.0
        ax.plot(middle, rate, color=colors[name], label=name, linewidth=1.0)
    table = next(iter(tables.values()))
    ax.set_xlim(table.t_start_ms, table.t_stop_ms)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("time (ms)")
    ax.set_ylabel("rate (Hz)")
    despine(ax)


def _draw_spikes(ax: Axes, tables: Mapping[str, SpikeTable], colors: Mapping[str, Any], every: int) -> None:
    """Rows from top to bottom in the order of the populations."""
    total = sum(table.n for table in tables.values())
    drawn = sum(table.times_ms.size for table in tables.values()) / every + 1.0
    first = 0
    for name, table in tables.items():
        shown = table.neurons % every == 0
        times, rows = table.times_ms[shown], table.neurons[shown] + first
        if total <= _LINES_UP_TO:
            ax.vlines(times, rows - 0.4, rows + 0.4, color=colors[name], linewidth=0.9)
        else:
            size = max(0.5, min(2.5, 60.0 * math.sqrt(every / total), 220.0 / math.sqrt(drawn)))
            ax.plot(times, rows, "o", color=colors[name], markersize=size, markeredgewidth=0.0, rasterized=True)
        first += table.n
    table = next(iter(tables.values()))
    ax.set_xlim(table.t_start_ms, table.t_stop_ms)
    ax.set_ylim(total - 0.5, -0.5)
    _label_rows(ax, tables, colors)
    despine(ax)
    if every > 1:
        note(ax, f"1 of {every} neurons shown")


def _spread(places: Floats, distance: float) -> Floats:
    """Move sorted places apart until neighbors are at least `distance` away, each as little as a few passes give."""
    places = places.astype(np.float64)
    for _ in range(200):
        lack = np.clip(distance - np.diff(places), 0.0, None) / 2.0
        places[:-1] -= lack
        places[1:] += lack
    return places


def _label_rows(ax: Axes, tables: Mapping[str, SpikeTable], colors: Mapping[str, Any]) -> None:
    """The names of the populations at the middle of their rows; neuron numbers where there is only one."""
    if len(tables) == 1:
        ax.set_ylabel("neuron")
        whole_numbers(ax.yaxis)
        return
    sizes = np.array([table.n for table in tables.values()])
    borders, line = np.cumsum(sizes) - 0.5, _LINE * sizes.sum()
    roomy = sizes.min() > 2.2 * line
    texts = [f"{name}\n{n}" if roomy else name for name, n in zip(tables, sizes, strict=True)]
    ax.set_yticks(_spread(borders - sizes / 2.0, line), texts)
    for label, name in zip(ax.get_yticklabels(), tables, strict=True):
        label.set_color(colors[name])
    ax.tick_params(axis="y", length=0.0)
    for border in borders[:-1]:
        ax.axhline(border, color=GRID, linewidth=0.8, zorder=0)


@overload
def raster(
    activity: Activity,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    bin_ms: Number | None = None,
    max_spikes: int = 100_000,
    colors: Mapping[str, Any] | None = None,
    ax: None = None,
) -> Figure: ...


@overload
def raster(
    activity: Activity,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    bin_ms: Number | None = None,
    max_spikes: int = 100_000,
    colors: Mapping[str, Any] | None = None,
    ax: Axes,
) -> Axes: ...


def raster(
    activity: Activity,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    bin_ms: Number | None = None,
    max_spikes: int = 100_000,
    colors: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Raster plot: a mark for each spike, populations from top to bottom, their rates below.

    Beyond `max_spikes` only every k-th neuron is drawn, and the title says so; rates are always those of all neurons.

    Args:
        activity: A solution; or spikes by name of population; or the spikes of one population, in any form of
            `analysis.spike_table`.
        t_start_ms: First time shown, ms. Default: start of the record.
        t_stop_ms: Last time shown, ms. Default: end of the record.
        bin_ms: Width of a bin of the rates, ms. Default: a round number that gives 100 to 250 bins.
        max_spikes: About how many spikes to draw at most.
        colors: Color by name of population, instead of reds for excitatory and blues for inhibitory ones.
        ax: Draw the raster alone into these axes.
    Returns:
        The figure; with `ax`, those axes.
    Raises:
        ValueError: no spikes were recorded, or the window misses the record.
    Example:
        >>> figure = raster({"E": [[1.0, 5.0], [2.0]], "I": [[4.0]]}, t_stop_ms=10.0)
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['', 'rate (Hz)']
    """
    if max_spikes < 1:
        raise ValueError(f"max_spikes: got {max_spikes}; allowed: >= 1. Give the number of spikes to draw at most")
    tables = populations(activity, t_start_ms, t_stop_ms)
    palette = population_colors(tables, colors)
    every = max(1, math.ceil(sum(table.times_ms.size for table in tables.values()) / max_spikes))
    if ax is not None:
        _draw_spikes(ax, tables, palette, every)
        ax.set_xlabel("time (ms)")
        return ax
    with style(ax):
        figure = new_figure(6.0, 4.2)
        rows, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1.0])
        _draw_spikes(rows, tables, palette, every)
        despine(rows, bottom=False)
        rows.tick_params(axis="x", length=0.0)
        width = rate_bin_ms(next(iter(tables.values())).duration_ms) if bin_ms is None else bin_ms
        draw_rates(below, tables, palette, width, 0.0)
        note(below, f"bins of {width:g} ms")
        figure.align_ylabels()
    return figure


def rates(
    activity: Activity,
    *,
    bin_ms: Number | None = None,
    smooth_ms: Number = 0.0,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    colors: Mapping[str, Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Instantaneous rate of each population over time.

    A(t) = 1000 k(t) / (n w), k(t) spikes of n neurons in a bin of w ms.

    Args:
        activity: A solution; or spikes by name of population; or the spikes of one population, in any form of
            `analysis.spike_table`.
        bin_ms: Width of a bin, ms. Default: a round number that gives 100 to 250 bins.
        smooth_ms: Standard deviation of a Gaussian that smooths the rates, ms; 0 for none.
        t_start_ms: First time shown, ms. Default: start of the record.
        t_stop_ms: Last time shown, ms. Default: end of the record.
        colors: Color by name of population, instead of reds for excitatory and blues for inhibitory ones.
        ax: Axes to draw into. Default: those of a new figure.
    Returns:
        The axes.
    Raises:
        ValueError: no spikes were recorded, the window misses the record, or bin_ms is not positive.
    Example:
        >>> axes = rates({"E": [[1.0, 5.0], [2.0]]}, bin_ms=5.0, t_stop_ms=10.0)
        >>> axes.lines[0].get_ydata().tolist()
        [200.0, 100.0]
    """
    tables = populations(activity, t_start_ms, t_stop_ms)
    width = rate_bin_ms(next(iter(tables.values())).duration_ms) if bin_ms is None else bin_ms
    with style(ax):
        axes = new_figure(6.0, 2.2).subplots() if ax is None else ax
        draw_rates(axes, tables, population_colors(tables, colors), width, smooth_ms)
        smoothed = f", smoothed over {smooth_ms:g} ms" if smooth_ms else ""
        note(axes, f"bins of {width:g} ms{smoothed}")
        if len(tables) > 1:
            legend_above(axes, len(tables))
    return axes
