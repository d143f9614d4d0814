"""The tasks of `speed` in Brian2 (C++ standalone), in a Python without jaxsyn; prints one JSON line.

Same models, same scheme, 0.1 ms, spikes on the grid; a synapse without delay acts from the next step on in both.
"""

import os
import shutil
import statistics
import subprocess
import tempfile

import common

TASKS = ("cuba", "coba", "brunel", "adex", "adexnet")
a = common.arguments(TASKS)
common.pin(a.threads)

import brian2 as b  # noqa: E402
import brian2.devices.cpp_standalone.device as standalone  # noqa: E402
from brian2 import Hz, ms, mV, nS, pA, pF, second  # noqa: E402

b.prefs.codegen.cpp.extra_compile_args_gcc = [
    *("-w", "-O3", "-ffast-math", "-fno-finite-math-only", "-march=native", "-std=c++11")
]
if a.threads > 1:
    b.prefs.devices.cpp_standalone.openmp_threads = a.threads
b.set_device("cpp_standalone", build_on_run=False)
b.defaultclock.dt = 0.1 * ms
b.seed(a.seed)


def probability(cells, on_pre, condition, n, values):
    """Every pair with the probability that gives 80 inputs a cell."""
    synapses = b.Synapses(cells, cells, on_pre=on_pre, namespace=values)
    synapses.connect(condition, p=min(1.0, 80.0 / n))
    return synapses


def in_degree(source, cells, on_pre, inputs, delay, values):
    """The same number of different inputs for each cell, drawn in the compiled program."""
    synapses = b.Synapses(source, cells, on_pre=on_pre, delay=delay, namespace=values)
    synapses.connect(i=f"k for k in sample(N_pre, size={inputs})")
    return synapses


def cuba(n):
    values = {"tau": 20 * ms, "tau_e": 5 * ms, "tau_i": 10 * ms, "V_t": -50 * mV, "V_r": -60 * mV, "E_L": -49 * mV}
    cells = b.NeuronGroup(
        n,
        """dv/dt = (ge + gi - (v - E_L))/tau : volt (unless refractory)
        dge/dt = -ge/tau_e : volt
        dgi/dt = -gi/tau_i : volt""",
        threshold="v > V_t",
        reset="v = V_r",
        refractory=5 * ms,
        method="exact",
        namespace=values,
    )
    cells.v = "V_r + rand()*(V_t - V_r)"
    split = common.split(n)[0]
    exc = probability(cells, "ge += w", f"i < {split}", n, {"w": 1.62 * mV})
    inh = probability(cells, "gi += w", f"i >= {split}", n, {"w": -9 * mV})
    return cells, [exc, inh], []


def coba(n):
    values = {"tau": 20 * ms, "tau_e": 5 * ms, "tau_i": 10 * ms, "V_t": -50 * mV, "V_r": -60 * mV, "E_L": -60 * mV}
    values |= {"E_e": 0 * mV, "E_i": -80 * mV, "drive": 20 * mV}
    cells = b.NeuronGroup(
        n,
        """dv/dt = (ge*(E_e - v) + gi*(E_i - v) - (v - E_L) + drive)/tau : volt (unless refractory)
        dge/dt = -ge/tau_e : 1
        dgi/dt = -gi/tau_i : 1""",
        threshold="v > V_t",
        reset="v = V_r",
        refractory=5 * ms,
        method="exponential_euler",
        namespace=values,
    )
    cells.v = "-55*mV + 2*mV*randn()"
    split = common.split(n)[0]
    exc = probability(cells, "ge += w", f"i < {split}", n, {"w": 0.6})
    inh = probability(cells, "gi += w", f"i >= {split}", n, {"w": 6.7})
    return cells, [exc, inh], []


def brunel(n):
    values = {"tau": 20 * ms, "V_t": 20 * mV, "V_r": 10 * mV}
    cells = b.NeuronGroup(
        n,
        "dv/dt = -v/tau : volt (unless refractory)",
        threshold="v > V_t",
        reset="v = V_r",
        refractory=2 * ms,
        method="exact",
        namespace=values,
    )
    cells.v = "rand()*V_t"
    split, J = common.split(n)[0], 0.1 * mV
    rate = 2.0 * 20.0 / (0.1 * 20.0) * 1000 * Hz
    external = b.PoissonInput(cells, "v", 1000, rate / 1000, weight=J)
    exc = in_degree(cells[:split], cells, "v += w", min(1000, split), 1.5 * ms, {"w": J})
    inh = in_degree(cells[split:], cells, "v += w", min(250, n - split), 1.5 * ms, {"w": -5 * J})
    return cells, [exc, inh], [external]


def adex(n, connected=False):
    values = {"C": 281 * pF, "g_L": 30 * nS, "E_L": -70.6 * mV, "V_T": -50.4 * mV, "D": 2 * mV, "tau_w": 144 * ms}
    values |= {"a": 4 * nS, "b": 80.5 * pA, "V_cut": -40.4 * mV, "V_r": -70.6 * mV, "E_e": 0 * mV, "E_i": -80 * mV}
    values |= {"tau_A": 5 * ms, "tau_N": 100 * ms, "tau_G": 10 * ms}
    current, conductances = "", ""
    if connected:
        current = " + (gA + gN/(1 + exp(-0.062*v/mV)/3.57))*(E_e - v) + gG*(E_i - v)"
        conductances = "\n".join(f"dg{k}/dt = -g{k}/tau_{k} : siemens" for k in "ANG")
    cells = b.NeuronGroup(
        n,
        f"""dv/dt = (g_L*(E_L - v) + g_L*D*exp((v - V_T)/D) - w + I{current})/C : volt
        dw/dt = (a*(v - E_L) - w)/tau_w : amp
        I : amp
        {conductances}""",
        threshold="v > V_cut",
        reset="v = V_r; w += b",
        method="euler",
        namespace=values,
    )
    cells.v = "E_L + rand()*(V_T - E_L)"
    cells.I = "600*pA + rand()*400*pA"
    if not connected:
        return cells, [], []
    split = common.split(n)[0]
    weights = {"w_A": 0.3 * nS, "w_N": 0.05 * nS}
    exc = in_degree(cells[:split], cells, "gA_post += w_A; gN_post += w_N", 80, 1 * ms, weights)
    inh = in_degree(cells[split:], cells, "gG_post += w_G", 20, 1 * ms, {"w_G": 1.5 * nS})
    return cells, [exc, inh], []


BUILDERS = {
    "cuba": (cuba, 4000),
    "coba": (coba, 4000),
    "brunel": (brunel, 12500),
    "adex": (adex, 10000),
    "adexnet": (lambda n: adex(n, connected=True), 10000),
}


class Runner:
    """Stands in for `subprocess` in Brian2, to see the memory of the compiled program."""

    def __init__(self):
        self.peak_MB = 0.0

    def __getattr__(self, name):
        return getattr(subprocess, name)

    def call(self, command, **options):
        process = subprocess.Popen(command, **options)
        _, status, usage = os.wait4(process.pid, 0)
        self.peak_MB = max(self.peak_MB, usage.ru_maxrss * 1024 / 1e6)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode


def main():
    build, n = BUILDERS[a.task]
    folder = tempfile.mkdtemp(prefix="brian2_")
    with common.Watch() as described:
        cells, synapses, inputs = build(a.n or n)
        monitor = b.SpikeMonitor(cells, record=False)
        b.Network(cells, *synapses, *inputs, monitor).run(a.bio * second)
    os.sched_setaffinity(0, common.CORES)  # the compiler may use every core
    with common.Watch() as compiled:
        b.device.build(directory=folder, compile=True, run=False, debug=False)
    os.sched_setaffinity(0, common.CORES[: a.threads])
    runner = Runner()
    standalone.subprocess = runner
    seconds, outside, rates = [], [], []
    for _ in range(a.repeats):
        with common.Watch() as whole:
            b.device.run(folder, with_output=False, run_args=[])
        took = float(b.device._last_run_time)  # the simulation loop alone
        seconds.append(took / a.bio)
        outside.append(whole.s - took)
        rates.append(int(monitor.num_spikes) / len(cells) / a.bio)
    sizes = (len(cells), sum(len(s) for s in synapses), a.threads)
    times = (compiled.s, described.s + statistics.median(outside))
    common.show(a.task, sizes, times, seconds, rates, f"Brian2 {b.__version__}, C++", runner.peak_MB)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
