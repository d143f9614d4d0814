"""Raster and rates: what stands on the axes is what was recorded."""

import types
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxsyn import analysis, plot

from .conftest import recorded_spikes


def test_raster_of_a_solution(solution: types.SimpleNamespace) -> None:
    figure = plot.raster(solution)
    rows, below = figure.axes
    E, I = solution.spikes["E"], solution.spikes["I"]
    drawn_E, drawn_I = rows.lines[:2]
    assert sorted(drawn_E.get_xdata()) == pytest.approx(E.times_ms)
    assert sorted(drawn_I.get_ydata()) == pytest.approx(sorted(I.neurons + 320))
    assert drawn_E.get_rasterized()
    assert [label.get_text() for label in rows.get_yticklabels()] == ["E\n320", "I\n80"]
    assert rows.get_ylim() == (399.5, -0.5)  # the first population on top
    assert below.get_xlabel() == "time (ms)"
    assert below.get_ylabel() == "rate (Hz)"
    assert below.get_xlim() == rows.get_xlim() == (0.0, 400.0)
    np.testing.assert_allclose(below.lines[1].get_ydata(), analysis.population_rate_Hz(I, bin_ms=2.0))
    assert below.get_title(loc="right") == "bins of 2 ms"
    assert drawn_E.get_color() == below.lines[0].get_color() != drawn_I.get_color()


def test_raster_into_given_axes_leaves_the_figure_alone(solution: types.SimpleNamespace) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert plot.raster(solution, t_start_ms=100, t_stop_ms=200, ax=left) is left
    assert figure.axes == [left, right]
    assert left.get_xlabel() == "time (ms)"
    assert left.get_xlim() == (100.0, 200.0)
    assert all(100.0 <= t < 200.0 for line in left.lines[:2] for t in line.get_xdata())
    assert not left.spines["top"].get_visible()


def test_few_neurons_are_lines_with_their_numbers() -> None:
    trains = [[1.0, 5.0], [2.0], []]
    rows = plot.raster(trains).axes[0]
    segments = rows.collections[0].get_segments()
    assert [(s[0, 0], s[:, 1].mean()) for s in segments] == [(1.0, 0.0), (5.0, 0.0), (2.0, 1.0)]
    assert rows.get_ylabel() == "neuron"
    assert rows.get_xlim() == (0.0, 6.0)  # no window is known: the first whole ms behind the last spike


def test_many_spikes_are_thinned_by_neuron_and_the_title_says_so() -> None:
    crowd = {"E": recorded_spikes(1000, 20.0, 500.0, 3)}
    figure = plot.raster(crowd, max_spikes=2000)
    rows, below = figure.axes
    shown = rows.lines[0]
    every = int(rows.get_title(loc="right").split()[2])
    assert (np.asarray(shown.get_ydata()) % every == 0).all()
    assert len(shown.get_xdata()) == pytest.approx(len(crowd["E"].times_ms) / every, rel=0.1)
    width = float(below.get_title(loc="right").split()[2])
    assert rows.get_title(loc="right") == f"1 of {every} neurons shown"
    np.testing.assert_allclose(below.lines[0].get_ydata(), analysis.population_rate_Hz(crowd["E"], bin_ms=width))
    assert plot.raster(crowd).axes[0].get_title(loc="right") == ""


def test_labels_of_small_populations_do_not_collide() -> None:
    names = {"L23E": 2000, "L23I": 580, "L4E": 2190, "L4I": 550, "L5E": 485, "L5I": 10, "L6E": 5, "L6I": 300}
    rows = plot.raster({name: recorded_spikes(n, 2.0, 200.0, n) for name, n in names.items()}).axes[0]
    places = rows.get_yticks()
    assert [label.get_text() for label in rows.get_yticklabels()] == list(names)
    assert np.diff(places).min() > 0.04 * sum(names.values())
    colors = [label.get_color() for label in rows.get_yticklabels()]
    assert len(set(colors)) == len(colors)


def test_rates(solution: types.SimpleNamespace) -> None:
    axes = plot.rates(solution, bin_ms=10, smooth_ms=20.0, colors={"I": "black"})
    E, I = axes.lines
    want = analysis.population_rate_Hz(solution.spikes["E"], bin_ms=10.0, smooth_ms=20.0)
    np.testing.assert_allclose(E.get_ydata(), want)
    np.testing.assert_allclose(E.get_xdata(), np.arange(5.0, 400.0, 10.0))
    assert I.get_color() == "black"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["E", "I"]
    assert axes.get_title(loc="right") == "bins of 10 ms, smoothed over 20 ms"
    _, given = plt.subplots()
    assert plot.rates([[1.0, 2.0]], bin_ms=1.0, ax=given) is given
    assert given.get_legend() is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "E") for name in ("E", "L4E", "E_fast", "exc", "Pyramidal", "E_I")),
        *((name, "I") for name in ("I", "L23I", "inh_1", "PV", "I_E")),
        *((name, "") for name in ("input", "MOTOR", "")),
    ],
)
def test_color_follows_the_name(name: str, kind: str) -> None:
    lines = plot.rates({name: [[1.0]], "E0": [[1.0]], "I0": [[1.0]]}, bin_ms=1.0).lines
    reds = [line.get_color().upper() == "#D55E00" for line in lines]
    blues = [line.get_color().upper() == "#0072B2" for line in lines]
    assert (reds[0], blues[0]) == (kind == "E", kind == "I")


def test_unequal_windows_and_empty_populations() -> None:
    late = types.SimpleNamespace(times_ms=[60.0], neurons=[0], n=1, t_start_ms=50.0, t_stop_ms=100.0)
    early = types.SimpleNamespace(times_ms=[10.0], neurons=[0], n=1, t_start_ms=0.0, t_stop_ms=50.0)
    none = types.SimpleNamespace(times_ms=[], neurons=[], n=0, t_start_ms=0.0, t_stop_ms=50.0)
    rows = plot.raster({"late": late, "early": early, "none": none}).axes[0]
    assert rows.get_xlim() == (0.0, 100.0)
    assert [label.get_text() for label in rows.get_yticklabels()] == ["late\n1", "early\n1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activity": types.SimpleNamespace(spikes={})}, r"holds no spikes; record them: .*record.Spikes"),
        ({"activity": {}}, r"got no population with neurons"),
        ({"activity": [[1.0]], "max_spikes": 0}, r"max_spikes: got 0; allowed: >= 1"),
        ({"activity": {"E": [[1.0]]}, "colors": {"F": "red"}}, r"colors: got 'F'; allowed: 'E'. Name a population"),
        ({"activity": [[np.nan]]}, r"time 0 of neuron 0 is nan"),
        ({"activity": recorded_spikes(2, 5.0, 50.0, 0), "t_start_ms": 60.0}, r"t_stop_ms|window \[60, 50\] ms"),
        ({"activity": recorded_spikes(2, 5.0, 50.0, 0), "t_start_ms": 60.0, "t_stop_ms": 80.0}, r"meets the recorded"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.raster(**arguments)
