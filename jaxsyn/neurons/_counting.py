"""Neurons that count: they carry the rounded activations of a converted network in numbers of spikes."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, Parameter, float_dtype, param
from ._base import AbstractDiscreteNeuron, SpikeFunction


class AccumulatingState(eqx.Module):
    """Membrane variable `v`, a pure number, and steps done `clock`, int32, shape (n,)."""

    v: Array
    clock: Array


class SignedState(eqx.Module):
    """Membrane variable `v` and spikes sent less those taken back `count`, pure numbers, shape (n,)."""

    v: Array
    count: Array


class DifferenceState(eqx.Module):
    """Drive of the step before, `last`, shape (n,)."""

    last: Array


class AccumulateFire(AbstractDiscreteNeuron):
    """Integrate-and-fire neuron that listens first and fires afterwards.

    u = v + I;  s = [u >= threshold] within its window of steps, else 0;  v = u - threshold s.

    Nothing is emitted before all of the input is there, so the number of spikes depends on the sum of the input alone,
    not on its order: clip(floor(v(0)/threshold + sum I/threshold), 0, window_steps).

    Args:
        threshold: Firing threshold, > 0.
        wait_steps: Steps before the window, in which it only integrates, >= 0.
        window_steps: Steps of the window, in each of which it emits at most one spike, >= 1.
    Raises:
        ValueError: A parameter is out of range.
    References:
        Hao et al. (2025), ICML (parallel conversion); Ramesh and Srinivasan (2025), PASCAL.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> cell = js.Population(js.neurons.AccumulateFire(wait_steps=2, window_steps=2), 1)
        >>> net = js.Network({"E": cell}, dt_ms=1.0)
        >>> drive = jnp.asarray([[2.5], [-1.0], [0.0], [0.0]])
        >>> _, out = js.run(net, 4, inputs={"E": drive}, record=[js.record.Spikes()])
        >>> out["spikes"]["E"][:, 0].astype(int).tolist()
        [0, 0, 1, 0]
    """

    threshold: Parameter = param(1.0, above=0.0)
    wait_steps: Parameter = param(0.0, low=0.0)
    window_steps: Parameter = param(1.0, low=1.0)

    def init_state(self, shape: tuple[int, ...]) -> AccumulatingState:
        return AccumulatingState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, jnp.int32))

    def step(self, state: AccumulatingState, drive: Array, spike: SpikeFunction) -> tuple[AccumulatingState, Array]:
        u = state.v + drive
        now = state.clock.astype(u.dtype) - self.wait_steps
        spikes = jnp.where((now >= 0.0) & (now < self.window_steps), spike(u - self.threshold), 0.0)
        return AccumulatingState(u - self.threshold * spikes, state.clock + jnp.int32(1)), spikes


class SignedIF(AbstractDiscreteNeuron):
    """Integrate-and-fire neuron that takes back what it sent too much.

    u = v + I;  s = [u >= threshold] - [u < 0 and count > 0];  v = u - threshold s;  count' = count + s.

    A negative spike corrects one that came before inhibition did. As soon as 0 <= v < threshold, the count is the
    rounded sum of the input, whatever the order of its arrival.

    Args:
        threshold: Firing threshold, > 0.
    Raises:
        ValueError: `threshold` is not finite or not positive.
    References:
        Wang et al. (2022), IJCAI (signed neuron with memory); You et al. (2024), ICML (SpikeZIP-TF).
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.SignedIF(), 1)}, dt_ms=1.0)
        >>> drive = jnp.asarray([[1.5], [-2.0]])
        >>> _, out = js.run(net, 2, inputs={"E": drive}, record=[js.record.State("E.count")])
        >>> out["E.count"][:, 0].tolist()
        [1.0, 0.0]
    """

    graded: ClassVar[bool] = True

    threshold: Parameter = param(1.0, above=0.0)

    def init_state(self, shape: tuple[int, ...]) -> SignedState:
        return SignedState(jnp.zeros(shape, float_dtype()), jnp.zeros(shape, float_dtype()))

    def step(self, state: SignedState, drive: Array, spike: SpikeFunction) -> tuple[SignedState, Array]:
        u = state.v + drive
        taken_back = jnp.where(state.count > 0.0, 1.0 - spike(u), 0.0)
        spikes = spike(u - self.threshold) - taken_back
        return SignedState(u - self.threshold * spikes, state.count + spikes), spikes


class Difference(AbstractDiscreteNeuron):
    """Emits by how much its drive has changed since the step before; before the first step it was 0.

    s = I - last;  last' = I. What arrives downstream adds up to the present drive: behind a population that
    accumulates and any function of it, this carries the function through a spiking network without error.

    References:
        Telescoping of accumulated outputs: You et al. (2024), ICML (SpikeZIP-TF), softmax and layer norm.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> cells = {"E": js.Population(js.neurons.Difference(), 1)}
        >>> cells["sum"] = js.Population(js.neurons.LeakyIntegrator(1.0), 1)
        >>> net = js.Network(cells, {"w": js.Projection("E", "sum", js.connect.Identity())}, dt_ms=1.0)
        >>> drive = jnp.asarray([[3.0], [5.0], [4.0]])
        >>> _, out = js.run(net, 3, inputs={"E": drive}, record=[js.record.State("sum.v")])
        >>> out["sum.v"][:, 0].tolist()
        [3.0, 5.0, 4.0]
    """

    graded: ClassVar[bool] = True

    def init_state(self, shape: tuple[int, ...]) -> DifferenceState:
        return DifferenceState(jnp.zeros(shape, float_dtype()))

    def step(self, state: DifferenceState, drive: Array, spike: SpikeFunction) -> tuple[DifferenceState, Array]:
        return DifferenceState(drive), drive - state.last
