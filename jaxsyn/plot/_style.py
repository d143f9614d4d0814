"""How a picture looks: paper-sized type, no frame, colors that a color-blind reader can tell apart."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure
else:  # matplotlib is imported when something is drawn
    Axes = Figure = Any

# Okabe and Ito (2008), Color universal design: https://jfly.uni-koeln.de/color/
EXCITATORY, INHIBITORY = "#D55E00", "#0072B2"
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
NEUTRAL = "#333333"
GRID = "#DDDDDD"

_STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "lines.linewidth": 1.0,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


def style(ax: Axes | None) -> contextlib.AbstractContextManager[Any]:
    """The house style for a figure of our own; the user's axes keep the user's style."""
    if ax is not None:
        return contextlib.nullcontext()
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that lays itself out."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width_in, height_in), layout="constrained")


def despine(ax: Axes, *, left: bool = True, bottom: bool = True) -> None:
    """Leave the named axis lines only."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines["left"].set_visible(left)
    ax.spines["bottom"].set_visible(bottom)


def legend_above(ax: Axes, columns: int) -> None:
    """A legend on one line over the axes, where it hides no data."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.1}
    ax.legend(**place, ncols=columns, columnspacing=1.2, frameon=False)


def note(ax: Axes, text: str) -> None:
    """A remark at the right of the title line: what the picture leaves out."""
    ax.set_title(text, loc="right", fontsize="small", color=NEUTRAL, style="italic")


def color_bar(ax: Axes, image: Any, label: str) -> None:
    """The scale of an image, beside it."""
    figure: Any = ax.get_figure(root=True)
    bar = figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.set_label(label)
    bar.outline.set_visible(False)


def whole_numbers(*axes: Any, most: int = 6) -> None:
    """Ticks of an axis that counts something."""
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def _kind(name: str) -> str:
    """E, I or nothing from a name: E, L4E, E_fast, exc; I, L23I, inhibitory; for a projection (E_I) from its source."""
    letter = re.search(r"(?<![A-Za-z])[EI](?![A-Za-z])", name)
    if letter:
        return letter.group()
    word = re.match(r"(exc|pyr)|(inh|pv|sst|basket)", name, re.IGNORECASE)
    return "" if word is None else ("E" if word.group(1) else "I")


def _toward_white(color: str, share: float) -> str:
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (c + (1.0 - c) * share for c in to_rgb(color))
    return to_hex((red, green, blue))


def population_colors(names: Iterable[str], chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A color for each population: reds for excitatory, blues for inhibitory, lighter from one to the next."""
    names = list(names)
    unknown = sorted(set(chosen or {}) - set(names))
    if unknown:
        raise ValueError(f"colors: got {unknown[0]!r}; allowed: {', '.join(map(repr, names))}. Name a population")
    colors: dict[str, Any] = {}
    others = 0
    for base, kind in ((EXCITATORY, "E"), (INHIBITORY, "I")):
        same = [name for name in names if _kind(name) == kind]
        for k, name in enumerate(same):
            colors[name] = _toward_white(base, 0.45 * k / max(len(same) - 1, 1))
    for name in names:
        if name not in colors:
            colors[name] = OTHERS[others % len(OTHERS)] if name else NEUTRAL
            others += 1
    return colors | dict(chosen or {})
