"""How good a conversion is: error by layer and where it comes from, spikes, and accuracy against steps."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._core import Array
from ._ann import rounded
from ._converted import AbstractConverted, Converted, each, predict
from ._first_spike import FirstSpike

STEPS = (1, 2, 4, 8, 16, 32)


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One spiking layer on some data. Errors are root mean squares relative to that of the model's activations.

    Attributes:
        path: Place in the model.
        neurons: Number of neurons.
        threshold: Activation that a spike in every step stands for.
        spikes: Mean spikes of a neuron for one sample.
        silent: Share of neurons and samples without a spike.
        saturated: Share with a spike in every step.
        error: What the counts stand for, against the model.
        clipping: The part that thresholds cut off.
        rounding: The part that whole numbers of spikes leave.
        arrival: What is left: the order in which spikes came, and the errors of the layers before.
    Example:
        >>> LayerReport("1", 4, 1.0, 0.5, 0.6, 0.1, 0.1, 0.0, 0.1, 0.0).neurons
        4
    """

    path: str
    neurons: int
    threshold: float
    spikes: float
    silent: float
    saturated: float
    error: float
    clipping: float
    rounding: float
    arrival: float


@dataclasses.dataclass(frozen=True)
class Report:
    """A conversion on some data; `str` gives it as a table.

    Attributes:
        mode: Mode of the conversion.
        n_steps: Steps that a sample is shown for; 0 in continuous time.
        run_steps: Steps of a run; 0 in continuous time.
        samples: Number of samples.
        layers: The spiking layers.
        spikes_per_sample: Spikes of all neurons for one sample.
        model_accuracy: Share of right answers of the model, None without labels.
        by_steps: For some numbers of steps: share of samples answered as the model does, share of right answers (None
            without labels) and largest difference of an output from the model's.
    Example:
        >>> Report("rate", 4, 4, 10, (), 0.0, None, {4: (1.0, None, 0.0)}).n_steps
        4
    """

    mode: str
    n_steps: int
    run_steps: int
    samples: int
    layers: tuple[LayerReport, ...]
    spikes_per_sample: float
    model_accuracy: float | None
    by_steps: dict[int, tuple[float, float | None, float]]

    def __str__(self) -> str:
        steps = f", T = {self.n_steps}, {self.run_steps} steps a sample" if self.n_steps else ""
        rows = [f"mode {self.mode}{steps}, {self.samples} samples, {self.spikes_per_sample:.1f} spikes a sample", ""]
        columns = ("neurons", "threshold", "spikes", "silent", "full", "error", "clipping", "rounding", "arrival")
        width = max([len("layer"), *(len(layer.path) for layer in self.layers)])
        rows.append(f"{'layer':{width}}" + "".join(f"{name:>10}" for name in columns))
        for layer in self.layers:
            numbers = dataclasses.astuple(layer)[2:]
            rows.append(f"{layer.path:{width}}{layer.neurons:>10}" + "".join(f"{n:>10.4g}" for n in numbers))
        rows += ["", f"{'T':>5}{'as the model':>16}{'right':>10}{'largest difference':>22}"]
        for n, (same, right, difference) in self.by_steps.items():
            shown = "" if right is None else f"{100 * right:.2f} %"
            rows.append(f"{n or '':>5}{100 * same:>14.2f} %{shown:>10}{difference:>22.3g}")
        if self.model_accuracy is not None:
            rows.append(f"{'model':>5}{'':>16}{100 * self.model_accuracy:>8.2f} %")
        return "\n".join(rows)


def report(converted: AbstractConverted, x: Any, y: Any = None, steps: Sequence[int] = STEPS) -> Report:
    """Compare a converted network with its model on some data.

    Args:
        converted: The converted network.
        x: Samples, shape (samples, *input_shape).
        y: Labels, shape (samples,); without them only the agreement with the model is reported.
        steps: Numbers of steps to try; `n_steps` is added. Without effect on a first-spike network, which has none.
    Returns:
        The report.
    Raises:
        ValueError: Samples or labels that do not fit.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}, {"kind": "relu"}]
        >>> x = np.random.default_rng(0).uniform(size=(50, 2))
        >>> found = js.convert.report(js.convert.from_layers(layers, x, n_steps=8), x, steps=(2, 8))
        >>> found.layers[0].path, sorted(found.by_steps)
        ('1', [2, 8])
    """
    want = predict(converted.ann, x)
    labels = None if y is None else _labels(y, len(want))
    found = each(converted, _figures, x)
    layers = tuple(_layer(converted, i, found[path]) for i, path in enumerate(converted.paths))
    spikes = float(sum(layer.spikes * layer.neurons for layer in layers))
    right = None if labels is None else float((want.argmax(1) == labels).mean())
    by_steps = {}
    for n, own in _outputs(converted, x, steps).items():
        answers = own.argmax(1)
        same, difference = float((answers == want.argmax(1)).mean()), float(np.abs(own - want).max())
        by_steps[n] = (same, None if labels is None else float((answers == labels).mean()), difference)
    mode, n_steps, run_steps = "first-spike", 0, 0
    if isinstance(converted, Converted):
        mode, n_steps, run_steps = str(converted.mode), converted.n_steps, converted.run_steps
    return Report(mode, n_steps, run_steps, len(want), layers, spikes, right, by_steps)


def _labels(y: Any, n: int) -> np.ndarray[Any, Any]:
    labels = np.asarray(y)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"y: got {labels.dtype} of shape {labels.shape}; allowed: ({n},) whole numbers, one label for each sample"
        )
    return labels


def _outputs(converted: AbstractConverted, x: Any, steps: Sequence[int]) -> dict[int, np.ndarray[Any, Any]]:
    """Outputs for each number of steps; of the modes that may be read at any step from one run."""
    if not isinstance(converted, Converted):
        return {0: predict(converted, x)}
    wanted = sorted({*steps, converted.n_steps})
    if converted.mode == "exact":
        networks = ((n, converted if n == converted.n_steps else converted.with_steps(n)) for n in wanted)
        return {n: predict(network, x) for n, network in networks}
    traces = each(dataclasses.replace(converted, n_steps=wanted[-1], run_steps=wanted[-1]), _potentials, x)
    return {n: traces[:, n - 1] for n in wanted}


def _potentials(converted: Converted, x: Array) -> Array:
    return converted.potentials(x)


def _figures(converted: AbstractConverted, x: Array) -> dict[str, Array]:
    """For each layer: sums over neurons of squares and counts of one sample, shape (7,)."""
    done, ann = converted.activity(x), converted.ann
    wanted: dict[str, tuple[Array, Array]] = {}

    def activate(i: int, z: Array) -> Array:
        wanted[ann.nodes[i].path] = z, ann.activate(i, z)
        return wanted[ann.nodes[i].path][1]

    ann.values(x, activate)
    out = {}
    for k, path in enumerate(converted.paths):
        (z, a), own, counts = wanted[path], done.activations[path], done.counts[path]
        if isinstance(converted, Converted):
            threshold, n = converted.thresholds[k], converted.n_steps
            cut, levels = jnp.minimum(a, threshold), rounded(z, threshold, n) * (threshold / n)
        else:
            n, cut, levels = 1, a, a
        squares = [jnp.sum(jnp.square(e)) for e in (a, own - a, cut - a, levels - cut, own - levels)]
        shares = [jnp.sum(c, dtype=a.dtype) for c in (counts, counts <= 0, counts >= n)]
        out[path] = jnp.stack([*squares, *shares])
    return out


def _layer(converted: AbstractConverted, k: int, sums: np.ndarray[Any, Any]) -> LayerReport:
    node = converted.ann.nodes[converted.ann.activations[k]]
    total = sums.astype(np.float64).sum(axis=0)
    size = np.sqrt(total[0]) if total[0] > 0 else 1.0
    error, clipping, rounding, arrival = (float(np.sqrt(e) / size) for e in total[1:5])
    if isinstance(converted, Converted):
        threshold = float(converted.thresholds[k])
    else:
        assert isinstance(converted, FirstSpike)
        first, last = converted.windows_ms[k + 1]
        threshold = converted.scale_per_ms * (last - first)
    spikes, silent, full = (float(n / (len(sums) * node.size)) for n in total[5:])
    return LayerReport(
        path=node.path,
        neurons=node.size,
        threshold=threshold,
        spikes=spikes,
        silent=silent,
        saturated=full,
        error=error,
        clipping=clipping,
        rounding=rounding,
        arrival=arrival,
    )
