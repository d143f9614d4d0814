"""Many models of one shape at once: one compiled program folds, calibrates and builds them all."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array
from ._ann import Ann, check_batch
from ._calibrate import AbstractCalibration, Percentile, calibrate
from ._converted import Converted, check_steps, make
from ._fold import fold


def convert_many(
    models: Sequence[Ann],
    calibration: Any,
    mode: str = "rate",
    *,
    n_steps: int = 8,
    thresholds: AbstractCalibration | None = None,
) -> Converted:
    """Convert models of equal structure (an ensemble, a sweep, the epochs of a training) in parallel.

    Args:
        models: Models whose layers agree in kind and shape; numbers differ.
        calibration: Samples for all of them, shape (samples, *input_shape).
        mode: "rate", "signed" or "exact".
        n_steps: Steps that a sample is shown for.
        thresholds: As in `Options`.
    Returns:
        One converted network with the models as first axis of its arrays: call it with
        `eqx.filter_vmap(lambda snn, x: snn(x), in_axes=(eqx.if_array(0), None))`; `member` takes one out.
    Raises:
        ValueError: No model, or models of different structure.
    Example:
        >>> import equinox as eqx, jax.numpy as jnp, numpy as np, jaxsyn as js
        >>> def model(w):
        ...     layers = [{"kind": "linear", "weight": w * np.eye(2), "bias": None}, {"kind": "relu"}]
        ...     return js.convert.read_layers(layers, (2,))
        >>> many = js.convert.convert_many([model(1.0), model(3.0)], np.ones((1, 2)), "exact", n_steps=4)
        >>> each = eqx.filter_vmap(lambda snn, x: snn(x), in_axes=(eqx.if_array(0), None))
        >>> each(many, jnp.ones(2)).round(5).tolist()
        [[1.0, 1.0], [3.0, 3.0]]
    """
    check_steps(n_steps)
    if mode not in ("rate", "signed", "exact"):
        raise ValueError(f"convert_many.mode: got {mode!r}; allowed: rate, signed, exact")
    if not models:
        raise ValueError("convert_many.models: got none; allowed: at least one model")
    kinds = {(jax.tree.structure(m), tuple(x.shape for x in jax.tree.leaves(m))) for m in models}
    if len(kinds) > 1:
        raise ValueError(
            f"convert_many.models: got {len(kinds)} different structures; allowed: one; convert each kind by itself"
        )
    data = check_batch("calibration", calibration, models[0].input_shape)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    how = Percentile() if thresholds is None else thresholds
    converted: Converted = _convert(stacked, data, (mode, n_steps, how))
    return converted


@eqx.filter_jit
def _convert(stacked: Ann, data: Array, setting: Any) -> Any:
    mode, n_steps, how = setting

    def one(ann: Ann) -> Converted:
        folded = fold(ann)
        return make(folded, calibrate(folded, data, how, n_steps), mode, n_steps)

    return eqx.filter_vmap(one)(stacked)


def member(many: Converted, index: int) -> Converted:
    """One of the networks of `convert_many`.

    Args:
        many: What `convert_many` gave.
        index: Which, from 0.
    Returns:
        A converted network like any other.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> ann = js.convert.read_layers([{"kind": "linear", "weight": np.eye(2), "bias": None}], (2,))
        >>> many = js.convert.convert_many([ann, ann], np.ones((1, 2)))
        >>> js.convert.predict(js.convert.member(many, 1), np.ones((1, 2))).tolist()
        [[1.0, 1.0]]
    """
    arrays, static = eqx.partition(many, eqx.is_array)
    one: Converted = eqx.combine(jax.tree.map(lambda leaf: leaf[index], arrays), static)
    return one
