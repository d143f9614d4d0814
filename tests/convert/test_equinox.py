"""Equinox models: what is read computes the same, and what cannot be converted is named by its path."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

KEYS = jax.random.split(jax.random.key(0), 12)


class Block(eqx.Module):
    """A residual block as people write it."""

    first: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    second: eqx.nn.Conv2d

    def __init__(self, key: Any) -> None:
        a, b = jax.random.split(key)
        self.first = eqx.nn.Conv2d(4, 4, 3, padding=1, key=a)
        self.norm = eqx.nn.BatchNorm(4, "batch", mode="batch")
        self.second = eqx.nn.Conv2d(4, 4, 3, padding="SAME", groups=2, key=b)

    def __call__(self, x: Any, state: Any) -> Any:
        y, state = self.norm(self.first(x), state)
        return jax.nn.relu(x + self.second(jax.nn.relu(y))), state


class Model(eqx.Module):
    """Nested containers, a block used twice in a row, a global mean, arithmetic and dropout."""

    stem: eqx.nn.Sequential
    blocks: list[Block]
    dropout: eqx.nn.Dropout
    head: eqx.nn.Linear

    def __init__(self, keys: Any) -> None:
        conv = eqx.nn.Conv2d(2, 4, 3, stride=2, padding=2, dilation=2, key=keys[0])
        norm = eqx.nn.BatchNorm(4, "batch", mode="ema")
        inner = eqx.nn.Sequential([eqx.nn.Lambda(jax.nn.relu6), eqx.nn.AvgPool2d(2, 2), eqx.nn.MaxPool2d(2, 1)])
        self.stem = eqx.nn.Sequential([conv, norm, inner])
        self.blocks = [Block(keys[1]), Block(keys[2])]
        self.dropout, self.head = eqx.nn.Dropout(0.5), eqx.nn.Linear(4, 3, key=keys[3])

    def __call__(self, x: Any, state: Any, *, key: Any = None) -> Any:
        x, state = self.stem(x, state)
        for block in self.blocks:
            x, state = block(x, state)
        return self.head(self.dropout(jnp.mean(x, axis=(1, 2)), key=key)) * 0.5 - 1.0, state


def trained() -> tuple[Any, Any, np.ndarray]:
    """A model whose batch normalization has seen data."""
    x = jax.random.normal(KEYS[5], (16, 2, 12, 12))
    model, state = eqx.nn.make_with_state(Model)(KEYS[:4])
    keys = jax.random.split(KEYS[6], len(x))
    call = jax.vmap(lambda x, s, k: model(x, s, key=k), in_axes=(0, None, 0), out_axes=(0, None), axis_name="batch")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        _, state = call(x, state, keys)
    return model, state, np.asarray(x)


def test_a_model_with_everything() -> None:
    model, state, x = trained()
    frozen = eqx.nn.inference_mode(model)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        want = jax.vmap(lambda x: frozen(x, state)[0])(x)
        ann = js.convert.read_equinox(model, (2, 12, 12), state=state)
    np.testing.assert_allclose(js.convert.predict(ann, x), want, atol=2e-5)
    paths = [ann.nodes[i].path for i in ann.activations]
    assert paths == ["stem.layers[2].layers[0]", "blocks[0].norm.relu", "blocks[0].second.relu", "blocks[1].norm.relu",
                     "blocks[1].second.relu"]  # fmt: skip
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        snn = js.convert.from_equinox(model, x, "exact", state=state, n_steps=8)
    own = js.convert.predict(snn, x)
    exact = js.convert.predict(snn.ann.quantized(snn.thresholds, 8), x)
    assert (np.abs(own - exact).max(axis=1) < 1e-4).mean() > 0.9  # a count may lie on a boundary in float32
    with pytest.raises(ValueError, match=r"BatchNorm\): got no state"):
        js.convert.read_equinox(eqx.nn.Sequential([eqx.nn.BatchNorm(2, "b", mode="ema")]), (2,))


def relu_by_maximum(x: Any) -> Any:
    return jnp.maximum(0.0, x)


class Freely(eqx.Module):
    """One activation called twice, names that read alike, weights used and changed by hand, dropout with split keys."""

    block: dict[str, eqx.nn.Linear]
    block_first: eqx.nn.Linear
    act: js.convert.QCFS
    dropout: eqx.nn.Dropout

    def __init__(self) -> None:
        self.block = {"first": eqx.nn.Linear(4, 4, key=KEYS[0])}
        self.block_first = eqx.nn.Linear(4, 4, key=KEYS[1])
        self.act, self.dropout = js.convert.QCFS(0.7, 4), eqx.nn.Dropout(0.5)

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        a, b = jax.random.split(jax.random.key(0) if key is None else key)
        halved = eqx.tree_at(lambda m: m.weight, self.block_first, self.block_first.weight * 0.5)
        x = self.dropout(self.act(jax.nn.relu(self.block["first"](x))), key=a)
        x = self.dropout(self.act(jax.nn.relu(halved(x))), key=b)
        return self.block_first.weight.T @ x + self.block_first.bias


class Stacked(eqx.Module):
    """Layers in one array, called in a loop."""

    layers: eqx.nn.Linear

    def __init__(self) -> None:
        self.layers = eqx.filter_vmap(lambda key: eqx.nn.Linear(4, 4, key=key))(KEYS[:3])

    def __call__(self, x: Any) -> Any:
        arrays, rest = eqx.partition(self.layers, eqx.is_array)

        def turn(x: Any, arrays: Any) -> Any:
            return jax.nn.relu(eqx.combine(arrays, rest)(x)), None

        return jax.lax.scan(turn, x, arrays)[0]


def clip_and_its_input(x: Any) -> Any:
    y = jax.nn.relu(x)
    return y + jnp.minimum(y, 0.5)


def with_side_results(x: Any) -> Any:
    return jax.nn.relu(x), jnp.sin(x)


UNEVEN = eqx.tree_at(lambda q: q.threshold, js.convert.QCFS(0.7, 4), jnp.asarray([0.2, 0.4, 0.8, 1.6]))
CHANNEL = eqx.nn.Lambda(lambda x: x.reshape(1, 4))
CASES: dict[str, Any] = {
    "mlp": eqx.nn.MLP(4, 2, 8, 2, key=KEYS[0]),
    "sequential": eqx.nn.Sequential([eqx.nn.Linear(4, 5, key=KEYS[0]), eqx.nn.Lambda(relu_by_maximum)]),
    "clip": lambda x: jnp.clip(2.0 * x - 1.0, 0.0, 0.5) / 2.0,
    "matrix": lambda x: jax.nn.relu(jnp.ones((3, 4)) @ x + jnp.arange(3.0)) - jnp.ones(3),
    "difference": lambda x: jax.nn.relu(x) - 3.0 * jax.nn.relu(-x),
    "shared": lambda x, layer=eqx.nn.Linear(4, 4, key=KEYS[1]): layer(jax.nn.relu(layer(x))),  # noqa: B008
    "identity": eqx.nn.Sequential([eqx.nn.Identity(), eqx.nn.Linear(4, 2, use_bias=False, key=KEYS[2])]),
    "freely": Freely(),
    "stacked": Stacked(),
    "loop": lambda x: jax.lax.fori_loop(0, 3, lambda _, x: jax.nn.relu(0.5 * x + 0.1), x),
    "checkpoint": jax.checkpoint(lambda x: jax.nn.relu(2.0 * x)),
    "bounds": lambda x: jnp.clip(x, -1.0, 0.5) + jnp.maximum(jnp.minimum(x, 0.3), 0.0) + jnp.minimum(x, 0.2),
    "clamp": lambda x: jax.lax.clamp(0.0, x, 0.5) + jax.nn.hard_sigmoid(x) + jnp.maximum(x, 0.7),
    "clip and its input": clip_and_its_input,
    "side results": lambda x: with_side_results(x)[0],
    "MLP of QCFS": eqx.nn.MLP(4, 3, 5, 2, activation=js.convert.QCFS(0.7, 4), key=KEYS[0]),
    "thresholds of units": eqx.nn.Sequential([UNEVEN, eqx.nn.Linear(4, 2, key=KEYS[2])]),
    "pools": eqx.nn.Sequential([CHANNEL, eqx.nn.AdaptiveAvgPool1d(2), eqx.nn.Lambda(jnp.ravel)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_small_models(case: str) -> None:
    model, x = CASES[case], np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        ann, want = js.convert.read_equinox(model, (4,)), jax.vmap(eqx.nn.inference_mode(model))(x)
    np.testing.assert_allclose(js.convert.predict(ann, x), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(js.convert.predict(js.convert.fold(ann), x), want, rtol=1e-5, atol=1e-6)
    net = js.convert.convert(ann, x, "exact", n_steps=2).net
    assert sum(name.startswith("layer_") for name in net.populations()) == len(ann.activations)


@pytest.mark.parametrize("function", [jnp.tanh, jax.nn.softmax, jax.nn.gelu])
def test_functions_of_one_value_are_carried(function: Any) -> None:
    first, last = (eqx.nn.Linear(4, 4, key=key) for key in KEYS[:2])
    model = eqx.nn.Sequential([first, eqx.nn.Lambda(jax.nn.relu), eqx.nn.Lambda(function), last])
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        want = jax.vmap(model)(x)
        with pytest.raises(js.convert.UnsupportedLayer, match=r"^layers\[2\]: got operation .*carry=True"):
            js.convert.read_equinox(model, (4,))
        ann = js.convert.read_equinox(model, (4,), carry=True)
        np.testing.assert_allclose(js.convert.predict(ann, x), want, rtol=1e-5, atol=1e-6)
        snn = js.convert.convert(ann, x, "exact", n_steps=8)
        exact = js.convert.predict(snn.ann.quantized(snn.thresholds, 8), x)
        np.testing.assert_allclose(js.convert.predict(snn, x), exact, rtol=1e-5, atol=1e-5)


class Tokens(eqx.Module):
    layer: eqx.nn.Linear = eqx.nn.Linear(1, 2, key=KEYS[0])

    def __call__(self, x: Any) -> Any:
        return jax.vmap(self.layer)(x[:, None])


class Cell(eqx.Module):
    cell: eqx.nn.GRUCell = eqx.nn.GRUCell(4, 3, key=KEYS[0])

    def __call__(self, x: Any) -> Any:
        return self.cell(x, jnp.zeros(3))


class Noisy(eqx.Module):
    def __call__(self, x: Any, key: Any) -> Any:
        return x + jax.random.normal(key, x.shape)


REFUSED: dict[str, tuple[Any, str]] = {
    "layer": (eqx.nn.Sequential([eqx.nn.LayerNorm(4)]), r"^layers\[0\]: got LayerNorm; .*carry=True"),
    "operation": (lambda x: jnp.tanh(x), r"operation 'tanh'.*rewrite the model"),
    "product": (lambda x: x * x, "operation 'mul'|operation 'square'|operation 'integer_pow'"),
    "lambda": (eqx.nn.Sequential([eqx.nn.Lambda(jax.nn.gelu)]), r"^layers\[0\]: got operation"),
    "padding": (
        eqx.nn.Sequential([CHANNEL, eqx.nn.Conv1d(1, 1, 2, padding="SAME", key=KEYS[0])]),
        r"^layers\[1\]: got uneven padding",
    ),
    "mode": (
        eqx.nn.Sequential([
            CHANNEL,
            eqx.nn.Conv1d(1, 1, 3, padding=1, padding_mode="CIRCULAR", key=KEYS[0]),
        ]),
        r"^layers\[1\]: got padding_mode 'CIRCULAR'",
    ),
    "sizes": (eqx.nn.Linear(5, 2, key=KEYS[0]), r"^model \(Linear\): got an input of shape \(4,\)"),
    "whole numbers": (lambda x: jax.nn.relu((3 * x).astype(jnp.int32).astype(x.dtype)), "operation .convert_element"),
    "line": (lambda x: jnp.tanh(x), r"at test_equinox\.py:\d+"),
    "vmap": (Tokens(), r"^layer: got Linear under jax.vmap, input \(4, 1\).*Conv1d"),
    "cell": (Cell(), r"^cell: got GRUCell; .*replace it"),
    "two heads": (with_side_results, "got 2 outputs in a tuple; allowed: one array"),
    "random": (Noisy(), r"got random numbers at inference"),
    "threshold": (
        eqx.nn.Sequential([eqx.tree_at(lambda q: q.threshold, UNEVEN, jnp.asarray(-0.1))]),
        r"^layers\[0\]: got threshold -0\.1; allowed: > 0",
    ),
    "nan threshold": (
        eqx.nn.Sequential([eqx.tree_at(lambda q: q.threshold, UNEVEN, jnp.asarray(np.nan))]),
        r"^layers\[0\]: threshold: got NaN",
    ),
    "reshape": (lambda x: x.reshape(5), r"got TypeError when called with one sample of shape \(4,\): cannot reshape"),
    "no function": (3, "model: got int; allowed: a callable"),
    "constant": (lambda x: jnp.ones(2), "got an output that does not depend on the input"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_converted_is_named(case: str) -> None:
    model, message = REFUSED[case]
    with (
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        pytest.raises(ValueError, match=message),
    ):
        js.convert.read_equinox(model, (4,))
