"""Showing samples and reading answers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.train import Classification, count_cross_entropy, first_spike_cross_entropy

from .networks import small, spiking_readout


def test_a_vector_is_held_and_a_sequence_is_played():
    net, task = small(), Classification(n_steps=6)
    x = jnp.asarray([0.2, 0.9, 0.4, 0.7])
    held = task.trace(net, x)
    np.testing.assert_array_equal(held, task.trace(net, jnp.tile(x[None], (6, 1))))
    _, out = js.run(net, 6, inputs={"in": jnp.tile(x[None], (6, 1))}, record=[js.record.State("out.v")])
    np.testing.assert_array_equal(held, out["out.v"])


@pytest.mark.parametrize("loss", [count_cross_entropy, first_spike_cross_entropy])
def test_the_answer_is_the_label_with_the_smallest_loss(loss):
    net = small(readout=spiking_readout())
    task = Classification(n_steps=12, loss=loss, readout="out")
    xs = 3.0 * jax.random.uniform(jax.random.key(0), (5, 4))

    def look(x):
        return task.trace(net, x), task.predict(net, x), *task.evaluate(net, x, jnp.int32(1))

    for trace, answer, value, score in zip(*jax.jit(jax.vmap(look))(xs), strict=True):
        assert set(np.unique(trace)) <= {0.0, 1.0}
        first = np.where(np.any(trace, axis=0), np.argmax(trace, axis=0), len(trace))
        expected = np.sum(trace, axis=0).argmax() if loss is count_cross_entropy else first.argmin()
        assert int(answer) == expected
        assert float(score) == float(expected == 1)
        assert float(value) == pytest.approx(float(loss(trace, 1)), rel=1e-6)


def test_gradients_reach_the_first_weights_through_the_hidden_spikes():
    net, task = small(), Classification(n_steps=8)

    def loss(net):
        return task.evaluate(net, jnp.full(4, 1.5), jnp.int32(1))[0]

    gradient = jax.grad(loss, allow_int=True)(net)
    for link in gradient.links:
        assert float(jnp.abs(link.transform.weight).max()) > 0


def test_what_is_stored_gives_the_gradient_of_what_is_computed_again():
    weights, rest = eqx.partition(small(), js.train.trainable(small()))
    kept = []
    for remat in (True, False):
        task = Classification(n_steps=45, remat=remat)

        def loss(weights, task=task):
            return task.evaluate(eqx.combine(weights, rest), jnp.full(4, 1.5), jnp.int32(1))[0]

        assert ("remat" in str(jax.make_jaxpr(jax.grad(loss))(weights))) == remat
        kept.append(jax.tree.leaves(jax.jit(jax.grad(loss))(weights)))
    for one, other in zip(*kept, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_steps", [0, -1, True])
def test_wrong_number_of_steps(n_steps):
    with pytest.raises(ValueError, match=r"Classification\.n_steps: got .*allowed: a whole number >= 1"):
        Classification(n_steps=n_steps)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.zeros((2, 5)),
            np.zeros(2, int),
            r"samples of shape \(5,\); allowed: \(4,\), held for 6 steps, or \(6, 4\)",
        ),
        (np.zeros((2, 5, 4)), np.zeros(2, int), r"samples of shape \(5, 4\)"),
        (np.zeros((2, 4)), np.zeros(2), r"labels float64\[2\]; allowed: whole numbers"),
        (np.zeros((2, 4)), np.zeros((2, 3), int), "one for each sample"),
        (np.zeros((2, 4)), np.asarray([0, 3]), "labels 0 to 3; allowed: 0 to 2, as 'out.v' has 3 neurons"),
    ],
)
def test_data_that_do_not_fit_are_named(x, y, message):
    with pytest.raises(ValueError, match=message):
        Classification(n_steps=6).check(small(), x, y)


def test_unknown_populations_are_named():
    data = np.zeros((1, 4)), np.zeros(1, int)
    with pytest.raises(ValueError, match="unknown population 'input'"):
        Classification(n_steps=6, source="input").check(small(), *data)
    with pytest.raises(ValueError, match="unknown population 'output'"):
        Classification(n_steps=6, readout="output.v").check(small(), *data)
