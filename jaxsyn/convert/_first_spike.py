"""First-spike networks: each neuron fires at most once, and when it fires is what it says."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete
from ..connect import BoundPool
from ._ann import Activation, Ann, Node, check_sample
from ._builder import UnsupportedLayer
from ._converted import AbstractConverted, Activity, each
from ._transforms import carried

_ROOM = 2.0  # widest activation of the calibration, with room: what exceeds its window is cut off, room costs nothing


class FirstSpikes(eqx.Module):
    """What a first-spike network did with one sample.

    Attributes:
        logits: Output, shape (n_out,): potentials of the readout when the last layer has fired.
        times_ms: First spike of each neuron by path ("in" for the input), infinity for silent ones, shape (n,).
        late: Neurons that were driven over threshold before they were armed, so that their activation is cut off.
    Example:
        >>> FirstSpikes(jnp.zeros(2), {"in": jnp.ones(3)}, jnp.zeros((), jnp.int32)).times_ms["in"].shape
        (3,)
    """

    logits: Array
    times_ms: dict[str, Array]
    late: Array


class FirstSpike(AbstractConverted):
    """Neurons that fire at most once, in continuous time; equal to the ReLU network, output and gradient.

    A value x is a spike at t = t_max - x/scale in the window [t_min, t_max] of its layer; 0 is silence. A neuron starts
    at V = 0 when the window of its inputs opens, climbs by scale * w per ms from each input spike on until that window
    closes, and then, armed, by scale per ms, until it reaches its threshold scale (t_max - t_min) - b; hence t =
    t_max - z/scale. Between events the potential is a straight line, so spike times are solved for, not stepped.
    A maximum of spikes of one layer is the earliest spike. What exceeds a window is cut off (`late` counts it).

    Not a `Network` of time steps: its times are real numbers. It is a pure function with the same interface.

    Attributes:
        ann: The model, whose activations are ReLUs.
        windows_ms: First and last time of the input and of each layer, ms, in the order of `ann.activations`.
        scale_per_ms: Activation that 1 ms stands for.
    References:
        Stanojevic et al. (2022), Neural Networks 168:74; (2024), Nat. Commun. 15:6793.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": [[2.0]], "bias": [0.5]}, {"kind": "relu"}]
        >>> snn = js.convert.from_layers(layers, [[1.0]], "first-spike", scale_per_ms=0.1)
        >>> round(float(snn(jnp.asarray([0.25]))[0]), 6)
        1.0
    """

    ann: Ann
    windows_ms: tuple[tuple[float, float], ...] = eqx.field(static=True)
    scale_per_ms: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        if len(self.windows_ms) != len(self.ann.activations) + 1:
            raise ValueError(
                f"FirstSpike.windows_ms: got {len(self.windows_ms)}; allowed: {len(self.ann.activations) + 1}, the "
                "input and each activation"
            )
        if not all(np.isfinite(w).all() and w[0] < w[1] for w in self.windows_ms):
            raise ValueError(f"FirstSpike.windows_ms: got {self.windows_ms}; allowed: finite, first < last")
        if not 0 < self.scale_per_ms < np.inf:
            raise ValueError(f"FirstSpike.scale_per_ms: got {self.scale_per_ms}; allowed: finite and > 0")
        for i in self.ann.activations:
            _check_activation(self.ann.nodes[i])
        for node in self.ann.nodes:
            if carried(node.op):
                _check_maximum(self.ann, node)

    def fire(self, x: Array) -> FirstSpikes:
        """Spike times and output for one sample, whose entries are >= 0 and within the window of the input."""
        check_sample("FirstSpike: x", x, self.ann.input_shape)
        x = x.reshape(-1)
        scale, (t_min, t_max) = self.scale_per_ms, self.windows_ms[0]
        if is_concrete(x) and x.size and not 0 <= float(jnp.min(x)) <= float(jnp.max(x)) <= scale * (t_max - t_min):
            raise ValueError(
                f"FirstSpike: x: got values from {float(jnp.min(x)):g} to {float(jnp.max(x)):g}; allowed: 0 to "
                f"{scale * (t_max - t_min):g}, what the window of the input holds; scale the data, or calibrate with "
                "them"
            )
        place = dict(zip(self.ann.activations, range(1, len(self.windows_ms)), strict=True))
        offsets = self._offsets()
        times: dict[str, Array] = {"in": jnp.where(x > 0, t_max - x / scale, jnp.inf)}
        late = [jnp.zeros((), jnp.int32)]

        def activate(i: int, charge: Array) -> Array:
            """Spike of each neuron; what reaches the next layers is how long before the end of the window it came."""
            node, (armed, end) = self.ann.nodes[i], self.windows_ms[place[i]]
            bias = offsets[node.inputs[0]]
            V, threshold = charge - bias, scale * (end - armed) - bias  # V when this layer is armed
            wait = (threshold - V) / scale
            late.append(jnp.sum(wait < 0, dtype=jnp.int32))
            wait = jnp.maximum(wait, 0.0)
            silent = wait >= end - armed
            times[node.path] = jnp.where(silent, jnp.inf, armed + wait)
            return scale * jnp.where(silent, 0.0, (end - armed) - wait)

        first = scale * jnp.where(x > 0, x / scale, 0.0)
        logits = self.ann.values(first, activate)[-1]
        return FirstSpikes(logits, times, jnp.sum(jnp.stack(late)))

    def activity(self, x: Array) -> Activity:
        done = self.fire(x)
        counts = {p: jnp.isfinite(done.times_ms[p]).astype(float_dtype()) for p in self.paths}
        ends = dict(zip(self.paths, (end for _, end in self.windows_ms[1:]), strict=True))
        held = {
            p: jnp.where(n > 0, self.scale_per_ms * (ends[p] - jnp.where(n > 0, done.times_ms[p], ends[p])), 0.0)
            for p, n in counts.items()
        }
        return Activity(done.logits, counts, held)

    def _offsets(self) -> list[Array]:
        """What biases alone give at every node, all layers silent."""
        zero = jnp.zeros(self.ann.nodes[0].size, float_dtype())
        return self.ann.values(zero, lambda i, z: jnp.zeros_like(z))


def first_spike(ann: Ann, data: Array, scale_per_ms: float) -> FirstSpike:
    """A first-spike network whose windows hold twice the largest activations of some data.

    Args:
        ann: The folded model; its activations are ReLUs.
        data: Samples >= 0, shape (samples, *input_shape).
        scale_per_ms: Activation that 1 ms stands for.
    Returns:
        The network.
    Raises:
        UnsupportedLayer: An activation that is no ReLU, or a maximum of something else than one layer's spikes.
        ValueError: Negative samples.
    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsyn.convert import read_layers
        >>> ann = read_layers([{"kind": "linear", "weight": [[2.0]], "bias": None}, {"kind": "relu"}], (1,))
        >>> [w[1] - w[0] for w in first_spike(ann, jnp.asarray([[1.0]]), 1.0).windows_ms]
        [2.0, 4.0]
    """
    if float(jnp.min(data)) < 0:
        raise ValueError(
            f"calibration: got {float(jnp.min(data)):g}; allowed: >= 0, as a first spike cannot say a negative value; "
            "shift the data, or give positive and negative parts as two channels"
        )
    largest = np.asarray(each(ann, _largest, data), float).max(axis=0)
    largest = np.concatenate([[float(jnp.max(data))], largest])
    widths = np.where(largest > 0, _ROOM * largest, 1.0) / scale_per_ms
    starts = [0.0]
    ends = [float(widths[0])]
    sources = _sources(ann)
    place = {0: 0} | {i: k for k, i in enumerate(ann.activations, 1)}
    for i, width in zip(ann.activations, widths[1:], strict=True):
        starts.append(max(ends[place[s]] for s in sources[ann.nodes[i].inputs[0]]))
        ends.append(float(starts[-1] + width))
    windows = tuple(zip(starts, ends, strict=True))
    return FirstSpike(ann=ann, windows_ms=windows, scale_per_ms=float(scale_per_ms))


def _largest(ann: Ann, x: Array) -> Array:
    kept: list[Array] = []

    def activate(i: int, z: Array) -> Array:
        kept.append(jnp.max(z, initial=0.0))
        return jnp.maximum(z, 0.0)

    ann.values(x, activate)
    return jnp.stack(kept) if kept else jnp.zeros(0, float_dtype())


def _sources(ann: Ann) -> list[set[int]]:
    """Layers (or the input) whose spikes reach each node."""
    out: list[set[int]] = [{0}]
    for i, node in enumerate(ann.nodes[1:], 1):
        reached = set[int]().union(*(out[k] for k in node.inputs))
        out.append({i} if isinstance(node.op, Activation) else reached)
    return out


def _check_activation(node: Node) -> None:
    assert isinstance(node.op, Activation)
    if node.op.threshold is not None:
        what = "a quantized activation" if node.op.levels else "a clipped activation"
        raise UnsupportedLayer(node.path, what, "first spikes carry ReLUs; convert with mode 'exact' or 'rate'")


def _check_maximum(ann: Ann, node: Node) -> None:
    before = ann.nodes[node.inputs[0]]
    spikes = isinstance(before.op, Activation) or node.inputs[0] == 0 or carried(before.op)
    if not isinstance(node.op, BoundPool) or not spikes:
        raise UnsupportedLayer(
            node.path,
            "a maximum of sums" if isinstance(node.op, BoundPool) else "a function",
            "the earliest spike is a maximum right behind an activation alone; pool there, or use mode 'exact'",
        )


def spike_times(converted: FirstSpike, x: Any) -> FirstSpikes:
    """First spikes for many samples, the samples as first axis.

    Args:
        converted: The network.
        x: Samples, shape (samples, *input_shape).
    Returns:
        Logits and times, NumPy arrays.
    Example:
        >>> import jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": [[2.0]], "bias": None}, {"kind": "relu"}]
        >>> snn = js.convert.from_layers(layers, [[1.0]], "first-spike")
        >>> spike_times(snn, [[0.5], [0.0]]).times_ms["1"].shape
        (2, 1)
    """
    done: FirstSpikes = each(converted, _fire, x)
    return done


def _fire(converted: FirstSpike, x: Array) -> FirstSpikes:
    return converted.fire(x)
