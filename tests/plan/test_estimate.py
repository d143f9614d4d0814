"""Plans against what then happens: bytes in fresh processes, and what a plan promises for any input."""

import json
import math
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsyn as js
from jaxsyn.cost import Machine
from jaxsyn.network import sketch
from jaxsyn.plan import estimate

ROOT = pathlib.Path(__file__).parents[2]
LINUX = pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="reads the peak of memory there")

# Builds and runs one network in a fresh process; says the peaks of memory, and what was planned for the same rates.
MEASURE = """
import json, sys
sys.path.insert(0, {tests!r})
import jaxsyn as js
from zoo import ZOO
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
make, duration_ms, record = ZOO[{name!r}]
parts = make()
net = js.Network(*parts, dt_ms=0.1)
built = peak()
solution = js.simulate(net, duration_ms, record=record)
ran = peak()
rates = {{p: float(solution.reductions["count " + p].mean() / duration_ms * 1e3) for p in net.populations()}}
from jaxsyn.network import sketch
plan = js.plan.estimate(
    sketch(*parts, dt_ms=0.1), duration_ms, rates_Hz=rates, record=record, machine=js.cost.Machine()
)
print(json.dumps([built, ran, plan.building_bytes, plan.peak_bytes, plan.memory["interpreter"]]))
"""


def lif_net(n=1000, rule=None, **options):
    cells = {"E": js.Population(js.neurons.LIF(), n, {"r": js.receptors.Delta()})}
    options = {"weight_mV": 0.1, "delay_ms": 1.5} | options
    return cells, {"E_E": js.Projection("E", "E", rule or js.connect.FixedProbability(0.1), **options)}


@LINUX
@pytest.mark.parametrize("name", ["weights", "in_degree", "delays", "spikes", "state", "blocks"])
def test_memory_is_within_a_tenth_of_what_a_process_takes(name):
    code = MEASURE.format(tests=str(pathlib.Path(__file__).parent), name=name)
    uncovered = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # it takes memory too
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=uncovered, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built, ran, planned_built, planned, _ = json.loads(done.stdout)
    assert planned_built == pytest.approx(built, rel=0.1), "building"
    assert planned == pytest.approx(ran, rel=0.1), "running"


def test_a_billion_neurons_are_planned_at_once():
    cells = {"E": js.Population(js.neurons.LIF(), 10**9, {"r": js.receptors.Delta()}, refractory_ms=2.0)}
    rule = js.connect.FixedInDegree(1000)
    recurrent = {"E_E": js.Projection("E", "E", rule, weight_mV=0.1, delay_ms=js.connect.Uniform(0.5, 2.0))}
    began = time.perf_counter()
    plan = estimate(sketch(cells, recurrent, dt_ms=0.1), 1000.0, rates_Hz=5.0, record=js.record.Spikes(), devices=64)
    assert time.perf_counter() - began < 20.0  # one second alone; drawing 1e12 synapses would take hours
    assert plan.synapses == 1e12
    assert plan.memory["targets"] == pytest.approx(4e12 / 64, rel=0.1)
    assert any("cannot be built" in note and "E_E" in note for note in plan.notes)


def test_a_network_and_its_sketch_are_planned_alike():
    parts = lif_net(rule=js.connect.FixedInDegree(50))
    net = js.Network(*parts, dt_ms=0.1)
    built, planned = (estimate(x, 100.0, rates_Hz=7.0) for x in (net, sketch(*parts, dt_ms=0.1)))
    assert built.memory == planned.memory
    assert built.step == planned.step
    assert built.synapses == planned.synapses == 50_000
    assert built.building_bytes == 0.0 < planned.building_bytes
    assert planned.build_s > 0.0


@settings(max_examples=10)
@given(
    n=st.tuples(st.integers(1, 10**8), st.integers(1, 10**8)),
    rate=st.tuples(st.floats(0, 500), st.floats(0, 500)),
    devices=st.integers(1, 4096),
)
def test_larger_and_busier_networks_never_take_less(n, rate, devices):
    def planned(size, rate_Hz, shared):
        sketched = sketch(*lif_net(size, js.connect.FixedInDegree(min(size, 100))), dt_ms=0.1)
        return estimate(sketched, 50.0, rates_Hz=rate_Hz, record=js.record.Spikes(), devices=shared, machine=Machine())

    less, more = (planned(f(n), f(rate), 1) for f in (min, max))
    assert 0.0 < less.run_s <= more.run_s < math.inf
    assert 0.0 < less.peak_bytes <= more.peak_bytes < math.inf
    assert planned(max(n), max(rate), devices).peak_bytes <= more.peak_bytes


@pytest.mark.parametrize(
    ("records", "kept"),
    [
        ([js.record.State("E.V_mV", every_ms=1.0)], 2 * 100 * (4 * 1000 + 8)),  # chunks, and the trace made of them
        ([js.record.State("E.V_mV", index=[1, 2])], 2 * 1000 * (4 * 2 + 8)),
        ([js.record.Mean("E.V_mV", every_ms=0.5)], 2 * 200 * 12),
        ([js.record.SpikeCount("E")], 2 * 4000),
        ([js.record.Rate("E", 10.0)], 2 * 10 * 12),
        ([js.record.Spikes()], 16 * 1000 * 20 * 0.1),
    ],
    ids=["state", "some", "mean", "count", "rate", "spikes"],
)
def test_records_take_what_they_hold(records, kept):
    net = js.Network({"E": js.Population(js.neurons.LIF(), 1000)}, dt_ms=0.1)
    plan = estimate(net, 100.0, rates_Hz=20.0, record=records)
    assert plan.memory["records"] == pytest.approx(kept)
    streamed = estimate(net, 100.0, rates_Hz=20.0, record=records, stream=True).memory["records"]
    assert streamed == (0.0 if records == [js.record.Spikes()] else plan.memory["records"])  # traces are read back


def test_an_estimate_reads_as_text_and_as_numbers():
    plan = estimate(js.circuits.coba(400), 1000.0, rates_Hz=js.circuits.reference_rates_Hz("coba"))
    numbers = json.loads(json.dumps(plan.to_dict()))
    assert numbers["rates_Hz"] == {"E": 19.5, "I": 19.1}
    assert numbers["run_s_per_model_s"] == plan.run_s
    assert sum(numbers["memory"].values()) == plan.peak_bytes
    text = str(plan)
    for part in ("400 neurons", "synapses", "memory", "time", "machine", "MB"):
        assert part in text
    assert not plan.notes
    assert "10 Hz is assumed" in str(estimate(js.circuits.coba(400), 100.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates_Hz": {"E": 1.0, "I": 1.0}}, r"rates_Hz: got rates of \['E', 'I'\]; allowed"),
        ({"rates_Hz": -1.0}, "rates_Hz: got -1.0"),
        ({"rates_Hz": math.nan}, "rates_Hz: got nan"),
        ({"devices": 0}, "estimate.devices: got 0"),
        ({"devices": True}, "estimate.devices: got True"),
        ({"duration_ms": 0.05}, "duration_ms: got 0.05"),
        ({"record": [js.record.State("Z.V_mV")]}, "unknown population 'Z'"),
    ],
    ids=["names", "negative", "nan", "none", "bool", "grid", "record"],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(options, message):
    net = js.Network(*lif_net(10), dt_ms=0.1)
    with pytest.raises(ValueError, match=message):
        estimate(net, **{"duration_ms": 10.0, **options})


def test_rates_of_one_population_weigh_by_its_size():
    cells = {name: js.Population(js.neurons.LIF(), n) for name, n in (("E", 90), ("I", 10))}
    net = js.Network(cells, dt_ms=0.1)
    rates = js.network.population_rates(net, {"E": 10.0, "I": 110.0})
    assert js.network.spiking(net, rates) == pytest.approx(20.0 * 1e-4)
    assert np.isclose(estimate(net, 10.0, rates_Hz=rates).rates_Hz["I"], 110.0)
