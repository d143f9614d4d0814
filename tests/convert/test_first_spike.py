"""First-spike networks: against a simulation in small steps, and against the ReLU network and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

RNG = np.random.default_rng(2)
LAYERS = [
    {"kind": "conv1d", "weight": RNG.normal(0, 0.6, (3, 1, 3)), "bias": RNG.normal(0, 0.2, 3), "padding": 1},
    {"kind": "relu"},
    {"kind": "maxpool", "kernel": 2},
    {"kind": "residual", "skip": [], "branch": [
        {"kind": "conv1d", "weight": RNG.normal(0, 0.5, (3, 3, 3)), "bias": None, "padding": 1},
        {"kind": "relu"},
    ]},
    {"kind": "flatten"},
    {"kind": "linear", "weight": RNG.normal(0, 0.5, (4, 12)), "bias": RNG.normal(0, 0.2, 4)},
    {"kind": "relu"},
    {"kind": "linear", "weight": RNG.normal(0, 0.5, (2, 4)), "bias": None},
]  # fmt: skip
X = RNG.uniform(0, 1, (6, 1, 8))


def test_outputs_are_those_of_the_relu_network() -> None:
    snn = js.convert.from_layers(LAYERS, X, "first-spike", scale_per_ms=0.2)
    want = js.convert.predict(js.convert.read_layers(LAYERS, (1, 8)), X)
    assert np.abs(js.convert.predict(snn, X) - want).max() <= 1e-5 * np.abs(want).max()
    done = js.convert.observe(snn, X)
    assert all(set(np.unique(n)) <= {0.0, 1.0} for n in done.counts.values())


def test_spikes_stand_in_their_windows() -> None:
    snn = js.convert.from_layers(LAYERS, X, "first-spike", scale_per_ms=0.2)
    done = js.convert.spike_times(snn, X)
    for path, (first, last) in zip(("in", *snn.paths), snn.windows_ms, strict=True):
        times = done.times_ms[path][np.isfinite(done.times_ms[path])]
        assert len(times)
        assert (times >= first).all()
        assert (times <= last).all()
    assert not done.late.any()


def test_membranes_stepped_in_small_steps_fire_at_these_times() -> None:
    layers = [LAYERS[5] | {"weight": RNG.normal(0, 0.7, (4, 3))}, {"kind": "relu"}]
    x, scale, dt_ms = RNG.uniform(0.1, 1, (1, 3)), 0.1, 0.001
    snn = js.convert.from_layers(layers, x, "first-spike", scale_per_ms=scale)
    done = js.convert.spike_times(snn, x)
    (start, armed), (_, end) = snn.windows_ms
    weight, bias = np.asarray(layers[0]["weight"]), np.asarray(layers[0]["bias"])
    V, fired = np.zeros(4), np.full(4, np.inf)
    for k in range(round((end - start) / dt_ms)):
        t = start + k * dt_ms
        V += scale * dt_ms * (weight @ (t >= done.times_ms["in"][0]) if t < armed else np.ones(4))
        over = (scale * (end - armed) - bias <= V) & np.isinf(fired) & (t >= armed)
        fired[over] = t + dt_ms
    own = done.times_ms["1"][0]
    assert (np.isinf(own) == np.isinf(fired)).all()
    assert np.isfinite(own).any()
    np.testing.assert_allclose(own[np.isfinite(own)], fired[np.isfinite(own)], atol=0.02)


def test_gradient_is_that_of_the_relu_network() -> None:
    with jax.enable_x64(True):
        snn = js.convert.from_layers(LAYERS, X, "first-spike")

        def loss(model: object, ann: object) -> jax.Array:
            return jnp.sum(jnp.square(jax.vmap(model)(jnp.asarray(X))))

        relu = jax.grad(lambda ann: jnp.sum(jnp.square(jax.vmap(ann)(jnp.asarray(X)))))(snn.ann)
        spiking = jax.grad(lambda s: jnp.sum(jnp.square(jax.vmap(s)(jnp.asarray(X)))))(snn).ann
        largest = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(relu))
        for a, b in zip(jax.tree.leaves(spiking), jax.tree.leaves(relu), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6 * largest)


def test_what_exceeds_its_window_is_counted() -> None:
    layers = [{"kind": "linear", "weight": [[1.0, -1.0]], "bias": None}, {"kind": "relu"}]
    snn = js.convert.from_layers(layers, [[0.5, 0.4], [1.0, 1.0]], "first-spike")
    done = js.convert.spike_times(snn, [[1.0, 0.0]])
    assert done.late.tolist() == [1]
    assert done.logits[0, 0] == pytest.approx(0.2, rel=1e-5)


def test_what_has_no_first_spike_is_refused() -> None:
    first = {"kind": "linear", "weight": [[1.0]], "bias": None}
    with pytest.raises(js.convert.UnsupportedLayer, match="1: got a quantized activation"):
        js.convert.from_layers([first, {"kind": "qcfs", "lambda": 1.0, "levels": 2}], [[1.0]], "first-spike")
    conv = {"kind": "conv1d", "weight": np.ones((1, 1, 1)), "bias": None}
    layers = [{"kind": "relu"}, conv, {"kind": "maxpool", "kernel": 2}]
    with pytest.raises(js.convert.UnsupportedLayer, match="2: got a maximum of sums"):
        js.convert.from_layers(layers, np.ones((1, 1, 4)), "first-spike")
    snn = js.convert.from_layers([first, {"kind": "relu"}], [[1.0]], "first-spike")
    with pytest.raises(ValueError, match=r"got values from -1 to -1; allowed: 0 to 2"):
        snn(jnp.asarray([-1.0]))
