"""What a task measured, the line it makes, and the one way of timing a loop."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks._process import peak_MB

DT_MS = 0.1
STEPS_PER_S = 10_000


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for; `n` is None for the size of the task, `native` for the kernels that are there."""

    n: int | None
    threads: int
    repeats: int
    bio_s: float
    seed: int
    native: bool | None

    @property
    def kernels(self) -> dict[str, Any]:
        """The arguments of a network that choose its kernels."""
        return {"native": self.native, "threads": self.threads}


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Size, times and rate of a task; `seconds` are those of computing for a second of model time, one a repeat."""

    n: int
    synapses: int
    native: bool
    build_s: float
    compile_s: float
    seconds: list[float]
    rate_Hz: float | None
    more: dict[str, Any] = dataclasses.field(default_factory=dict)

    def line(self, task: str, threads: int) -> dict[str, Any]:
        """The keys that every task prints, and its own."""
        some = bool(self.seconds)
        return {
            "task": task,
            "n": self.n,
            "synapses": self.synapses,
            "threads": threads,
            "compile_s": round(self.compile_s, 3),
            "build_s": round(self.build_s, 3),
            "run_s_per_bio_s": round(statistics.median(self.seconds), 5) if some else None,
            "run_s_per_bio_s_min": round(min(self.seconds), 5) if some else None,
            "run_s_per_bio_s_max": round(max(self.seconds), 5) if some else None,
            "rate_Hz": None if self.rate_Hz is None else round(self.rate_Hz, 3),
            "peak_MB": round(peak_MB(), 1),
            "kernels": "native" if self.native else "pure JAX",
            **self.more,
        }


def compiled(function: Callable[..., Any], *operands: Any) -> tuple[Callable[..., Any], float]:
    """A function of arrays as a program that waits for its results, and the seconds that compiling took."""
    began = time.perf_counter()
    program = jax.jit(function).lower(*operands).compile()
    took = time.perf_counter() - began

    def wait(*operands: Any) -> Any:
        return jax.block_until_ready(program(*operands))

    return wait, took


def timed(call: Callable[[], Any], repeats: int) -> tuple[list[float], Any]:
    """Seconds of each call after one that is not counted, and its last result."""
    result, seconds = call(), []
    for _ in range(repeats):
        began = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - began)
    return seconds, result


def timed_loop(
    step: Callable[[Any, Any, jax.Array], Any], operands: Any, carry: Any, options: Options
) -> tuple[float, list[float], Any]:
    """`carry = step(operands, carry, tick)`, called once in each step of the model time.

    Returns:
        Seconds of compiling, seconds of one call in each repeat, and the last carry.
    """
    calls = max(1, round(options.bio_s * STEPS_PER_S))

    def loop(operands: Any, carry: Any, calls: jax.Array) -> Any:
        return jax.lax.fori_loop(jnp.int32(0), calls, lambda tick, c: step(operands, c, tick), carry)

    arguments = (operands, carry, jnp.int32(calls))
    program, compile_s = compiled(loop, *arguments)
    seconds, carry = timed(lambda: program(*arguments), options.repeats)
    return compile_s, [s / calls for s in seconds], carry
