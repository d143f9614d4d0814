"""Distances to a target activity and penalties of unwanted activity, for one sample; batches come from `jax.vmap`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, is_concrete


def rate_error(spikes: Array, target: Any) -> Array:
    """Mean squared difference of the rates from those that are wanted.

    L = mean_j (sum_t s_tj / T - r_j)^2, rates in spikes for each step.

    Args:
        spikes: Spikes, as `js.run` records them, shape (steps, neurons).
        target: Wanted rates in spikes for each step, a number or shape (neurons,).
    Returns:
        The loss, >= 0.
    Raises:
        ValueError: Wrong shapes.
    References:
        Eshraghian et al. (2023), Proc. IEEE 111:1016, section IV-A (mean square spike rate).
    Example:
        >>> import jax.numpy as jnp
        >>> float(rate_error(jnp.ones((10, 3)), 0.5))
        0.25
    """
    rates = jnp.mean(_spikes("rate_error", spikes), axis=0)
    return jnp.mean((rates - _targets("rate_error", target, rates)) ** 2)


def van_rossum_error(spikes: Array, target: Any, *, tau_steps: float = 10.0) -> Array:
    """Van Rossum distance of spike trains from wanted ones, squared, mean over neurons.

    L = mean_j (1 / tau) sum_t (f_tj - g_tj)^2, with f_t = f_(t-1) exp(-1 / tau) + s_t, and g the same of the target.

    Args:
        spikes: Spikes, shape (steps, neurons).
        target: Wanted spikes, the same shape.
        tau_steps: Time constant of the filter in steps, > 0; short ones ask for exact times, long ones for counts.
    Returns:
        The loss, >= 0; 0 for equal trains, about 1/2 for one spike more or less.
    Raises:
        ValueError: Wrong shapes, or tau_steps not positive.
    References:
        van Rossum (2001), Neural Comput. 13:751, eq. 2; Zenke and Ganguli (2018), Neural Comput. 30:1514, eq. 1.
    Example:
        >>> import jax.numpy as jnp
        >>> s = jnp.zeros((200, 1)).at[20].set(1.0)
        >>> round(float(van_rossum_error(s, jnp.zeros((200, 1)), tau_steps=20.0)), 2)
        0.53
    """
    difference = _spikes("van_rossum_error", spikes)
    if jnp.shape(target) != difference.shape:
        raise ValueError(f"van_rossum_error.target: got shape {jnp.shape(target)}; allowed: {difference.shape}")
    if is_concrete(tau_steps) and not 0 < float(tau_steps) < np.inf:
        raise ValueError(f"van_rossum_error.tau_steps: got {tau_steps}; allowed: finite and > 0, such as 10")
    difference = difference - jnp.asarray(target).astype(difference.dtype)
    decay = jnp.exp(-1.0 / jnp.asarray(tau_steps, difference.dtype))

    def filtered(f: Array, d: Array) -> tuple[Array, Array]:
        f = decay * f + d
        return f, jnp.sum(f**2)

    _, squares = jax.lax.scan(filtered, jnp.zeros(difference.shape[1], difference.dtype), difference)
    return jnp.sum(squares) / (tau_steps * max(difference.shape[1], 1))


def activity_band(spikes: Array, low: Any, high: Any) -> Array:
    """Penalty of neurons that fire too little or too much: zero inside a band of rates.

    L = mean_j (max(0, low - r_j)^2 + max(0, r_j - high)^2), with r_j the spikes of neuron j for each step.

    Args:
        spikes: Spikes, shape (steps, neurons).
        low: Lower end of the band, spikes for each step: a number or shape (neurons,); it wakes silent neurons.
        high: Upper end.
    Returns:
        The penalty, >= 0.
    Raises:
        ValueError: Wrong shapes.
    References:
        Zenke and Vogels (2021), Neural Comput. 33:899, section 4.4 (lower and upper bounds of activity).
    Example:
        >>> import jax.numpy as jnp
        >>> float(activity_band(jnp.zeros((10, 3)), 0.5, 0.9))
        0.25
    """
    rates = jnp.mean(_spikes("activity_band", spikes), axis=0)
    below = jnp.maximum(_targets("activity_band", low, rates) - rates, 0.0)
    above = jnp.maximum(rates - _targets("activity_band", high, rates), 0.0)
    return jnp.mean(below**2 + above**2)


def spike_count_band(spikes: Array, low: Any, high: Any) -> Array:
    """Penalty of a population that fires too little or too much altogether: zero inside a band of counts.

    L = max(0, low - c)^2 + max(0, c - high)^2, with c the spikes of all neurons in all steps, divided by the neurons.

    Args:
        spikes: Spikes, shape (steps, neurons).
        low: Fewest spikes for each neuron on average.
        high: Most spikes for each neuron on average.
    Returns:
        The penalty, >= 0.
    Raises:
        ValueError: Wrong shape.
    References:
        Cramer et al. (2022), IEEE TNNLS 33:2744, eqs. 10 and 11 (population and neuron-wise regularization).
    Example:
        >>> import jax.numpy as jnp
        >>> float(spike_count_band(jnp.ones((10, 3)), 0.0, 8.0))
        4.0
    """
    s = _spikes("spike_count_band", spikes)
    count = jnp.sum(s) / max(s.shape[1], 1)
    penalty: Array = jnp.maximum(low - count, 0.0) ** 2 + jnp.maximum(count - high, 0.0) ** 2
    return penalty


def confusion_matrix(scores: Any, labels: Any) -> Array:
    """How often each class was answered where each class was right.

    Args:
        scores: One score for each class, shape (samples, classes); the largest is the answer.
        labels: Whole numbers, shape (samples,).
    Returns:
        Counts, int32 (classes, classes): row the right class, column the answer.
    Raises:
        ValueError: Shapes that do not go together.
    Example:
        >>> import jax.numpy as jnp
        >>> confusion_matrix(jnp.asarray([[0.1, 0.9], [0.8, 0.2]]), jnp.asarray([1, 1])).tolist()
        [[0, 0], [1, 1]]
    """
    scores, labels = jnp.asarray(scores), jnp.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(
            f"confusion_matrix: got scores of shape {scores.shape} and labels of shape {labels.shape}; allowed: "
            "(samples, classes) and (samples,)"
        )
    n = scores.shape[1]
    answers = jnp.argmax(scores, axis=1).astype(jnp.int32)
    counts: Array = jnp.zeros((n, n), jnp.int32).at[labels.astype(jnp.int32), answers].add(jnp.int32(1))
    return counts


def _spikes(owner: str, spikes: Any) -> Array:
    spikes = jnp.asarray(spikes)
    if spikes.ndim != 2 or spikes.shape[0] == 0:
        raise ValueError(
            f"{owner}.spikes: got shape {spikes.shape}; allowed: (steps, neurons) of one sample, at least one step; "
            "batch with jax.vmap"
        )
    numbers: Array = spikes if jnp.issubdtype(spikes.dtype, jnp.floating) else spikes.astype(jnp.float32)
    return numbers


def _targets(owner: str, value: Any, rates: Array) -> Array:
    value = jnp.asarray(value, rates.dtype)
    if value.shape not in ((), rates.shape):
        raise ValueError(f"{owner}: got a rate of shape {value.shape}; allowed: a number or {rates.shape}")
    return jnp.broadcast_to(value, rates.shape)
