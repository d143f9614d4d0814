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


CHANNEL = eqx.nn.Lambda(lambda x: x.reshape(1, 4))
CASES: dict[str, Any] = {
    "mlp": eqx.nn.MLP(4, 2, 8, 2, key=KEYS[0]),
    "sequential": eqx.nn.Sequential([eqx.nn.Linear(4, 5, key=KEYS[0]), eqx.nn.Lambda(relu_by_maximum)]),
    "clip": lambda x: jnp.clip(2.0 * x - 1.0, 0.0, 0.5) / 2.0,
    "matrix": lambda x: jax.nn.relu(jnp.ones((3, 4)) @ x + jnp.arange(3.0)) - jnp.ones(3),
    "difference": lambda x: jax.nn.relu(x) - 3.0 * jax.nn.relu(-x),
    "shared": lambda x, layer=eqx.nn.Linear(4, 4, key=KEYS[1]): layer(jax.nn.relu(layer(x))),  # noqa: B008
    "identity": eqx.nn.Sequential([eqx.nn.Identity(), eqx.nn.Linear(4, 2, use_bias=False, key=KEYS[2])]),
    "pools": eqx.nn.Sequential([CHANNEL, eqx.nn.AdaptiveAvgPool1d(2), eqx.nn.Lambda(jnp.ravel)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_small_models(case: str) -> None:
    model, x = CASES[case], np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        ann, want = js.convert.read_equinox(model, (4,)), jax.vmap(model)(x)
    np.testing.assert_allclose(js.convert.predict(ann, x), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(js.convert.predict(js.convert.fold(ann), x), want, rtol=1e-5, atol=1e-6)


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
