"""Parameters are array leaves of one kind, checked when a model is constructed."""

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn._core import Parameters, as_float, is_concrete, param, validate


class Model(Parameters):
    tau_ms: jax.Array = param(10.0, above=0.0)
    share: jax.Array = param(0.5, low=0.0, high=1.0)
    level: jax.Array = param(0.0)
    late_ms: jax.Array | None = param(None, low=0.0, optional=True)


@pytest.mark.parametrize(
    "value", [3, 3.0, np.float64(3.0), np.int32(3), [3.0, 4.0], (3, 4), np.array([3, 4]), jnp.asarray([3.0])]
)
def test_numbers_become_float_leaves(value: object) -> None:
    tau = Model(tau_ms=value).tau_ms
    assert isinstance(tau, jax.Array)
    assert tau.dtype == jnp.float32
    with jax.enable_x64(True):
        assert Model(tau_ms=value).tau_ms.dtype == jnp.float64


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tau_ms": 0.0}, r"Model\.tau_ms: got 0\.0; allowed: finite and > 0\. Set it when you construct Model"),
        ({"tau_ms": -1.0}, r"Model\.tau_ms: got -1\.0"),
        ({"tau_ms": np.nan}, r"Model\.tau_ms: got nan"),
        ({"tau_ms": [1.0, np.inf, 3.0]}, r"Model\.tau_ms\[1\]: got inf"),
        ({"share": 1.5}, r"Model\.share: got 1\.5; allowed: finite and >= 0 and <= 1"),
        ({"share": [0.1, -0.1]}, r"Model\.share\[1\]: got -0\.1"),
        ({"level": "high"}, r"Model\.level: got 'high'; allowed: a number"),
        ({"level": None}, r"Model\.level: got None"),
        ({"level": True}, r"Model\.level: got True"),
        ({"level": [[1.0]]}, r"Model\.level: got shape \(1, 1\); allowed: a scalar or one value for each neuron"),
        ({"level": [[1.0], [1.0, 2.0]]}, r"must be a number or a flat sequence"),
        ({"late_ms": -2.0}, r"Model\.late_ms: got -2\.0; allowed: finite and >= 0"),
        ({"tau_ms": [1.0, 2.0], "level": [1.0, 2.0, 3.0]}, r"disagree in length: tau_ms has 2, level has 3"),
    ],
)
def test_bad_values_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Model(**given)


def test_an_optional_parameter_may_be_missing() -> None:
    assert Model().late_ms is None
    assert Model(late_ms=1.0).late_ms == 1.0


def test_traced_values_pass() -> None:
    def tau(x: jax.Array) -> jax.Array:
        assert not is_concrete(x)
        return Model(tau_ms=x).tau_ms * 2.0

    assert jax.jit(tau)(-1.0) == -2.0  # its number is not known, so it is not checked
    assert jax.vmap(tau)(jnp.arange(3.0)).tolist() == [0.0, 2.0, 4.0]


@hypothesis.given(
    st.floats(allow_nan=True, width=32), st.floats(-10.0, 10.0, width=32), st.floats(-10.0, 10.0, width=32)
)
def test_limits_are_sharp(value: float, low: float, high: float) -> None:
    inside = bool(np.isfinite(value)) and low <= value <= high
    try:
        validate("Model", "x", jnp.asarray(value), {"low": low, "high": high})
    except ValueError:
        assert not inside
    else:
        assert inside


def test_placeholders_of_tree_operations_pass() -> None:
    marker = object()
    assert as_float(marker) is marker
    assert as_float(None) is None
    assert as_float(True) is True
    assert as_float(np.array(["a"])).dtype.kind == "U"
    model = jax.tree.map(lambda x: None, Model())
    assert model.tau_ms is None
