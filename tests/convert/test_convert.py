"""Modes, calibration, and bad input."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from benchmarks.learning._architectures import inputs

RNG = np.random.default_rng(0)
MLP = [
    {"kind": "linear", "weight": RNG.normal(0, 0.5, (20, 8)), "bias": RNG.normal(0, 0.3, 20)},
    {"kind": "relu"},
    {"kind": "linear", "weight": RNG.normal(0, 0.3, (20, 20)), "bias": RNG.normal(0, 0.3, 20)},
    {"kind": "relu"},
    {"kind": "linear", "weight": RNG.normal(0, 0.5, (3, 20)), "bias": None},
]
X = RNG.uniform(0, 1, (40, 8))


def by_hand(x: Any, thresholds: Any, steps: int) -> np.ndarray:
    """Integrate-and-fire from half the threshold, step by step; the output after each step."""
    v = [np.full(20, t / 2) for t in thresholds]
    total, out = np.zeros(3), []
    for n in range(1, steps + 1):
        a = x
        for k in range(2):
            v[k] += MLP[2 * k]["weight"] @ a + MLP[2 * k]["bias"]
            s = v[k] >= thresholds[k]
            v[k] -= thresholds[k] * s
            a = thresholds[k] * s
        total += MLP[4]["weight"] @ a
        out.append(total / n)
    return np.asarray(out)


def test_rate_mode_is_integrate_and_fire() -> None:
    with jax.enable_x64(True):
        snn = js.convert.from_layers(MLP, X, "rate", n_steps=8)
        thresholds = [float(t) for t in snn.thresholds]
        for x in X[:3]:
            np.testing.assert_allclose(snn.potentials(jnp.asarray(x)), by_hand(x, thresholds, 8), atol=1e-12)


def test_more_steps_come_closer_and_signed_spikes_closer_still() -> None:
    error = {}
    for mode in ("rate", "signed"):
        for steps in (4, 64):
            snn = js.convert.from_layers(MLP, X, mode, n_steps=steps, thresholds=js.convert.Percentile(100.0))
            exact = js.convert.predict(snn.ann.quantized(snn.thresholds, steps), X)
            error[mode, steps] = np.abs(js.convert.predict(snn, X) - exact).mean()
    assert error["rate", 64] < 0.3 * error["rate", 4]
    assert error["signed", 4] < 0.8 * error["rate", 4]
    assert error["signed", 64] < error["rate", 64]


def test_counts_stand_for_activations() -> None:
    snn = js.convert.from_layers(MLP, X, "exact", n_steps=32, thresholds=js.convert.Percentile(100.0))
    done = js.convert.observe(snn, X)
    z = X @ MLP[0]["weight"].T + MLP[0]["bias"]
    assert np.abs(done.activations["1"] - np.maximum(z, 0)).max() <= float(snn.thresholds[0]) / 64 + 1e-5
    assert done.counts["1"].max() == 32


def test_percentile_is_that_of_numpy() -> None:
    z = np.maximum(X @ MLP[0]["weight"].T + MLP[0]["bias"], 0)
    found = js.convert.from_layers(MLP, X, n_steps=4, thresholds=js.convert.Percentile(90.0)).thresholds[0]
    assert abs(float(found) - np.quantile(z, 0.9, method="inverted_cdf")) < 1e-5
    largest = js.convert.from_layers(MLP, X, n_steps=4, thresholds=js.convert.Percentile(100.0)).thresholds[0]
    np.testing.assert_allclose(largest, z.max(), rtol=1e-6)


def test_layers_that_seldom_fire_keep_their_largest_activation() -> None:
    a = jnp.zeros(5000, jnp.float32).at[7].set(3.0)
    assert float(js.convert.Percentile(99.9).threshold(a, 4)) == 3.0


def test_least_squares_is_no_worse_than_the_largest() -> None:
    z = jnp.asarray(np.random.default_rng(1).exponential(1.0, 4000), jnp.float32)
    found = js.convert.LeastSquares().threshold(z, 4)

    def error(threshold: Any) -> float:
        levels = np.clip(np.floor(np.asarray(z) * 4 / threshold + 0.5), 0, 4) * threshold / 4
        return float(np.mean((np.asarray(z) - levels) ** 2))

    assert error(float(found)) < 0.6 * error(float(z.max()))
    assert error(float(found)) <= min(error(float(z.max()) * k / 8) for k in range(1, 9)) + 1e-6


def test_silent_layers_and_clipped_ones() -> None:
    layers = [{"kind": "linear", "weight": [[1.0]], "bias": [-9.0]}, {"kind": "relu"}]
    snn = js.convert.from_layers(layers, np.ones((2, 1)), "exact", n_steps=4)
    assert float(snn.thresholds[0]) == 1.0
    clipped = [{"kind": "linear", "weight": [[4.0]], "bias": None}, {"kind": "clip", "high": 1.0}]
    snn = js.convert.from_layers(clipped, np.ones((2, 1)), "exact", n_steps=4)
    assert float(snn.thresholds[0]) == pytest.approx(1.0)
    assert js.convert.predict(snn, [[9.0], [0.125]]).tolist() == [[1.0], [0.5]]


def test_the_levels_are_the_default_steps() -> None:
    layers = [{"kind": "linear", "weight": [[1.0]], "bias": None}, {"kind": "qcfs", "lambda": 1.0, "levels": 3}]
    assert js.convert.from_layers(layers, np.ones((1, 1))).n_steps == 3
    assert js.convert.from_layers([layers[0]], np.ones((1, 1))).n_steps == 8


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nan": ({"calibration": np.full((3, 8), np.nan)}, "calibration: got NaN or infinity in sample 0"),
    "shape": ({"calibration": np.ones((3, 7))}, r"0: got an input of shape \(7,\); allowed: \(8,\)"),
    "flat": ({"calibration": np.ones(8)}, r"calibration: got shape \(8,\); allowed: \(samples, ...\)"),
    "empty": ({"calibration": np.ones((0, 8))}, "calibration: got no sample.*at least one"),
    "text": ({"calibration": np.asarray([["a"]])}, "calibration: got values of type"),
    "no steps": ({"n_steps": 0}, "n_steps: got 0; allowed: a whole number >= 1"),
    "half steps": ({"n_steps": 2.5}, "n_steps: got 2.5"),
    "mode": ({"mode": "fast"}, "mode: got 'fast'; allowed: rate, signed, exact, first-spike"),
    "option": ({"steps": 4}, "unknown option 'steps'; allowed: n_steps"),
    "no use": ({"mode": "first-spike", "n_steps": 4}, "n_steps: got 4; allowed: nothing"),
    "negative": ({"mode": "first-spike", "calibration": -X}, "calibration: got -.*allowed: >= 0"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_refused(case: str) -> None:
    options, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        js.convert.from_layers(MLP, **({"calibration": X} | options))


def test_bad_samples_are_refused() -> None:
    snn = js.convert.from_layers(MLP, X, n_steps=2)
    with pytest.raises(ValueError, match=r"x: got shape \(3, 7\); allowed: \(samples, 8\)"):
        js.convert.predict(snn, np.ones((3, 7)))
    with pytest.raises(ValueError, match="NaN or infinity in sample 1"):
        js.convert.predict(snn, np.where(np.arange(3)[:, None] == 1, np.inf, np.ones((3, 8))))
    with pytest.raises(ValueError, match=r"Converted: x: got shape \(2, 8\); allowed: \(8,\), one sample"):
        snn(jnp.ones((2, 8)))
    with pytest.raises(ValueError, match="Converted: x: got NaN"):
        snn(jnp.full(8, jnp.nan))


@pytest.mark.parametrize("percent", [0.0, 101.0])
def test_calibrations_check_their_numbers(percent: float) -> None:
    with pytest.raises(ValueError, match=r"Percentile.percent: got .*allowed: in \(0, 100\]"):
        js.convert.Percentile(percent)
    with pytest.raises(ValueError, match=r"LeastSquares.candidates: got 1"):
        js.convert.LeastSquares(1)


def test_inputs_helper_leaves_the_unit_interval() -> None:
    x = inputs(0, (50,), 4)
    assert x.min() < 0
    assert x.max() > 1
