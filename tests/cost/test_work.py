"""Work is counted as it is done, and its price grows with it."""

import math

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxsyn as js
from jaxsyn import cost
from jaxsyn.network import step_work

CELLS = {
    "lif": js.Population(js.neurons.LIF(), 1000),
    "adex": js.Population(js.neurons.AdEx(), 1000, {"e": js.receptors.AMPA()}),
    "izhikevich": js.Population(js.neurons.Izhikevich(), 1000),
}


def works(native: bool) -> dict[str, cost.Work]:
    return {name: step_work(js.Network({"E": p}, dt_ms=0.1, native=native)) for name, p in CELLS.items()}


def test_loops_count_as_often_as_they_run() -> None:
    def body(x, _):
        return jnp.cumsum(x @ jnp.ones((200, 200))), None

    work = cost.work_of(jax.make_jaxpr(lambda x: jax.lax.scan(body, x, None, length=7)[0])(jnp.ones(200)))
    assert work.steps == 7
    assert work.flops == pytest.approx(7 * 2 * 200 * 200)
    assert work.sums == 1
    assert work.scaled(0.5).flops == work.flops / 2
    assert work.scaled(0.5).equations == work.equations


def test_scattered_elements_are_told_apart() -> None:
    where = jnp.arange(500, dtype=jnp.int32)
    work = cost.work_of(jax.make_jaxpr(lambda x: x.at[where].add(x) * 2.0)(jnp.ones(500)))
    assert work.scattered >= 500
    assert work.elements >= 500


@pytest.mark.skipif(not js.kernels.native_available(), reason="counts native programs")
def test_dear_models_have_more_operations() -> None:
    found = {name: sum(p.always for p in work.programs) for name, work in works(True).items()}
    assert found["lif"] < found["izhikevich"] < found["adex"]
    located = sum(p.seldom for p in works(True)["adex"].programs)
    assert located > 0  # what is done only where a spike is


def test_in_pure_jax_the_same_work_is_left_to_xla() -> None:
    for work in works(False).values():
        assert not work.programs
        assert work.elements >= 1000


positive = st.floats(0.0, 1e6)


@given(
    sizes=st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)),
    counts=st.tuples(positive, positive),
    delays=st.tuples(st.integers(1, 1000), st.integers(1, 1000)),
    spiking=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    native=st.booleans(),
    threads=st.integers(1, 8),
)
def test_more_work_never_takes_less_time(sizes, counts, delays, spiking, native, threads) -> None:
    def seconds(size, count, delay, rate):
        program = cost.Program(1.0, size, 20.0, 100.0, 32.0)
        work = cost.Work(1.0, 5.0, count, count, count, count, float(size), programs=(program,))
        delivery = cost.Delivery(count, delay, 100 * count, 8.0 * size, 4.0 * size, 4.0 * size)
        how = {"spiking": rate, "native": native}
        alone, shared = (
            sum(cost.step_seconds(work, [delivery], cost.Machine(), **how, threads=k).values()) for k in (1, threads)
        )
        assert shared <= alone
        return alone

    less, more = (tuple(f(pair) for pair in (sizes, counts, delays, spiking)) for f in (min, max))
    assert 0.0 < seconds(*less) <= seconds(*more) < math.inf


@given(st.integers(1, 5000), st.floats(0, 1e7), st.integers(1, 10**9), st.integers(1, 200))
def test_exchange_is_finite_and_shrinks_with_the_delay(devices, spikes, neurons, steps) -> None:
    seconds, n_bytes = cost.exchange_seconds(spikes, neurons, steps, devices, cost.Machine())
    later, _ = cost.exchange_seconds(spikes, neurons, steps + 1, devices, cost.Machine())
    assert (seconds == n_bytes == 0.0) is (devices == 1)
    assert 0.0 <= later <= seconds < math.inf
    assert n_bytes <= neurons * steps / 8.0  # never more than a bit for each neuron and step
