"""What one does with a conversion: training on, many at once, files, the cache, reports and pictures."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js

RNG = np.random.default_rng(0)


def model(seed: int, width: int = 16) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        {"kind": "linear", "weight": rng.normal(0, 0.4, (width, 64)), "bias": rng.normal(0, 0.1, width)},
        {"kind": "relu"},
        {"kind": "linear", "weight": rng.normal(0, 0.4, (10, width)), "bias": None},
    ]


X, Y, *_ = js.train.digits()
X, Y = X[:300], Y[:300]


@pytest.fixture
def as_the_reader_has_it() -> Iterator[None]:
    """optax promotes types."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@pytest.mark.usefixtures("as_the_reader_has_it")
@pytest.mark.parametrize("mode", ["rate", "signed"])
def test_fine_tuning_learns_and_moves_everything(mode: str) -> None:
    snn = js.convert.from_layers(model(0), X, mode, n_steps=2)
    tuned, history = js.convert.finetune(snn, (X, Y), optimizer=optax.adam(2e-2), epochs=6, batch_size=50, test=(X, Y))
    assert history["train_loss"][-1] < 0.5 * history["train_loss"][0]
    right = (js.convert.predict(tuned, X).argmax(1) == Y).mean()
    assert right == pytest.approx(history["test_accuracy"][-1], abs=0.01)
    assert right > (js.convert.predict(snn, X).argmax(1) == Y).mean() + 0.2
    layer, before = (s.net.groups[s.net.place("layer_1")[0]] for s in (tuned, snn))
    assert float(layer.neuron.threshold) != float(before.neuron.threshold)
    assert not np.array_equal(layer.start.neuron.v, before.start.neuron.v)
    if mode == "rate":
        assert float(layer.neuron.decay) <= 1.0


@pytest.mark.usefixtures("as_the_reader_has_it")
def test_leaks_stay_within_their_bounds() -> None:
    snn = js.convert.from_layers(model(0), X, n_steps=2)
    tuned, _ = js.convert.finetune(snn, (X, Y), optimizer=optax.sgd(20.0), epochs=1, parameters=["decay", "threshold"])
    neuron = tuned.net.groups[tuned.net.place("layer_1")[0]].neuron
    assert 0.0 <= float(neuron.decay) <= 1.0
    assert float(neuron.threshold) > 0.0


def test_fine_tuning_refuses_what_is_exact_already() -> None:
    snn = js.convert.from_layers(model(0), X, "exact", n_steps=2)
    with pytest.raises(ValueError, match="got mode 'exact'; allowed: 'rate' or 'signed'"):
        js.convert.finetune(snn, (X, Y), optimizer=optax.adam(1e-3), epochs=1)
    rate = js.convert.from_layers(model(0), X, n_steps=2)
    with pytest.raises(ValueError, match="NaN or infinity in sample 0"):
        js.convert.finetune(rate, (np.full_like(X, np.nan), Y), optimizer=optax.adam(1e-3), epochs=1)


def test_many_models_at_once_are_those_one_by_one() -> None:
    models = [js.convert.read_layers(model(seed), (64,)) for seed in range(120)]
    many = js.convert.convert_many(models, X[:20], "exact", n_steps=4)
    for k in (0, 77):
        one = js.convert.convert(models[k], X[:20], "exact", n_steps=4)
        own = js.convert.predict(js.convert.member(many, k), X[:20])
        np.testing.assert_allclose(own, js.convert.predict(one, X[:20]), atol=1e-6)
    call = eqx.filter_vmap(lambda snn, x: snn(x), in_axes=(eqx.if_array(0), None))
    assert call(many, jnp.asarray(X[0], jnp.float32)).shape == (120, 10)
    began = time.process_time()
    jax.block_until_ready(js.convert.convert_many(models, X[:20], "exact", n_steps=4).net)
    assert len(models) / (time.process_time() - began) >= 100  # models a second of the processor


def test_many_models_must_agree() -> None:
    models = [js.convert.read_layers(model(0, width), (64,)) for width in (4, 5)]
    with pytest.raises(ValueError, match="got 2 different structures; allowed: one"):
        js.convert.convert_many(models, X)
    with pytest.raises(ValueError, match="got none; allowed: at least one"):
        js.convert.convert_many([], X)


CONV = [
    {"kind": "conv2d", "weight": RNG.normal(0, 0.5, (3, 1, 3, 3)), "bias": None, "padding": 1},
    {"kind": "relu"},
    {"kind": "residual", "skip": [], "branch": [
        {"kind": "batchnorm", "mean": np.zeros(3), "var": np.ones(3), "gamma": -np.ones(3), "beta": np.ones(3)},
        {"kind": "conv2d", "weight": RNG.normal(0, 0.3, (3, 3, 3, 3)), "bias": np.ones(3), "padding": [1, 1]},
        {"kind": "qcfs", "lambda": 0.9, "levels": 4},
    ]},
    {"kind": "avgpool", "kernel": 2},
    {"kind": "flatten"},
    {"kind": "linear", "weight": RNG.normal(0, 0.3, (10, 48)), "bias": None},
]  # fmt: skip
IMAGES = X.reshape(-1, 1, 8, 8)


def test_files_give_the_model_back(tmp_path: Path) -> None:
    want = js.convert.predict(js.convert.read_layers(CONV, (1, 8, 8)), IMAGES[:5])
    js.convert.write_model(tmp_path / "a.npz", CONV, (1, 8, 8))
    assert np.array_equal(js.convert.predict(js.convert.read_model(tmp_path / "a.npz"), IMAGES[:5]), want)

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(value) for key, value in part.items()}
        return (
            [plain(p) for p in part] if isinstance(part, list) else part.tolist() if hasattr(part, "tolist") else part
        )

    (tmp_path / "a.json").write_text(json.dumps({"input_shape": [1, 8, 8], "layers": plain(CONV)}))
    np.testing.assert_allclose(
        js.convert.predict(js.convert.read_model(tmp_path / "a.json"), IMAGES[:5]), want, atol=1e-6
    )


def test_files_that_are_no_model_are_refused_by_name(tmp_path: Path) -> None:
    wrong = {
        "text.json": (b"{", r"text\.json: "),
        "list.json": (b"[]", r"list\.json: got list; allowed"),
        "shape.json": (b'{"layers": []}', r"shape\.json: input_shape: got None"),
        "kind.json": (b'{"input_shape": [2], "layers": [{"kind": "x"}]}', r"kind\.json: 0: got kind 'x'"),
        "zip.npz": (b"no zip", r"zip\.npz: "),
    }
    for name, (content, message) in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message):
            js.convert.read_model(tmp_path / name)
    np.savez(tmp_path / "other.npz", weight=np.ones(3))
    with pytest.raises(ValueError, match="no text 'model' among"):
        js.convert.read_model(tmp_path / "other.npz")
    np.savez(tmp_path / "object.npz", model=np.asarray([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"object\.npz: "):
        js.convert.read_model(tmp_path / "object.npz")


def test_the_cache_goes_by_content(tmp_path: Path) -> None:
    def thresholds(layers: Any, x: Any, **options: Any) -> list[float]:
        return [float(t) for t in js.convert.from_layers(layers, x, cache=tmp_path, **options).thresholds]

    first = thresholds(model(0), X, n_steps=4)
    (file,) = tmp_path.iterdir()
    np.save(file, np.asarray([0.125], np.float32))
    assert thresholds(model(0), X, n_steps=4) == [0.125]  # the file was used
    assert thresholds(model(0), X, n_steps=5) == first
    assert thresholds(model(1), X, n_steps=4) != [0.125]
    assert thresholds(model(0), X[:50], n_steps=4) != [0.125]
    assert thresholds(model(0), X, n_steps=4, thresholds=js.convert.Percentile(50.0)) != [0.125]
    np.save(file, np.asarray([np.nan], np.float32))
    with pytest.raises(ValueError, match="allowed: 1 thresholds > 0; delete the file"):
        thresholds(model(0), X, n_steps=4)
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="delete the file"):
        thresholds(model(0), X, n_steps=4)


def test_reports_tell_where_errors_come_from() -> None:
    snn = js.convert.from_layers(CONV, IMAGES, "rate", n_steps=4)
    found = js.convert.report(snn, IMAGES[:100], Y[:100], steps=(1, 64))
    assert [layer.path for layer in found.layers] == ["1", "2.branch.2"]
    assert sorted(found.by_steps) == [1, 4, 64]
    assert found.by_steps[64][2] < found.by_steps[1][2]
    first, second = found.layers
    assert first.arrival < 1e-5  # a constant input comes evenly
    assert first.error == pytest.approx(np.hypot(first.clipping, first.rounding), rel=0.2)
    assert second.clipping == 0.0
    counts = js.convert.observe(snn, IMAGES[:100]).counts
    assert found.spikes_per_sample == pytest.approx(sum(n.sum(axis=1).mean() for n in counts.values()), rel=1e-5)
    text = str(found)
    assert "2.branch.2" in text
    assert "spikes a sample" in text
    left, right = js.plot.conversion(found).axes
    assert left.lines[0].get_xdata().tolist() == [1, 4, 64]
    assert len(right.patches) == 6


def test_reports_of_the_other_modes() -> None:
    exact = js.convert.report(js.convert.from_layers(model(0), X, "exact", n_steps=4), X[:50], steps=(2,))
    assert sorted(exact.by_steps) == [2, 4]
    assert exact.layers[0].arrival < 1e-5
    first = js.convert.report(js.convert.from_layers(model(0), X, "first-spike"), X[:50], Y[:50])
    assert first.by_steps[0][0] == 1.0
    assert first.layers[0].error < 1e-5
    with pytest.raises(ValueError, match="got one of a first-spike network"):
        js.plot.conversion(first)
    with pytest.raises(ValueError, match=r"y: got float64 of shape \(50,\)"):
        js.convert.report(js.convert.from_layers(model(0), X, n_steps=2), X[:50], np.ones(50))
