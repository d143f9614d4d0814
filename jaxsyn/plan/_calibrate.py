"""Measuring the constants of this machine: a few small networks and kernels, timed."""

import dataclasses
import datetime
import subprocess
import sys
from typing import Any

import numpy as np

from .._core import child
from ..connect import FixedProbability, GraphKey, Normal, build_graph
from ..cost import Machine, Work, compiling
from ..network import Network, Population, Projection, step_work
from ..neurons import LIF, RK2, RK4, AdEx, Exact
from ..receptors import AMPA, Current, Exponential
from ..simulate import outline, simulate
from . import _timing as timing

_SMALL, _LARGE, _HUGE = 64, 4096, 2_000_000  # neurons: next to nothing, in the cache, in memory
_EDGES = 1_000_000
_RESIDENT = """
import resource, sys, time
import jaxsyn as js
from jaxsyn.receptors import Current, Exponential
from jaxsyn.simulate import outline
def peak():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/status") as file:  # that of getrusage remembers the process that started this one
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
cells = js.Population(js.neurons.LIF(), 64, {"exc": Current(Exponential(5.0))})
recurrent = {"E_E": js.Projection("E", "E", js.connect.FixedProbability(0.1), weight_pA=1.0, delay_ms=1.0)}
start = time.perf_counter()
net = js.Network({"E": cells}, recurrent, dt_ms=0.1)
built, took = peak(), time.perf_counter() - start
js.simulate(net, 20.0)
ran, work = peak(), outline(net, 20.0).work
print(built, ran, took, work.equations, work.stored)
"""


def calibrate() -> Machine:
    """Measure what work costs on this machine, in under a minute; `js.cost.save_machine` keeps it.

    Do it while the machine has nothing else to do: every constant is the least of several measurements, but a machine
    that is busy all the time looks slow. Constants of exchange between devices are not measured.

    Returns:
        The constants.
    Example:
        >>> import jaxsyn as js
        >>> js.cost.save_machine(js.plan.calibrate())  # doctest: +SKIP
    """
    today = datetime.date.today().isoformat()
    machine = dataclasses.replace(Machine(), name=f"calibrated on {today}")
    for measure in (_kernels, _programs, _deliveries, _compiling, _building, _resident):
        constants: dict[str, Any] = dict(measure(machine))
        machine = dataclasses.replace(machine, **constants)
    return machine


def _kernels(machine: Machine) -> dict[str, float]:
    call_s = timing.call_seconds()
    return {
        "step_s": timing.step_seconds(call_s),
        "call_s": call_s,
        "emit_s": timing.emit_seconds(),
        "element_s": timing.element_seconds(),
        "scatter_s": timing.scatter_seconds(),
        "flop_s": timing.flop_seconds(),
    }


def _cells(n: int, **options: Any) -> Network:
    return Network({"E": Population(options.pop("neuron"), n, **options)}, dt_ms=0.1)


def _seconds_of_step(net: Network, steps: int) -> float:
    """Seconds of a step, the least of some runs."""
    simulate(net, steps * net.dt_ms)
    return min(float(simulate(net, steps * net.dt_ms).wall_s) for _ in range(5)) / steps


def _total(work: Work, field: str) -> float:
    return float(sum(getattr(program, field) * program.size * program.runs for program in work.programs))


def _programs(machine: Machine) -> dict[str, float]:
    """Operations of elementwise programs, and their bytes in the cache and in memory."""
    each = []
    for options in ({"neuron": AdEx(), "integrator": RK4(on_grid=True)}, {"neuron": LIF(), "receptors": {"e": AMPA()}}):
        small, large = _cells(_SMALL, **options), _cells(_LARGE, **options)
        more = _total(step_work(large), "always") - _total(step_work(small), "always")
        each.append((_seconds_of_step(large, 500) - _seconds_of_step(small, 5000)) / more)
    receptors = {name: Current(Exponential(5.0)) for name in ("a", "b")}
    light: dict[str, Any] = {"neuron": LIF(), "integrator": Exact(on_grid=True), "receptors": receptors}
    small, large, huge = (_cells(n, **light) for n in (_SMALL, _LARGE, _HUGE))
    base, n_bytes = _seconds_of_step(small, 5000), _total(step_work(huge), "n_bytes") / _HUGE
    cached = (_seconds_of_step(large, 2000) - base) / (_LARGE - _SMALL) / n_bytes
    return {
        "operation_s": max(float(np.mean(each)), 1e-12),
        "cached_byte_s": max(cached, 1e-13),
        "memory_byte_s": max(_seconds_of_step(huge, 20) / _HUGE / n_bytes, cached),
    }


def _deliveries(machine: Machine) -> dict[str, float]:
    """Rows and events where synapses and targets are in the cache, in memory, or both in memory."""
    one = timing.delivery_seconds(1, 1, 4096, 4096)
    slots = (timing.delivery_seconds(1, 1, 4096, 4096, delays=64) - one) / 63
    row = (timing.delivery_seconds(256, 1, 4096, 4096) - one) / 255
    event = (timing.delivery_seconds(16, 256, 512, 4096) - one) / (16 * 256)
    cold = (timing.delivery_seconds(16, 1000, 32768, 65536) - one) / 16_000
    far_row = (timing.delivery_seconds(256, 8, 4_000_000, 65536) - one) / 256 - 8 * event
    far = (timing.delivery_seconds(16, 1000, 32768, 8_000_000) - one) / 16_000
    event, row = max(event, 1e-12), max(row, 1e-12)
    return {
        "slot_s": max(slots - row, 1e-12),
        "row_s": row,
        "far_row_s": max(far_row, row),
        "event_s": event,
        "cold_event_s": max(cold, event),
        "far_event_s": max(far, cold, event),
    }


def _compiling(machine: Machine) -> dict[str, float]:
    """Small operations of XLA, and compiling: two networks with few and many of them."""
    rule, kinds = FixedProbability(0.1), {"e": AMPA(), "i": AMPA()}
    cells = Population(LIF(), 50, kinds, integrator=RK2(on_grid=True), refractory_ms=5.0)
    both = {"E": cells, "I": cells}
    plain = {
        "E": Projection("E", ("E", "I"), rule, weight_nS={"e": 0.0}, delay_ms=1.0),
        "I": Projection("I", ("E", "I"), rule, weight_nS={"i": 0.0}, delay_ms=1.0),
    }
    net = Network(both, plain, dt_ms=0.1)
    work, first = step_work(net), simulate(net, 100.0)
    known = work.steps * machine.step_s + work.calls * machine.call_s
    known += _total(work, "always") * machine.operation_s + 2 * machine.slot_s
    scalar_s = max((_seconds_of_step(net, 5000) - known) / work.scalars, 1e-10)
    heavy = _cells(50, neuron=AdEx(), receptors=kinds)
    second = simulate(heavy, 100.0)
    default = sum(compiling(outline(n, 100.0).work, machine)[0] for n in (net, heavy))
    ratio = (first.compile_s + second.compile_s) / default
    return {
        "scalar_s": scalar_s,
        "compile_s": ratio * machine.compile_s,
        "equation_s": ratio * machine.equation_s,
        "stored_s": ratio * machine.stored_s,
        "sums_s": ratio * machine.sums_s,
    }


def _building(machine: Machine) -> dict[str, float]:
    """Drawing, sorting and weighing a million synapses."""
    rule, generator, n = FixedProbability(0.25), np.random.default_rng(0), round((_EDGES / 0.25) ** 0.5)
    edges = rule.build(n, n, key=GraphKey(0, "calibration"), same_population=False)
    delays = generator.integers(1, 20, len(edges)).astype(np.int32)
    timed = {
        "edge_s": lambda: rule.build(n, n, key=GraphKey(0, "calibration"), same_population=False),
        "sort_s": lambda: build_graph(edges, delays, n, n),
        "value_s": lambda: Normal(1.0, 0.1).sample(generator, len(edges), np.float32),
    }
    return {name: timing.seconds(run) / len(edges) for name, run in timed.items()}


def _resident(machine: Machine) -> dict[str, float]:
    """Memory of a process that builds and runs next to nothing, and the time of building it."""
    if sys.platform == "win32":  # no peak of memory to read there
        return {}
    command, environment = child("-c", _RESIDENT)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    built, ran, took, equations, stored = (float(n) for n in done.stdout.split())
    known = equations * machine.equation_bytes + stored * machine.stored_bytes
    return {
        "floor_bytes": built - 2 * machine.part_bytes,
        "compile_bytes": max(ran - built - known, 10e6),
        "part_s": took / 2,
    }
