"""Cross entropies of what a network answers, for one sample; batches come from `jax.vmap`.

Each turns a recorded array (steps, neurons) into a score for each neuron and takes the cross entropy of their softmax.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, is_concrete

Over = Literal["mean", "last", "max"]

_OVER = ("mean", "last", "max")


def count_cross_entropy(spikes: Array, label: Any) -> Array:
    """Cross entropy of the softmax of the spike counts: the neuron of the label is to fire most.

    L = -log softmax(c)_label with c_j = sum_t s_tj.

    Args:
        spikes: Spikes of the output neurons, as `js.run` records them, shape (steps, neurons).
        label: Index of the right neuron, a whole number.
    Returns:
        The loss, >= 0, finite; log(neurons) where all are silent. NaN for a traced label that is out of range.
    Raises:
        ValueError: Wrong shapes, or a label that is not among the neurons.
    References:
        Eshraghian et al. (2023), Proc. IEEE 111:1016, section IV-A (cross entropy spike count).
    Example:
        >>> import jax.numpy as jnp
        >>> round(float(count_cross_entropy(jnp.zeros((20, 10)), 3)), 4) == round(float(jnp.log(10.0)), 4)
        True
    """
    _check("count_cross_entropy", "spikes", spikes, label)
    return _cross_entropy(jnp.sum(_numbers(spikes), axis=0), label)


def first_spike_cross_entropy(spikes: Array, label: Any, *, tau_steps: float = 5.0) -> Array:
    """Cross entropy of the softmax of negative first-spike times: the neuron of the label is to fire first.

    L = -log softmax(-t / tau)_label, t_j the number of steps before the first spike of neuron j, all steps for a silent
    one. t = sum_t prod_{u <= t} (1 - s_u) carries a gradient at the first spike, and at every step of a silent neuron.

    Args:
        spikes: Spikes of the output neurons in {0, 1}, shape (steps, neurons).
        label: Index of the right neuron, a whole number.
        tau_steps: Lead, in steps, that multiplies the odds by e; > 0.
    Returns:
        The loss, >= 0, finite for any spikes; log(neurons) where all are silent. NaN for a traced label out of range.
    Raises:
        ValueError: Wrong shapes, a label that is not among the neurons, or tau_steps not positive.
    References:
        Comsa et al. (2020), ICASSP, eq. 7; Mostafa (2018), IEEE TNNLS 29:3227, eq. 14: softmax of negative spike times.
    Example:
        >>> import jax.numpy as jnp
        >>> early = jnp.zeros((20, 2)).at[3, 0].set(1.0)
        >>> bool(first_spike_cross_entropy(early, 0) < first_spike_cross_entropy(early, 1))
        True
    """
    _check("first_spike_cross_entropy", "spikes", spikes, label)
    if is_concrete(tau_steps) and not 0 < float(tau_steps) < np.inf:
        raise ValueError(f"first_spike_cross_entropy.tau_steps: got {tau_steps}; allowed: finite and > 0, such as 5")
    silent_so_far = jnp.cumprod(1.0 - jnp.clip(_numbers(spikes), 0.0, 1.0), axis=0)
    return _cross_entropy(-jnp.sum(silent_so_far, axis=0) / tau_steps, label)


def membrane_cross_entropy(v: Array, label: Any, *, over: Over = "mean") -> Array:
    """Cross entropy of the softmax of potentials: the neuron of the label is to be highest.

    L = -log softmax(u)_label with u_j the mean over time of v_tj (or its last value, or its maximum).

    Args:
        v: Potentials of the output neurons, such as the record "out.v", shape (steps, neurons).
        label: Index of the right neuron, a whole number.
        over: "mean", "last" or "max": how time is summed up.
    Returns:
        The loss, >= 0, finite for any potentials, infinite ones included. NaN where v is NaN, and for a traced label
        that is out of range.
    Raises:
        ValueError: Wrong shapes, no step, a label that is not among the neurons, or `over` unknown.
    References:
        Bellec et al. (2020), Nat. Commun. 11:3625, eq. 12 (softmax of readout potentials); Cramer et al. (2022), IEEE
        TNNLS 33:2744, eq. 8 (maximum and last value).
    Example:
        >>> import jax.numpy as jnp
        >>> bool(membrane_cross_entropy(jnp.asarray([[9.0, 0.0]]), 0) < 1e-3)
        True
    """
    _check("membrane_cross_entropy", "v", v, label)
    v = _numbers(v)
    if over == "mean":
        return _cross_entropy(jnp.sum(_bounded(v) / v.shape[0], axis=0), label)
    if over == "last":
        return _cross_entropy(v[-1], label)
    if over == "max":
        return _cross_entropy(jnp.max(v, axis=0), label)
    raise ValueError(f"membrane_cross_entropy.over: got {over!r}; allowed: {', '.join(_OVER)}")


def accuracy(scores: Any, labels: Any) -> Array:
    """Share of samples whose largest score is that of the label.

    Args:
        scores: One score for each class, such as spike counts or mean potentials, shape (samples, classes).
        labels: Whole numbers, shape (samples,).
    Returns:
        A number in [0, 1]; of equal scores the first counts.
    Raises:
        ValueError: Shapes that do not go together, or no sample.
    Example:
        >>> import jax.numpy as jnp
        >>> float(accuracy(jnp.asarray([[0.1, 0.9], [0.8, 0.2]]), jnp.asarray([1, 1])))
        0.5
    """
    scores, labels = jnp.asarray(scores), jnp.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1] or not labels.size:
        raise ValueError(
            f"accuracy: got scores of shape {scores.shape} and labels of shape {labels.shape}; allowed: "
            "(samples, classes) and (samples,), at least one sample"
        )
    return jnp.mean((jnp.argmax(scores, axis=1) == labels).astype(jnp.float32))


def _check(owner: str, name: str, trace: Array, label: Any) -> None:
    if jnp.ndim(trace) != 2 or 0 in jnp.shape(trace):
        raise ValueError(
            f"{owner}.{name}: got shape {jnp.shape(trace)}; allowed: (steps, neurons) of one sample, both >= 1; batch "
            "with jax.vmap"
        )
    if jnp.ndim(label) or not jnp.issubdtype(jnp.result_type(label), jnp.integer):
        raise ValueError(
            f"{owner}.label: got {jnp.result_type(label)} of shape {jnp.shape(label)}; allowed: one whole number, the "
            "index of the right neuron; batch with jax.vmap"
        )
    n = jnp.shape(trace)[1]
    if is_concrete(label) and not 0 <= int(label) < n:
        raise ValueError(f"{owner}.label: got {int(label)}; allowed: 0 to {n - 1}, as there are {n} output neurons")


def _numbers(trace: Array) -> Array:
    """The recorded array as floats: spikes of a population without surrogate are bool."""
    trace = jnp.asarray(trace)
    return trace if jnp.issubdtype(trace.dtype, jnp.floating) else trace.astype(jnp.float32)


def _bounded(x: Array) -> Array:
    """Values cut to a range whose differences and sums over classes stay finite; NaN stays NaN."""
    limit = float(np.finfo(x.dtype).max) / 8.0
    return jnp.clip(x, -limit, limit)


def _cross_entropy(scores: Array, label: Any) -> Array:
    """-log softmax(scores)_label; NaN for a label out of range, which indexing would move to the nearest one."""
    label = jnp.asarray(label, jnp.int32)
    logarithms = jax.nn.log_softmax(_bounded(scores))
    known = (label >= 0) & (label < scores.shape[0])
    return jnp.where(known, -logarithms[jnp.clip(label, 0, scores.shape[0] - 1)], jnp.nan)
