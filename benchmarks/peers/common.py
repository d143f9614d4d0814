"""What the scripts of the other simulators share: arguments, cores, times and the line. Runs without jaxsyn.

Numbers of the tasks: `../speed/_tasks.py`. `rate_Hz_min` and `rate_Hz_max` are those of the repeats: equal where a
simulator runs one network again, apart where it draws anew.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

CORES = sorted(os.sched_getaffinity(0))
DT_MS = 0.1


def arguments(tasks):
    """The options of `python -m benchmarks speed`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=tuple(tasks))
    parser.add_argument("--n", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bio", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--T", type=int, default=100)
    parser.add_argument("--density", type=float, default=0.02)
    return parser.parse_args()


def pin(threads):
    """Bind the process to its first cores and size the thread pools; before numeric libraries are imported."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if "JAX_PLATFORMS" not in os.environ:
        os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.sched_setaffinity(0, CORES[:threads])


class Watch:
    """`with Watch() as watch: ...`, then `watch.s`."""

    def __enter__(self):
        self.began = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.s = time.perf_counter() - self.began


def split(n):
    """Excitatory and inhibitory neurons."""
    return 4 * n // 5, n - 4 * n // 5


def peak_MB():
    """Largest resident memory of this process so far, MB."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def show(task, sizes, times, seconds, rates_Hz, kernels, peak=None):
    """Print the keys of `speed`.

    Args:
        task: Its name.
        sizes: Neurons, synapses, threads.
        times: Seconds of compiling and of building.
        seconds: Seconds of computing for a second of model time, of each run.
        rates_Hz: Mean rate of a neuron in each run.
        kernels: Name and version of the simulator.
        peak: Largest memory, MB, if not that of this process.
    """
    n, synapses, threads = sizes
    line = {"task": task, "n": n, "synapses": synapses, "threads": threads}
    line |= {"compile_s": round(times[0], 3), "build_s": round(times[1], 3)}
    line |= {"run_s_per_bio_s": round(statistics.median(seconds), 5)}
    line |= {"run_s_per_bio_s_min": round(min(seconds), 5), "run_s_per_bio_s_max": round(max(seconds), 5)}
    line |= {"rate_Hz": round(statistics.mean(rates_Hz), 3)}
    line |= {"rate_Hz_min": round(min(rates_Hz), 3), "rate_Hz_max": round(max(rates_Hz), 3)}
    line |= {"peak_MB": round(peak_MB() if peak is None else peak, 1), "kernels": kernels}
    print(json.dumps(line), flush=True)
