"""Trees of arrays: what goes in comes out, and another tree is refused by name."""

import pathlib
from typing import Any

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js
from jaxsyn.checkpoint import restore_tree, save_tree

ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int32, np.uint32, np.int8, np.bool_, np.complex64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
TREES = st.recursive(
    ARRAYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=6,
)


def same(a: Any, b: Any) -> bool:
    return bool(np.asarray(a).tobytes() == np.asarray(b).tobytes() and np.asarray(a).dtype == np.asarray(b).dtype)


@hypothesis.given(tree=TREES)
@hypothesis.settings(max_examples=15)
def test_any_tree_comes_back(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    folder = tmp_path_factory.mktemp("tree")
    save_tree(folder, tree)
    found = restore_tree(folder, jax.tree.map(np.zeros_like, tree))
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    assert all(jax.tree.leaves(jax.tree.map(same, found, tree)))


def test_parameters_and_optimizer_state_go_on_as_if_never_stopped(tmp_path: pathlib.Path) -> None:
    params = {"w": jnp.linspace(0.0, 1.0, 5), "b": jnp.zeros(())}
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(0.1, 10)))

    def steps(state: Any, n: int) -> Any:
        for _ in range(n):
            params, inner, key = state
            key, draw = jax.random.split(key)
            noise = jax.random.normal(draw)
            grads = {name: p - noise for name, p in params.items()}
            updates, inner = optimizer.update(grads, inner, params)
            state = optax.apply_updates(params, updates), inner, key
        return state

    with jax.numpy_dtype_promotion("standard"):
        start = (params, optimizer.init(params), jax.random.key(0))
        half = steps(start, 3)
        save_tree(tmp_path, half, step=3)
        resumed = steps(restore_tree(tmp_path, start), 3)
        straight = steps(half, 3)
    assert bool(jnp.all(jax.random.key_data(resumed[2]) == jax.random.key_data(straight[2])))
    assert all(jax.tree.leaves(jax.tree.map(same, resumed[:2], straight[:2])))


def test_a_whole_network_comes_back(tmp_path: pathlib.Path) -> None:
    def build(seed: int) -> js.Network:
        cells = js.Population(js.neurons.LIF(), 20, {"exc": js.receptors.Delta()})
        rule = js.Projection("E", "E", js.connect.FixedTotal(50), weight_mV=js.connect.Uniform(0.0, 1.0), delay_ms=1.0)
        return js.Network({"E": cells}, {"E_E": rule}, dt_ms=0.1, seed=seed)

    save_tree(tmp_path, build(3))
    found = restore_tree(tmp_path, build(4))
    assert all(jax.tree.leaves(jax.tree.map(same, found, build(3))))


def test_numbers_stay_numbers(tmp_path: pathlib.Path) -> None:
    save_tree(tmp_path, {"epoch": 3, "rate": 0.1, "done": True})
    found = restore_tree(tmp_path, {"epoch": 0, "rate": 0.0, "done": False})
    assert found == {"epoch": 3, "rate": 0.1, "done": True}
    assert [type(v) for v in found.values()] == [bool, int, float] or found["epoch"] is not True


def test_a_tree_without_numbers_is_fine(tmp_path: pathlib.Path) -> None:
    save_tree(tmp_path, {"a": [], "b": None, "c": np.zeros((0, 2), np.int32)})
    assert restore_tree(tmp_path, {"a": [], "b": None, "c": np.ones((0, 2), np.int32)})["c"].shape == (0, 2)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"w": np.zeros(3, np.float32)}, r"b is only in the checkpoint; restore into the tree that was saved"),
        ({"w": np.zeros(3, np.float32), "b": np.zeros(2, np.int32), "c": 1.0}, r"c is only in the tree here"),
        (
            {"w": np.zeros(4, np.float32), "b": np.zeros(2, np.int32)},
            r"w has shape \(4,\) here, \(3,\) in the checkpoint",
        ),
        ({"w": np.zeros(3, np.float64), "b": np.zeros(2, np.int32)}, r"w is float64 here, float32 in the checkpoint"),
    ],
)
def test_another_tree_is_refused(tmp_path: pathlib.Path, like: Any, message: str) -> None:
    save_tree(tmp_path, {"w": np.ones(3, np.float32), "b": np.ones(2, np.int32)})
    with pytest.raises(ValueError, match=message):
        restore_tree(tmp_path, like)


@pytest.mark.parametrize(
    ("tree", "options", "message"),
    [
        (
            {"f": len},
            {},
            r"tree: f is builtin_function_or_method; allowed: arrays and numbers. Take them with eqx.filter",
        ),
        ({"f": "text"}, {}, r"tree: f is str; allowed: arrays"),
        ({"a": {"b": 1.0}, "a.b": 2.0}, {}, r"two leaves are called a.b; rename one"),
        ({"w": 1.0}, {"step": -1}, r"save_tree.step: got -1; allowed: a whole number >= 0"),
        ({"w": 1.0}, {"step": True}, r"save_tree.step: got True"),
        ({"w": 1.0}, {"keep": 0}, r"save_tree.keep: got 0; allowed: a whole number >= 1"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: pathlib.Path, tree: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        save_tree(tmp_path, tree, **options)
    assert not list(tmp_path.iterdir())
