"""A differentiable run chunk by chunk: the network part by part over the time axis, recomputed when differentiated."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .. import kernels
from .._core import Array
from ..network import Chunk, Component, Mode, Network, NetworkState, components, prepare, takes_bits
from ._plan import Kept, Plan, stack_blocks

_LONGEST_STRIDE = 64


def by_chunks(net: Network, plan: Plan) -> bool:
    """Whether a run goes chunk by chunk: where numbers with gradient travel and nothing rare is sampled."""
    carries = any(group.carries_values for group in net.groups)
    return carries and plan.stride <= _LONGEST_STRIDE and all(s.kind != "weights" for s in plan.samplers)


def chunk_length(n_steps: int, stride: int) -> int:
    """Steps of a chunk, a multiple of `stride`: about half the square root of all.

    A backward pass stores the state at the start of each chunk and everything of one chunk, so that it stores least
    there. A length that divides the number of steps saves the program of a remainder.
    """
    wanted = max(8, math.isqrt(n_steps) // 2)
    lengths = [stride * max(1, c // stride) for c in range(wanted, 2 * wanted)]
    return next((c for c in lengths if n_steps % c == 0), lengths[0])


def advance_by_chunks(
    net: Network, state: NetworkState, inputs: dict[str, Array], plan: Plan, n_steps: int, options: tuple[Mode, bool]
) -> tuple[NetworkState, Kept, Kept, Kept]:
    """Run a network chunk by chunk, part by part; derivatives recompute a chunk from its start.

    Args:
        net: The network.
        state: State at the start.
        inputs: Inputs by name, (n_steps, n).
        plan: What to keep.
        n_steps: Number of steps.
        options: See `step`; and whether derivatives recompute.
    Returns:
        Final state; spikes of each step; samples, one for each `plan.stride` steps; counters: "count" of each group at
        the end, "total" of each population after each step.
    """
    mode, remat = options
    stride = max(plan.stride, 1)
    prepared, parts = prepare(net), components(net, mode)

    bits = {key: kernels.pack(inputs[key], native=net.native) for key in takes_bits(net, parts, inputs)}
    inputs = inputs | bits

    def sample(part: Component, after: NetworkState) -> Kept:
        return {s.name: s.sample(net, after) for s in plan.samplers if s.place[0] in part.groups}

    def advance(length: int) -> Callable[[Any, dict[str, Array]], Any]:
        def chunk(carry: Any, x: dict[str, Array]) -> Any:
            state, counts = carry
            state, emissions, samples = Chunk(net, prepared, length, mode, parts, sample).advance(state, x)
            counts, totals = plan.count_chunk(net, counts, emissions)
            rows = {name: values[stride - 1 :: stride] for name, values in samples.items()}
            return (state, counts), (plan.each_chunk(net, emissions), rows, totals)

        return jax.checkpoint(chunk, prevent_cse=False) if remat else chunk

    length = chunk_length(n_steps, stride)
    whole, rest = divmod(n_steps, length)
    counts = {name: z for name, z in plan.zero_counts(net).items() if name.startswith("count ")}
    carry: Any = (state, counts)
    pieces = []
    if whole:
        xs = {k: v[: whole * length].reshape(whole, length, *v.shape[1:]) for k, v in inputs.items()}
        carry, kept = jax.lax.scan(advance(length), carry, xs, length=whole)
        pieces.append(stack_blocks(kept))
    if rest or not whole:
        carry, kept = advance(rest)(carry, {k: v[whole * length :] for k, v in inputs.items()})
        pieces.append(kept)
    spikes, samples, totals = jax.tree.map(lambda *xs: jnp.concatenate(xs) if len(xs) > 1 else xs[0], *pieces)
    totals = {name: jnp.cumsum(rows, dtype=rows.dtype) for name, rows in totals.items()}
    return carry[0], spikes, samples, carry[1] | totals
