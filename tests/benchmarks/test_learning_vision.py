"""The tasks that see images, on images made here: they learn, and say what they promise."""

import types

import jax
import numpy as np

import jaxsyn as js
from benchmarks.learning import _memory, _smnist, _vision
from benchmarks.learning._data import fashion


def folder(given, scored=None):
    return types.SimpleNamespace(load=lambda name: (given, scored))


def bars(n, seed):
    """Images of bytes with a bright bar whose place is the class, one of ten."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 10
    x = rng.integers(0, 40, (n, 28, 28))
    x[np.arange(n), 2 * y + 4] = 230
    return x.astype(np.uint8), y.astype(np.uint8)


def test_fashion_takes_evaluation_where_it_is_there():
    (x, y), (x_test, y_test) = bars(30, 0), bars(20, 1)
    data = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    own = fashion(folder(data))
    assert [len(part) for part in own[:4]] == [30, 30, 20, 20]
    assert abs(own[0].mean()) < 1e-4
    x, y = bars(10, 2)
    scored = fashion(folder(data, {"x_test": x, "y_test": y}))
    assert [len(part) for part in scored[:4]] == [50, 50, 10, 10]


def test_images_are_moved_whole():
    x = np.zeros((50, 28, 28), np.float32)
    x[:, 14, 14] = 1.0
    shown = np.asarray(_vision.moved(x, jax.random.key(0), 2))
    assert shown.shape == x.shape
    _, rows, columns = np.nonzero(shown)
    assert len(rows) == 50
    assert (rows.min(), rows.max()) == (12, 16)
    assert (columns.min(), columns.max()) == (11, 16)  # mirrored: 13 or 14, then moved


def test_network_with_batch_statistics_learns():
    given = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*bars(256, 0), *bars(90, 1)), strict=True))
    x, y, x_test, y_test = fashion(folder(given))[:4]
    net = _vision.layers([js.connect.Dense(24)], (24,), seed=0)
    before = _vision.right(net, net.init_state().links, x_test, y_test)
    with jax.numpy_dtype_promotion("standard"):  # a schedule of optax needs it
        trained, links = _vision.train(
            net, net.init_state().links, x, y, 0, _vision.Settings(epochs=6, rate=1e-2, moved=0)
        )
    assert before < 0.5
    assert _vision.right(trained, links, x_test, y_test) > 0.9


def test_pixels_come_one_by_one():
    x = np.arange(2 * 784, dtype=np.float32).reshape(2, 28, 28)
    shown = _smnist.sequences(x)
    assert shown.shape == (2, 840, 1)
    assert (shown[1, :784, 0] == np.arange(784, 2 * 784)).all()
    assert not shown[:, 784:].any()
    image = np.zeros((50, 28, 28), np.float32)
    image[:, 14, 14] = 1.0
    _, rows, columns = np.nonzero(_smnist.moved(image, np.random.default_rng(0)))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 16, 12, 16)


def test_a_row_further_up_is_28_steps_ago():
    """The delays of the network are those of the pixels around each pixel."""
    assert _smnist.LAYERS["corners"][1] == [0, 28, 56, 84, 112]
    net = _smnist.network(0)
    delays = {link.name: link.delay_steps for link in net.links if hasattr(link, "delay_steps")}
    assert delays["corners_shapes_234"] == 8 * 28 + 10
    assert len(delays) == 5 + 5 + 9 + 1


def test_digits_are_split_without_overlap(monkeypatch):
    monkeypatch.setattr(_smnist, "TRAINED", 8)
    given = {"x": np.arange(12).repeat(784).reshape(12, 28, 28).astype(np.uint8), "y": np.arange(12).astype(np.uint8)}
    x, y, _, y_test = _smnist.digits(folder(given))
    assert sorted([*y, *y_test]) == list(range(12))
    assert (len(y), len(y_test)) == (8, 4)
    assert np.allclose(x[:, 0, 0] * 255, y)
    assert len(_smnist.digits(folder(given, {"x": given["x"][:3], "y": given["y"][:3]}))[1]) == 12


def test_memory_grows_with_the_root_of_the_steps():
    few = _memory.measure(0, 64, 2, (5, 16, 3), (64, 512))
    assert few["temporaries_mib"] < few["plain_temporaries_mib"]
    assert few["gradient_error"] < 1e-4
    assert abs(few["eprop_growth"] - 1.0) <= 0.05
    assert abs(few["ottt_growth"] - 1.0) <= 0.05
