"""Parameters are array leaves of one type, checked when a model is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxsyn as js
from jaxsyn._core import Weights, as_float


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: js.neurons.LIF(tau_m_ms=-1.0), r"LIF.tau_m_ms: got -1.0; allowed: finite and > 0"),
        (lambda: js.neurons.LIF(tau_m_ms=float("nan")), r"LIF.tau_m_ms: got nan"),
        (lambda: js.neurons.LIF(C_pF=[200.0, 0.0]), r"LIF.C_pF\[1\]: got 0.0; allowed: finite and > 0"),
        (lambda: js.neurons.LIF(C_pF=[[200.0]]), r"LIF.C_pF: got shape \(1, 1\); allowed: a scalar or one value"),
        (lambda: js.neurons.LIF(C_pF="large"), r"LIF.C_pF: got 'large'"),
        (lambda: js.neurons.LIF(C_pF=[1.0, 2.0], tau_m_ms=[1.0, 2.0, 3.0]), "disagree in length"),
        (lambda: js.neurons.AdEx(Delta_T_mV=-0.1), r"AdEx.Delta_T_mV: got -0.1.*>= 0"),
        (lambda: js.receptors.Exponential(tau_ms=0.0), r"Exponential.tau_ms: got 0.0"),
        (lambda: js.receptors.Conductance(js.receptors.Alpha(2.0), Mg_mM=-1.0), r"Conductance.Mg_mM: got -1.0"),
        (lambda: js.neurons.DiscreteLIF(decay=1.5), r"DiscreteLIF.decay: got 1.5.*<= 1"),
        (lambda: js.plasticity.TsodyksMarkram(U=2.0), r"TsodyksMarkram.U: got 2.0"),
        (lambda: js.surrogate.SuperSpike(k=0.0), r"SuperSpike.k: got 0.0"),
        (lambda: js.Population(js.neurons.LIF(tau_m_ms=[1.0, 2.0]), 3), "tau_m_ms has 2 values for 3 neurons"),
        (lambda: js.neurons.IzhikevichPublished(substeps=0), "substeps: got 0"),
        (lambda: js.neurons.IzhikevichPublished(dt_ms=-1.0), "dt_ms: got -1.0"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@given(st.floats(min_value=1e-3, max_value=1e6))
def test_numbers_become_leaves_of_one_type(value):
    cell = js.neurons.LIF(tau_m_ms=value)
    assert cell.tau_m_ms.dtype == jnp.float32
    assert len(jax.tree.leaves(cell)) == 5
    np.testing.assert_allclose(cell.tau_m_ms, value, rtol=1e-6)


def test_a_traced_parameter_passes_unchecked():
    assert float(jax.grad(lambda tau: js.neurons.LIF(tau_m_ms=tau).tau_m_ms)(3.0)) == 1.0


def test_as_float_leaves_what_is_no_number():
    assert as_float(None) is None
    assert as_float(True) is True
    with pytest.raises(ValueError, match="flat sequence"):
        as_float([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    ("given_weights", "receptors", "message"),
    [
        ({"nS": 1.0, "pA": 2.0}, {"AMPA": "nS"}, "allowed: one unit"),
        ({"nS": {}}, {"AMPA": "nS"}, "empty weight mapping"),
        ({"nS": {"NMDA": 1.0}}, {"AMPA": "nS"}, "unknown receptor 'NMDA'; the target has \\['AMPA'\\]"),
        ({"pA": 1.0}, {"AMPA": "nS"}, "takes weight_nS, got weight_pA"),
        ({"nS": 1.0}, {"AMPA": "nS", "GABA": "nS"}, "say which one gets the weight"),
    ],
)
def test_weights_that_do_not_fit_are_refused(given_weights, receptors, message):
    with pytest.raises(ValueError, match=message):
        Weights.parse("here", **given_weights).resolve("here", receptors)
