"""A differentiable run chunk by chunk: the network part by part over the time axis, recomputed when differentiated."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import kernels
from .._core import Array
from ..network import (
    Chunk,
    Component,
    Mode,
    Network,
    NetworkState,
    carried,
    components,
    prepare,
    takes_bits,
    written_out,
)
from ._plan import Kept, Plan, stack_blocks

_LONGEST_STRIDE = 64
_SHORTEST = 20  # steps of a chunk below which its calls and copies cost more than the memory is worth
_STORED = 128  # steps of a chunk, at least, where derivatives store all: what chunks give is copied together
_LONG = 2048  # steps from which derivatives compute a chunk twice again


def by_chunks(net: Network, plan: Plan) -> bool:
    """Whether a run goes chunk by chunk: where numbers with gradient travel and nothing rare is sampled."""
    carries = any(group.carries_values for group in net.groups)
    return carries and plan.stride <= _LONGEST_STRIDE and all(s.kind != "weights" for s in plan.samplers)


class How(NamedTuple):
    """How a run goes chunk by chunk.

    Args:
        mode: See `step`.
        remat: Whether derivatives compute each chunk again.
        truncate: Steps after which gradients end, or None.
        fresh: Whether the run begins with the state of a network that has not run.
    """

    mode: Mode
    remat: bool
    truncate: int | None
    fresh: bool


def chunk_length(
    n_steps: int, stride: int, truncate: int | None = None, history: float = 0.0, *, remat: bool = True, most: int = 0
) -> int:
    """Steps of a chunk, a multiple of `stride` that divides `truncate`: about half the square root of all, at least 20.

    A backward pass stores the state at the start of each chunk and everything of one chunk, so that it stores least
    there; more where the state holds emissions of earlier steps, `history` times as many numbers as the rest of it. A
    length that divides the number of steps saves the program of a remainder. Where no more than `most` steps are
    written out, a chunk computed again has as many, or up to half of them less, unless the state is mostly history.
    """
    shortest = _SHORTEST if remat else _STORED
    wanted = max(shortest, int(math.isqrt(n_steps) * math.sqrt(1.0 + history)) // 2)
    wanted, most = (min(n, max(1, n_steps)) for n in (wanted, most))
    written = remat and most > 0 and history < 1.0
    choices = range(most, most // 2, -1) if written else range(wanted, 2 * wanted)
    if truncate is not None and truncate < n_steps:
        return max(c for c in range(stride, max(*choices, stride) + 1, stride) if truncate % c == 0)
    lengths = [stride * max(1, c // stride) for c in choices]
    return next((c for c in lengths if n_steps % c == 0), lengths[0])


def _history(net: Network, state: NetworkState) -> float:
    """Emissions that are kept for longer than a step, to the other numbers of a state and what arrives in a step."""
    rings = [g.values for g in state.groups if g.values is not None]
    numbers = sum(x.size for x in jax.tree.leaves(state.groups)) - sum(ring.size for ring in rings)
    numbers += sum(len(link.receptors) * net.groups[link.target].size for link in net.links)
    return sum(max(ring.shape[0] - 2, 0) * ring.shape[1] for ring in rings) / max(numbers, 1)


def advance_by_chunks(
    net: Network, state: NetworkState, inputs: dict[str, Array], plan: Plan, n_steps: int, how: How
) -> tuple[NetworkState, Kept, Kept, Kept]:
    """Run a network chunk by chunk, part by part; derivatives recompute a chunk from its start.

    Args:
        net: The network.
        state: State at the start.
        inputs: Inputs by name, (n_steps, n).
        plan: What to keep.
        n_steps: Number of steps.
        how: See `How`.
    Returns:
        Final state; spikes of each step; samples, one for each `plan.stride` steps; counters: "count" of each group at
        the end, "total" of each population after each step.
    """
    stride = max(plan.stride, 1)
    prepared, parts = prepare(net), components(net, how.mode)
    held, carriers = carried(net, parts, how.mode)

    bits = {key: kernels.pack(inputs[key], native=net.native) for key in takes_bits(net, parts, inputs)}
    inputs = inputs | bits

    def sample(part: Component, after: NetworkState) -> Kept:
        return {s.name: s.sample(net, after) for s in plan.samplers if s.place[0] in part.groups}

    def advance(length: int) -> Callable[[Any, Any], Any]:
        def chunk(carry: Any, x: Any) -> Any:
            state, counts, carriers = carry
            x, ends = x
            if how.truncate is not None:
                state = jax.tree.map(lambda z: jnp.where(ends, jax.lax.stop_gradient(z), z), state)
            many = Chunk(held, prepared, length, how.mode, parts, sample, how.fresh)
            state, carriers, emissions, samples = many.advance(state, x, carriers)
            counts, totals = plan.count_chunk(net, counts, emissions)
            rows = {name: values[stride - 1 :: stride] for name, values in samples.items()}
            return (state, counts, carriers), (plan.each_chunk(net, emissions), rows, totals)

        return jax.checkpoint(chunk, prevent_cse=False) if how.remat else chunk

    most = min((n for part in parts if (n := written_out(net, part))), default=0)
    length = chunk_length(n_steps, stride, how.truncate, _history(net, state), remat=how.remat, most=most)
    whole, rest = divmod(n_steps, length)
    starts = np.arange(whole + 1) * length
    ends = jnp.asarray((starts > 0) & (starts % (how.truncate or max(n_steps, 1)) == 0))
    counts = {name: z for name, z in plan.zero_counts(net).items() if name.startswith("count ")}
    carry: Any = (state, counts, carriers)
    pieces = []
    if whole:
        xs = {k: v[: whole * length].reshape(whole, length, *v.shape[1:]) for k, v in inputs.items()}
        carry, kept = _scan(advance(length), carry, (xs, ends[:whole]), whole, nested=how.remat and n_steps >= _LONG)
        pieces.append(stack_blocks(kept))
    if rest or not whole:
        carry, kept = advance(rest)(carry, ({k: v[whole * length :] for k, v in inputs.items()}, ends[whole]))
        pieces.append(kept)
    spikes, samples, totals = jax.tree.map(lambda *xs: jnp.concatenate(xs) if len(xs) > 1 else xs[0], *pieces)
    totals = {name: jnp.cumsum(rows, dtype=rows.dtype) for name, rows in totals.items()}
    return carry[0], spikes, samples, carry[1] | totals


def _scan(body: Callable[..., Any], carry: Any, xs: Any, length: int, *, nested: bool) -> tuple[Any, Any]:
    """`jax.lax.scan`; nested, derivatives store the carry of blocks alone, and compute that of their chunks again."""
    if not nested:
        return jax.lax.scan(body, carry, xs, length=length)
    inner = math.isqrt(length)
    outer, rest = divmod(length, inner)

    def block(carry: Any, x: Any) -> tuple[Any, Any]:
        return jax.lax.scan(body, carry, x, length=inner)

    blocks = jax.tree.map(lambda x: x[: outer * inner].reshape(outer, inner, *x.shape[1:]), xs)
    carry, kept = jax.lax.scan(jax.checkpoint(block, prevent_cse=False), carry, blocks, length=outer)
    kept = stack_blocks(kept)
    if rest:
        carry, last = jax.lax.scan(body, carry, jax.tree.map(lambda x: x[outer * inner :], xs), length=rest)
        kept = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), kept, last)
    return carry, kept
