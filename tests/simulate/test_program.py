"""The compiled program of a chunk: no large copy in its loop, no growth with the network, none made twice."""

import re
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.monitoring
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.simulate._plan import make_plan
from jaxsyn.simulate._run import advance
from tests.simulate.zoo import network

RECORD = (js.record.Spikes(), js.record.State("E.V_mV", every_ms=1.0))
ROOM, STEPS = 211, 200


def program(net: js.Network, inputs: dict[str, Any] | None = None) -> str:
    """The optimized program of a chunk of 200 steps, as text."""
    state, plan = net.init_state(ROOM), make_plan(net, RECORD, packed=True, capacity=ROOM)
    arrays, rest = eqx.partition((net, state), eqx.is_array)
    compiled = jax.jit(lambda arrays: advance(*eqx.combine(arrays, rest), inputs or {}, plan, (STEPS, 0)))
    return compiled.lower(arrays).compile().as_text()


def loop_copies(text: str) -> Iterator[tuple[str, int]]:
    """Type and number of entries of each copy in the body of a loop."""
    bodies, inside = set(re.findall(r"body=%?([\w.\-]+)", text)), False
    assert bodies
    for line in text.splitlines():
        if line and not line.startswith((" ", "}")):
            inside = line.removeprefix("ENTRY ").lstrip("%").split(" ")[0] in bodies
        found = re.match(r"\s+(?:ROOT )?%?[\w.\-]+ = (\w+)\[([\d,]*)\]\S* (?:copy|copy-start|transpose)\(", line)
        if inside and found:
            yield found[1], int(np.prod([int(n) for n in found[2].split(",") if n], dtype=int))


def two_groups(n: int, m: int, **options: Any) -> js.Network:
    """Two populations of different models; every kind of history is read before and after it is written."""
    surrogate, short_term = options.pop("surrogate", None), options.pop("short_term", None)
    x, normal = js.receptors.Current(js.receptors.Exponential(3.0)), js.connect.Normal(1.0, 0.1)
    integrator, rule = js.neurons.Exact(on_grid=True), js.connect.FixedInDegree
    cells = {
        "E": js.Population(
            js.neurons.LIF(), n, {"x": x, "d": js.receptors.Delta()}, surrogate=surrogate, integrator=integrator
        ),
        "I": js.Population(
            js.neurons.LIF(), m, {"x": x}, surrogate=surrogate, integrator=integrator, refractory_ms=1.0
        ),
    }
    projections = {
        "EE": js.Projection("E", "E", rule(10), weight_pA={"x": normal}, delay_ms=js.connect.Uniform(0.5, 1.9)),
        "EI": js.Projection("E", "I", rule(7), weight_pA=normal, delay_ms=0.5, short_term=short_term),
        "IE": js.Projection("I", "E", rule(5), weight_mV={"d": normal}, delay_ms=0.7),
        "IE now": js.Projection("I", "E", rule(5), weight_pA={"x": normal}, delay_ms=0.0),
    }
    drive = {"p": js.stimuli.Poisson("E", rate_Hz=1000.0, weight_pA={"x": 10.0})}
    return js.Network(cells, projections, drive, dt_ms=0.1, **options)


@pytest.mark.skipif(not js.kernels.native_available(), reason="in place only with the native kernels")
@pytest.mark.parametrize("kind", ["ids", "numbers", "amplitudes", "one group"])
def test_no_large_buffer_is_copied_in_the_loop(kind: str) -> None:
    """Graph, weights, history and records are read and written where they are; only state vectors may move."""
    options: dict[str, Any] = {"numbers": {"surrogate": js.surrogate.SuperSpike()}}.get(kind, {})
    if kind == "amplitudes":
        options = {"short_term": js.plasticity.TsodyksMarkram()}
    net = network() if kind == "one group" else two_groups(3001, 757, **options)
    large = {"state": max(g.size for g in net.groups)}
    text = program(net)
    assert f"s32[{max(k.graph.n_padded for k in net.links if isinstance(k, js.network.SparseLink))}]" in text
    for dtype, entries in loop_copies(text):
        assert entries <= max(large["state"], 10 * ROOM), f"a copy of {dtype}[{entries}]"


def test_copies_are_found_where_there_are_some() -> None:
    """The check itself: a buffer that is read after it was written, without order, has to be copied."""

    def step(buffer: jax.Array, k: jax.Array) -> tuple[jax.Array, jax.Array]:
        return buffer.at[k].set(1.0), jax.numpy.sort(buffer)

    text = jax.jit(lambda b: jax.lax.scan(step, b, jax.numpy.arange(9, dtype=np.int32))).lower(
        np.zeros(5000, np.float32)
    )
    assert max(n for _, n in loop_copies(text.compile().as_text())) >= 5000


def test_the_program_does_not_grow_with_the_network() -> None:
    def size(n: int) -> int:
        return len(program(js.circuits.coba(n)).splitlines())

    assert abs(size(4000) - size(400)) < 0.1 * size(400)


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """What JAX compiles while a test runs."""
    seen: list[str] = []
    listening = True

    def on_duration(event: str, duration: float, **_: Any) -> None:
        if listening and event.startswith("/jax/core/compile/"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(on_duration)
    yield seen
    listening = False


def circuit(seed: int, rate_Hz: float, tau_ms: float) -> js.Network:
    receptors = {"AMPA": js.receptors.AMPA(tau_ms), "GABA_A": js.receptors.GABA_A()}
    cells = js.Population(js.neurons.LIF(), 200, receptors, initial={"V_mV": js.connect.Uniform(-60.0, -50.0)})
    rule, normal = js.connect.FixedProbability(0.1), js.connect.Normal
    return js.Network(
        {"E": cells, "I": cells},
        {
            "E": js.Projection("E", ("E", "I"), rule, weight_nS={"AMPA": normal(0.5, 0.1)}, delay_ms=normal(1.5, 0.3)),
            "I": js.Projection("I", ("E", "I"), rule, weight_nS={"GABA_A": 2.0 * tau_ms}, delay_ms=0.8),
        },
        {"p": js.stimuli.Poisson(("E", "I"), rate_Hz=rate_Hz, max_rate_Hz=1e4, weight_nS={"AMPA": 0.6})},
        dt_ms=0.1,
        seed=seed,
    )


def test_new_values_and_seeds_compile_nothing(compilations: list[str]) -> None:
    record = [js.record.Spikes(), js.record.State("E.V_mV", every_ms=1.0, index=range(3)), js.record.Weights("E", 5.0)]
    first = js.simulate(circuit(0, 2000.0, 2.0), 10.0, record=record)
    assert compilations
    assert first.compile_s > 0
    assert len(first.spikes["E"]) > 0
    made = len(compilations)
    for net in (circuit(0, 2500.0, 3.0), circuit(1, 1000.0, 2.0), circuit(2, 6000.0, 2.0)):
        assert js.simulate(net, 10.0, record=record).compile_s == 0.0
    assert len(compilations) == made, compilations[made:]
