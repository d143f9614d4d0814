"""Traces: rows, labels, units, spikes on the voltage."""

import types
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxsyn import plot


def test_a_row_for_each_neuron(solution: types.SimpleNamespace) -> None:
    figure = plot.traces(solution)
    V, g = figure.axes[:3], figure.axes[3:]
    assert len(g) == 2
    for column, axes in enumerate(V):
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), solution.states["E.V_mV"].values[:, column])
        assert axes.get_ylim() == V[0].get_ylim()
        assert axes.texts[0].get_text() == str([0, 4, 9][column])
    assert V[1].get_ylabel() == "V (mV)"
    assert g[1].get_ylabel() == "GABA_A g (nS)"
    assert V[0].get_title(loc="left") == "E"
    assert figure.axes[-1].get_xlabel() == "time (ms)"


def test_spikes_stand_on_the_voltage(solution: types.SimpleNamespace) -> None:
    E = solution.spikes["E"]
    for axes, neuron in zip(plot.traces(solution, ["E.V_mV"]).axes, [0, 4, 9], strict=True):
        feet = [segment[0, 0] for segment in axes.collections[0].get_segments()]
        assert feet == pytest.approx(E.times_ms[(E.neurons == neuron) & (E.times_ms <= 399.0)])
    assert not plot.traces(solution, ["I.GABA_A.g_nS"]).axes[0].collections


def test_window_and_limit(solution: types.SimpleNamespace) -> None:
    figure = plot.traces(solution, ["E.V_mV"], t_start_ms=100, t_stop_ms=150, max_neurons=2)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlim() == (100.0, 150.0)
    assert figure.axes[0].get_title(loc="right") == "neuron (2 of 3 shown)"
    assert len(figure.axes[0].lines[0].get_xdata()) == 51


def test_plain_arrays() -> None:
    times, values = np.arange(5.0), np.ones((5, 2))
    trace = types.SimpleNamespace(times_ms=times, values=values, unit="pA")
    assert plot.traces({"w_pA": trace}).axes[1].get_ylabel() == "w (pA)"
    assert plot.traces((times, values[:, 0])).axes[0].get_ylabel() == ""
    assert plot.traces({"n.u": (times, values[:, 0])}).axes[0].get_ylabel() == "u"
    _, given = plt.subplots()
    assert plot.traces({"E.V_mV": (times, values)}, ax=given) is given
    assert given.get_ylabel() == "V (mV)"
    assert [text.get_text() for text in given.get_legend().get_texts()] == ["neuron 0", "neuron 1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recorded": types.SimpleNamespace(states={})}, r"holds no variables; record one: .*record.State"),
        ({"recorded": {"a": ([0.0], [1.0])}, "names": ["b"]}, r"names: got 'b'; allowed: 'a'. Record it"),
        ({"recorded": {"a": 3.0}}, r"trace 'a': got float; allowed: a recorded trace or a pair"),
        ({"recorded": {"a": ([0.0, 1.0], [1.0])}}, r"times_ms has shape \(2,\) and values \(1, 1\).*Put time first"),
        ({"recorded": {"a": ([0.0], [np.inf])}}, r"trace 'a': got a value that is not finite"),
        ({"recorded": ([0.0], [1.0]), "t_start_ms": 5.0}, r"holds none of the 1 samples"),
        ({"recorded": ([0.0], [1.0]), "max_neurons": 0}, r"max_neurons: got 0; allowed: >= 1"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.traces(**arguments)


def test_one_axes_takes_one_variable(solution: types.SimpleNamespace) -> None:
    _, given = plt.subplots()
    with pytest.raises(ValueError, match=r"ax: got one for 2 variables; allowed: one variable"):
        plot.traces(solution, ax=given)
