"""One step of a continuous neuron: exponential Euler and Runge-Kutta; spikes on the grid or located inside.

With `on_grid=False` (default) the threshold crossing is located inside the step and the reset happens there; then
the order of the method is the order of the spike times. With `on_grid=True` threshold and reset are tested at the end
of the step only, as in most grid simulators: cheaper, and first order whatever the method.
"""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import Array, expm1_ratio
from ._base import AbstractChart, SpikeFunction
from ._membrane import (
    Flow,
    Fraction,
    Membrane,
    MembraneState,
    ReceptorCourse,
    into_chart,
    out_of_chart,
    receptor_course,
    where_tree,
    with_voltage,
)

Slope = Callable[[Fraction, Any], Any]


class AbstractIntegrator(eqx.Module):
    """How a population of continuous neurons makes a step."""

    on_grid: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def prepare(self, membrane: Membrane, dt_ms: float) -> Any:
        """Everything that does not change from step to step, made once before the loop."""

    @abc.abstractmethod
    def flow(
        self,
        prepared: Any,
        membrane: Membrane,
        state: MembraneState,
        I_pA: Array,
        clamp: "Refractory | None",
        spike: SpikeFunction,
    ) -> Flow:
        """The membrane one step later, without the arrivals at its end; `spike` maps threshold gaps to bool."""


class Refractory(eqx.Module):
    """Refractoriness: V is held while `left_ms` is positive, everything else goes on.

    Args:
        left_ms: What is left for each neuron, ms, (n,); on the grid a number of steps.
        total_ms: Length of the period, ms, scalar or (n,); on the grid a number of steps.
        dt_ms: Step, ms.
    Example:
        >>> import jax.numpy as jnp, jaxsyn as js
        >>> js.neurons.Refractory(jnp.zeros(3), jnp.asarray(2.0), 0.1).dt_ms
        0.1
    """

    left_ms: Array
    total_ms: Array
    dt_ms: float = eqx.field(static=True)


def hermite(y0: Array, m0: Array, y1: Array, m1: Array, t: Fraction) -> Array:
    """Cubic through y0, y1 with slopes m0, m1 (per unit of t), at t in [0, 1]."""
    rise = y1 - y0
    return y0 + t * (m0 + t * ((3.0 * rise - 2.0 * m0 - m1) + t * (m0 + m1 - 2.0 * rise)))


def first_zero(g0: Array, m0: Array, g1: Array, m1: Array) -> Array:
    """Where in [0, 1] the cubic through g0 < 0 <= g1 with slopes m0, m1 reaches zero; 0 where g0 >= 0.

    Three Newton steps from the chord; the slope is kept above a tenth of the chord's, so that a flat end cannot throw
    an iterate far off.
    """
    rise = jnp.maximum(g1 - g0, 1e-12)
    c2, c3 = 3.0 * rise - 2.0 * m0 - m1, m0 + m1 - 2.0 * rise
    t = jnp.clip(-g0 / rise, 0.0, 1.0)
    for _ in range(3):
        value = g0 + t * (m0 + t * (c2 + t * c3))
        slope = m0 + t * (2.0 * c2 + 3.0 * c3 * t)
        t = jnp.clip(t - value / jnp.maximum(slope, 0.1 * rise), 0.0, 1.0)
    return t


class Steps(NamedTuple):
    """Constants of the stepping methods: step, exact steps of the receptors."""

    dt_ms: float
    receptors: dict[str, Any]


class AbstractStepper(AbstractIntegrator):
    """Common part of the methods that step the derivative: charts, holding, location, reset.

    `charted` says whether V is stepped in the neuron's chart, where it has one.
    """

    charted: ClassVar[bool] = True

    @abc.abstractmethod
    def advance(self, f: Slope, y: Any, start: Fraction, span: Fraction, dt_ms: float) -> tuple[Any, Any, Any]:
        """From fraction `start` over `span` of the step; also slopes, per ms, at both ends for interpolation."""

    def prepare(self, membrane: Membrane, dt_ms: float) -> "Steps":
        return Steps(dt_ms, membrane.prepare_receptors(dt_ms))

    def flow(
        self,
        prepared: Any,
        membrane: Membrane,
        state: MembraneState,
        I_pA: Array,
        clamp: Refractory | None,
        spike: SpikeFunction,
    ) -> Flow:
        dt_ms = prepared.dt_ms
        course = receptor_course(membrane, prepared.receptors, state.receptors, dt_ms)
        chart = membrane.neuron.chart() if self.charted else None
        y = into_chart(chart, state.neuron)
        free = _slope(membrane, course, I_pA, chart, hold=False)
        held = _slope(membrane, course, I_pA, chart, hold=True)
        if self.on_grid:
            end, _, _ = self.advance(free, y, 0.0, 1.0, dt_ms)
            after = out_of_chart(chart, end)
            if clamp is not None:
                still, _, _ = self.advance(held, y, 0.0, 1.0, dt_ms)
                after = where_tree(clamp.left_ms > 0, with_voltage(still, state.neuron.V_mV), after)
            return Flow(MembraneState(after, course.end), None, None, None)
        end, crossed, fraction, left = self._located(membrane, chart, (free, held), y, prepared, clamp, spike)
        return Flow(MembraneState(out_of_chart(chart, end), course.end), crossed, fraction, left)

    def _located(
        self,
        membrane: Membrane,
        chart: AbstractChart | None,
        slopes: tuple[Slope, Slope],
        y: Any,
        steps: "Steps",
        clamp: Refractory | None,
        spike: SpikeFunction,
    ) -> tuple[Any, Array, Array, Array | None]:
        (free, held), dt_ms = slopes, steps.dt_ms
        start: Fraction = 0.0
        if clamp is not None:
            start = jnp.clip(clamp.left_ms / dt_ms, 0.0, 1.0)
            after_hold, _, _ = self.advance(held, y, 0.0, start, dt_ms)
            y = where_tree(start > 0.0, after_hold, y)
        span = 1.0 - start
        end, k0, k1 = self.advance(free, y, start, span, dt_ms)
        length = span * dt_ms
        if chart is None:
            g0, m0 = jax.jvp(membrane.neuron.threshold_gap, (y,), (k0,))
            g1, m1 = jax.jvp(membrane.neuron.threshold_gap, (end,), (k1,))
            t = first_zero(g0, m0 * length, g1, m1 * length)
            at = None
        else:
            g0, g1 = chart.gap(y.V_mV), chart.gap(end.V_mV)
            near = 2.0 * g1 >= g0  # the spike is at most two such steps away
            rest, at = _to_blow_up(free, y, k0, (g0, g1), (start, span, length))
            rest, at = jnp.where(near, rest, -1.0), where_tree(near, at, y)
            t, g1 = jnp.clip(1.0 - rest, 0.0, 1.0), jnp.maximum(g1, rest)
        crossed = spike(g1)
        if not membrane.neuron.resets:
            crossed = crossed & (g0 < 0)
        if clamp is not None:
            crossed = crossed & (start < 1.0)
        fraction = jnp.where(crossed, start + t * span, 1.0)
        left = None
        if clamp is not None:
            after_spike = jnp.maximum(clamp.total_ms - (1.0 - fraction) * dt_ms, 0.0)
            left = jnp.where(crossed, after_spike, jnp.maximum(clamp.left_ms - dt_ms, 0.0))
        if not membrane.neuron.resets:
            return end, crossed, fraction, left

        if at is None:
            at = jax.tree.map(lambda a, ka, b, kb: hermite(a, ka * length, b, kb * length, t), y, k0, end, k1)
        fresh = into_chart(chart, membrane.neuron.reset(out_of_chart(chart, at)))
        begin = fraction
        if clamp is not None:
            hold = jnp.minimum(1.0 - begin, clamp.total_ms / dt_ms)
            fresh, _, _ = self.advance(held, fresh, begin, hold, dt_ms)
            begin = begin + hold
        rest, _, _ = self.advance(free, fresh, begin, 1.0 - begin, dt_ms)
        return where_tree(crossed, rest, end), crossed, fraction, left


def _slope(
    membrane: Membrane, course: ReceptorCourse, I_pA: Array, chart: AbstractChart | None, *, hold: bool
) -> Slope:
    """Derivative in the chart, if one is used, as a function of the fraction of the step; V' = 0 when held."""

    def f(u: Fraction, y: Any) -> Any:
        state = out_of_chart(chart, y)
        V = state.V_mV
        total = membrane.current(course.at(u), V, I_pA)
        if chart is None or hold:
            rate = membrane.neuron.derivative(state, total)
            return with_voltage(rate, jnp.zeros_like(V)) if hold else rate
        rate = membrane.neuron.regular(state, total)
        return with_voltage(rate, chart.speed(y.V_mV, rate.V_mV))

    return f


def _to_blow_up(
    free: Slope, y: Any, k0: Any, gaps: tuple[Array, Array], way: tuple[Fraction, Fraction, Fraction]
) -> tuple[Array, Any]:
    """What remains of the step when V goes to infinity (its share; negative: not within it), and the state there.

    Near the blow-up x' has a term x log x and the rates of other variables one with log x, so that no polynomial in
    time is accurate there. Over x the time is the integral of dx / x', and with x = x_spike - s^2 three Gauss nodes
    suffice: error 1e-7 ms in a step of 0.1 ms (a cubic in time: 5e-5 ms). The other variables go from node to node.
    """
    start, span, length = way
    reach = jnp.sqrt(jnp.maximum(-gaps[0], 0.0))
    total, elapsed = y, jnp.zeros_like(reach)
    at, k, before = y, k0, elapsed
    for node, weight in _GAUSS:
        s = reach * node
        u = jnp.clip((reach * reach - s * s) / jnp.maximum(gaps[1] - gaps[0], 1e-12), 0.0, 1.0)
        at = with_voltage(_ahead(at, k, (u - before) * length), y.V_mV - gaps[0] - s * s)
        k, before = free(start + u * span, at), u
        part = 2.0 * weight * s * reach / jnp.maximum(k.V_mV, 1e-6)
        total, elapsed = _ahead(total, k, part), elapsed + part
    return 1.0 - elapsed / jnp.maximum(length, 1e-12), with_voltage(total, y.V_mV - gaps[0])


# Gauss-Legendre nodes on [0, 1] and their weights, from the start of the way (1) to the spike (0)
_GAUSS = ((0.8872983346207417, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.1127016653792583, 5.0 / 18.0))


def _ahead(y: Any, k: Any, h: Fraction) -> Any:
    return jax.tree.map(lambda a, b: a + h * b, y, k)


class Euler(AbstractStepper):
    """Forward Euler method, order 1: what many published models were simulated with.

    It steps V itself: the spike of an exponential neuron comes where V passes V_peak, and the step has to be small
    against the upstroke. To reproduce such results, or for speed; otherwise RK4.

    Args:
        on_grid: Test threshold at the end of the step only.
    References:
        Hairer, Norsett and Wanner (1993), Solving Ordinary Differential Equations I, I.7.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.Euler(on_grid=True).on_grid
        True
    """

    on_grid: bool = eqx.field(static=True, default=False)
    charted: ClassVar[bool] = False

    def advance(self, f: Slope, y: Any, start: Fraction, span: Fraction, dt_ms: float) -> tuple[Any, Any, Any]:
        k = f(start, y)
        return _ahead(y, k, span * dt_ms), k, k


class RK2(AbstractStepper):
    """Midpoint method, order 2.

    Input that moves V by tens of mV within half a step (AdEx: 1e5 pA at 0.1 ms) carries its midpoint past the spike,
    and spikes are lost: use RK4 there.

    Args:
        on_grid: Test threshold at the end of the step only.
    References:
        Hairer, Norsett and Wanner (1993), Solving Ordinary Differential Equations I, II.1.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.RK2(on_grid=True).on_grid
        True
    """

    on_grid: bool = eqx.field(static=True, default=False)

    def advance(self, f: Slope, y: Any, start: Fraction, span: Fraction, dt_ms: float) -> tuple[Any, Any, Any]:
        h = span * dt_ms
        k1 = f(start, y)
        k2 = f(start + span / 2.0, _ahead(y, k1, h / 2.0))
        return _ahead(y, k2, h), k1, jax.tree.map(lambda a, b: 2.0 * b - a, k1, k2)


class RK4(AbstractStepper):
    """Classic Runge-Kutta method, order 4; the default for neurons that are not linear.

    Measured order of the spike times with location: 4 (tests/conformance/test_order.py); for AdEx down to about 1e-5 ms
    a spike, where the logarithm that the blow-up leaves in w takes over. Stable while dt times the fastest rate of the
    neuron stays below 2.7; receptors do not count, they flow exactly.

    Args:
        on_grid: Test threshold at the end of the step only.
    References:
        Hairer, Norsett and Wanner (1993), Solving Ordinary Differential Equations I, II.1.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.RK4().on_grid
        False
    """

    on_grid: bool = eqx.field(static=True, default=False)

    def advance(self, f: Slope, y: Any, start: Fraction, span: Fraction, dt_ms: float) -> tuple[Any, Any, Any]:
        h = span * dt_ms
        k1 = f(start, y)
        k2 = f(start + span / 2.0, _ahead(y, k1, h / 2.0))
        k3 = f(start + span / 2.0, _ahead(y, k2, h / 2.0))
        k4 = f(start + span, _ahead(y, k3, h))
        mean = jax.tree.map(lambda a, b, c, d: (a + 2.0 * b + 2.0 * c + d) / 6.0, k1, k2, k3, k4)
        return _ahead(y, mean, h), k1, k4


class ExponentialEuler(AbstractStepper):
    """Exponential Euler: each variable exactly, with everything else frozen; order 1 (2 if V is the only variable).

    y' = y + h phi(h J) f with J = df/dy of the same variable and phi(z) = (exp(z) - 1)/z. The other variables are
    those at the start of the step; receptors, which flow exactly, those at its middle (frozen at the start they make
    each postsynaptic potential too large by dt / (2 tau)). Stable for any time constant; the usual scheme for
    conductance models on a grid.

    Args:
        on_grid: Test threshold at the end of the step only.
    References:
        MacGregor (1987), Neural and Brain Modeling; Rotter and Diesmann (1999), section 3.
    Example:
        >>> import jaxsyn as js
        >>> js.neurons.ExponentialEuler(on_grid=True).on_grid
        True
    """

    on_grid: bool = eqx.field(static=True, default=False)

    def advance(self, f: Slope, y: Any, start: Fraction, span: Fraction, dt_ms: float) -> tuple[Any, Any, Any]:
        h = span * dt_ms
        leaves, structure = jax.tree.flatten(y)
        rates: Any = None
        own = []
        for i in range(len(leaves)):
            unit = [jnp.ones_like(v) if j == i else jnp.zeros_like(v) for j, v in enumerate(leaves)]
            rates, change = jax.jvp(lambda s: f(start + span / 2.0, s), (y,), (jax.tree.unflatten(structure, unit),))
            own.append(jax.tree.leaves(change)[i])
        k1 = jax.tree.leaves(rates)
        end = [v + h * expm1_ratio(h * J) * k for v, J, k in zip(leaves, own, k1, strict=True)]
        k_end = [k * jnp.exp(h * J) for J, k in zip(own, k1, strict=True)]
        return jax.tree.unflatten(structure, end), rates, jax.tree.unflatten(structure, k_end)
