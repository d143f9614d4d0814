"""The pictures of the page, in the style of `js.plot`."""

import pathlib
from typing import Any

import matplotlib as mpl

from jaxsyn.plot import _style as house

from ._page import NAMES, compared, sides, title
from ._plan import CELLS, OPERATIONS
from ._store import Results

COLORS = dict(zip(NAMES.values(), (house.EXCITATORY, house.INHIBITORY, *house.OTHERS[:3]), strict=True)) | {
    "jaxsyn, pure JAX": house.OTHERS[4]
}
MARKERS = dict(zip(COLORS, "os^DvP", strict=True))


def draw(results: Results, folder: pathlib.Path) -> list[pathlib.Path]:
    """Write each picture for which there are results."""
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with house.style(None), mpl.rc_context({"svg.hashsalt": "jaxsyn"}):
        for name, make in (("growth", _growth), ("peers", _peers), ("limit", _limit)):
            figure = make(results)
            if figure is not None:
                path = folder / f"bench_{name}.svg"
                figure.savefig(path, metadata={"Date": None})
                made.append(path)
    return made


def _points(results: Results, task: str) -> dict[str, list[tuple[int, float]]]:
    """(neurons, time) of each simulator on one thread."""
    found: dict[str, list[tuple[int, float]]] = {}
    for cell in CELLS:
        if cell.task == task and cell.threads == 1:
            for name, line in sides(results, cell):
                found.setdefault(name, []).append((line["n"], line["run_s_per_bio_s"]))
    growth = results.of(OPERATIONS["growth"]) if task == "coba" else None
    if growth is not None:
        found["jaxsyn"] = [(one["n"], one["run_s_per_bio_s"]) for one in growth["of_each_n"]]
    return found


def _growth(results: Results) -> Any:
    panels = {task: found for task in ("coba", "adexnet") if (found := _points(results, task))}
    if not panels:
        return None
    figure = house.new_figure(3.2 * len(panels), 2.8)
    for ax, (task, found) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name, points in found.items():
            n, s = zip(*sorted(points), strict=True)
            ax.plot(n, s, color=COLORS[name], marker=MARKERS[name], markersize=4, label=name)
        _logarithmic(ax.set_xscale, ax.xaxis)
        _logarithmic(ax.set_yscale, ax.yaxis)
        ax.axhline(1.0, color=house.NEUTRAL, linewidth=0.7, linestyle="--")
        ax.set_xlabel("neurons")
        ax.set_ylabel("s per model s")
        ax.set_title(f"{task}, 1 thread", loc="left")
        ax.grid(color=house.GRID, linewidth=0.6)
        house.despine(ax)
    _legend(figure)
    return figure


def _logarithmic(set_scale: Any, axis: Any) -> None:
    """A logarithmic axis with plain numbers at powers of ten; at 2 and 5 times these, too, if it has less than two."""
    from matplotlib.ticker import LogLocator, NullFormatter

    set_scale("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
    axis.set_major_formatter(lambda x, _: f"{x:,.10g}".replace(",", " "))
    axis.set_minor_formatter(NullFormatter())


def _rows(ax: Any, labels: list[str]) -> None:
    """One line of the picture for each label, the first on top."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(color=house.GRID, linewidth=0.6)
    house.despine(ax, left=False)


def _legend(figure: Any) -> None:
    """One legend over all panels."""
    handles = {
        label: handle for ax in figure.axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=6, columnspacing=1.2, frameon=False)


def _peers(results: Results) -> Any:
    found = [(title(cell), lines) for cell, _, lines in compared(results) if len(lines) > 1]
    if not found:
        return None
    figure = house.new_figure(6.2, 1.0 + 0.26 * len(found))
    ax = figure.subplots()
    for y, (_, lines) in enumerate(found):
        own = lines[0][1]["run_s_per_bio_s"]
        for name, line in lines[1:]:
            x = line["run_s_per_bio_s"] / own
            ax.plot(x, y, color=COLORS[name], marker=MARKERS[name], markersize=5, linestyle="", label=name)
    ax.axvline(1.0, color=house.NEUTRAL, linewidth=0.8)
    _logarithmic(ax.set_xscale, ax.xaxis)
    ax.set_xlabel("time over that of jaxsyn")
    _rows(ax, [name for name, _ in found])
    _legend(figure)
    return figure


def _limit(results: Results) -> Any:
    found = [(title(cell), own, lines) for cell, own, lines in compared(results)]
    if not found:
        return None
    figure = house.new_figure(6.2, 1.0 + 0.26 * len(found))
    ax = figure.subplots()
    for y, (_, own, lines) in enumerate(found):
        for name, line in lines:
            share = 100.0 * own["limit_s_per_bio_s"] / line["run_s_per_bio_s"]
            ax.plot(share, y, color=COLORS[name], marker=MARKERS[name], markersize=5, linestyle="", label=name)
    ax.set_xlim(right=max(100.0, ax.get_xlim()[1]))
    _logarithmic(ax.set_xscale, ax.xaxis)
    ax.set_xlabel("share of the limit (%)")
    _rows(ax, [name for name, _, _ in found])
    _legend(figure)
    return figure
