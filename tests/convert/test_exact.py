"""The exact mode: counts and logits of the quantized network, whatever its layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from benchmarks.learning._architectures import architecture, inputs
from benchmarks.learning._convert_exact import agrees


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_agree(seed: int) -> None:
    with jax.enable_x64(True):
        assert agrees(seed, samples=4)


def test_the_comparison_can_fail() -> None:
    """Integrate-and-fire of the same network is off by far more than the tolerance."""
    layers, shape, levels = architecture(1)
    ann, x = js.convert.read_layers(layers, shape), inputs(1, shape, 4)
    snn = js.convert.convert(ann, x, "rate", n_steps=levels)
    assert np.abs(js.convert.predict(snn, x) - js.convert.predict(ann, x)).max() > 1e-2


def test_float32_agrees_away_from_boundaries() -> None:
    layers, shape, levels = architecture(4)
    ann, x = js.convert.read_layers(layers, shape), inputs(4, shape, 8)
    margins = []

    def activate(i: int, z: jax.Array) -> jax.Array:
        op = ann.nodes[i].op
        margins.append(float(jnp.min(jnp.abs((z * levels / op.threshold) % 1.0 - 0.5), initial=1.0)))
        return op(z)

    clear = []
    for sample in x:
        margins.clear()
        ann.values(jnp.asarray(sample, jnp.float32), activate)
        clear.append(min(margins) > 1e-5)
    assert any(clear)
    snn = js.convert.convert(ann, x, "exact")
    own, want = js.convert.predict(snn, x)[clear], js.convert.predict(ann, x)[clear]
    assert np.abs(own - want).max() <= 1e-5 * np.abs(want).max()


def test_counts_come_in_one_block_after_the_layer_before() -> None:
    layers = [
        {"kind": "linear", "weight": [[1.0], [-1.0]], "bias": [0.0, 0.3]},
        {"kind": "relu"},
        {"kind": "linear", "weight": [[1.0, 1.0]], "bias": None},
        {"kind": "relu"},
    ]
    snn = js.convert.from_layers(layers, [[1.0]], "exact", n_steps=4, thresholds=js.convert.Percentile(100.0))
    assert snn.run_steps == 12
    trains = snn.spikes(jnp.asarray([0.5]))
    first, second = (np.asarray(trains[path]) for path in ("1", "3"))
    assert first[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert first[:, 1].sum() == 0
    assert second[:8].sum() == 0
    assert second[8:, 0].tolist() == [1, 1, 0, 0]


def test_relu_is_quantized_to_the_steps() -> None:
    layers, shape, _ = architecture(5)
    layers = [{"kind": "relu"} if f["kind"] == "qcfs" else f for f in layers if f["kind"] != "residual"]
    x = inputs(5, shape, 4)
    with jax.enable_x64(True):
        snn = js.convert.from_layers(layers, x, "exact", n_steps=5)
        want = js.convert.predict(snn.ann.quantized(snn.thresholds, 5), x)
        assert np.abs(js.convert.predict(snn, x) - want).max() < 1e-9
        longer = snn.with_steps(64)
        error = [np.abs(js.convert.predict(s, x) - js.convert.predict(s.ann, x)).mean() for s in (snn, longer)]
    assert error[1] < error[0]


def test_any_function_is_carried_exactly() -> None:
    import equinox as eqx

    class Model(eqx.Module):
        first: eqx.nn.Linear
        norm: eqx.nn.LayerNorm
        last: eqx.nn.Linear

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.last(self.norm(jax.nn.relu(self.first(x))))

    keys = jax.random.split(jax.random.key(0), 3)
    model = Model(eqx.nn.Linear(5, 6, key=keys[0]), eqx.nn.LayerNorm(6), eqx.nn.Linear(6, 3, key=keys[1]))
    x = np.asarray(jax.random.normal(keys[2], (8, 5)))
    with pytest.raises(js.convert.UnsupportedLayer, match=r"norm: got LayerNorm.*carry=True"):
        js.convert.from_equinox(model, x, "exact")
    snn = js.convert.from_equinox(model, x, "exact", carry=True, n_steps=8)
    want = js.convert.predict(snn.ann.quantized(snn.thresholds, 8), x)
    np.testing.assert_allclose(js.convert.predict(snn, x), want, atol=1e-5)
