"""Waveforms, noise and listed spikes: values, grids, bad input."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

S = js.stimuli


def samples(stimulus, n=3, dt_ms=0.5, steps=40, seed=0):
    """Values (steps, n) of a stimulus alone."""
    bound = stimulus.bind(n, dt_ms)
    draw = S.Draw(jnp.uint32(seed), 7)
    prepared, state, out = bound.prepare(jnp.arange(n, dtype=jnp.uint32), dt_ms), bound.init_state(n, draw), []
    for tick in range(steps):
        value, state = bound.sample(prepared, state, draw, jnp.asarray(tick, jnp.int32))
        out.append(np.broadcast_to(np.asarray(value), (n,)))
    return np.array(out)


def test_waveforms_have_the_shape_that_they_say():
    t = 0.5 * np.arange(40)
    np.testing.assert_array_equal(samples(S.Constant("E", I_pA=[1.0, 2.0, 3.0]))[5], [1.0, 2.0, 3.0])
    step = samples(S.Step("E", I_pA=2.0, start_ms=5.0, stop_ms=10.0))[:, 0]
    np.testing.assert_array_equal(step, 2.0 * ((t >= 5.0) & (t < 10.0)))
    ramp = samples(S.Ramp("E", I_pA=4.0, start_ms=2.0, stop_ms=12.0))[:, 0]
    np.testing.assert_allclose(ramp, 4.0 * np.clip((t - 2.0) / 10.0, 0.0, 1.0), rtol=1e-6)
    sine = samples(S.Sine("E", I_pA=3.0, frequency_Hz=50.0, phase=0.3))[:, 0]
    np.testing.assert_allclose(sine, 3.0 * np.sin(2 * np.pi * 0.05 * t + 0.3), atol=1e-4)
    table = samples(S.Sampled("E", I_pA=[1.0, 5.0], every_ms=1.0, start_ms=2.0))[:, 0]
    np.testing.assert_array_equal(table[:10], [0, 0, 0, 0, 1, 1, 5, 5, 0, 0])


def test_a_sine_does_not_drift_in_a_long_run():
    sine = S.Sine("E", I_pA=1.0, frequency_Hz=10.0)
    tick = 2_000_007  # 200 s
    value, _ = sine.sample(
        sine.prepare(jnp.arange(1), 0.1), None, S.Draw(jnp.uint32(0), 7), jnp.asarray(tick, jnp.int32)
    )
    np.testing.assert_allclose(value, np.sin(2 * np.pi * ((tick % 1000) / 1000)), atol=2e-2)


def test_draws_depend_on_seed_and_neuron_only():
    noise = S.OrnsteinUhlenbeck("E", mean_pA=10.0, sd_pA=2.0, tau_ms=5.0)
    a, b, c = samples(noise, seed=1), samples(noise, seed=1), samples(noise, seed=2)
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()
    wide = samples(noise, n=5, seed=1)
    np.testing.assert_array_equal(wide[:, :3], a)


def test_poisson_counts_have_the_mean_and_variance_of_the_rate():
    counts = samples(S.Poisson("E", rate_Hz=1000.0, weight=1.0), n=2000, steps=20)
    assert abs(counts.mean() - 0.5) < 5 * np.sqrt(0.5 / counts.size)
    assert abs(counts.var() - 0.5) < 0.03
    assert counts.max() >= 2


def test_an_inhomogeneous_rate_is_followed():
    table = S.InhomogeneousPoisson("E", rate_Hz=[0.0, 2000.0], every_ms=10.0, weight=1.0)
    counts = samples(table, n=500)
    assert counts[:20].sum() == 0
    assert abs(counts[20:].mean() - 1.0) < 0.05
    function = S.InhomogeneousPoisson(
        "E", rate_Hz=lambda t: jnp.where(t > 10.0, 2000.0, 0.0), max_rate_Hz=2000.0, weight=1.0
    )
    np.testing.assert_array_equal(samples(function, n=500), counts)


def test_listed_spikes_arrive_at_their_step_and_add_up():
    listed = S.SpikeTimes("E", times_ms=[1.0, 1.0, 0.5], neurons=[0, 0, 2], amplitudes=[1.0, 2.0, 5.0], weight=1.0)
    out = samples(listed, steps=4)
    np.testing.assert_array_equal(out, [[0, 0, 5], [3, 0, 0], [0, 0, 0], [0, 0, 0]])
    rounded = S.SpikeTimes("E", times_ms=[0.6], neurons=1, off_grid="round", weight=1.0)
    np.testing.assert_array_equal(samples(rounded, steps=2), [[0, 1, 0], [0, 0, 0]])
    assert samples(S.SpikeTimes("E", times_ms=[], neurons=0, weight=1.0), steps=2).sum() == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: S.Constant("E"), "give either I_pA"),
        (lambda: S.Constant("E", I_pA=1.0, drive=1.0), "give either I_pA"),
        (lambda: S.Constant("E", I_pA="much"), "got amplitude 'much'"),
        (lambda: S.Constant((), I_pA=1.0), "target: got"),
        (lambda: S.Constant("E", I_pA=[1.0, 2.0]).bind(3, 0.1), "got 2 values; allowed: a scalar or 3"),
        (lambda: S.Poisson("E", rate_Hz=-1.0, weight=1.0), r"Poisson.rate_Hz: got -1.0"),
        (lambda: S.Poisson("E", rate_Hz=1.0), "no weight given"),
        (lambda: S.Poisson("E", rate_Hz=1.0, weight_mS=1.0), "unknown argument 'weight_mS'"),
        (lambda: S.Sampled("E", I_pA=[1.0], every_ms=0.7).bind(1, 0.5), "a whole multiple of dt_ms"),
        (lambda: S.Sampled("E", I_pA=[[1.0, 2.0]], every_ms=1.0).bind(3, 0.5), "samples for 2 neurons"),
        (lambda: S.Sampled("E", I_pA=[float("nan")], every_ms=1.0), "not finite"),
        (lambda: S.Sampled("E", I_pA=1.0, every_ms=1.0), "samples of shape"),
        (lambda: S.InhomogeneousPoisson("E", rate_Hz=[1.0], weight=1.0), "every_ms: got None"),
        (lambda: S.InhomogeneousPoisson("E", rate_Hz=[-1.0], every_ms=1.0, weight=1.0), "negative or NaN"),
        (lambda: S.InhomogeneousPoisson("E", rate_Hz=lambda t: t, weight=1.0), "needs max_rate_Hz"),
        (lambda: S.SpikeTimes("E", times_ms=[0.0], neurons=0, weight=1.0), r"times_ms\[0\]: got 0.0"),
        (lambda: S.SpikeTimes("E", times_ms=[1.0], neurons=[0, 1], weight=1.0), "neurons: got shape"),
        (lambda: S.SpikeTimes("E", times_ms=[1.0], neurons=0.5, weight=1.0), "allowed: whole numbers"),
        (lambda: S.SpikeTimes("E", times_ms=[1.0], neurons=9, weight=1.0).bind(3, 0.5), "got indices 9 to 9"),
        (lambda: S.SpikeTimes("E", times_ms=[1.2], neurons=0, weight=1.0).bind(3, 0.5), "not a multiple of dt_ms"),
        (lambda: S.SpikeTimes("E", times_ms=[1.0], neurons=0, off_grid="maybe", weight=1.0), "off_grid: got 'maybe'"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(build, message):
    with pytest.raises(ValueError, match=message):
        build()
