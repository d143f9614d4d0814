"""Tsodyks-Markram, both variants, against the published recursions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

TIMES = np.array([10.0, 60.0, 110.0, 160.0, 210.0, 260.0, 310.0, 360.0, 860.0])
DEPRESSING = {"U": 0.5, "tau_rec_ms": 800.0, "tau_fac_ms": 0.0}
FACILITATING = {"U": 0.04, "tau_rec_ms": 130.0, "tau_fac_ms": 530.0}


def amplitudes(rule, times_ms, dt_ms=0.1):
    state, out = rule.init_state(1), []
    for t in times_ms:
        released, state = rule.release(state, jnp.ones(1), jnp.asarray(round(t / dt_ms), jnp.int32), dt_ms)
        out.append(float(released[0]))
    return np.array(out)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (DEPRESSING, [0.5, 0.2651, 0.1548, 0.1030, 0.0787, 0.0673, 0.0619, 0.0594, 0.2483]),
        (FACILITATING, [0.04, 0.0729, 0.0983, 0.1172, 0.1310, 0.1413, 0.1491, 0.1552, 0.1171]),
    ],
)
def test_published_amplitudes(parameters, expected):
    np.testing.assert_allclose(amplitudes(js.plasticity.TsodyksMarkram(**parameters), TIMES), expected, atol=1e-4)


def test_first_release_of_the_three_state_variant_equals_U():
    rule = js.plasticity.TsodyksMarkramThreeState(**DEPRESSING, tau_psc_ms=3.0)
    out = amplitudes(rule, TIMES)
    np.testing.assert_allclose(out[:3], [0.5, 0.2642627, 0.1539522], atol=1e-6)


@pytest.mark.parametrize("relative", [0.0, 1e-6, 1e-3])
def test_three_states_with_equal_time_constants(relative):
    with jax.enable_x64(True):
        near = js.plasticity.TsodyksMarkramThreeState(U=0.5, tau_rec_ms=20.0, tau_psc_ms=20.0 * (1.0 + relative))
        at = js.plasticity.TsodyksMarkramThreeState(U=0.5, tau_rec_ms=20.0, tau_psc_ms=20.0)
        np.testing.assert_allclose(amplitudes(near, TIMES), amplitudes(at, TIMES), atol=max(relative, 1e-12))


def test_it_scales_what_a_projection_delivers():
    cells = {"in": js.Population(js.neurons.Relay(), 1), "out": js.Population(
        js.neurons.LIF(E_L_mV=0.0, V_th_mV=1e6), 1, {"d": js.receptors.Delta()}
    )}  # fmt: skip
    rule = js.plasticity.TsodyksMarkram(**DEPRESSING)
    projection = js.Projection("in", "out", js.connect.OneToOne(), weight_mV=1.0, delay_ms=1.0, short_term=rule)
    source = js.stimuli.SpikeTimes("in", times_ms=TIMES[:3], neurons=0, weight=1.0)
    net = js.Network(cells, {"p": projection}, {"s": source}, dt_ms=0.1)
    sol = js.simulate(net, 130.0, record=js.record.State("out.V_mV"))
    V = sol.states["out.V_mV"].values[:, 0]
    arrivals = np.rint((TIMES[:3] + 1.0) / 0.1).astype(int) - 1
    np.testing.assert_allclose(V[arrivals] - V[arrivals - 1] * np.exp(-0.1 / 20.0), [0.5, 0.2651, 0.1548], atol=1e-4)
