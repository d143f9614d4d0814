"""Closed forms to hold a simulation against: rates of the LIF neuron, rheobase of the AdEx neuron."""

import dataclasses
import itertools
import math

import numpy as np

from ._spikes import Floats, Number, Numbers, positive

# alpha = sqrt(2) |zeta(1/2)|: shift of the boundaries under noise with a correlation time (Fourcaud and Brunel 2002).
_ALPHA = math.sqrt(2.0) * 1.4603545088095868
# Where the threshold lies more than this many sigma above the mean, exp(x^2) leaves float64: the neuron never fires.
_FAR = 26.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def _array(values: Numbers) -> Floats:
    """Float64; a scalar becomes an array of shape (), and stays one."""
    return np.asarray(values, dtype=np.float64)


def _finite(name: str, value: Numbers, low: float = -math.inf) -> Floats:
    x = _array(value)
    if not (np.isfinite(x) & (x >= low)).all():
        allowed = "finite" if math.isinf(low) else f"finite and >= {low:g}"
        raise ValueError(f"{name}: got {value!r}; allowed: {allowed}. Give it in {name.rsplit('_', 1)[-1]}")
    return x


def _below_threshold(name: str, value_mV: Number, V_th_mV: Number) -> tuple[float, float]:
    """(threshold, value) after the check that the voltage of that name lies below the threshold."""
    threshold, value = float(_finite("V_th_mV", V_th_mV)), float(_finite(name, value_mV))
    if value >= threshold:
        raise ValueError(f"{name}: got {value:g}; allowed: below V_th_mV, which is {threshold:g}. Exchange them?")
    return threshold, value


def _passage_ms(mu: Floats, target: float, start: float, tau_ms: float) -> Floats:
    """Time from `start` up to `target` of tau V' = mu - V: tau ln((mu - start) / (mu - target)); infinite below it."""
    over = _array(mu - target)
    gap = np.divide(target - start, over, out=np.full(over.shape, np.inf), where=over > 0)
    return _array(tau_ms * np.log1p(gap))


def lif_first_spike_ms(
    I_pA: Numbers, *, C_pF: Number, tau_m_ms: Number, V_th_mV: Number, V_rest_mV: Number = 0.0
) -> Floats:
    """Time to the first spike of a LIF neuron at rest that a constant current drives from t = 0.

    t = tau_m ln(mu / (mu - theta)), mu = I tau_m / C, theta = V_th - V_rest.

    Args:
        I_pA: Current, pA. Any shape.
        C_pF: Capacitance, pF.
        tau_m_ms: Membrane time constant, ms.
        V_th_mV: Threshold, mV.
        V_rest_mV: Resting voltage, mV.
    Returns:
        Times in ms, shape of I_pA; NaN at or below rheobase.
    Raises:
        ValueError: a constant is not positive, or the threshold not above rest.
    References:
        Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> round(float(lif_first_spike_ms(200.0, C_pF=200.0, tau_m_ms=20.0, V_th_mV=15.0)), 4)
        27.7259
    """
    tau, capacitance = positive("tau_m_ms", tau_m_ms, "a time in ms"), positive("C_pF", C_pF, "a capacitance in pF")
    threshold, rest = _below_threshold("V_rest_mV", V_rest_mV, V_th_mV)
    mu = _array(_finite("I_pA", I_pA) * tau / capacitance)
    time = _passage_ms(mu, threshold - rest, 0.0, tau)
    return np.where(np.isfinite(time), time, np.nan)


def lif_rate_Hz(
    I_pA: Numbers,
    *,
    C_pF: Number,
    tau_m_ms: Number,
    V_th_mV: Number,
    V_reset_mV: Number = 0.0,
    V_rest_mV: Number = 0.0,
    refractory_ms: Number = 0.0,
) -> Floats:
    """Firing rate of a LIF neuron under constant current.

    r = 1 / (t_ref + tau_m ln((mu - V_reset) / (mu - V_th))), mu = V_rest + I tau_m / C; 0 where mu <= V_th.

    Args:
        I_pA: Current, pA. Any shape.
        C_pF: Capacitance, pF.
        tau_m_ms: Membrane time constant, ms.
        V_th_mV: Threshold, mV.
        V_reset_mV: Voltage after a spike, mV.
        V_rest_mV: Resting voltage, mV.
        refractory_ms: Time at V_reset after a spike, ms.
    Returns:
        Rates in Hz, shape of I_pA.
    Raises:
        ValueError: a constant is out of range, or the reset not below the threshold.
    References:
        Gerstner et al. (2014), Neuronal Dynamics, section 1.3.
    Example:
        >>> lif_rate_Hz([100.0, 200.0], C_pF=200.0, tau_m_ms=20.0, V_th_mV=15.0, refractory_ms=2.0).round(4)
        array([ 0.    , 33.6407])
    """
    tau, capacitance = positive("tau_m_ms", tau_m_ms, "a time in ms"), positive("C_pF", C_pF, "a capacitance in pF")
    threshold, reset = _below_threshold("V_reset_mV", V_reset_mV, V_th_mV)
    mu = _array(float(V_rest_mV) + _finite("I_pA", I_pA) * tau / capacitance)
    dead = float(_finite("refractory_ms", refractory_ms, low=0.0))
    return _array(1000.0 / (dead + _passage_ms(mu, threshold, reset, tau)))


def _integral_of_erfcx(low: Floats, high: Floats) -> Floats:
    """int_low^high erfcx(-x) dx = int exp(x^2) (1 + erf x) dx, high <= 26; arrays of shape (k,).

    Left of 0 the integrand falls like 1/|x|: in s = arsinh(x) it is almost flat. Right of 0 it grows like 2 exp(x^2):
    panels that halve toward the upper end. 32 Gauss-Legendre nodes in each panel.
    """
    from scipy.special import erfcx

    def panel(a: Floats, b: Floats, stretch: bool) -> Floats:
        half = (b - a) / 2.0
        s = a + half * (1.0 + _NODES[:, None])
        value = erfcx(-np.sinh(s)) * np.cosh(s) if stretch else erfcx(-s)
        area: Floats = half * (_WEIGHTS @ value)
        return area

    total = panel(np.arcsinh(np.minimum(low, 0.0)), np.arcsinh(np.minimum(high, 0.0)), stretch=True)
    left, right = np.maximum(low, 0.0), np.maximum(high, 0.0)
    edges = [right - (right - left) * 0.5**k for k in range(13)] + [right]
    for a, b in itertools.pairwise(edges):
        total = total + panel(a, b, stretch=False)
    return total


def siegert_rate_Hz(
    mu_mV: Numbers,
    sigma_mV: Numbers,
    *,
    tau_m_ms: Number,
    V_th_mV: Number,
    V_reset_mV: Number,
    refractory_ms: Number = 0.0,
    tau_syn_ms: Number = 0.0,
) -> Floats:
    """Firing rate of a LIF neuron under Gaussian input: the diffusion limit of many small synaptic events.

    1/r = t_ref + tau_m sqrt(pi) int_a^b exp(x^2) (1 + erf x) dx, a = (V_reset - mu)/sigma, b = (V_th - mu)/sigma, for
    tau_m V' = -(V - mu) + sigma sqrt(tau_m) xi(t). Poisson input of rate nu (1/ms) through jumps of J mV has
    mu = V_rest + tau_m sum J nu, sigma^2 = tau_m sum J^2 nu; the free voltage has standard deviation sigma/sqrt(2).
    Exponential synapses add sqrt(tau_syn/tau_m) |zeta(1/2)| / sqrt(2) to both limits. sigma = 0 is the closed form of
    `lif_rate_Hz`. Jumps of finite size fire 5 to 12 % below the formula.

    Args:
        mu_mV: Mean input, mV. Any shape.
        sigma_mV: Amplitude of the noise, mV. Any shape that broadcasts with mu_mV.
        tau_m_ms: Membrane time constant, ms.
        V_th_mV: Threshold, mV.
        V_reset_mV: Voltage after a spike, mV.
        refractory_ms: Time at V_reset after a spike, ms.
        tau_syn_ms: Time constant of the synapses, ms, small against tau_m_ms; 0 for white noise.
    Returns:
        Rates in Hz, shape of mu_mV and sigma_mV broadcast.
    Raises:
        ValueError: a constant is out of range, a mean is not finite, or the reset not below the threshold.
    References:
        Siegert (1951), Phys. Rev. 81:617. Brunel (2000), J. Comput. Neurosci. 8:183, eq. 21. Shift: Fourcaud and Brunel
        (2002), Neural Comput. 14:2057.
    Example:
        >>> siegert_rate_Hz([15.0, 25.0], 4.0, tau_m_ms=20.0, V_th_mV=20.0, V_reset_mV=10.0, refractory_ms=2.0).round(3)
        array([ 5.893, 45.555])
    """
    tau = positive("tau_m_ms", tau_m_ms, "a time in ms")
    threshold, reset = _below_threshold("V_reset_mV", V_reset_mV, V_th_mV)
    dead = float(_finite("refractory_ms", refractory_ms, low=0.0))
    shift = _ALPHA / 2.0 * math.sqrt(float(_finite("tau_syn_ms", tau_syn_ms, low=0.0)) / tau)
    mu, sigma = np.broadcast_arrays(_finite("mu_mV", mu_mV), _finite("sigma_mV", sigma_mV, low=0.0))
    passage = _passage_ms(mu, threshold, reset, tau)  # without noise
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low, high = (reset - mu) / sigma + shift, (threshold - mu) / sigma + shift
    passage = np.where((sigma > 0) & (high > _FAR), np.inf, passage)
    noisy = (sigma > 0) & (high <= _FAR) & np.isfinite(low)
    passage[noisy] = tau * math.sqrt(math.pi) * _integral_of_erfcx(low[noisy], high[noisy])
    return _array(1000.0 / (dead + passage))


@dataclasses.dataclass(frozen=True)
class AdExRheobase:
    """Constant currents at which the resting state of an AdEx neuron is lost.

    Attributes:
        saddle_node_pA: Current of the saddle-node bifurcation, pA; NaN where a <= -g_L.
        hopf_pA: Current of the Hopf bifurcation, pA; NaN unless a/g_L > tau_m/tau_w.
    Example:
        >>> AdExRheobase(saddle_node_pA=627.3, hopf_pA=627.2).rheobase_pA
        627.2
    """

    saddle_node_pA: float
    hopf_pA: float

    @property
    def rheobase_pA(self) -> float:
        """The smaller of the two that exist, pA; a step from rest may fire slightly below it."""
        return float(np.fmin(self.saddle_node_pA, self.hopf_pA))


def adex_rheobase(
    *,
    C_pF: Number,
    g_L_nS: Number,
    E_L_mV: Number,
    V_T_mV: Number,
    Delta_T_mV: Number,
    a_nS: Number,
    tau_w_ms: Number,
) -> AdExRheobase:
    """Rheobase of the AdEx neuron in closed form.

    I_SN = (g_L + a) (V_T - E_L - Delta_T + Delta_T ln(1 + a/g_L));
    I_AH = (g_L + a) (V_T - E_L - Delta_T + Delta_T ln(1 + tau_m/tau_w)) + Delta_T g_L (a/g_L - tau_m/tau_w),
    which comes first where a/g_L > tau_m/tau_w = C/(g_L tau_w).

    Args:
        C_pF: Capacitance, pF.
        g_L_nS: Leak conductance, nS.
        E_L_mV: Resting voltage, mV.
        V_T_mV: Threshold of the exponential, mV.
        Delta_T_mV: Slope factor, mV; 0 is the LIF neuron with adaptation.
        a_nS: Subthreshold adaptation, nS.
        tau_w_ms: Time constant of adaptation, ms.
    Returns:
        Both currents.
    Raises:
        ValueError: C, g_L or tau_w is not positive, or Delta_T is negative.
    References:
        Touboul and Brette (2008), Biol. Cybern. 99:319.
    Example:
        >>> neuron = dict(C_pF=281.0, g_L_nS=30.0, E_L_mV=-70.6, V_T_mV=-50.4, Delta_T_mV=2.0, a_nS=4.0, tau_w_ms=144.0)
        >>> round(adex_rheobase(**neuron).rheobase_pA, 3)
        627.182
    """
    g_L = positive("g_L_nS", g_L_nS, "a conductance in nS")
    tau_m = positive("C_pF", C_pF, "a capacitance in pF") / g_L
    delta = float(_finite("Delta_T_mV", Delta_T_mV, low=0.0))
    adaptation, speed = float(a_nS) / g_L, tau_m / positive("tau_w_ms", tau_w_ms, "a time in ms")
    slope, span = g_L + float(a_nS), float(V_T_mV) - float(E_L_mV) - delta
    saddle_node = slope * (span + delta * math.log1p(adaptation)) if adaptation > -1.0 else math.nan
    hopf = slope * (span + delta * math.log1p(speed)) + delta * g_L * (adaptation - speed)
    return AdExRheobase(saddle_node, hopf if adaptation > speed else math.nan)
