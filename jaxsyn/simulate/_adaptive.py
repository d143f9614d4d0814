"""The solver behind `solve`: adaptive steps of one neuron from discontinuity to discontinuity, all under `jax.vmap`.

A step never crosses a discontinuity (arrival, edge, sample, end of the refractory time). An accepted step over which
the threshold gap changes sign is repeated with the length that brings it to zero, found by bracketed Newton iterations
on the steps themselves: a spike time is as exact as a step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype
from ..neurons import Membrane, MembraneState

Current = Callable[[Array], Array]

RUNNING, DONE, MANY_SPIKES, STUCK = 0, 1, 2, 3
_FIRST_STEP_MS = 1e-3
_REARM = 1e6  # without reset: roundings of 1 mV by which V falls below threshold before the next crossing counts


class Setup(NamedTuple):
    """What does not change while one neuron is solved; leaves of the membrane have shape ()."""

    membrane: Membrane
    current: Current
    refractory_ms: Array | None
    stops_ms: Array
    weights: dict[str, Array]
    tolerances: Array  # relative, absolute, longest step in ms
    limits: tuple[int, int]  # spikes, attempted steps


class Progress(NamedTuple):
    """Where one neuron stands; in `y` V is in its chart, in the other states in mV."""

    t_ms: Array
    y: MembraneState
    step_ms: Array
    stop: Array
    held_until_ms: Array
    armed: Array
    spikes: Array
    times_ms: Array
    after: Any
    samples: MembraneState
    steps: Array
    code: Array


def _to_chart(setup: Setup, state: MembraneState) -> MembraneState:
    chart = setup.membrane.neuron.chart()
    return state if chart is None else eqx.tree_at(lambda s: s.neuron.V_mV, state, chart.to(state.neuron.V_mV))


def _to_state(setup: Setup, y: MembraneState) -> MembraneState:
    chart = setup.membrane.neuron.chart()
    return y if chart is None else eqx.tree_at(lambda s: s.neuron.V_mV, y, chart.back(y.neuron.V_mV))


def _gap(setup: Setup, y: MembraneState) -> Array:
    """Distance to threshold, in the chart where there is one."""
    neuron, chart = setup.membrane.neuron, setup.membrane.neuron.chart()
    return neuron.threshold_gap(y.neuron) if chart is None else chart.gap(y.neuron.V_mV)


def _event(setup: Setup, armed: Array, y: MembraneState) -> Array:
    """Rises through zero at a spike; once fired without reset, where V has fallen below threshold again."""
    gap = _gap(setup, y)
    if setup.membrane.neuron.resets:
        return gap
    return jnp.where(armed, gap, -gap - _REARM * float(np.finfo(gap.dtype).eps))


def _slope(setup: Setup, held: Array, t_ms: Array, y: MembraneState) -> MembraneState:
    membrane, chart, state = setup.membrane, setup.membrane.neuron.chart(), _to_state(setup, y)
    V = state.neuron.V_mV
    rate = membrane.neuron.regular(state.neuron, membrane.current(state.receptors, V, setup.current(t_ms)))
    climb = rate.V_mV if chart is None else chart.speed(y.neuron.V_mV, rate.V_mV)
    rate = eqx.tree_at(lambda s: s.V_mV, rate, jnp.where(held, 0.0, climb))
    return MembraneState(rate, {name: r.derivative(state.receptors[name]) for name, r in membrane.receptors.items()})


class _Stepper(NamedTuple):
    """One step of the Diffrax solver from a fixed point (t, y)."""

    setup: Setup
    t_ms: Array
    y: MembraneState
    held: Array

    def slope(self, t_ms: Array, y: MembraneState) -> MembraneState:
        return _slope(self.setup, self.held, t_ms, y)

    def to(self, end_ms: Array) -> tuple[MembraneState, MembraneState]:
        """State at `end_ms`, and the error estimate."""
        import diffrax

        def field(t_ms: Any, y: Any, args: Any) -> Any:
            return self.slope(t_ms, y)

        solver, terms = diffrax.Dopri8(), diffrax.ODETerm(field)
        start = solver.init(terms, self.t_ms, end_ms, self.y, None)
        end, error, *_ = solver.step(terms, self.t_ms, end_ms, self.y, None, start, False)
        return end, error


def _error(tolerances: Array, y0: MembraneState, y1: MembraneState, error: MembraneState) -> Array:
    """Root mean square of the error of a step in units of what is allowed."""
    allowed = jax.tree.map(lambda a, b: tolerances[1] + tolerances[0] * jnp.maximum(jnp.abs(a), jnp.abs(b)), y0, y1)
    parts = jax.tree.map(lambda e, s: (e / s) ** 2, error, allowed)
    return jnp.sqrt(jnp.mean(jnp.stack(jax.tree.leaves(parts))))


def _locate(
    step: _Stepper, armed: Array, end_ms: Array, y: MembraneState, wanted: Array
) -> tuple[Array, MembraneState]:
    """Time in (t, end] at which the event happens, and the state there; the end itself where it is not wanted."""
    precise = 4.0 * float(np.finfo(end_ms.dtype).eps) * jnp.maximum(jnp.abs(end_ms), 1.0)

    def event(state: MembraneState) -> Array:
        return _event(step.setup, armed, state)

    def better(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        low, high, t_ms, state, _, k = carry
        value, rise = jax.jvp(event, (state,), (step.slope(t_ms, state),))
        low, high = jnp.where(value < 0, t_ms, low), jnp.where(value < 0, high, t_ms)
        newton = t_ms - value / jnp.where(rise > 0, rise, 1.0)
        inside = (rise > 0) & (newton > low) & (newton < high)
        new = jnp.where(inside, newton, 0.5 * (low + high))
        change = jnp.where(value == 0, 0.0, jnp.abs(new - t_ms))
        new = jnp.where(value == 0, t_ms, new)
        return low, high, new, step.to(new)[0], change > precise, k + 1

    begin = (step.t_ms, end_ms, end_ms, y, wanted, jnp.zeros((), jnp.int32))
    _, _, t_ms, state, *_ = jax.lax.while_loop(lambda c: c[4] & (c[5] < 80), better, begin)
    return t_ms, state


def _put(buffer: Array, value: Array, where: Array, index: Array) -> Array:
    return buffer.at[index].set(jnp.where(where, value, buffer[index]))


def _where(mask: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(mask, a, b), yes, no)


def _advance(setup: Setup, now: Progress) -> Progress:
    """One attempted step, and what happens at its end."""
    stop_ms = setup.stops_ms[now.stop]
    held = now.t_ms < now.held_until_ms
    at_once = now.armed & ~held & (_gap(setup, now.y) >= 0)
    limit = jnp.minimum(stop_ms, jnp.where(held, now.held_until_ms, stop_ms))
    end_ms = jnp.where(at_once, now.t_ms, jnp.minimum(now.t_ms + now.step_ms, limit))
    step = _Stepper(setup, now.t_ms, now.y, held)
    y, error = step.to(end_ms)
    size = _error(setup.tolerances, now.y, y, error)
    good = at_once | (size <= 1.0)  # not for NaN
    crossing = good & ~held & ~at_once & (_event(setup, now.armed, y) >= 0)
    t_ms, y = _locate(step, now.armed, end_ms, y, crossing)
    t_ms, y = _where(good & ~at_once, (t_ms, y), (now.t_ms, now.y))
    spiked = at_once | (crossing & now.armed)
    armed = now.armed if setup.membrane.neuron.resets else now.armed ^ (crossing | at_once)
    factor = jnp.where(jnp.isfinite(size), jnp.clip(0.9 * jnp.maximum(size, 1e-10) ** -0.125, 0.2, 4.0), 0.1)
    grown = jnp.where(good, jnp.maximum(now.step_ms, factor * (end_ms - now.t_ms)), factor * (end_ms - now.t_ms))
    grown = jnp.where(good & (end_ms < limit), factor * (end_ms - now.t_ms), grown)
    step_ms = jnp.where(at_once, now.step_ms, jnp.minimum(grown, setup.tolerances[2]))
    moved = now._replace(t_ms=t_ms, y=y, step_ms=step_ms, armed=armed, steps=now.steps + 1)
    arrived = good & ~crossing & ~at_once & (end_ms >= stop_ms)
    return _change(setup, moved, spiked, arrived)


def _change(setup: Setup, now: Progress, spiked: Array, arrived: Array) -> Progress:
    """Reset after a spike, or arrivals and sample at a stop."""
    neuron, state = setup.membrane.neuron, _to_state(setup, now.y)
    fresh = MembraneState(_where(spiked, neuron.reset(state.neuron), state.neuron), state.receptors)
    held_until = now.held_until_ms
    if setup.refractory_ms is not None:
        held_until = jnp.where(spiked, now.t_ms + setup.refractory_ms, held_until)
    fresh = _where(arrived, _arrive(setup, fresh, now.stop, now.t_ms >= held_until), fresh)
    changed = spiked | arrived
    y = _where(changed, _to_chart(setup, fresh), now.y)
    spikes, stop = now.spikes + spiked.astype(jnp.int32), now.stop + arrived.astype(jnp.int32)
    stuck = (now.steps >= setup.limits[1]) | (now.step_ms < 1e-12)
    code = jnp.where(stuck, STUCK, jnp.where(spikes >= setup.limits[0], MANY_SPIKES, RUNNING))
    code = jnp.where(stop == setup.stops_ms.shape[0], DONE, code).astype(jnp.int32)
    return now._replace(
        y=y,
        stop=stop,
        held_until_ms=held_until,
        spikes=spikes,
        times_ms=_put(now.times_ms, now.t_ms, spiked, now.spikes),
        after=jax.tree.map(lambda b, x: _put(b, x, spiked, now.spikes), now.after, fresh.neuron),
        samples=jax.tree.map(lambda b, x: _put(b, x, arrived, now.stop), now.samples, fresh),
        code=code,
    )


def _arrive(setup: Setup, state: MembraneState, stop: Array, free: Array) -> MembraneState:
    """State after the arrivals at a stop."""
    receptors, V = dict(state.receptors), state.neuron.V_mV
    for name, weights in setup.weights.items():
        receptor = setup.membrane.receptors[name]
        if receptor.at_once:
            V = V + jnp.where(free, weights[stop], 0.0)
        receptors[name] = receptor.arrive(receptors[name], weights[stop])
    return MembraneState(eqx.tree_at(lambda s: s.V_mV, state.neuron, V), receptors)


def _solve_one(setup: Setup, start: MembraneState) -> Progress:
    """One neuron from t = 0 to the last stop."""
    zero, count = jnp.zeros((), float_dtype()), jnp.zeros((), jnp.int32)
    y = _to_chart(setup, start)

    def room(k: int, tree: Any) -> Any:
        return jax.tree.map(lambda x: jnp.zeros((k,), x.dtype), tree)

    begin = Progress(
        *(zero, y, zero + _FIRST_STEP_MS, count, zero),
        armed=jnp.asarray(True) if setup.membrane.neuron.resets else _gap(setup, y) < 0,
        spikes=count,
        times_ms=room(setup.limits[0], zero),
        after=room(setup.limits[0], start.neuron),
        samples=room(setup.stops_ms.shape[0], start),
        steps=count,
        code=count,
    )
    return jax.lax.while_loop(lambda p: p.code == RUNNING, lambda p: _advance(setup, p), begin)


@eqx.filter_jit
def solve_neurons(
    population: tuple[Membrane, Array | None, MembraneState],
    I_pA: Array | Current,
    stops_ms: Array,
    weights: dict[str, Array],
    tolerances: Array,
    limits: tuple[int, int],
) -> Progress:
    """Every neuron by itself; compiled once for each structure and number of stops."""
    n = population[2].neuron.V_mV.shape[0]

    def one(part: tuple[Membrane, Array | None, MembraneState], own: Array | None, weight: Any, i: Array) -> Progress:
        def current(t_ms: Array) -> Array:
            if callable(I_pA):
                return jnp.broadcast_to(jnp.asarray(I_pA(t_ms), float_dtype()), (n,))[i]
            assert own is not None  # this neuron's part of the array
            return own

        membrane, refractory_ms, start = part
        return _solve_one(Setup(membrane, current, refractory_ms, stops_ms, weight, tolerances, limits), start)

    parts = jax.tree.map(lambda x: jnp.broadcast_to(x, (n,)), population)
    own = None if callable(I_pA) else I_pA
    return jax.vmap(one, in_axes=(0, None if own is None else 0, 1, 0))(
        parts, own, weights, jnp.arange(n, dtype=jnp.int32)
    )
