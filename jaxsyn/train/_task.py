"""What a network is to learn: how a sample is shown to it, and how its answer is scored."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import record
from .._core import Array
from ..network import Network
from ..simulate import run
from ._losses import membrane_cross_entropy


class AbstractTask(abc.ABC):
    """What a network is to learn, one sample at a time. A frozen dataclass, as it selects the compiled program."""

    @abc.abstractmethod
    def check(self, net: Network, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
        """Raise a `ValueError` unless these samples and labels, on the host, fit the network."""

    @abc.abstractmethod
    def evaluate(self, net: Network, x: Array, y: Array) -> tuple[Array, Array]:
        """Loss of one sample, differentiable, and its score in [0, 1] (1 for a right answer), both scalars."""


@dataclasses.dataclass(frozen=True)
class Classification(AbstractTask):
    """Show a sample, read the output neurons, compare with the label. The answer is the label with the smallest loss.

    Args:
        n_steps: Steps for which a sample is shown, >= 1.
        loss: Function of the recorded array (steps, neurons) and a label, such as `count_cross_entropy`.
        source: Population that gets the sample, e.g. of `Relay` neurons: a vector (n,) in each step, or a sequence
            (n_steps, n).
        readout: What the loss sees: a state variable ("out.v") or the spikes of a population ("out").
        truncate: Steps after which gradients end, as in `js.run`; None: never.
        remat: Whether gradients compute chunks of steps again, as in `js.run`; without, a step takes more memory.
    Raises:
        ValueError: n_steps no whole number >= 1.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 4), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 2)}, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> task = js.train.Classification(n_steps=5)
        >>> task.trace(net, jax.numpy.ones(4)).shape
        (5, 2)
    """

    n_steps: int
    loss: Callable[[Array, Any], Array] = membrane_cross_entropy
    source: str = "in"
    readout: str = "out.v"
    truncate: int | None = None
    remat: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.n_steps, bool) or not isinstance(self.n_steps, int) or self.n_steps < 1:
            raise ValueError(f"Classification.n_steps: got {self.n_steps!r}; allowed: a whole number >= 1")

    def trace(self, net: Network, x: Array) -> Array:
        """What the output neurons do while one sample is shown, shape (n_steps, neurons)."""
        shown = x if x.ndim == 2 else jnp.broadcast_to(x[None, :], (self.n_steps, x.shape[0]))
        kept = record.State(self.readout) if "." in self.readout else record.Spikes(self.readout)
        inputs = {self.source: shown}
        _, out = run(net, self.n_steps, inputs=inputs, record=[kept], truncate=self.truncate, remat=self.remat)
        trace: Array = out[self.readout] if "." in self.readout else out["spikes"][self.readout]
        return trace

    def predict(self, net: Network, x: Array) -> Array:
        """Label of one sample, int32."""
        return self._answer(self.trace(net, x))

    def evaluate(self, net: Network, x: Array, y: Array) -> tuple[Array, Array]:
        trace = self.trace(net, x)
        right = self._answer(jax.lax.stop_gradient(trace)) == y
        return self.loss(trace, y), right.astype(jnp.float32)

    def _answer(self, trace: Array) -> Array:
        losses = jax.vmap(self.loss, (None, 0))(trace, jnp.arange(trace.shape[1], dtype=jnp.int32))
        return jnp.argmin(losses).astype(jnp.int32)

    def check(self, net: Network, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
        n_in, n_out = net.size(self.source), net.size(self.readout.partition(".")[0])
        if x.shape[1:] not in ((n_in,), (self.n_steps, n_in)):
            raise ValueError(
                f"data: got samples of shape {x.shape[1:]}; allowed: ({n_in},), held for {self.n_steps} steps, or "
                f"({self.n_steps}, {n_in}), as population {self.source!r} has {n_in} neurons"
            )
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise ValueError(f"data: got labels {y.dtype}{list(y.shape)}; allowed: whole numbers, one for each sample")
        if y.size and not 0 <= y.min() <= y.max() < n_out:
            raise ValueError(
                f"data: got labels {y.min()} to {y.max()}; allowed: 0 to {n_out - 1}, as {self.readout!r} has {n_out} "
                "neurons"
            )
