"""The estimate: what a run will take, in bytes and seconds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import record as records
from ..cost import Machine, compiling, exchange_seconds, step_seconds, this_machine
from ..network import RATE_HZ, Network, Sketch, SparseLink, deliveries, population_rates, spiking
from ..simulate import outline
from ._memory import building, running

_LARGEST = 2**31 - 2  # synapses, or rows, of one projection on one device
_DISPATCH_S = 1e-3  # of a chunk: the call, and what is looked at between chunks
# Memory that does not shrink on more devices: each has rows of all sources, and records come back to the host whole.
_WHOLE = {"interpreter", "compiling", "rows", "records"}
_KEPT_S = 60e-9  # of a spike that is unpacked and kept


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What building a network will take, and running it, on each device. Print it, or take `to_dict()`.

    Args:
        neurons: Neurons of the whole network.
        synapses: Expected synapses of the whole network.
        devices: Number of devices that share it.
        duration_ms: Model time of the run, ms.
        rates_Hz: Mean rates that are assumed, by population.
        memory: Bytes of a run by what takes them.
        building_bytes: Most memory while building, bytes, on the host, which draws all of it; 0 for a network that is
            built.
        peak_bytes: Most memory at all, bytes; on several devices that of one of them, without building.
        step: Seconds of a step by what takes them.
        build_s: Building, s, on the host; 0 for a network that is built.
        compile_s: Compiling, s.
        run_s: Computing, s.
        sent_bytes: Bytes that a device receives in a round of exchange.
        machine: Which constants were used, and why.
        notes: What stands in the way, or makes the estimate uncertain.
    Example:
        >>> import jaxsyn as js
        >>> js.plan.estimate(js.circuits.coba(100), 1000.0, rates_Hz=20.0).neurons
        100
    """

    neurons: int
    synapses: float
    devices: int
    duration_ms: float
    rates_Hz: dict[str, float]
    memory: dict[str, float]
    building_bytes: float
    peak_bytes: float
    step: dict[str, float]
    build_s: float
    compile_s: float
    run_s: float
    sent_bytes: float
    machine: str
    notes: tuple[str, ...]

    @property
    def run_s_per_model_s(self) -> float:
        """Seconds of computing for a second of the model."""
        return self.run_s / (self.duration_ms * 1e-3)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, texts and tables, for JSON."""
        return {**dataclasses.asdict(self), "run_s_per_model_s": self.run_s_per_model_s, "notes": list(self.notes)}

    def __str__(self) -> str:
        each = f" on each of {self.devices} devices" if self.devices > 1 else ""
        rates = ", ".join(f"{name} {rate:g}" for name, rate in list(self.rates_Hz.items())[:12])
        parts = ", ".join(f"{name} {_size(n)}" for name, n in self.memory.items() if n >= 0.01 * self.peak_bytes)
        total = sum(self.step.values())
        steps = ", ".join(f"{name} {_time(s)}" for name, s in self.step.items() if s >= 0.01 * total)
        rows = [
            f"{self.neurons:,} neurons, {_count(self.synapses)} synapses; {self.duration_ms:g} ms at {rates} Hz",
            f"memory   {_size(self.peak_bytes)} at most{each}: {parts}",
            *(
                [f"building {_size(self.building_bytes)} on the host, {_time(self.build_s)}"]
                * bool(self.building_bytes)
            ),
            f"time     compiling {_time(self.compile_s)}, running {_time(self.run_s)} "
            f"({_time(self.run_s_per_model_s)} for a model second)",
            f"a step   {_time(total)}: {steps}",
            *([f"exchange {_size(self.sent_bytes)} a round"] if self.devices > 1 else []),
            f"machine  {self.machine}",
        ]
        return "\n".join(rows + [f"note     {note}" for note in self.notes])


def estimate(
    network: Network | Sketch,
    duration_ms: float,
    *,
    rates_Hz: float | Mapping[str, float] | None = None,
    record: records.AbstractRecord | Sequence[records.AbstractRecord] = (),
    devices: int = 1,
    stream: bool = False,
    machine: Machine | None = None,
) -> Estimate:
    """Bytes and seconds of building, compiling and running, before any of it.

    Nothing is drawn or compiled, and the memory this takes does not grow with the network: 1e9 neurons are planned
    in under a second. Right to 10 % in memory and 40 % in time where the rates are right and the machine is calibrated
    (`python -m benchmarks plan` compares). On P devices each has 1/P of the neurons and of their incoming synapses,
    with rows for all sources, and all learn of all spikes once in the shortest delay.

    Args:
        network: A built network, or `js.network.sketch(...)`, which adds the memory and time of building it.
        duration_ms: Model time, ms.
        rates_Hz: Mean rate of all populations, or of each, Hz; None assumes `RATE_HZ`, 10 Hz. Published circuits:
            `js.circuits.reference_rates_Hz(name)`.
        record: What will be kept.
        devices: P, the number of devices, >= 1.
        stream: Whether records go to files.
        machine: Constants; None takes those of this machine, measured (`jaxsyn plan --calibrate`) or default.
    Returns:
        The estimate.
    Raises:
        ValueError: Duration off the grid, unknown records, rates of other populations, devices below 1.
    References:
        The model of time: `js.cost.step_seconds`; its tables: docs/scaling.md. Memory of sparse projections on many
        devices: Kunkel et al. (2014), Front. Neuroinform. 8:78.
    Example:
        >>> import jaxsyn as js
        >>> cells = {"E": js.Population(js.neurons.LIF(), 10**8, {"exc": js.receptors.Delta()})}
        >>> rule = js.connect.FixedInDegree(1000)
        >>> recurrent = {"E_E": js.Projection("E", "E", rule, weight_mV=0.1, delay_ms=1.5)}
        >>> sketch = js.network.sketch(cells, recurrent, dt_ms=0.1)
        >>> 400e9 < js.plan.estimate(sketch, 1000.0, rates_Hz=5.0, machine=js.cost.Machine()).peak_bytes < 2e12
        True
    """
    if isinstance(devices, bool) or not isinstance(devices, int | np.integer) or devices < 1:
        raise ValueError(f"estimate.devices: got {devices!r}; allowed: a whole number >= 1")
    machine, source = this_machine() if machine is None else (machine, machine.name)
    net = network.network if isinstance(network, Sketch) else network
    synapses = network.synapses if isinstance(network, Sketch) else _synapses(net)
    rates = population_rates(net, RATE_HZ if rates_Hz is None else rates_Hz)
    run = outline(net, duration_ms, record=record)
    spikes = {name: rate * net.size(name) * duration_ms * 1e-3 for name, rate in rates.items()}
    step = step_seconds(
        run.work.share(devices),
        [part.share(devices) for part in deliveries(net, synapses, rates)],
        machine,
        spiking=spiking(net, rates),
        native=net.native,
        threads=net.threads,
    )
    memory = running(net, run, spikes, machine, stream)
    memory = {name: n if name in _WHOLE else n / devices for name, n in memory.items()}
    total = sum(spikes.values()) / run.steps
    shortest = network.shortest_steps if isinstance(network, Sketch) else _shortest_steps(net)
    exchange, sent = exchange_seconds(total, net.size(), shortest, int(devices), machine)
    step |= {"exchange": exchange} if devices > 1 else {}
    kept = sum(n for name, n in spikes.items() if run.spike_bytes[name])
    built = building(network, machine) if isinstance(network, Sketch) else None
    building_bytes = memory["interpreter"] + built.peak_bytes if built else 0.0
    return Estimate(
        neurons=net.size(),
        synapses=float(sum(synapses)),
        devices=int(devices),
        duration_ms=float(duration_ms),
        rates_Hz=rates,
        memory=memory,
        building_bytes=building_bytes,
        peak_bytes=max(sum(memory.values()), building_bytes if devices == 1 else 0.0),
        step=step,
        build_s=built.seconds if built else 0.0,
        compile_s=compiling(run.work, machine)[0],
        run_s=run.steps * sum(step.values()) + run.steps / run.chunk_steps * _DISPATCH_S + kept * _KEPT_S,
        sent_bytes=sent,
        machine=source,
        notes=tuple(_notes(net, synapses, devices, rates_Hz is None)),
    )


def _synapses(net: Network) -> tuple[float, ...]:
    return tuple(float(link.graph.n_synapses) if isinstance(link, SparseLink) else 0.0 for link in net.links)


def _shortest_steps(net: Network) -> int:
    return min((int(np.min(link.graph.delays)) for link in net.links if isinstance(link, SparseLink)), default=0)


def _notes(net: Network, synapses: Sequence[float], devices: int, assumed: bool) -> list[str]:
    notes = []
    if assumed:
        notes.append(f"rates are not known before a run: {RATE_HZ:g} Hz is assumed; give rates_Hz for better")
    for name in dict.fromkeys(link.name for link in net.links if isinstance(link, SparseLink)):
        own = [(k, n) for k, n in zip(net.links, synapses, strict=True) if isinstance(k, SparseLink) and k.name == name]
        sizes = {
            "synapses": sum(n for _, n in own) / devices,
            "rows (delays x sources)": max(k.graph.n_rows for k, _ in own),
        }
        notes += [
            f"projection {name!r} cannot be built: {_count(n)} {what} on a device; allowed: at most {_LARGEST} "
            "(2^31 - 2) in one projection; split its source population, or take more devices"
            for what, n in sizes.items()
            if n > _LARGEST
        ]
    return notes


def _size(n_bytes: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"


def _time(seconds: float) -> str:
    if seconds >= 120.0:
        return f"{seconds / 60.0:.3g} min" if seconds < 7200.0 else f"{seconds / 3600.0:.3g} h"
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def _count(n: float) -> str:
    return f"{n:,.0f}" if n < 1e7 else f"{n:.3g}"
