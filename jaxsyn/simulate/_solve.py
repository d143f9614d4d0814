"""`solve`: one population with controlled error. What fixed steps are measured against.

Here the input is checked and the outcome put into words; the steps are made in `_adaptive.py`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, SimulationError, as_float, float_dtype, is_concrete
from ..network import Population, initial_state
from ..neurons import AbstractContinuousNeuron, Membrane, MembraneState
from ._adaptive import DONE, MANY_SPIKES, Progress, solve_neurons
from ._solution import Floats, SpikeTrains, Trace

Arrival = tuple[Any, str, Any]  # time in ms, receptor, weight


class SolveOptions(TypedDict, total=False):
    """Keyword options of `solve`.

    Attributes:
        edges_ms: Times at which `I_pA` jumps or has a kink, ms; no step crosses them.
        rtol, atol: Error allowed in a step, relative and absolute (mV, pA, nS); default 1e-10 in float64, else 1e-5.
        max_spikes: Spikes of a neuron after which it counts as running away; default 1000.
        max_step_ms: Longest step, ms; a threshold crossing that comes and goes within one is missed; default 0.5.
        max_steps: Attempted steps of a neuron after which the solver gives up; default 1000000.
        seed: Seed of initial values that are distributions.
        throw: Raise `SimulationError` when a neuron does not reach the end; else return what there is.
    """

    edges_ms: Any
    rtol: float | None
    atol: float | None
    max_spikes: int
    max_step_ms: float
    max_steps: int
    seed: int
    throw: bool


@dataclasses.dataclass(frozen=True)
class Solved:
    """Outcome of `js.solve`.

    Attributes:
        spikes: Spike trains.
        after_spikes: State just after each spike by variable, in the order of `spikes`, shape (k,).
        states: Samples by variable ("V_mV", "AMPA.value"), each a `Trace` of shape (t, n).
        result: "done", or which neuron stopped early, where and why.
        steps: Number of steps of each neuron, shape (n,).
    Example:
        >>> import jaxsyn as js
        >>> js.solve(js.Population(js.neurons.LIF(), 2), 5.0).result
        'done'
    """

    spikes: SpikeTrains
    after_spikes: dict[str, Floats]
    states: dict[str, Trace]
    result: str
    steps: np.ndarray[Any, np.dtype[np.int64]]


def _check(population: Population, duration_ms: float, options: SolveOptions) -> None:
    model = type(population.neuron).__name__
    if not isinstance(population.neuron, AbstractContinuousNeuron):
        raise ValueError(
            f"solve: {model} is a discrete neuron; its recurrence is the model, there is no equation behind it whose "
            "error could be controlled; use js.run or js.simulate"
        )
    unknown = sorted(set(options) - set(SolveOptions.__annotations__))
    if unknown:
        raise ValueError(f"solve: unknown option {unknown[0]!r}; allowed: {', '.join(SolveOptions.__annotations__)}")
    given: dict[str, Any] = {"duration_ms": duration_ms, **options}
    for name in ("duration_ms", "rtol", "atol", "max_step_ms", "max_spikes", "max_steps"):
        value = given.get(name)
        if value is not None and not (isinstance(value, int | float) and 0 < value < np.inf):
            raise ValueError(f"solve.{name}: got {value!r}; allowed: a finite number > 0")


def _times(name: str, values: Any, duration_ms: float) -> Floats:
    times = np.asarray(values, np.float64).reshape(-1)
    bad = ~(np.isfinite(times) & (times >= 0) & (times <= duration_ms))
    if bad.any():
        raise ValueError(
            f"solve.{name}: got {times[np.argmax(bad)]} ms; allowed: 0 to {duration_ms} ms, the span of the run"
        )
    return times


def _current(I_pA: Any, n: int) -> Array:
    current = as_float(I_pA)
    shape = np.shape(current)
    if shape not in ((), (n,)) or (is_concrete(current) and not np.isfinite(np.asarray(current, float)).all()):
        raise ValueError(f"solve.I_pA: got {I_pA!r}; allowed: a finite number, {n} of them, or a function of t_ms")
    return jnp.broadcast_to(current, (n,))


def _arrivals(
    population: Population, arrivals: Sequence[Arrival], stops: Floats, duration_ms: float
) -> dict[str, np.ndarray[Any, Any]]:
    """Summed weights by receptor at each stop, (stops, n)."""
    out: dict[str, np.ndarray[Any, Any]] = {}
    for time_ms, receptor, weight in arrivals:
        if receptor not in population.receptors:
            known = sorted(population.receptors) or "none"
            raise ValueError(f"solve.arrivals: unknown receptor {receptor!r}; the population has {known}")
        value = np.asarray(weight, np.float64)
        if value.shape not in ((), (population.size,)) or not np.isfinite(value).all():
            raise ValueError(
                f"solve.arrivals: got weight {weight!r} for {receptor!r}; allowed: a finite number, or one for each of "
                f"the {population.size} neurons"
            )
        table = out.setdefault(receptor, np.zeros((len(stops), population.size)))
        table[np.searchsorted(stops, float(time_ms))] += value
    return out


def solve(
    population: Population,
    duration_ms: float,
    *,
    I_pA: Any = 0.0,
    arrivals: Sequence[Arrival] = (),
    save_at_ms: Any = (),
    **options: Unpack[SolveOptions],
) -> Solved:
    """Solve a population of continuous neurons with controlled error: no grid, spikes located by root finding.

    The same `derivative`, `threshold_gap` and `reset` as in a network, receptors and refractory time included; the
    population's integrator plays no part. The steps are those of Diffrax's `Dopri8`. Switch on 64 bits first
    (`jax.config.update("jax_enable_x64", True)`): then the spike times of AdEx patterns are right to 1e-8 ms; in
    float32 the rounding of the time alone costs 1e-3 ms. The method is explicit: time constants far below
    `max_step_ms` cost time. For few neurons: the slowest one decides.

    Args:
        population: Neurons and receptors; no projections.
        duration_ms: Model time, ms, > 0.
        I_pA: Injected current, pA: a number, one for each neuron, or a function of the time in ms (an array (), any
            traceable expression) giving the current, scalar or (n,).
        arrivals: (time in ms, receptor, weight) each; the weight is a number, or one for each neuron.
        save_at_ms: Times of the samples, ms; a sample shows what arrives at its time.
        options: See `SolveOptions`: edges_ms, rtol, atol, max_spikes, max_step_ms, max_steps, seed, throw.
    Returns:
        Spike trains, states just after the spikes, samples.
    Raises:
        ValueError: A discrete neuron, unknown receptor or option, times outside the run.
        SimulationError: A neuron runs away (more than `max_spikes`) or needs more than `max_steps` steps.
    References:
        Prince and Dormand (1981), J. Comput. Appl. Math. 7:67 (the method); Kidger (2021), thesis, Oxford (Diffrax).
    Example:
        >>> import jaxsyn as js
        >>> cell = js.Population(js.neurons.LIF(tau_m_ms=20.0), 1)
        >>> js.solve(cell, 50.0, I_pA=200.0).spikes.times_ms.round(2).tolist()
        [13.86, 27.73, 41.59]
    """
    _check(population, duration_ms, options)
    saves = np.unique(_times("save_at_ms", save_at_ms, duration_ms))
    edges = _times("edges_ms", options.get("edges_ms", ()), duration_ms)
    arriving = _times("arrivals", [a[0] for a in arrivals], duration_ms)
    stops = np.unique(np.concatenate([saves, edges, arriving, [duration_ms]]))
    weights = _arrivals(population, arrivals, stops, duration_ms)
    n = population.size
    current = I_pA if callable(I_pA) else _current(I_pA, n)
    start = initial_state("solve", population, options.get("seed", 0))
    if not n:
        return _report(population, start, None, stops, saves)
    default = 1e-10 if float_dtype() == np.float64 else 1e-5
    rtol, atol = options.get("rtol") or default, options.get("atol") or default
    assert isinstance(population.neuron, AbstractContinuousNeuron)
    progress = solve_neurons(
        (Membrane(population.neuron, population.receptors), population.refractory_ms, start),
        current,
        jnp.asarray(stops, float_dtype()),
        {name: jnp.asarray(w, float_dtype()) for name, w in weights.items()},
        jnp.asarray([rtol, atol, options.get("max_step_ms", 0.5)], float_dtype()),
        (options.get("max_spikes", 1000), options.get("max_steps", 1_000_000)),
    )
    solved = _report(population, start, progress, stops, saves)
    if solved.result != "done" and options.get("throw", True):
        raise SimulationError(solved.result)
    return solved


def _report(
    population: Population, start: MembraneState, progress: Progress | None, stops: Floats, saves: Floats
) -> Solved:
    n, end_ms = population.size, float(stops[-1])
    paths = {name: ("neuron", name) for name in vars(start.neuron)}
    paths |= {f"{r}.{name}": (r, name) for r, state in start.receptors.items() for name in vars(state)}
    if progress is None:
        empty = np.zeros(0)
        traces = {name: Trace(saves, np.zeros((len(saves), 0)), (), _unit(name)) for name in paths}
        trains = SpikeTrains(empty, empty.astype(np.int64), 0, 0.0, end_ms)
        return Solved(trains, dict.fromkeys(vars(start.neuron), empty), traces, "done", np.zeros(0, np.int64))
    host: Any = jax.tree.map(np.asarray, progress)
    which = np.arange(host.times_ms.shape[1]) < host.spikes[:, None]
    times, neurons = host.times_ms[which].astype(np.float64), np.nonzero(which)[0]
    order = np.argsort(times, kind="stable")
    after = {name: getattr(host.after, name)[which][order].astype(np.float64) for name in vars(start.neuron)}
    rows = np.searchsorted(stops, saves)
    traces = {}
    for name, (owner, field) in paths.items():
        part = host.samples.neuron if owner == "neuron" and "." not in name else host.samples.receptors[owner]
        traces[name] = Trace(saves, getattr(part, field).T[rows], tuple(range(n)), _unit(name))
    trains = SpikeTrains(times[order], neurons[order].astype(np.int64), n, 0.0, end_ms)
    return Solved(trains, after, traces, _result(host), host.steps.astype(np.int64))


def _result(host: Any) -> str:
    bad = np.flatnonzero(host.code != DONE)
    if not bad.size:
        return "done"
    i = int(bad[0])
    where = f"neuron {i} stopped at t = {host.t_ms[i]:g} ms"
    if host.code[i] == MANY_SPIKES:
        last = np.diff(host.times_ms[i, -2:]).sum()
        return (
            f"{where} after {host.spikes[i]} spikes, the last two {last:.3g} ms apart: it runs away, or needs a larger "
            "max_spikes"
        )
    return f"{where}: no step is accurate enough; check the input there, or allow a larger rtol, atol or max_steps"


def _unit(variable: str) -> str:
    _, _, unit = variable.rpartition("_")
    return unit if unit in ("mV", "pA", "nS", "ms") else ""
