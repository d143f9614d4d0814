"""The training loop: it learns, repeats itself, compiles once, and stops in order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js
from jaxsyn.train import (
    Classification,
    TrainingError,
    _fit,
    count_cross_entropy,
    evaluate,
    first_spike_cross_entropy,
    fit,
    membrane_cross_entropy,
    trainable,
)

from .networks import blobs, small, spiking_readout


def lenient(optimizer):
    """An optimizer whose own code may promote dtypes; ours may not."""

    def update(*arguments):
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(*arguments)

    return optax.GradientTransformation(optimizer.init, update)


TASK = Classification(n_steps=6)
ADAM = lenient(optax.adam(0.03))
SURROGATES = [js.surrogate.SuperSpike(), js.surrogate.Triangle(), js.surrogate.Arctangent(), js.surrogate.Sigmoid()]


def arrays(net):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(net)]


@pytest.mark.parametrize("loss", [membrane_cross_entropy, count_cross_entropy, first_spike_cross_entropy])
def test_it_learns_with_every_loss(loss):
    potentials = loss is membrane_cross_entropy
    net = small(readout=None if potentials else spiking_readout())
    task = Classification(n_steps=8, loss=loss, readout="out.v" if potentials else "out")
    data = blobs()
    before = evaluate(net, data, task)
    trained, history = fit(net, data, task, optimizer=ADAM, epochs=15, seed=1)
    after = evaluate(trained, data, task)
    assert before[1] < 0.8
    assert after[1] > 0.95
    assert after[0] < before[0]
    assert [len(values) for values in history.values()] == [15, 15]
    assert history["train_loss"][-1] < history["train_loss"][0]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
def test_every_surrogate_trains_the_hidden_layer(surrogate):
    data, net = blobs(samples=12), small()
    net = eqx.tree_at(lambda n: n.groups[1].surrogate, net, surrogate)
    trained, _ = fit(net, data, TASK, optimizer=optax.sgd(0.1), epochs=1)
    assert not np.array_equal(trained.links[0].transform.weight, net.links[0].transform.weight)
    assert all(np.isfinite(leaf).all() for leaf in arrays(trained))


def test_other_numbers_stay_and_the_given_network_too():
    net, data = small(), blobs(samples=20)
    before = arrays(net)
    trained, _ = fit(net, data, TASK, optimizer=lenient(optax.adamw(0.03, weight_decay=0.1)), epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays(net), strict=True))
    mask = jax.tree.leaves(trainable(net))
    for moved, a, b in zip(mask, before, arrays(trained), strict=True):
        assert moved != np.array_equal(a, b)
    also, _ = fit(net, data, TASK, optimizer=ADAM, epochs=2, parameters=["hidden.threshold"])
    assert float(also.groups[1].neuron.threshold) != float(net.groups[1].neuron.threshold)


def test_the_seed_alone_decides_the_order():
    data = blobs(samples=50)  # the last batch is not full
    runs = [fit(small(), data, TASK, optimizer=ADAM, epochs=2, seed=seed, batch_size=16) for seed in (3, 3, 4)]
    assert all(np.array_equal(a, b) for a, b in zip(arrays(runs[0][0]), arrays(runs[1][0]), strict=True))
    assert runs[0][1] == runs[1][1]
    assert runs[0][1] != runs[2][1]


def test_a_batch_that_is_not_full_counts_its_own_samples_only():
    x, y = blobs(samples=10)
    frozen = optax.sgd(0.0)
    _, history = fit(small(), (x, y), TASK, optimizer=frozen, epochs=1, batch_size=4)  # 4 + 4 + 2
    loss, share = evaluate(small(), (x, y), TASK)
    assert history["train_loss"][0] == pytest.approx(loss, rel=1e-5)
    assert history["train_accuracy"][0] == pytest.approx(share)
    batch = (jnp.asarray(np.r_[x[:2], x[:2]]), jnp.asarray([*y[:2], *y[2:4]], jnp.int32))
    last = _fit._losses(small(), (*batch, jnp.asarray([1.0, 1.0, 0.0, 0.0])), TASK)[0]
    assert float(last) == pytest.approx(evaluate(small(), (x[:2], y[:2]), TASK)[0], rel=1e-5)


def test_held_out_data_are_scored_and_reported_but_not_learned():
    data, held_out = blobs(), blobs(seed=5)
    rows = []
    plain, _ = fit(small(), data, TASK, optimizer=ADAM, epochs=2)
    trained, history = fit(small(), data, TASK, optimizer=ADAM, epochs=2, test=held_out, report=rows.append)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(plain), arrays(trained), strict=True))
    assert history["test_accuracy"][-1] == evaluate(trained, held_out, TASK)[1]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["test_loss"] == history["test_loss"][-1]
    assert fit(small(), data, TASK, optimizer=ADAM, epochs=0)[1] == {}


def test_one_compiled_step():
    shown = []

    class Counting(Classification):
        def evaluate(self, net, x, y):
            shown.append(x.shape)
            return super().evaluate(net, x, y)

    task = Counting(n_steps=3)
    fit(small(), blobs(samples=50), task, optimizer=ADAM, epochs=3, batch_size=16)
    traced = len(shown)
    fit(small(seed=1), blobs(samples=50, seed=2), task, optimizer=ADAM, epochs=2, batch_size=16, seed=9)
    assert len(shown) == traced
    assert set(shown) == {(4,)}


def test_it_stops_at_a_loss_that_is_not_finite_and_keeps_the_last_good_parameters():
    x, y = blobs(samples=32)
    with pytest.raises(TrainingError, match="not finite in epoch 1; try a smaller learning rate") as error:
        fit(small(), (x, y), TASK, optimizer=optax.sgd(float("inf")), epochs=5, batch_size=32)
    assert all(np.isfinite(leaf).all() for leaf in arrays(error.value.net))
    assert all(np.array_equal(a, b) for a, b in zip(arrays(error.value.net), arrays(small()), strict=True))
    assert error.value.history == {}

    def late(v, label):  # turns bad when learning has begun
        loss = membrane_cross_entropy(v, label)
        return jnp.where(loss < 0.3, jnp.nan, loss)

    with pytest.raises(TrainingError) as error:
        fit(small(), (x, y), Classification(6, loss=late), optimizer=ADAM, epochs=50, batch_size=32)
    assert len(error.value.history["train_loss"]) >= 1
    assert all(np.isfinite(leaf).all() for leaf in arrays(error.value.net))


def test_a_population_without_surrogate_is_named():
    net = small()
    net = eqx.tree_at(lambda n: n.groups[1].surrogate, net, None)
    with pytest.raises(ValueError, match="'hidden' has no surrogate"):
        fit(net, blobs(samples=8), TASK, optimizer=ADAM, epochs=1)


def test_sparse_and_recurrent_weights_learn_too():
    net = js.Network(
        {
            "in": js.Population(js.neurons.Relay(), 4),
            "hidden": js.Population(js.neurons.DiscreteLIF(), 16, surrogate=js.surrogate.SuperSpike(k=5.0)),
            "out": js.Population(js.neurons.LeakyIntegrator(), 3),
        },
        {
            "in_hidden": js.Projection("in", "hidden", js.connect.Dense(bias=True)),
            "loop": js.Projection(
                *("hidden", "hidden", js.connect.FixedProbability(0.3)),
                weight=js.connect.Normal(0.0, 0.1),
                delay_ms=1.0,
            ),
            "hidden_out": js.Projection("hidden", "out", js.connect.Dense(bias=True)),
        },
        dt_ms=1.0,
    )
    data = blobs()
    trained, _ = fit(net, data, TASK, optimizer=ADAM, epochs=10)
    loop = next(i for i, link in enumerate(net.links) if link.name == "loop")
    assert not np.array_equal(trained.links[loop].weight, net.links[loop].weight)
    assert evaluate(trained, data, TASK)[1] > 0.95


def test_batch_normalization_is_refused():
    chain = js.connect.Chain((js.connect.Dense(), js.connect.BatchNorm()))
    net = js.Network(
        {"in": js.Population(js.neurons.Relay(), 4), "out": js.Population(js.neurons.LeakyIntegrator(), 3)},
        {"chain": js.Projection("in", "out", js.connect.Chain((js.connect.Dense(n_out=3), *chain.transforms[1:])))},
        dt_ms=1.0,
    )
    with pytest.raises(ValueError, match="batch normalization"):
        fit(net, blobs(samples=8), TASK, optimizer=ADAM, epochs=1)


X, Y = blobs(samples=6)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ((X, Y[:-1]), {}, r"got shapes \(6, 4\) and \(5,\); allowed: equally many samples and labels"),
        ((X[:0], Y[:0]), {}, "at least 1"),
        ((X,), {}, "allowed: two arrays"),
        ((np.asarray(["a"]), np.zeros(1, int)), {}, "samples of type <U1; allowed: numbers"),
        ((np.where(np.arange(6)[:, None] == 3, np.nan, X), Y), {}, "sample 3 is not finite"),
        ((X, Y + 3), {}, "labels 3 to 5; allowed: 0 to 2"),
        ((X, Y), {"epochs": -1}, r"fit\.epochs: got -1; allowed: a whole number >= 0"),
        ((X, Y), {"batch_size": 0}, r"fit\.batch_size: got 0; allowed: a whole number >= 1"),
        ((X, Y), {"seed": 0.5}, r"fit\.seed: got 0\.5"),
        ((X, Y), {"batchsize": 4}, "unknown option 'batchsize'; allowed: batch_size, seed, test, parameters, report"),
        ((X, Y), {"parameters": ["hidden.tau"]}, r"unknown 'hidden\.tau'"),
        ((X, Y), {"test": (X, Y[:2])}, "equally many samples and labels"),
    ],
)
def test_bad_input_is_named(data, options, message):
    with pytest.raises(ValueError, match=message):
        fit(small(), data, TASK, optimizer=ADAM, **{"epochs": 1, **options})


def test_training_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    data, options = blobs(samples=10), {"batch_size": 4, "test": blobs(samples=6)}
    whole, history = fit(small(), data, TASK, optimizer=optax.sgd(0.05, 0.9), epochs=3, **options)
    folder = tmp_path / "training"
    fit(small(), data, TASK, optimizer=optax.sgd(0.05, 0.9), epochs=1, checkpoint=folder, **options)
    reported = []
    again = {**options, "checkpoint": folder, "report": reported.append}
    resumed, later = fit(small(), data, TASK, optimizer=optax.sgd(0.05, 0.9), epochs=3, **again)
    assert [row["epoch"] for row in reported] == [2, 3]
    assert later == history
    assert all(np.array_equal(a, b) for a, b in zip(arrays(whole), arrays(resumed), strict=True))


def test_training_stops_when_the_loss_does_not_fall():
    _, history = fit(small(), blobs(samples=10), TASK, optimizer=optax.sgd(0.0), epochs=9, patience=2)
    assert 3 <= len(history["train_loss"]) < 9  # up to the rounding of a sum in another order
    with pytest.raises(ValueError, match=r"fit\.patience: got -1"):
        fit(small(), blobs(samples=10), TASK, optimizer=optax.sgd(0.0), epochs=1, patience=-1)
