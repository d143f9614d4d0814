"""Lists of layers: what they compute, and what is refused."""

import copy
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

CONV = {"kind": "conv2d", "weight": np.ones((2, 1, 3, 3)), "bias": [1.0, -1.0], "padding": 1, "stride": 1}
NORM = {"kind": "batchnorm", "mean": [0.5, 1.0], "var": [4.0, 1.0], "gamma": [2.0, -1.0], "beta": [0.1, 0.2]}
NORM = NORM | {"eps": 0.0}
GROUPED = CONV | {"weight": np.ones((2, 1, 2, 2)), "groups": 2, "padding": 0}


def numbers(layers: Any, x: Any, **options: Any) -> np.ndarray:
    ann = js.convert.read_layers(layers, np.shape(x), **options)
    plain, folded = (np.asarray(a(jnp.asarray(x, jnp.float32))) for a in (ann, js.convert.fold(ann)))
    np.testing.assert_allclose(plain, folded, rtol=1e-5, atol=1e-5)
    return plain


def test_every_kind_by_hand() -> None:
    x = np.arange(16.0).reshape(1, 4, 4)
    assert numbers([CONV], x).reshape(2, 4, 4)[:, 0, 0].tolist() == [11.0, 9.0]
    y = numbers([CONV, NORM], x).reshape(2, 4, 4)[:, 0, 0]
    np.testing.assert_allclose(y, [2 * (11 - 0.5) / 2 + 0.1, -(9 - 1) + 0.2], rtol=1e-6)
    assert numbers([{"kind": "avgpool", "kernel": 2}], x).tolist() == [2.5, 4.5, 10.5, 12.5]
    assert numbers([{"kind": "maxpool", "kernel": [3, 2], "stride": [1, 2]}], x).tolist() == [9.0, 11.0, 13.0, 15.0]
    assert numbers([{"kind": "relu"}], np.asarray([-1.0, 2.0])).tolist() == [0.0, 2.0]
    assert numbers([{"kind": "clip", "high": 1.5}], np.asarray([-1.0, 2.0])).tolist() == [0.0, 1.5]
    assert numbers([{"kind": "qcfs", "lambda": 1.0, "levels": 2}], np.asarray([0.2, 0.3])).tolist() == [0.0, 0.5]
    block = {"kind": "residual", "branch": [{"kind": "linear", "weight": [[2.0]], "bias": None}], "skip": []}
    assert numbers([block, {"kind": "dropout", "p": 0.5}], np.asarray([3.0])).tolist() == [9.0]


def test_norm_before_a_padded_convolution_shifts_no_padding() -> None:
    """The corner sees less of the offset than the middle: 4 of 9 entries of the window are there."""
    shift = {"kind": "batchnorm", "mean": [0.0], "var": [1.0], "gamma": [-2.0], "beta": [1.0], "eps": 0.0}
    y = numbers([shift, {**CONV, "bias": None}], np.zeros((1, 4, 4))).reshape(2, 4, 4)
    assert y[0, 0, 0] == 4.0
    assert y[0, 1, 1] == 9.0


@pytest.mark.parametrize("layers", [
    [CONV, NORM],
    [CONV, {"kind": "qcfs", "lambda": 1.0, "levels": 2}, NORM, GROUPED],
    [CONV, NORM, NORM, {"kind": "flatten"}, {"kind": "linear", "weight": np.ones((1, 32)), "bias": None}],
    [CONV, {"kind": "relu"}, NORM, {"kind": "flatten"}, {"kind": "linear", "weight": np.eye(4, 32), "bias": None}],
])  # fmt: skip
def test_folding_keeps_the_function_and_drops_the_norms(layers: Any) -> None:
    x = np.random.default_rng(0).normal(size=(1, 4, 4))
    numbers(layers, x)
    ann = js.convert.fold(js.convert.read_layers(layers, (1, 4, 4)))
    assert not [n for n in ann.nodes if type(n.op).__name__ == "PerChannel"]


def test_weights_come_from_a_state_dict() -> None:
    state = {"fc.weight": np.asarray([[2.0]]), "fc.bias": np.asarray([1.0]), "bn.weight": [3.0], "bn.bias": [0.0]}
    state |= {"bn.running_mean": [1.0], "bn.running_var": [1.0], "bn.num_batches_tracked": 4}
    layers = [{"kind": "linear", "name": "fc"}, {"kind": "batchnorm", "name": "bn", "eps": 0.0}]
    assert numbers(layers, np.asarray([2.0]), weights=state).tolist() == [12.0]
    with pytest.raises(ValueError, match=r"0 \(linear\): no array fd.weight"):
        js.convert.read_layers([{"kind": "linear", "name": "fd"}], (1,), state)


LINEAR = {"kind": "linear", "weight": np.ones((2, 3)), "bias": [0.0, 1.0]}
WRONG: dict[str, tuple[Any, str]] = {
    "kind": ([{"kind": "gru"}], r"^0: got kind 'gru'; allowed: .*linear"),
    "nested": ([{"kind": "residual", "branch": [LINEAR, {"kind": "x"}], "skip": []}], r"^0\.branch\.1: got kind 'x'"),
    "key": ([{**LINEAR, "wieght": 1}], r"unknown key 'wieght'; allowed: .*weight"),
    "shape": ([{**LINEAR, "weight": np.ones((2, 4))}], r"^0: got an input of shape \(3,\); allowed: \(4,\)"),
    "bias": ([{**LINEAR, "bias": [1.0]}], r"^0: got a bias of shape \(1,\); allowed: \(2,\)"),
    "nan": ([{**LINEAR, "weight": np.full((2, 3), np.nan)}], r"^0: weight: got NaN"),
    "ragged": ([{**LINEAR, "weight": [[1.0], [1.0, 2.0]]}], r"^0: weight: got list"),
    "missing": ([{"kind": "linear"}], r"^0: weight: missing"),
    "branches": ([{"kind": "residual", "branch": [LINEAR], "skip": []}], r"got branches of shape \(2,\) and \(3,\)"),
    "levels": ([{"kind": "qcfs", "lambda": 1.0, "levels": 0}], r"got levels 0; allowed: a whole number >= 1"),
    "lambda": ([{"kind": "qcfs", "lambda": 0.0, "levels": 2}], r"got lambda 0.0; allowed: > 0"),
    "flat pool": ([{"kind": "avgpool", "kernel": 2}], r"^0: got kernel 2; .*a flat input has none"),
    "groups": ([{**CONV, "groups": None}], r"^0: got groups None; allowed: a whole number >= 1"),
    "half a group": ([{**CONV, "groups": 0.5}], r"^0: got groups 0.5"),
    "stride": ([{**CONV, "stride": [1, True]}], r"^0: got stride \[1, True\]"),
    "far": ([{**CONV, "padding": 10**30}], r"^0: got padding 1000"),
    "eps": ([{**NORM, "eps": None}], r"^0: got eps None; allowed: a number"),
    "no kernel": ([{**CONV, "weight": np.ones((2, 1, 0, 3))}], r"^0: got a kernel of shape \(2, 1, 0, 3\)"),
    "many levels": ([{"kind": "qcfs", "lambda": 1.0, "levels": 10**30}], r"got levels 1000.*at most 2\^24"),
    "pool": ([{"kind": "avgpool", "kernel": [2]}], r"^0: got kernel"),
    "no layer": (["relu"], r"^0: got str; allowed: a layer"),
    "no list": ("relu", r"layers: got str; allowed: a list"),
    "variance": (
        [{"kind": "batchnorm", "mean": [0.0] * 3, "var": [-1.0] * 3, "gamma": None, "beta": None}],
        r"variance \+ eps that is not positive",
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_by_its_path(case: str) -> None:
    layers, message = copy.deepcopy(WRONG[case])
    with pytest.raises(ValueError, match=message):
        js.convert.read_layers(layers, (3,))


class Tensor:
    """What other libraries hand over."""

    def __init__(self, values: Any, broken: bool = False) -> None:
        self.values, self.broken = np.asarray(values), broken

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        if self.broken:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")
        return self.values.astype(dtype)


def test_tensors_of_other_libraries_are_numbers() -> None:
    linear = {"kind": "linear", "name": "fc"}
    assert numbers([linear], np.asarray([3.0]), weights={"fc.weight": Tensor([[2.0]])}).tolist() == [6.0]
    with pytest.raises(ValueError, match=r"^0: weight: got Tensor; allowed: a full array"):
        js.convert.read_layers([linear], (1,), {"fc.weight": Tensor([[2.0]], broken=True)})


def test_a_window_larger_than_its_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^0: got a window \(9, 9\) larger than its padded input"):
        js.convert.read_layers([{"kind": "maxpool", "kernel": 9}], (1, 4, 4))
    with pytest.raises(ValueError, match=r"^0: got an input of shape \(1, 4, 4\); allowed: \(2, 2 axes\)"):
        js.convert.read_layers([{**CONV, "weight": np.ones((2, 2, 3, 3))}], (1, 4, 4))
