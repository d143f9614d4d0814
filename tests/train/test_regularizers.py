"""Target activity, bands and the confusion matrix: closed forms, gradients, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import analysis
from jaxsyn.train import activity_band, confusion_matrix, rate_error, spike_count_band, van_rossum_error

S = jnp.asarray((np.random.default_rng(0).random((50, 6)) < 0.2).astype(np.float32))


def test_closed_forms():
    rates = np.asarray(S).mean(axis=0)
    assert float(rate_error(S, 0.1)) == pytest.approx(np.mean((rates - 0.1) ** 2), rel=1e-5)
    band = np.mean(np.maximum(0.15 - rates, 0) ** 2 + np.maximum(rates - 0.2, 0) ** 2)
    assert float(activity_band(S, 0.15, 0.2)) == pytest.approx(band, rel=1e-5)
    per_neuron = float(S.sum()) / 6
    assert float(spike_count_band(S, per_neuron + 2.0, 99.0)) == pytest.approx(4.0, rel=1e-4)
    assert float(spike_count_band(S, 0.0, per_neuron - 1.0)) == pytest.approx(1.0, rel=1e-4)
    assert float(spike_count_band(S, 0.0, 50.0)) == 0.0


def test_the_distance_is_that_of_van_rossum():
    """On a fine grid the sum is the integral of `analysis.van_rossum_distance`, up to the step."""
    a = jnp.zeros((4000, 1)).at[jnp.asarray([500, 900, 2000])].set(1.0)
    b = jnp.zeros((4000, 1)).at[jnp.asarray([520, 2100])].set(1.0)
    table = analysis.spike_table([[500.0, 900.0, 2000.0], [520.0, 2100.0]], t_stop_ms=4000.0)
    distance = analysis.van_rossum_distance(table, tau_ms=100.0, normalization="plain")[0, 1]
    assert float(van_rossum_error(a, b, tau_steps=100.0)) == pytest.approx(float(distance) ** 2, rel=0.02)
    assert float(van_rossum_error(a, a)) == 0.0


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: rate_error(s, 0.5),
        lambda s: van_rossum_error(s, jnp.ones_like(s)),
        lambda s: activity_band(s, 0.3, 0.4),
        lambda s: spike_count_band(s, 20.0, 30.0),
    ],
)
def test_silent_neurons_are_pushed_to_fire(loss):
    gradient = jax.grad(loss)(jnp.zeros((20, 3)))
    assert np.isfinite(gradient).all()
    assert (np.asarray(gradient) < 0).all()


def test_confusion_counts_every_sample_once():
    scores = np.random.default_rng(1).normal(size=(40, 5))
    labels = np.random.default_rng(2).integers(0, 5, 40)
    matrix = np.asarray(confusion_matrix(scores, labels))
    assert matrix.sum() == 40
    assert np.trace(matrix) == np.count_nonzero(scores.argmax(axis=1) == labels)
    np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_error(jnp.zeros(3), 0.1), r"rate_error\.spikes: got shape \(3,\)"),
        (lambda: rate_error(jnp.zeros((3, 2)), jnp.zeros(3)), r"got a rate of shape \(3,\)"),
        (lambda: van_rossum_error(jnp.zeros((3, 2)), jnp.zeros((2, 2))), "target: got shape"),
        (lambda: van_rossum_error(jnp.zeros((3, 2)), jnp.zeros((3, 2)), tau_steps=0.0), "tau_steps: got 0.0"),
        (lambda: confusion_matrix(jnp.zeros((3, 2)), jnp.zeros(2, jnp.int32)), "confusion_matrix: got scores"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
