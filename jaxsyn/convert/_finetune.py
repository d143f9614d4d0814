"""Training goes on in the spiking network: what rounding and order of arrival cost is learned away."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array
from ..train import Classification, History, fit, membrane_cross_entropy
from ._ann import check_batch
from ._converted import Converted
from ._network import INPUT, OUTPUT

_BOUNDS = {"decay": (0.0, 1.0), "threshold": (1e-3, np.inf)}  # what the neuron allows


class _Projected(NamedTuple):
    """An optimizer whose parameters stay within their bounds; what `optax.GradientTransformation` is."""

    init: Any
    update: Any


def finetune(
    converted: Converted,
    data: Sequence[Any],
    *,
    optimizer: Any,
    epochs: int,
    parameters: Sequence[str] = ("threshold", "decay", "start.v"),
    **options: Any,
) -> tuple[Converted, History]:
    """Train a converted network at its own number of steps, by backpropagation through time.

    Weights, and thresholds, leaks and start values of every layer, with the surrogate gradient of the populations.
    Leaks stay in [0, 1], thresholds positive.

    Args:
        converted: A network of mode "rate" or "signed"; left as it is.
        data: Samples (k, *input_shape) and labels (k,).
        optimizer: Any `optax.GradientTransformation`, such as `optax.adam(3e-4)`.
        epochs: Times that every sample is shown.
        parameters: What is trained besides the weights, of each layer.
        options: As of `js.train.fit`: batch_size, seed, test, report.
    Returns:
        The trained network, and loss and accuracy of each epoch. Its `ann` and `thresholds` are those of the model
        before.
    Raises:
        ValueError: Data that do not fit; mode "exact", which is equal to its model already.
    Example:
        >>> import jaxsyn as js, optax
        >>> layers = [{"kind": "linear", "weight": 0.1 * np.ones((10, 64)), "bias": None}]
        >>> x, y, *_ = js.train.digits()
        >>> snn = js.convert.from_layers(layers, x[:9], n_steps=2)
        >>> snn, history = js.convert.finetune(snn, (x, y), optimizer=optax.sgd(1.0), epochs=3)
        >>> history["train_accuracy"][-1] > 0.7
        True
    """
    if converted.mode == "exact":
        raise ValueError(
            "finetune: got mode 'exact'; allowed: 'rate' or 'signed'; an exact network equals its model, train that"
        )
    wanted = [f"{name}.{parameter}" for name in converted.names for parameter in _offered(converted, parameters)]
    if options.get("test") is not None:
        options["test"] = _flat(converted, options["test"])
    task = Classification(converted.n_steps, logit_cross_entropy, INPUT, f"{OUTPUT}.v")
    net, history = fit(
        *(converted.net, _flat(converted, data), task),
        optimizer=_projected(optimizer),
        epochs=epochs,
        parameters=wanted,
        **options,
    )
    return eqx.tree_at(lambda c: c.net, converted, net), history


def logit_cross_entropy(v: Array, label: Any) -> Array:
    """Cross entropy of the summed output of a converted network, as the mean over its steps.

    Args:
        v: Record "out.v", shape (steps, n_out).
        label: Index of the right output.
    Returns:
        The loss, >= 0.
    Example:
        >>> import jax.numpy as jnp
        >>> bool(logit_cross_entropy(jnp.asarray([[9.0, 0.0], [18.0, 0.0]]), 0) < 1e-3)
        True
    """
    return membrane_cross_entropy(v / v.shape[0], label, over="last")


def _offered(converted: Converted, parameters: Sequence[str]) -> list[str]:
    """Parameters that the neurons of the mode have: those that take spikes back have no leak."""
    return [p for p in parameters if not (p == "decay" and converted.mode == "signed")]


def _flat(converted: Converted, data: Sequence[Any]) -> tuple[np.ndarray[Any, Any], Any]:
    x, y = data
    samples = np.asarray(check_batch("data", x, converted.ann.input_shape))
    return samples.reshape(len(samples), -1), y


def _projected(optimizer: Any) -> _Projected:
    """The optimizer with its steps cut short at the bounds of the parameters."""

    def update(gradient: Any, state: Any, parameters: Any) -> tuple[Any, Any]:
        steps, state = optimizer.update(gradient, state, parameters)

        def within(path: Sequence[Any], step: Array, now: Array) -> Array:
            low, high = _bounds(path)
            return jnp.clip(now + step, low, high) - now if np.isfinite([low, high]).any() else step

        return jax.tree_util.tree_map_with_path(within, steps, parameters), state

    return _Projected(optimizer.init, update)


def _bounds(path: Sequence[Any], bounds: Mapping[str, tuple[float, float]] = _BOUNDS) -> tuple[float, float]:
    name = getattr(path[-1], "name", "")
    return bounds.get(name, (-np.inf, np.inf))
