"""Pricing work: seconds of a step, of its deliveries, and of what devices exchange."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ._machine import Machine
from ._work import Program, Work

_BLOCK = 32  # neurons that an elementwise program handles at once
_SHARED, _SHARED_EVENTS, _SHARED_ROW = 1e6, 8192, 96  # operations, events, synapses of a row that threads share
_FADES = 16.0  # times the cache size at which hardly anything is found in it any more


class Delivery(NamedTuple):
    """What one projection delivers in a step.

    Args:
        spikes: Spikes of its sources.
        delays: Number of distinct delays.
        events: Synaptic events: spikes, times the synapses of each, times the receptors they reach.
        graph_bytes: Memory of its synapses.
        row_bytes: Memory of the beginnings of its rows.
        target_bytes: Memory of what the targets gather.
    Example:
        >>> Delivery(spikes=1.0, delays=1, events=100.0, graph_bytes=1e6, row_bytes=1e3, target_bytes=1e3).events
        100.0
    """

    spikes: float
    delays: int
    events: float
    graph_bytes: float
    row_bytes: float
    target_bytes: float

    def share(self, devices: int) -> "Delivery":
        """What one of several devices delivers that share all targets: every spike, to its share of the synapses."""
        each = {name: getattr(self, name) / devices for name in ("events", "graph_bytes", "target_bytes")}
        return self._replace(**each)


def step_seconds(
    work: Work, deliveries: Sequence[Delivery], machine: Machine, *, spiking: float, native: bool, threads: int = 1
) -> dict[str, float]:
    """Seconds of one step, by what takes them.

    Elementwise programs are bound by operations or by bytes, whichever takes longer. What is skipped for blocks of
    neurons without a spike counts in proportion to the blocks that have one.

    Args:
        work: Work of one step, from `work_of`.
        deliveries: What the projections deliver.
        machine: Constants.
        spiking: Mean spikes of a neuron in a step.
        native: Whether there are native kernels; deliveries in pure JAX cost what scattered elements do.
        threads: Threads of the native kernels; they share large programs, and long rows of synapses.
    Returns:
        Seconds for "loop", "neurons", "spikes" (finding and delivering them) and "other" (everything left to XLA).
    Example:
        >>> step_seconds(Work(steps=1.0), [], Machine(), spiking=0.0, native=True)["neurons"]
        0.0
    """
    graph_bytes = sum(d.graph_bytes for d in deliveries)
    in_use = sum(p.size * p.n_bytes for p in work.programs)
    faster = 1.0 + machine.thread_gain * (threads - 1)
    neurons = sum(
        (_program_seconds(p, machine, in_use, spiking) / (faster if p.size * p.always >= _SHARED else 1.0))
        for p in work.programs
    )
    spikes = work.emitting * machine.emit_s
    for d in deliveries:
        far = _beyond(d.row_bytes, machine.cache_bytes)
        cold, scattered = (_beyond(n, machine.cache_bytes) for n in (graph_bytes, d.target_bytes))
        row = machine.row_s + far * (machine.far_row_s - machine.row_s)
        event = machine.event_s + cold * (machine.cold_event_s - machine.event_s)
        event += scattered * (machine.far_event_s - machine.cold_event_s)
        event = event if native else max(event, machine.scatter_s)
        shared = d.events >= max(_SHARED_EVENTS, _SHARED_ROW * d.delays * d.spikes)
        spikes += d.delays * (machine.slot_s + d.spikes * row) + d.events * event / (faster if shared else 1.0)
    other = work.scalars * machine.scalar_s + work.elements * machine.element_s
    other += work.scattered * machine.scatter_s + work.flops * machine.flop_s
    loop = work.steps * machine.step_s + work.calls * machine.call_s
    return {"loop": loop, "neurons": float(neurons), "spikes": spikes, "other": other}


def _program_seconds(program: Program, machine: Machine, in_use: float, spiking: float) -> float:
    operations = program.always + program.seldom * min(1.0, _BLOCK * spiking)
    far = _beyond(in_use, machine.cache_bytes)
    byte_s = machine.cached_byte_s + far * (machine.memory_byte_s - machine.cached_byte_s)
    return program.runs * program.size * max(operations * machine.operation_s, program.n_bytes * byte_s)


def _beyond(n_bytes: float, cache_bytes: float) -> float:
    """Share of accesses that miss the cache: 0 up to its size, 1 from `_FADES` times that on."""
    if n_bytes <= cache_bytes:
        return 0.0
    return min(1.0, math.log(n_bytes / cache_bytes) / math.log(_FADES))


def compiling(work: Work, machine: Machine) -> tuple[float, float]:
    """Seconds and bytes of compiling, both linear in what there is to compile.

    Args:
        work: What is compiled.
        machine: Constants.
    Returns:
        Seconds, and bytes that stay.
    Example:
        >>> compiling(Work(), Machine()) == (Machine().compile_s, Machine().compile_bytes)
        True
    """
    sums = min(work.sums, 1)
    seconds = work.equations * machine.equation_s + work.stored * machine.stored_s + sums * machine.sums_s
    n_bytes = work.equations * machine.equation_bytes + work.stored * machine.stored_bytes + sums * machine.sums_bytes
    return machine.compile_s + seconds, machine.compile_bytes + n_bytes


def exchange_seconds(
    spikes: float, neurons: int, min_delay_steps: int, devices: int, machine: Machine
) -> tuple[float, float]:
    """Seconds a step, and bytes a device receives in a round, of spikes that all devices get to know.

    Every min_delay_steps steps, a round: the spikes as indices (4 bytes, room for twice the mean) or as bits,
    whichever is less. T = (alpha + bytes (P - 1) / P * beta) / min_delay_steps.

    Args:
        spikes: Mean spikes of the whole network in a step.
        neurons: Neurons of the whole network.
        min_delay_steps: Shortest delay between neurons of different devices, steps, >= 1.
        devices: P.
        machine: Constants.
    Returns:
        Seconds a step, and bytes a round; zeros for one device.
    Example:
        >>> exchange_seconds(10.0, 1000, 15, 1, Machine())
        (0.0, 0.0)
    """
    if devices < 2:
        return 0.0, 0.0
    rounds = max(min_delay_steps, 1)
    n_bytes = min(2.0 * 4.0 * spikes * rounds, neurons * rounds / 8.0)
    sent = n_bytes * (devices - 1) / devices
    return (machine.exchange_s + sent * machine.sent_byte_s) / rounds, sent
