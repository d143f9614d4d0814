"""Short-term plasticity: the amplitude that a spike carries depends on the recent spikes of its source.

State stands per source neuron and projection and is brought up to date only at spikes, with the time since the last
one as an int32 number of steps: no rounding accumulates between them.
"""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp

from .._core import Array, Parameter, Parameters, expm1_ratio, float_dtype, param

_NEVER = -(2**30)


class AbstractShortTerm(Parameters):
    """Release of a source neuron at each of its spikes. Parameters are scalars or one value for each source neuron."""

    @abc.abstractmethod
    def init_state(self, n: int) -> Any:
        """State of n source neurons that never spiked."""

    @abc.abstractmethod
    def release(self, state: Any, spikes: Array, tick: Array, dt_ms: float) -> tuple[Array, Any]:
        """Amplitudes and new state.

        Args:
            state: State after the last spike of each neuron.
            spikes: Spikes of this step, 0 or 1, float (n,).
            tick: Step that the spikes are stamped with, int32.
            dt_ms: Step, ms.
        Returns:
            Factor of the weight for each source, 0 without spike, shape (n,); state after the spikes.
        """


class ReleaseState(eqx.Module):
    """Utilization `u` and resources `x` at the last spike, and its step; shape (n,)."""

    u: Array
    x: Array
    last: Array


def _decay(elapsed_ms: Array, tau_ms: Array) -> Array:
    """exp(-elapsed / tau), and 0 for tau = 0."""
    return jnp.where(tau_ms > 0, jnp.exp(-elapsed_ms / jnp.where(tau_ms > 0, tau_ms, 1.0)), 0.0)


class TsodyksMarkram(AbstractShortTerm):
    """Depression and facilitation without an inactive state.

    At the n-th spike A_n = u_n x_n with u_1 = U, x_1 = 1 and, D after it,
    x_{n+1} = 1 + (x_n - u_n x_n - 1) exp(-D / tau_rec),  u_{n+1} = U + u_n (1 - U) exp(-D / tau_fac).
    Resources are read before they are depleted. The synaptic time course is that of the receptor.

    Args:
        U: Utilization of a rested synapse, in [0, 1].
        tau_rec_ms: Recovery time constant, ms, > 0.
        tau_fac_ms: Facilitation time constant, ms, >= 0; 0 switches facilitation off.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Tsodyks, Pawelzik and Markram (1998), Neural Comput. 10:821, eqs. 2.2-2.3; Maass and Markram (2002),
        Neural Netw. 15:155 (the recursion).
    Example:
        >>> import jaxsyn as js
        >>> float(js.plasticity.TsodyksMarkram(U=0.5, tau_rec_ms=800.0).U)
        0.5
    """

    U: Parameter = param(0.5, low=0.0, high=1.0)
    tau_rec_ms: Parameter = param(800.0, above=0.0)
    tau_fac_ms: Parameter = param(0.0, low=0.0)

    def init_state(self, n: int) -> ReleaseState:
        zero = jnp.zeros(n, float_dtype())
        return ReleaseState(zero + self.U, zero + 1.0, jnp.full(n, _NEVER, jnp.int32))

    def release(self, state: ReleaseState, spikes: Array, tick: Array, dt_ms: float) -> tuple[Array, ReleaseState]:
        elapsed = (tick - state.last).astype(state.x.dtype) * dt_ms
        x = 1.0 + (state.x - state.u * state.x - 1.0) * _decay(elapsed, self.tau_rec_ms)
        u = self.U + state.u * (1.0 - self.U) * _decay(elapsed, self.tau_fac_ms)
        fired = spikes > 0
        new = ReleaseState(
            jnp.where(fired, u, state.u), jnp.where(fired, x, state.x), jnp.where(fired, tick, state.last)
        )
        return spikes * u * x, new


class ActiveState(eqx.Module):
    """Utilization `u`, resources `x` and active fraction `y` just after the last spike, and its step; shape (n,)."""

    u: Array
    x: Array
    y: Array
    last: Array


class TsodyksMarkramThreeState(AbstractShortTerm):
    """Depression and facilitation with an active state that recovers through an inactive one.

    x' = z / tau_rec, y' = -y / tau_psc, z = 1 - x - y, u' = -u / tau_fac; at a spike u += U (1 - u), then A = u x moves
    from x to y. It starts with u = 0, x = 1, y = 0.

    Args:
        U: Utilization step, in [0, 1].
        tau_rec_ms: Recovery time constant, ms, > 0.
        tau_fac_ms: Facilitation time constant, ms, >= 0; 0 switches facilitation off.
        tau_psc_ms: Time constant of the active state, ms, > 0; usually that of the receptor.
    Raises:
        ValueError: A parameter is not finite or out of range.
    References:
        Tsodyks, Uziel and Markram (2000), J. Neurosci. 20:RC50, eqs. 3-6.
    Example:
        >>> import jaxsyn as js
        >>> float(js.plasticity.TsodyksMarkramThreeState(tau_psc_ms=3.0).tau_psc_ms)
        3.0
    """

    U: Parameter = param(0.5, low=0.0, high=1.0)
    tau_rec_ms: Parameter = param(800.0, above=0.0)
    tau_fac_ms: Parameter = param(0.0, low=0.0)
    tau_psc_ms: Parameter = param(3.0, above=0.0)

    def init_state(self, n: int) -> ActiveState:
        zero = jnp.zeros(n, float_dtype())
        return ActiveState(zero, zero + 1.0, zero, jnp.zeros(n, jnp.int32))

    def release(self, state: ActiveState, spikes: Array, tick: Array, dt_ms: float) -> tuple[Array, ActiveState]:
        elapsed = (tick - state.last).astype(state.x.dtype) * dt_ms
        recovery, activity = 1.0 / self.tau_rec_ms, 1.0 / self.tau_psc_ms
        difference = activity - recovery
        kept = jnp.exp(-recovery * elapsed)
        # share of y that is back in x: 1 - (b exp(-a t) - a exp(-b t)) / (b - a), without its 0/0 at a = b
        back = 1.0 - kept * (1.0 + recovery * elapsed * expm1_ratio(-difference * elapsed))
        z = 1.0 - state.x - state.y
        x = state.x + back * state.y + (1.0 - kept) * z
        y = state.y * jnp.exp(-activity * elapsed)
        u = state.u * _decay(elapsed, self.tau_fac_ms)
        u = u + self.U * (1.0 - u)
        released = u * x
        fired = spikes > 0
        new = ActiveState(
            jnp.where(fired, u, state.u),
            jnp.where(fired, x - released, state.x),
            jnp.where(fired, y + released, state.y),
            jnp.where(fired, tick, state.last),
        )
        return spikes * released, new
