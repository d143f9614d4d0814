"""Recorded variables over time."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, overload, runtime_checkable

import numpy as np

from ._inputs import Floats, Number
from ._style import NEUTRAL, OTHERS, Axes, Figure, despine, legend_above, new_figure, note, population_colors, style

_UNITS = ("mV", "ms", "pA", "nS", "pF", "Hz")


@runtime_checkable
class HasTrace(Protocol):
    """One recorded variable: `times_ms` (T,), `values` (T, k); optionally `index` (k,) and `unit`."""

    @property
    def times_ms(self) -> Any: ...
    @property
    def values(self) -> Any: ...


@runtime_checkable
class HasStates(Protocol):
    """A solution: recorded variables by name, such as "E.V_mV"."""

    @property
    def states(self) -> Mapping[str, Any]: ...


# A solution, recorded variables by name, one of them, or a pair (times_ms, values).
Recorded: TypeAlias = HasStates | Mapping[str, Any] | HasTrace | Sequence[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class _Panel:
    """One variable: population, symbol and unit of the label; times (T,), values (T, k), neurons (k,); spikes in ms."""

    population: str
    symbol: str
    unit: str
    times_ms: Floats
    values: Floats
    neurons: list[int]
    spikes_ms: list[Floats]

    def label(self) -> str:
        """Symbol and unit, for the axis."""
        return f"{self.symbol} ({self.unit})" if self.unit else self.symbol

    def top(self) -> float:
        """How high a spike reaches: well above the voltage."""
        low, high = self.values.min(), self.values.max()
        return float(high + 0.6 * max(high - low, 1.0))

    def limits(self) -> tuple[float, float]:
        """One vertical scale for all neurons, with a small margin."""
        low, high = float(self.values.min()), self.top() if self.spikes_ms else float(self.values.max())
        margin = 0.05 * (high - low) or 0.5
        return low - margin, high + margin

    def between(self, start: Number | None, stop: Number | None) -> "_Panel":
        """The samples and spikes of a window."""
        first = self.times_ms.min(initial=np.inf) if start is None else float(start)
        last = self.times_ms.max(initial=-np.inf) if stop is None else float(stop)
        keep = (self.times_ms >= first) & (self.times_ms <= last)
        if not keep.any():
            raise ValueError(
                f"window [{first:g}, {last:g}] ms holds none of the {len(self.times_ms)} samples of {self.symbol}; "
                "allowed: one that meets the record. Name a time that was recorded"
            )
        marks = [t[(t >= first) & (t <= last)] for t in self.spikes_ms]
        return dataclasses.replace(self, times_ms=self.times_ms[keep], values=self.values[keep], spikes_ms=marks)


def _panel(name: str, trace: Any, spikes: Mapping[str, Any]) -> _Panel:
    if isinstance(trace, HasTrace):
        times, values, index = trace.times_ms, trace.values, getattr(trace, "index", None)
    elif isinstance(trace, Sequence) and len(trace) == 2:
        (times, values), index = trace, None
    else:
        raise ValueError(
            f"trace {name!r}: got {type(trace).__name__}; allowed: a recorded trace or a pair (times_ms, values)"
        )
    times, values = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if times.ndim != 1 or values.ndim != 2 or len(values) != len(times):
        raise ValueError(
            f"trace {name!r}: times_ms has shape {times.shape} and values {values.shape}; allowed: (T,) and (T, k). "
            "Put time first"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"trace {name!r}: got a value that is not finite; allowed: finite. Show the time before it")
    population, dot, variable = name.partition(".")
    population, variable = (population, variable) if dot else ("", name)
    ending = variable.rpartition("_")[2]
    unit = str(getattr(trace, "unit", "") or (ending if ending in _UNITS else ""))
    symbol = variable.removesuffix(f"_{unit}").replace(".", " ")
    neurons = list(range(values.shape[1])) if index is None else [int(i) for i in np.ravel(index)]
    fired = spikes.get(population) if symbol == "V" else None
    marks = [] if fired is None else [np.asarray(fired.times_ms)[np.asarray(fired.neurons) == i] for i in neurons]
    return _Panel(population, symbol, unit, times, values, neurons, marks)


def _panels(recorded: Recorded, names: Sequence[str] | None) -> list[_Panel]:
    if isinstance(recorded, HasStates):
        traces, spikes = dict(recorded.states), dict(getattr(recorded, "spikes", {}))
        if not traces:
            raise ValueError('the solution holds no variables; record one: record=[record.State("E.V_mV")]')
    elif isinstance(recorded, Mapping):
        traces, spikes = dict(recorded), {}
    else:
        traces, spikes = {"": recorded}, {}
    for name in names or ():
        if name not in traces:
            raise ValueError(
                f"names: got {name!r}; allowed: {', '.join(map(repr, traces))}. Record it, or name another"
            )
    return [_panel(name, traces[name], spikes) for name in (traces if names is None else names)]


def _draw(ax: Axes, panel: _Panel, columns: Sequence[int], colors: Sequence[Any]) -> None:
    """The lines of some neurons; a spike reaches above the voltage: integrate-and-fire models have no peak of it."""
    for column, color in zip(columns, colors, strict=True):
        values = panel.values[:, column]
        ax.plot(panel.times_ms, values, color=color, linewidth=0.9, label=f"neuron {panel.neurons[column]}")
        if panel.spikes_ms:
            spikes = panel.spikes_ms[column]
            ax.vlines(spikes, np.interp(spikes, panel.times_ms, values), panel.top(), color=color, linewidth=0.9)
    ax.set_xlim(panel.times_ms[0], panel.times_ms[-1])
    ax.set_ylim(*panel.limits())
    despine(ax)


@overload
def traces(
    recorded: Recorded,
    names: Sequence[str] | None = None,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    max_neurons: int = 6,
    ax: None = None,
) -> Figure: ...


@overload
def traces(
    recorded: Recorded,
    names: Sequence[str] | None = None,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    max_neurons: int = 6,
    ax: Axes,
) -> Axes: ...


def traces(
    recorded: Recorded,
    names: Sequence[str] | None = None,
    *,
    t_start_ms: Number | None = None,
    t_stop_ms: Number | None = None,
    max_neurons: int = 6,
    ax: Axes | None = None,
) -> Figure | Axes:
    """Recorded variables over time: a row for each neuron of each variable, rows of one variable on one scale.

    Where the spikes of a population were recorded too, they stand as lines on its voltage.

    Args:
        recorded: A solution; or recorded variables by name; or one of them; or a pair `(times_ms, values)` with
            values of shape (T,) or (T, k). A name such as "E.V_mV" gives population, symbol and unit.
        names: Which variables to show. Default: all.
        t_start_ms: First time shown, ms. Default: start of the record.
        t_stop_ms: Last time shown, ms. Default: end of the record.
        max_neurons: Neurons shown of each variable; a note says when there are more.
        ax: Draw the neurons of one variable over each other into these axes.
    Returns:
        The figure; with `ax`, those axes.
    Raises:
        ValueError: nothing was recorded, a name is unknown, shapes disagree, or several variables for one `ax`.
    Example:
        >>> figure = traces({"E.V_mV": ([0.0, 1.0, 2.0], [-70.0, -60.0, -65.0])})
        >>> figure.axes[0].get_ylabel()
        'V (mV)'
    """
    if max_neurons < 1:
        raise ValueError(f"max_neurons: got {max_neurons}; allowed: >= 1. Give the number of neurons to show")
    panels = [panel.between(t_start_ms, t_stop_ms) for panel in _panels(recorded, names)]
    shown = [range(min(len(panel.neurons), max_neurons)) for panel in panels]
    if ax is not None:
        if len(panels) != 1:
            raise ValueError(
                f"ax: got one for {len(panels)} variables; allowed: one variable. Choose it with names=[...]"
            )
        _draw(ax, panels[0], shown[0], [OTHERS[k % len(OTHERS)] for k in shown[0]])
        ax.set_xlabel("time (ms)")
        ax.set_ylabel(panels[0].label())
        if len(shown[0]) > 1:
            legend_above(ax, len(shown[0]))
        return ax
    with style(ax):
        rows = sum(map(len, shown))
        figure = new_figure(6.0, 0.6 + max(0.7 * rows, 1.4))
        axes = iter(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
        for panel, columns in zip(panels, shown, strict=True):
            _draw_rows([next(axes) for _ in columns], panel)
        for upper in figure.axes[:-1]:
            despine(upper, bottom=False)
            upper.tick_params(axis="x", length=0.0, labelbottom=False)
        figure.axes[-1].set_xlabel("time (ms)")
        figure.align_ylabels()
    return figure


def _draw_rows(axes: Sequence[Axes], panel: _Panel) -> None:
    """A row for each neuron, one scale, the label at the middle row."""
    color = population_colors([panel.population])[panel.population]
    for column, ax in enumerate(axes):
        _draw(ax, panel, [column], [color])
        if len(panel.neurons) > 1:
            ax.text(1.01, 0.5, f"{panel.neurons[column]}", transform=ax.transAxes, va="center", color=NEUTRAL)
    middle = axes[len(axes) // 2]
    middle.set_ylabel(panel.label(), y=0.5 if len(axes) % 2 else 1.1)
    if len(panel.neurons) > 1:
        hidden = len(axes) < len(panel.neurons)
        note(axes[0], f"neuron ({len(axes)} of {len(panel.neurons)} shown)" if hidden else "neuron")
    if panel.population:
        axes[0].set_title(panel.population, loc="left", color=color)
