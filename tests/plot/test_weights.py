"""Histogram and matrix of weights."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxsyn import plot


def heights(axes: Any) -> np.ndarray:
    """Counts of the outline drawn last."""
    return np.array([y for _, y in axes.patches[-1].get_xy()])


def test_histogram() -> None:
    w = np.random.default_rng(0).lognormal(0, 0.3, 500)
    axes = plot.weights(w, unit="nS", bins=20)
    counts, _ = np.histogram(w, np.linspace(w.min(), w.max(), 21))
    assert heights(axes).max() == counts.max()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("weight (nS)", "synapses")
    assert axes.get_title(loc="right") == f"{w.mean():.3g} ± {w.std():.2g}"
    assert axes.lines[0].get_xdata()[0] == w.mean()


def test_histograms_by_name_share_their_bins() -> None:
    axes = plot.weights({"E_E": [1.0, 1.2, 1.4], "I_E": [-4.0, -3.8]}, bins=10)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["E_E: 1.2 ± 0.16", "I_E: \N{MINUS SIGN}3.9 ± 0.1"]
    assert axes.get_xlabel() == "weight"


@pytest.mark.parametrize("value", [0.0, 1.5, -2.0])
def test_equal_weights_are_one_bar_around_their_value(value: float) -> None:
    axes = plot.weights(np.full(7, value))
    x, y = axes.patches[-1].get_xy().T
    assert y.max() == 7
    assert x[y == 7].mean() == pytest.approx(value)


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [(-2.0, 1.0, (-2.0, 2.0)), (0.0, 3.0, (0.0, 3.0)), (-3.0, 0.0, (-3.0, 0.0)), (0.0, 0.0, (0.0, 1.0))],
)
def test_matrix_has_zero_at_a_fixed_color(low: float, high: float, limits: tuple[float, float]) -> None:
    matrix = np.array([[low, high, 0.0], [0.0, 0.0, low]])
    _, given = plt.subplots()
    axes = plot.weights(matrix, unit="pA", ax=given)
    assert axes is given
    assert np.array_equal(axes.images[0].get_array(), matrix)
    assert axes.images[0].get_clim() == limits
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("target neuron", "source neuron")
    assert given.figure.axes[-1].get_ylabel() == "weight (pA)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"weights: got shape \(0,\); allowed: \(synapses,\) or \(sources, targets\), not empty"),
        (np.ones((2, 2, 2)), r"weights: got shape \(2, 2, 2\)"),
        ({"E_E": np.ones((2, 2))}, r"weights\['E_E'\]: got shape \(2, 2\); allowed: \(synapses,\), not empty"),
        ([1.0, np.nan], r"weights: got a weight that is not finite"),
        ({}, r"weights: got no projection"),
    ],
)
def test_bad_weights(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.weights(values)
    with pytest.raises(ValueError, match=r"bins: got 0; allowed: >= 1"):
        plot.weights([1.0], bins=0)
