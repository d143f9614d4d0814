"""The losses against their closed forms, at their edges, and their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxsyn.train import accuracy, count_cross_entropy, first_spike_cross_entropy, membrane_cross_entropy

STEPS, NEURONS = 7, 4
LOSSES = {
    "count": count_cross_entropy,
    "first_spike": first_spike_cross_entropy,
    "mean": membrane_cross_entropy,
    "last": lambda v, label: membrane_cross_entropy(v, label, over="last"),
    "max": lambda v, label: membrane_cross_entropy(v, label, over="max"),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def trains(seed, density=0.3):
    return (np.random.default_rng(seed).random((STEPS, NEURONS)) < density).astype(np.float32)


def cross_entropy(scores, label):
    scores = np.asarray(scores, np.float64)
    return np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[label]


def test_closed_forms():
    s, v = trains(0), np.random.default_rng(1).normal(size=(STEPS, NEURONS)).astype(np.float32)
    first = np.where(s.any(axis=0), s.argmax(axis=0), STEPS)
    for label in range(NEURONS):
        expected = {
            "count": cross_entropy(s.sum(axis=0), label),
            "first_spike": cross_entropy(-first / 5.0, label),
            "mean": cross_entropy(v.mean(axis=0), label),
            "last": cross_entropy(v[-1], label),
            "max": cross_entropy(v.max(axis=0), label),
        }
        for name, loss in LOSSES.items():
            found = loss(jnp.asarray(s if name in ("count", "first_spike") else v), label)
            assert float(found) == pytest.approx(expected[name], rel=1e-5), name


@every_loss
def test_silent_neurons_give_no_hint_and_have_a_gradient(loss):
    silent = jnp.zeros((STEPS, NEURONS))
    value, gradient = jax.value_and_grad(loss)(silent, 2)
    assert float(value) == pytest.approx(np.log(NEURONS), rel=1e-6)
    assert np.isfinite(gradient).all()
    assert float(gradient[-1, 2]) < 0 < float(gradient[-1, 0])  # more of the right one, less of the others


@every_loss
@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=6, max_size=6), label=st.integers(0, 2))
def test_finite_for_any_potentials(loss, values, label):
    v = jnp.asarray(values, jnp.float32).reshape(2, 3)
    value, gradient = jax.value_and_grad(loss)(v, label)
    assert np.isfinite(value)
    assert value >= 0
    assert np.isfinite(gradient).all()


@every_loss
def test_batches_by_vmap_and_jit_agree_with_single_samples(loss):
    batch, labels = jnp.stack([jnp.asarray(trains(k)) for k in range(3)]), jnp.asarray([0, 3, 1], jnp.int32)
    together = jax.jit(jax.vmap(loss))(batch, labels)
    np.testing.assert_allclose(together, [loss(x, int(y)) for x, y in zip(batch, labels, strict=True)], rtol=1e-6)


@every_loss
def test_a_label_that_is_not_there_is_refused_or_nan(loss):
    trace = jnp.asarray(trains(0))
    for label in (-1, NEURONS):
        with pytest.raises(ValueError, match=r"label: got -?\d; allowed: 0 to 3, as there are 4 output neurons"):
            loss(trace, label)
        assert np.isnan(jax.jit(loss)(trace, label))


@every_loss
def test_nan_stays_nan(loss):
    assert np.isnan(loss(jnp.asarray(trains(0)).at[-1, 1].set(jnp.nan), 1))


@every_loss
def test_spikes_without_surrogate_count_too(loss):
    trace = jnp.asarray(trains(2))
    assert float(loss(trace > 0, 1)) == float(loss(trace, 1))


def test_a_first_spike_pulls_earlier_ones_and_ignores_later_ones():
    spikes = jnp.zeros((STEPS, 2)).at[3, 0].set(1.0).at[5, 0].set(1.0)
    gradient = jax.grad(first_spike_cross_entropy)(spikes, 0)
    assert (np.asarray(gradient[:4, 0]) < 0).all()
    assert (np.asarray(gradient[4:, 0]) == 0).all()
    assert float(first_spike_cross_entropy(spikes, 0, tau_steps=1.0)) < float(first_spike_cross_entropy(spikes, 0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: count_cross_entropy(jnp.zeros((2, 3, 4)), 0), r"count_cross_entropy\.spikes: got shape \(2, 3, 4\)"),
        (lambda: membrane_cross_entropy(jnp.zeros((0, 3)), 0), r"membrane_cross_entropy\.v: got shape \(0, 3\)"),
        (lambda: count_cross_entropy(jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32)), r"label: got int32 of shape \(2,\)"),
        (lambda: count_cross_entropy(jnp.zeros((2, 3)), 1.0), r"label: got float"),
        (lambda: first_spike_cross_entropy(jnp.zeros((2, 3)), 0, tau_steps=0.0), r"tau_steps: got 0\.0"),
        (lambda: accuracy(jnp.zeros((2, 3)), jnp.zeros(3, jnp.int32)), r"scores of shape \(2, 3\) and labels of shape"),
        (lambda: accuracy(jnp.zeros((0, 3)), jnp.zeros(0, jnp.int32)), "at least one sample"),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_accuracy():
    scores = jnp.asarray([[0.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0.0, 5.0, 2.0]])
    assert float(accuracy(scores, jnp.asarray([2, 0, 1, 1]))) == 0.75
