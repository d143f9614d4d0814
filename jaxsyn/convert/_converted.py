"""What conversion gives: a spiking network with what is needed to show it samples and to read its answer."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import record
from .._core import Array, float_dtype
from ..network import Network
from ..simulate import run
from ._ann import Ann, check_batch, check_sample
from ._network import INPUT, OUTPUT, Mode, build

_TOGETHER = 128  # samples evaluated at once


class Activity(eqx.Module):
    """What a converted network did with one sample.

    Attributes:
        logits: Output, shape (n_out,).
        counts: Spikes of each neuron by path of the activation, less those taken back, shape (n,).
        activations: What they stand for, in the units of the model, shape (n,).
    Example:
        >>> import jax.numpy as jnp
        >>> Activity(jnp.zeros(2), {"1": jnp.ones(3)}, {"1": jnp.ones(3)}).counts["1"].shape
        (3,)
    """

    logits: Array
    counts: dict[str, Array]
    activations: dict[str, Array]


class AbstractConverted(eqx.Module):
    """A converted network: call it with one sample, `jax.vmap` makes batches, `predict` takes many.

    Attributes:
        ann: The model it came from, batch normalization folded.
    """

    ann: eqx.AbstractVar[Ann]

    @abc.abstractmethod
    def activity(self, x: Array) -> Activity:
        """What it does with one sample of the input shape."""

    def __call__(self, x: Array) -> Array:
        """Output for one sample of the input shape, shape (n_out,): the logits of the model, differentiable."""
        return self.activity(x).logits

    @property
    def paths(self) -> tuple[str, ...]:
        """Path of each spiking layer in the model."""
        return tuple(self.ann.nodes[i].path for i in self.ann.activations)


class Converted(AbstractConverted):
    """A network of time steps: mode "rate", "signed" or "exact".

    `net` is an ordinary network: `js.run`, `js.simulate`, checkpoints and chips take it. Show a sample as drive of
    population "in" for `n_steps` steps (`shown` does), step it `run_steps` times, and divide the potential "out.v" by
    `n_steps`: that is the output. The rate and signed modes may be read at any earlier step as well.

    Attributes:
        net: The network; thresholds of its neurons are 1, `thresholds` say what a spike stands for.
        ann: The model it came from, batch normalization folded.
        thresholds: What a spike of each layer stands for.
        mode: "rate", "signed" or "exact".
        names: Population of each layer.
        n_steps: Steps that a sample is shown for, T.
        run_steps: Steps of a run: more than n_steps where layers fire one after the other.
    Example:
        >>> import jax.numpy as jnp, numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}, {"kind": "relu"}]
        >>> snn = js.convert.from_layers(layers, np.asarray([[1.0, 2.0]]), "exact", n_steps=4)
        >>> [round(v, 6) for v in snn(jnp.asarray([0.5, -1.0])).tolist()]
        [0.5, 0.0]
    """

    net: Network
    ann: Ann
    thresholds: tuple[Array, ...]
    mode: Mode = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    n_steps: int = eqx.field(static=True)
    run_steps: int = eqx.field(static=True)

    def shown(self, x: Array) -> Array:
        """One sample as input of population "in" in every step, shape (run_steps, n_in)."""
        drive = jnp.broadcast_to(x.reshape(1, -1), (self.n_steps, x.size))
        return jnp.pad(drive, ((0, self.run_steps - self.n_steps), (0, 0)))

    def potentials(self, x: Array) -> Array:
        """Output after each step, as the mean over the steps so far, shape (run_steps, n_out)."""
        check_sample("Converted: x", x, self.ann.input_shape)
        kept = record.State(f"{OUTPUT}.v")
        _, out = run(self.net, self.run_steps, inputs={INPUT: self.shown(_floats(x))}, record=[kept])
        steps = jnp.minimum(jnp.arange(1, self.run_steps + 1), self.n_steps).astype(float_dtype())
        trace: Array = out[f"{OUTPUT}.v"] / steps[:, None]
        return trace

    def spikes(self, x: Array) -> dict[str, Array]:
        """Emissions in each step by path of the activation, shape (run_steps, n)."""
        check_sample("Converted: x", x, self.ann.input_shape)
        kept = record.Spikes(self.names)
        _, out = run(self.net, self.run_steps, inputs={INPUT: self.shown(_floats(x))}, record=[kept])
        return {path: out["spikes"][name] for path, name in zip(self.paths, self.names, strict=True)}

    def activity(self, x: Array) -> Activity:
        check_sample("Converted: x", x, self.ann.input_shape)
        every = self.run_steps * self.net.dt_ms
        if self.mode == "signed":
            kept: list[Any] = [record.State(f"{name}.count", every_ms=every) for name in self.names]
        else:
            kept = [record.SpikeCount(name) for name in self.names]
        final = record.State(f"{OUTPUT}.v", every_ms=every)
        _, out = run(self.net, self.run_steps, inputs={INPUT: self.shown(_floats(x))}, record=[*kept, final])
        counts = {p: out[k.name].reshape(-1).astype(float_dtype()) for p, k in zip(self.paths, kept, strict=True)}
        sizes = dict(zip(self.paths, self.thresholds, strict=True))
        activations = {path: n * (sizes[path] / self.n_steps) for path, n in counts.items()}
        return Activity(out[final.name][-1] / self.n_steps, counts, activations)

    def with_steps(self, n_steps: int) -> "Converted":
        """The same conversion for another number of steps; what was trained since is not kept."""
        return make(self.ann, self.thresholds, self.mode, n_steps)


def make(ann: Ann, thresholds: tuple[Array, ...], mode: Mode, n_steps: int) -> Converted:
    """The network of time steps of a folded model with known thresholds."""
    check_steps(n_steps)
    built = build(ann, thresholds, mode, n_steps)
    return Converted(
        net=built.net,
        ann=ann,
        thresholds=thresholds,
        mode=mode,
        names=built.names,
        n_steps=n_steps,
        run_steps=built.run_steps,
    )


def check_steps(n_steps: Any) -> None:
    """Raise unless it is a number of steps."""
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise ValueError(f"n_steps: got {n_steps!r}; allowed: a whole number >= 1, the steps a sample is shown for")


def predict(converted: AbstractConverted | Ann, x: Any) -> np.ndarray[Any, Any]:
    """Outputs for many samples, some at a time.

    Args:
        converted: A converted network, or the model itself.
        x: Samples, shape (samples, *input_shape).
    Returns:
        Logits, shape (samples, n_out).
    Raises:
        ValueError: Samples of another shape, none at all, or not finite.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}]
        >>> js.convert.predict(js.convert.read_layers(layers, (2,)), np.ones((3, 2))).shape
        (3, 2)
    """
    return np.asarray(each(converted, _logits, x))


def observe(converted: AbstractConverted, x: Any) -> Activity:
    """What a converted network does with many samples.

    Args:
        converted: The network.
        x: Samples, shape (samples, *input_shape).
    Returns:
        Logits, counts and activations with the samples as first axis, NumPy arrays.
    Raises:
        ValueError: Samples of another shape, none at all, or not finite.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}, {"kind": "relu"}]
        >>> snn = js.convert.from_layers(layers, np.ones((1, 2)), n_steps=4)
        >>> js.convert.observe(snn, np.ones((3, 2))).counts["1"].tolist()
        [[4.0, 4.0], [4.0, 4.0], [4.0, 4.0]]
    """
    done: Activity = each(converted, _activity, x)
    return done


def each(converted: Any, function: Any, x: Any) -> Any:
    """A function of a converted network and one sample, for many samples, some at a time.

    Args:
        converted: A converted network, or a model.
        function: Gives arrays from these two; define it once, each new one is compiled.
        x: Samples, shape (samples, *input_shape).
    Returns:
        What it gives, the samples as first axis, NumPy arrays.
    Raises:
        ValueError: Samples of another shape, none at all, or not finite.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}]
        >>> snn = js.convert.from_layers(layers, np.ones((1, 2)), n_steps=4)
        >>> js.convert.each(snn, js.convert.Converted.potentials, np.ones((3, 2))).shape
        (3, 4, 2)
    """
    shape = converted.input_shape if isinstance(converted, Ann) else converted.ann.input_shape
    samples = check_batch("x", x, shape)
    parts = []
    for start in range(0, len(samples), _TOGETHER):
        part = samples[start : start + _TOGETHER]
        filled = jnp.resize(part, (min(_TOGETHER, len(samples)), *part.shape[1:]))  # one program for all parts
        done = _vmapped(converted, function, filled)
        parts.append(jax.tree.map(np.asarray, done))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays)[: len(samples)], *parts)


@eqx.filter_jit
def _vmapped(converted: Any, function: Any, x: Array) -> Any:
    return jax.vmap(lambda one: function(converted, one))(x)


def _logits(converted: Any, x: Array) -> Array:
    out: Array = converted(x)
    return out


def _activity(converted: AbstractConverted, x: Array) -> Activity:
    return converted.activity(x)


def _floats(x: Any) -> Array:
    return jnp.asarray(x).astype(float_dtype())
