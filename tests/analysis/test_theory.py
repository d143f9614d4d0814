"""Closed forms against quadrature, published numbers and their own limits."""

import itertools
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx

from jaxsyn import analysis

LIF = {"tau_m_ms": 20.0, "V_th_mV": 20.0, "refractory_ms": 2.0}
# mu, sigma, V_reset, tau_syn, rate: SciPy quadrature of the formula, tau_m 20 ms, threshold 20 mV, refractory 2 ms
SIEGERT = [
    (15.0, 5.0, 10.0, 0.0, 9.460799805759127),
    (20.0, 2.0, 10.0, 0.0, 18.51227177693734),
    (25.0, 4.0, 10.0, 0.0, 45.555431323521375),
    (10.0, 8.0, 0.0, 0.0, 5.892520886123682),
    (18.0, 3.0, 10.0, 2.0, 8.40250997874935),
    (15.0, 5.0, 10.0, 0.5, 7.230329216173332),
]
# tau_m 20 ms, C 200 pF, threshold 15 mV, reset 0, refractory 2 ms: current, first spike, rate
FI = [
    (155.0, 68.67974408970292, 14.148325137267813),
    (200.0, 27.725887222397812, 33.64071163018212),
    (400.0, 9.400072584914712, 87.71873973182088),
    (1000.0, 3.2503785899554987, 190.4624557766368),
]
BRETTE_GERSTNER = {"C_pF": 281.0, "g_L_nS": 30.0, "E_L_mV": -70.6, "V_T_mV": -50.4, "Delta_T_mV": 2.0}


@pytest.mark.parametrize(("mu", "sigma", "reset", "tau_syn", "rate"), SIEGERT)
def test_siegert_rate(mu: float, sigma: float, reset: float, tau_syn: float, rate: float) -> None:
    got = analysis.siegert_rate_Hz(mu, sigma, V_reset_mV=reset, tau_syn_ms=tau_syn, **LIF)
    assert got.shape == ()
    assert float(got) == pytest.approx(rate, rel=1e-12)


@hypothesis.given(st.floats(-20.0, 60.0), st.floats(1.0, 40.0), st.floats(-10.0, 19.9))
def test_siegert_rate_is_its_integral(mu: float, sigma: float, reset: float) -> None:
    low, high = (reset - mu) / sigma, (20.0 - mu) / sigma
    hypothesis.assume(high < 25.0)
    edges = sorted({low, high, *(x for x in (0.0, high - 0.5, high - 2.0, -5.0) if low < x < high)})
    pieces = itertools.pairwise(edges)
    area = sum(quad(lambda x: erfcx(-x), a, b, epsabs=0.0, epsrel=1e-12)[0] for a, b in pieces)
    got = float(analysis.siegert_rate_Hz(mu, sigma, V_reset_mV=reset, **LIF))
    assert got == pytest.approx(1000.0 / (2.0 + 20.0 * math.sqrt(math.pi) * area), rel=1e-9)


def test_siegert_rate_rises_with_the_mean_and_broadcasts() -> None:
    mu, sigma = np.linspace(-100.0, 400.0, 200), np.array([[0.0], [1e-6], [0.3], [30.0]])
    rate = analysis.siegert_rate_Hz(mu, sigma, V_reset_mV=10.0, **LIF)
    assert rate.shape == (4, 200)
    assert np.isfinite(rate).all()
    assert (np.diff(rate, axis=1) >= 0).all()
    assert (rate < 500.0).all()


def test_without_noise_siegert_is_the_closed_form() -> None:
    mu = np.array([15.0, 20.0, 21.0, 30.0])
    quiet = analysis.siegert_rate_Hz(mu, 0.0, V_reset_mV=10.0, **LIF)
    closed = analysis.lif_rate_Hz(mu, C_pF=20.0, V_reset_mV=10.0, **LIF)  # 1 pA then drives to 1 mV
    np.testing.assert_allclose(quiet, closed, rtol=1e-13)
    almost = analysis.siegert_rate_Hz(mu[[0, 2, 3]], 1e-5, V_reset_mV=10.0, **LIF)
    np.testing.assert_allclose(almost, closed[[0, 2, 3]], rtol=1e-9)


@pytest.mark.parametrize(("current", "first", "rate"), FI)
def test_lif_under_constant_current(current: float, first: float, rate: float) -> None:
    cell = {"C_pF": 200.0, "tau_m_ms": 20.0, "V_th_mV": 15.0}
    assert float(analysis.lif_first_spike_ms(current, **cell)) == pytest.approx(first, rel=1e-13)
    assert float(analysis.lif_rate_Hz(current, refractory_ms=2.0, **cell)) == pytest.approx(rate, rel=1e-13)
    lifted = {"C_pF": 200.0, "tau_m_ms": 20.0, "V_th_mV": -50.0, "V_rest_mV": -65.0}
    assert float(analysis.lif_first_spike_ms(current, **lifted)) == pytest.approx(first, rel=1e-13)
    assert float(analysis.lif_rate_Hz(current, refractory_ms=2.0, V_reset_mV=-65.0, **lifted)) == pytest.approx(rate)


def test_lif_at_or_below_rheobase_never_fires() -> None:
    cell = {"C_pF": 200.0, "tau_m_ms": 20.0, "V_th_mV": 15.0}
    currents = [-1e9, 0.0, 150.0, 1e12]
    assert analysis.lif_rate_Hz(currents, refractory_ms=2.0, **cell)[:3].tolist() == [0.0, 0.0, 0.0]
    assert analysis.lif_rate_Hz(currents, refractory_ms=2.0, **cell)[3] == pytest.approx(500.0)
    assert np.isnan(analysis.lif_first_spike_ms(currents, **cell)).tolist() == [True, True, True, False]


def test_adex_rheobase_of_brette_and_gerstner() -> None:
    got = analysis.adex_rheobase(a_nS=4.0, tau_w_ms=144.0, **BRETTE_GERSTNER)
    assert got.saddle_node_pA == pytest.approx(627.3110937208723, rel=1e-12)
    assert got.hopf_pA == pytest.approx(627.1824645085993, rel=1e-12)
    assert got.rheobase_pA == got.hopf_pA


def test_adex_rheobase_where_one_bifurcation_is_missing() -> None:
    plain = analysis.adex_rheobase(a_nS=0.0, tau_w_ms=144.0, **BRETTE_GERSTNER)
    assert math.isnan(plain.hopf_pA)
    assert plain.rheobase_pA == plain.saddle_node_pA == pytest.approx(30.0 * (-50.4 + 70.6 - 2.0))
    regenerative = analysis.adex_rheobase(a_nS=-30.0, tau_w_ms=144.0, **BRETTE_GERSTNER)
    assert math.isnan(regenerative.saddle_node_pA)
    sharp = analysis.adex_rheobase(a_nS=0.0, tau_w_ms=144.0, **(BRETTE_GERSTNER | {"Delta_T_mV": 0.0}))
    assert sharp.rheobase_pA == pytest.approx(30.0 * 20.2)  # LIF: g_L (V_th - E_L)


def test_bad_arguments() -> None:
    noise = {"mu_mV": 15.0, "sigma_mV": 2.0, "V_reset_mV": 10.0} | LIF
    for change, message in [
        ({"sigma_mV": -1.0}, r"sigma_mV: got -1.0; allowed: finite and >= 0. Give it in mV"),
        ({"mu_mV": math.nan}, r"mu_mV: got nan; allowed: finite. Give it in mV"),
        ({"tau_m_ms": 0.0}, r"tau_m_ms: got 0.0; allowed: finite and > 0"),
        ({"tau_syn_ms": -2.0}, r"tau_syn_ms: got -2.0; allowed: finite and >= 0. Give it in ms"),
        ({"refractory_ms": math.inf}, r"refractory_ms: got inf"),
        ({"V_reset_mV": 20.0}, r"V_reset_mV: got 20; allowed: below V_th_mV, which is 20"),
    ]:
        with pytest.raises(ValueError, match=message):
            analysis.siegert_rate_Hz(**(noise | change))
    with pytest.raises(ValueError, match=r"V_rest_mV: got 30; allowed: below V_th_mV, which is 15"):
        analysis.lif_first_spike_ms(1.0, C_pF=1.0, tau_m_ms=1.0, V_th_mV=15.0, V_rest_mV=30.0)
    with pytest.raises(ValueError, match=r"I_pA: got \[1.0, nan\]; allowed: finite. Give it in pA"):
        analysis.lif_rate_Hz([1.0, math.nan], C_pF=1.0, tau_m_ms=1.0, V_th_mV=15.0)
    with pytest.raises(ValueError, match=r"g_L_nS: got -30.0; allowed: finite and > 0"):
        analysis.adex_rheobase(a_nS=0.0, tau_w_ms=144.0, **(BRETTE_GERSTNER | {"g_L_nS": -30.0}))
