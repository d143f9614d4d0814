"""First spikes of a trained ReLU perceptron: error of outputs and gradient, spikes of a hidden neuron."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxsyn as js

from ._data import Outcome


def outcomes(layers: list[dict[str, Any]], images: Any, epochs: int) -> Iterator[Outcome]:
    """Windows are calibrated on 1000 images that were trained on; all images to score are shown.

    Args:
        layers: A network of standardized flat images.
        images: See `_data.Images`.
        epochs: Times that the network was shown the images.
    """
    n = layers[0]["weight"].shape[1]
    standard = {"kind": "batchnorm", "mean": np.full(n, images.mean), "var": np.full(n, images.sd**2), "eps": 0.0}
    layers = [standard | {"gamma": np.ones(n), "beta": np.zeros(n)}, *layers]
    shown = (images.x[:1000], images.x_test)
    x, x_test = (np.clip(part.reshape(len(part), n) * images.sd + images.mean, 0, 1) for part in shown)
    snn = js.convert.from_layers(layers, x, "first-spike")
    done = js.convert.spike_times(snn, x_test)
    want = js.convert.predict(snn.ann, x_test)
    hidden = np.concatenate([np.isfinite(done.times_ms[path]) for path in snn.paths], axis=1)
    yield Outcome("first_spike_error", float(np.abs(done.logits - want).max() / np.abs(want).max()), epochs)
    yield Outcome("first_spike_spikes_per_neuron", float(hidden.mean()), epochs)
    yield Outcome("first_spike_gradient_error", _gradient_error(snn, x_test[:256], images.y_test[:256]), epochs)


def _gradient_error(snn: Any, x: Any, y: Any) -> float:
    """Largest difference of a gradient of the cross entropy from that of the ReLU network, to its largest entry."""
    with jax.enable_x64(True):
        snn = jax.tree.map(lambda a: a.astype(jnp.float64), snn)
        samples = jnp.asarray(x, jnp.float64)

        def gradient(network: Any) -> Any:
            def loss(network: Any) -> Any:
                return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(network)(samples), y).mean()

            return jax.tree.leaves(eqx.filter_jit(jax.grad(loss))(network))

        pairs = list(zip(gradient(snn), gradient(snn.ann), strict=True))
        largest = max(float(jnp.abs(b).max()) for _, b in pairs)
        return max(float(jnp.abs(a - b).max()) for a, b in pairs) / largest
