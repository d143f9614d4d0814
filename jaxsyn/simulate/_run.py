"""`run`: the network stepped n times as one pure function."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from .. import record as records
from .._core import Array, float_dtype
from ..network import SIMULATE, Mode, Network, NetworkState, prepare, step
from ._chunks import How, advance_by_chunks, by_chunks
from ._plan import Kept, Plan, make_plan, stack_blocks
from ._room import check_floats, check_state, resize


def check_inputs(net: Network, inputs: Mapping[str, Any] | None, n_steps: int) -> dict[str, Array]:
    """Inputs as arrays (n_steps, n), each checked against its population.

    Raises:
        ValueError: Unknown population or receptor, wrong shape.
    """
    out = {}
    for key, value in (inputs or {}).items():
        population, _, receptor = key.partition(".")
        g, _, size = net.place(population)
        units = net.groups[g].weight_units()
        if receptor and receptor not in units:
            raise ValueError(
                f"inputs[{key!r}]: unknown receptor {receptor!r}; {population!r} has {sorted(units) or 'none'}"
            )
        dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
        if not any(jnp.issubdtype(dtype, kind) for kind in (jnp.bool_, jnp.integer, jnp.floating)):
            raise ValueError(f"inputs[{key!r}]: got {dtype} values; allowed: real numbers, whole numbers or booleans")
        array = jnp.asarray(value)
        if jnp.issubdtype(dtype, jnp.integer):
            array = array.astype(float_dtype())
        if array.shape != (n_steps, size):
            raise ValueError(
                f"inputs[{key!r}]: got shape {array.shape}; allowed: ({n_steps}, {size}), steps x neurons "
                f"(batch with jax.vmap)"
            )
        out[key] = array
    return out


def advance(
    net: Network,
    state: NetworkState,
    inputs: dict[str, Array],
    plan: Plan,
    lengths: tuple[int, int],
    mode: Mode = SIMULATE,
    walk: Callable[..., Any] = jax.lax.scan,
) -> tuple[NetworkState, Kept, Kept, Kept]:
    """Step the network, keeping what the plan says.

    Args:
        net: The network.
        state: State at the start.
        inputs: Inputs by name, (steps, n).
        plan: What to keep.
        lengths: Number of steps, and how many of them come before the first sampling point.
        mode: See `step`.
        walk: Goes from step to step, called like `jax.lax.scan`.
    Returns:
        Final state; spikes of each step; samples at the end of the head, if there is one, and of each block; counters
        (totals: cumulative at the start, after the head, at the end of each block, at the end; counts: at the end).
    """
    prepared = prepare(net)
    n_steps, head = lengths
    stride = plan.stride or max(n_steps, 1)

    def one(carry: Any, x: dict[str, Array]) -> tuple[Any, Kept]:
        now, counts = carry
        now, emissions = step(net, prepared, now, x, mode)
        return (now, plan.count(net, counts, now, emissions)), plan.each_step(net, emissions)

    def block(carry: Any, x: dict[str, Array]) -> tuple[Any, tuple[Kept, Kept, Kept]]:
        carry, kept = walk(one, carry, x, length=stride)
        return carry, (kept, plan.sample(net, carry[0]), totals(carry[1]))

    def totals(counts: Kept) -> Kept:
        return {k: v for k, v in counts.items() if k.startswith("total ")}

    def cut(first: int, last: int) -> dict[str, Array]:
        return {k: v[first:last] for k, v in inputs.items()}

    carry = (state, plan.zero_counts(net))
    pieces = []
    head = min(head, n_steps)
    blocks = (n_steps - head) // stride
    at_head = []
    if head:
        carry, kept = walk(one, carry, cut(0, head), length=head)
        pieces.append(kept)
        at_head.append(jax.tree.map(lambda x: x[None], plan.sample(net, carry[0])))
    middle = {k: v.reshape(blocks, stride, *v.shape[1:]) for k, v in cut(head, head + blocks * stride).items()}
    start = carry
    carry, (kept, samples, counts) = jax.lax.scan(block, start, middle, length=blocks)
    ends = (totals(plan.zero_counts(net)), totals(start[1]))
    counts = jax.tree.map(lambda z, a, b: jnp.concatenate([z[None], a[None], b]), *ends, counts)
    samples = jax.tree.map(lambda *xs: jnp.concatenate(xs), *at_head, samples)
    pieces.append(stack_blocks(kept))
    tail = n_steps - head - blocks * stride
    if tail:
        carry, kept = walk(one, carry, cut(n_steps - tail, n_steps), length=tail)
        pieces.append(kept)
    kept = pieces[0] if len(pieces) == 1 else jax.tree.map(lambda *xs: jnp.concatenate(xs), *pieces)
    counts = jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), counts, totals(carry[1]))
    last = {k: v[None] for k, v in carry[1].items() if k not in counts}
    return carry[0], kept, samples, counts | last


class RunOptions(TypedDict, total=False):
    """Keyword options of `run`.

    Attributes:
        training: Batch normalization uses and updates batch statistics; default False.
        axis_name: Name of the `jax.vmap` axis of the batch, for batch statistics.
        remat: Whether derivatives compute each chunk of steps again instead of storing it, so that memory grows with
            the square root of `n_steps` and not with it; default True.
        truncate: Gradients end at every so many steps (truncated backpropagation through time), counted from the start
            of this run; default None, never. The state at the start keeps its gradient. A multiple of the longest
            sampling period of `record`.
    """

    training: bool
    axis_name: str | None
    remat: bool
    truncate: int | None


def run(
    net: Network,
    n_steps: int,
    *,
    state: NetworkState | None = None,
    inputs: Mapping[str, Any] | None = None,
    record: Sequence[records.AbstractRecord] = (),
    **options: Unpack[RunOptions],
) -> tuple[NetworkState, dict[str, Any]]:
    """Step a network n times: pure, traceable, differentiable, one sample (batch with `jax.vmap`).

    Args:
        net: The network.
        n_steps: Number of steps, static.
        state: State at the start; default `net.init_state()`. It gets room for a spike of every neuron in a step.
        inputs: Arrays (n_steps, n) by population ("in": spikes or drive of discrete neurons, pA for continuous ones)
            or receptor ("E.AMPA": arrivals in its weight unit). Spikes given as bool need the least memory and time.
        record: What to keep; sampling periods count from the start of this run.
        options: See `RunOptions`: training, axis_name, remat, truncate.
    Returns:
        Final state, and what was recorded: `out["spikes"]` maps populations to (n_steps, n), with gradient where the
        population has a surrogate; state variables (samples, k), means (samples,), rates in Hz (windows,), counts (n,).
        Rates and counts carry the same gradient as spikes.
    Raises:
        ValueError: Wrong inputs, records or state; differentiated through spikes of a population without surrogate.
    References:
        The step: docs/semantics.md.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"E": js.Population(js.neurons.LIF(), 2)}, dt_ms=0.1)
        >>> state, out = js.run(net, 5, record=[js.record.State("E.V_mV")])
        >>> out["E.V_mV"].shape
        (5, 2)
    """
    if not isinstance(net, Network):
        raise ValueError(f"run: got {type(net).__name__}; allowed: js.Network (js.simulate runs sharded ones)")
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 0:
        raise ValueError(f"run.n_steps: got {n_steps!r}; allowed: a whole number >= 0 (steps of dt_ms, not ms)")
    check_floats(net)
    plan = make_plan(net, record, packed=False, capacity=None)
    xs = check_inputs(net, inputs, n_steps)
    fresh, state = (
        state is None,
        net.init_state() if state is None else resize(net, check_state(net, state), net.size()),
    )
    unknown = sorted(set(options) - set(RunOptions.__annotations__))
    if unknown:
        raise ValueError(f"run: unknown option {unknown[0]!r}; allowed: {', '.join(RunOptions.__annotations__)}")
    mode = Mode(options.get("training", False), options.get("axis_name"))
    truncate = _check_truncate(net, plan, options.get("truncate"))
    if by_chunks(net, plan):
        how = How(mode, options.get("remat", True), truncate, fresh)
        final, kept, samples, counts = advance_by_chunks(net, state, xs, plan, int(n_steps), how)
        at_ends = {p: counts[f"total {p}"][window - 1 :: window] for p, window in plan.windows}
    else:
        final, kept, samples, counts = advance(net, state, xs, plan, (int(n_steps), 0), mode)
        counts, each = {k: v[-1] for k, v in counts.items()}, counts
        blocks = {p: window // plan.stride for p, window in plan.windows}
        at_ends = {p: each[f"total {p}"][1:-1][k::k] for p, k in blocks.items()}
    out: dict[str, Any] = {}
    if plan.spikes is not None:
        out["spikes"] = kept
    for s in plan.samplers:
        every = s.period // plan.stride
        out[s.name] = s.trim(net, samples[s.name][every - 1 :: every])
    for p in plan.counts:
        out[f"count {p}"] = plan.counted(net, counts, p)
    for p, window in plan.windows:
        ends = at_ends[p].astype(float_dtype())
        in_windows = jnp.diff(ends, prepend=jnp.zeros(1, ends.dtype))
        out[f"rate {p}"] = in_windows / (max(net.size(p), 1) * window * net.dt_ms * 1e-3)
    return final, out


def _check_truncate(net: Network, plan: Plan, truncate: Any) -> int | None:
    """The steps after which gradients end, checked."""
    if truncate is None:
        return None
    stride = max(plan.stride, 1)
    if isinstance(truncate, bool) or not isinstance(truncate, int | np.integer) or truncate < 1 or truncate % stride:
        raise ValueError(
            f"run.truncate: got {truncate!r}; allowed: a whole number >= 1 (steps)"
            + (f", a multiple of {stride}, the sampling period of `record`" if stride > 1 else "")
        )
    if not by_chunks(net, plan):
        raise ValueError(
            "run.truncate: no gradient travels through spikes here; give a population a surrogate, and sample states "
            "at least every 64 steps and no weights"
        )
    return int(truncate)
