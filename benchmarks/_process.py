"""The process that measures: its cores, its memory, a fresh one for the next figure, and the line that it prints."""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]


def pin(threads: int, pool: int | None = None) -> None:
    """Bind this process to its first `threads` cores, before JAX makes its own pool of as many threads, or `pool`."""
    if "jax" in sys.modules:
        raise RuntimeError("benchmarks: JAX was imported before the process was pinned to its cores")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if threads > len(cores):
            raise SystemExit(f"benchmarks: --threads {threads}, but this process may use {len(cores)} cores")
        os.sched_setaffinity(0, cores[:threads])
    pool = threads if pool is None else pool
    os.environ["PJRT_NPROC"] = str(pool)
    if pool == 1:
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
        os.environ["XLA_FLAGS"] = flags.strip()


def keep_memory() -> None:
    """Let freed memory stay with this process, before JAX starts threads; where the C library is another: nothing.

    glibc gives blocks of over 32 MB back at once, and the system clears each page anew when they are asked for again,
    which a training step does each time. For a loop of one program: where others come between, pieces of what was kept
    are used by them, and memory grows.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1)):  # one arena, no maps, no trimming
            mallopt(option, value)


def memory_MB() -> float:
    """Resident memory of this process now, MB; where the system does not tell, the largest so far."""
    return _status_MB("VmRSS")


def peak_MB() -> float:
    """Largest resident memory of this process so far, MB."""
    return _status_MB("VmHWM")


def _status_MB(key: str) -> float:
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # what getrusage says includes the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith(f"{key}:"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def elsewhere(*arguments: str, accept: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    """The JSON lines that `python -m benchmarks` prints in a fresh process; `accept`: statuses that are no failure."""
    command = [sys.executable, "-m", "benchmarks", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in accept or not done.stdout:
        raise SystemExit(f"{' '.join(command[1:])} ended with {done.returncode}\n{done.stderr}{done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def show(result: dict[str, Any], as_json: bool) -> None:
    """One line."""
    text = json.dumps(result) if as_json else "  ".join(f"{key} {value}" for key, value in result.items())
    print(text, flush=True)
