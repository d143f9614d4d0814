"""Curves of a training run."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxsyn import plot


def test_a_panel_for_each_metric_a_line_for_each_split() -> None:
    history = {
        "train_loss": [2.0, 1.0, 0.5],
        "test_loss": [2.1, 1.2, 0.8],
        "train_accuracy": [0.2, 0.7, 0.99],
        "test_accuracy": [0.2, 0.8, 0.75],
    }
    loss, accuracy = plot.training(history).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy (%)")
    assert loss.get_xlabel() == "epoch"
    assert loss.lines[0].get_xdata().tolist() == [1.0, 2.0, 3.0]
    assert loss.lines[1].get_ydata().tolist() == [2.1, 1.2, 0.8]
    assert accuracy.lines[0].get_ydata().tolist() == pytest.approx([20.0, 70.0, 99.0])
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["train", "test"]
    assert accuracy.get_title(loc="right") == "test 75.0 %"
    assert loss.get_ylim()[0] == 0.0


def test_rows_steps_and_percent() -> None:
    rows = [{"step": 100, "loss": 1.0, "val_acc": 55.0}, {"step": 200, "loss": -0.5, "val_acc": 60.0}]
    loss, accuracy = plot.training(rows).axes
    assert loss.get_xlabel() == "step"
    assert loss.lines[0].get_xdata().tolist() == [100.0, 200.0]
    assert loss.get_ylim()[0] < -0.5
    assert accuracy.lines[0].get_ydata().tolist() == [55.0, 60.0]
    assert accuracy.get_title(loc="right") == "validation 60.0 %"


def test_a_row_may_lack_a_metric() -> None:
    rows = [{"loss": 1.0}, {"loss": 0.5, "accuracy": 0.9}]
    accuracy = plot.training(rows).axes[1]
    assert np.isnan(accuracy.lines[0].get_ydata()[0])
    assert accuracy.get_title(loc="right") == "90.0 %"


def test_into_given_axes() -> None:
    _, given = plt.subplots()
    assert plot.training({"loss": [1.0, 0.5]}, ax=given) is given
    assert given.get_legend() is None
    with pytest.raises(ValueError, match=r"ax: got one for loss, accuracy; allowed: one metric"):
        plot.training({"loss": [1.0], "accuracy": [0.5]}, ax=given)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, r"history: got no metric; allowed: at least one"),
        ([], r"history: got no metric"),
        ({"loss": []}, r"history\['loss'\]: got shape \(0,\); allowed: \(epochs,\)"),
        ({"loss": 1.0}, r"history\['loss'\]: got shape \(\)"),
        ({"epoch": [1, 2], "loss": [1.0]}, r"history\['loss'\]: got 1 values for 2 of epoch"),
    ],
)
def test_bad_history(history: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.training(history)
