"""What every code promises: shapes, jit, vmap and batches alike, errors for bad values, and reading back."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

T = 32
CODES = {
    "direct": js.encode.Direct(T),
    "rate": js.encode.Rate(T),
    "rate from 0": js.encode.Rate(T, v_init=0.0),
    "bernoulli": js.encode.Bernoulli(T, seed=3),
    "poisson": js.encode.Poisson(T, max_rate_Hz=300.0, dt_ms=2.0, seed=3),
    "linear latency": js.encode.LinearLatency(T),
    "late linear latency": js.encode.LinearLatency(T, tau_steps=20.0, theta=0.2, first_step=4, clip=True),
    "membrane latency": js.encode.MembraneLatency(T, tau_steps=6.0, theta=0.1),
    "normalized membrane latency": js.encode.MembraneLatency(T, theta=0.1, normalize=True),
    "log latency": js.encode.LogLatency(T),
    "phase": js.encode.Phase(8, T),
    "burst": js.encode.Burst(T, max_spikes=4, min_interval_steps=2, max_interval_steps=7),
    "weighted burst": js.encode.WeightedBurst(T),
    "population latency": js.encode.PopulationLatency(T, 6),
    "population rate": js.encode.PopulationRate(T, 5, sigma=0.2),
    "population of ranges": js.encode.PopulationLatency(T, 6, low=(0.0, -1.0, -2.0), high=(1.0, 1.0, 3.0)),
}
DELTAS = {
    "difference": js.encode.DeltaDifference(theta=0.25),
    "reference": js.encode.DeltaReference(theta=0.25),
}
RANDOM = ("bernoulli", "poisson")
every_code = pytest.mark.parametrize("name", CODES)


def values(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.0, 1.0, shape).astype(np.float32)


@every_code
def test_shape_type_and_leading_axes(name):
    code = CODES[name]
    x = values((4, 2, 3))
    spikes = code.encode(x)
    assert spikes.shape[:3] == (T, 4, 2)
    assert spikes.shape[3] in (3, 15, 18)
    assert spikes.dtype == jnp.float32
    assert float(spikes.sum()) > 0
    if name not in RANDOM:
        np.testing.assert_array_equal(spikes[:, 1, 0], code.encode(x[1, 0]))


@every_code
def test_jit_and_vmap_change_nothing(name):
    code, x = CODES[name], values((5, 3))
    np.testing.assert_array_equal(jax.jit(code.encode)(x), code.encode(x))
    lanes = jax.vmap(code.encode)(jnp.asarray(x))
    np.testing.assert_array_equal(lanes[2], code.encode(x[2]))


@every_code
def test_no_values_give_no_spikes(name):
    if name != "population of ranges":
        assert CODES[name].encode(np.zeros((2, 0), np.float32)).size == 0


@every_code
@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.01, 1.01])
def test_bad_values_are_refused_by_place(name, bad):
    x = values((2, 3))
    x[1, 2] = bad
    if np.isfinite(bad) and name in ("direct", "population of ranges"):
        CODES[name].encode(x)
        return
    with pytest.raises(ValueError, match=r"x\[1, 2\] is .*allowed: (finite|from 0 to 1)\. \w+") as caught:
        CODES[name].encode(x)
    assert type(CODES[name]).__name__ in str(caught.value)


@every_code
def test_other_things_than_numbers_are_refused(name):
    for bad in (np.array(["a"]), np.array([1j]), object()):
        with pytest.raises(ValueError, match="array of real numbers"):
            CODES[name].encode(bad)


@pytest.mark.usefixtures("unchecked")
@every_code
def test_there_is_at_least_one_step(name):
    code = CODES[name]
    field = "n_bits" if name == "phase" else "n_steps"
    for bad in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match=rf"{type(code).__name__}.{field}: got .*whole number"):
            dataclasses.replace(code, **{field: bad})


@every_code
def test_spikes_refuse_a_gradient(name):
    code, x = CODES[name], jnp.asarray(values(3))

    def total(x):
        return code.encode(x).sum()

    if name == "direct":
        np.testing.assert_allclose(jax.grad(total)(x), T)
        return
    with pytest.raises(ValueError, match="carry no gradient"):
        jax.grad(total)(x)


@every_code
def test_decoding_needs_all_steps(name):
    code = CODES[name]
    spikes = code.encode(values(3))
    for bad in (spikes[:-1], np.float32(1.0)):
        with pytest.raises(ValueError, match="normalized times" if "normalized" in name else "time first"):
            code.decode(bad)


# How far decoding may be off, by code: half of what one step or one spike tells.
def tolerance(name, x, code):
    if name in ("rate", "rate from 0"):
        return 0.5 / T
    if name == "linear latency":
        return 0.5 / (T - 1)
    if name == "late linear latency":
        return np.where(x < 0.2, x, 0.5 / 20)
    if name == "phase":
        return 2.0**-8
    if name == "burst":
        return 1.0 / 8
    return 0.0


@pytest.mark.parametrize(
    "name", ["direct", "rate", "rate from 0", "linear latency", "late linear latency", "phase", "burst"]
)
@hypothesis.given(x=st.lists(st.floats(0.0, 1.0, width=32), min_size=8, max_size=8))
def test_decoding_gives_the_value_within_the_resolution(name, x):
    x, code = np.asarray(x, np.float32), CODES[name]
    error = np.abs(np.asarray(code.decode(code.encode(x))) - x)
    assert (error <= tolerance(name, x, code) + 1e-6).all(), (x, error)


@hypothesis.given(x=st.lists(st.floats(0.125, 1.0, width=32), min_size=8, max_size=8))
def test_latencies_decode_to_a_value_of_the_same_time(x):
    x = np.asarray(x, np.float32)
    for name in ("membrane latency", "log latency"):
        code = CODES[name]
        back = code.decode(code.encode(x))
        gap = np.abs(np.asarray(code.times_steps(back) - code.times_steps(x)))
        earliest = np.asarray(code.times_steps(np.ones(8, np.float32)))
        assert (gap <= np.maximum(0.5, earliest) + 1e-3).all(), (name, x, gap)


@hypothesis.given(x=st.lists(st.floats(0.0, 1.0, width=32), min_size=8, max_size=8))
def test_populations_decode_between_their_fields(x):
    x = np.asarray(x, np.float32)
    for n_steps in (50, 400):
        fine = js.encode.PopulationLatency(n_steps, 8)
        np.testing.assert_allclose(fine.decode(fine.encode(x)), x, atol=1.5 / n_steps)
        counts = js.encode.PopulationRate(n_steps, 8, sigma=0.15)
        np.testing.assert_allclose(counts.decode(counts.encode(x)), x, atol=2.0 / n_steps)


def test_silent_populations_decode_to_nan():
    code = CODES["population latency"]
    assert np.isnan(code.decode(np.zeros((T, 12), np.float32))).all()
    one = np.zeros((T, 6), np.float32)
    one[0, 2] = 1.0
    np.testing.assert_allclose(code.decode(one), code.centers[2])


@hypothesis.given(x=st.lists(st.integers(0, 256), min_size=8, max_size=8))
def test_weighted_bursts_keep_what_they_have_not_sent(x):
    x, code = np.asarray(x, np.float32) / 256, js.encode.WeightedBurst(200)
    left = 200 * (x - np.asarray(code.decode(code.encode(x))))
    assert (left >= -1e-3).all()
    assert (left <= 8.0).all(), left


@hypothesis.given(
    jumps=st.lists(st.floats(-1.0, 1.0, width=32), min_size=1, max_size=40),
    start=st.floats(-5.0, 5.0, width=32),
    theta=st.sampled_from([0.25, 1.0]),
)
def test_the_reference_follows_slow_signals(jumps, start, theta):
    x = (start + theta * np.cumsum(np.asarray(jumps, np.float64))).astype(np.float32)[:, None]
    code = js.encode.DeltaReference(theta=theta)
    spikes = code.encode(x)
    assert set(np.unique(spikes)) <= {-1.0, 0.0, 1.0}
    assert np.max(np.abs(np.asarray(code.decode(spikes, start=x[0])) - x)) <= theta * (1 + 1e-3)


@pytest.mark.parametrize("name", DELTAS)
def test_delta_codes(name):
    code, x = DELTAS[name], values((20, 4, 3))
    spikes = code.encode(x)
    assert spikes.shape == x.shape
    np.testing.assert_array_equal(jax.jit(code.encode)(x), spikes)
    np.testing.assert_array_equal(jax.vmap(code.encode, 1, 1)(jnp.asarray(x)), spikes)
    with pytest.raises(ValueError, match="at least one step"):
        code.encode(np.zeros((0, 3), np.float32))
    with pytest.raises(ValueError, match=r"x\[3, 0, 1\] is nan"):
        code.encode(np.where(np.arange(20 * 12).reshape(20, 4, 3) == 37, np.nan, x))
    with pytest.raises(ValueError, match="theta: got 0"):
        type(code)(theta=0.0)


def test_delta_theta_for_each_value():
    x = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
    assert js.encode.DeltaDifference(theta=[0.5, 2.0]).encode(x).tolist() == [[0.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="3 values for x of shape"):
        js.encode.DeltaDifference(theta=[0.5, 2.0, 1.0]).encode(x)


@pytest.mark.parametrize("name", RANDOM)
def test_random_codes_have_the_right_mean_and_are_independent(name):
    code = dataclasses.replace(CODES[name], n_steps=4000)
    x = np.repeat(np.linspace(0.0, 1.0, 11, dtype=np.float32)[:, None], 16, axis=1)
    spikes = np.asarray(code.encode(x))
    error = spikes.mean(axis=(0, 2)) * (1.0 / 0.6 if name == "poisson" else 1.0) - x[:, 0]
    deviation = np.sqrt((x[:, 0] / 0.6 if name == "poisson" else x[:, 0] * (1 - x[:, 0])) / (4000 * 16))
    assert (np.abs(error) <= 5 * deviation + 1e-7).all()
    some = spikes[:, 5].T  # the same value, 16 places
    correlation = np.corrcoef(some)[~np.eye(16, dtype=bool)]
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)
    if name == "poisson":
        assert abs(some.var() / some.mean() - 1.0) < 0.05
        assert some.max() > 1


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    code, x = CODES[name], values(200)
    again = code.encode(x)
    np.testing.assert_array_equal(again, code.encode(x))
    assert (np.asarray(dataclasses.replace(code, seed=4).encode(x)) != np.asarray(again)).any()
    lanes = jax.vmap(lambda seed: dataclasses.replace(code, seed=seed).encode(x))(jnp.arange(5, dtype=jnp.uint32))
    np.testing.assert_array_equal(lanes[3], again)
    for bad in (-1, 2**32, 0.5, True, "a"):
        with pytest.raises(ValueError, match="seed: got"):
            dataclasses.replace(code, seed=bad)


def test_equal_codes_are_one_code_and_another_number_is_another():
    assert js.encode.Rate(3) == js.encode.Rate(3, v_init=np.float32(0.5))
    assert hash(js.encode.Rate(3)) != hash(js.encode.Rate(4))
    thetas = jnp.asarray([0.1, 0.6])
    x = values(50)
    silent = jax.vmap(lambda theta: js.encode.LinearLatency(T, theta=theta, clip=True).encode(x).sum())(thetas)
    assert silent.tolist() == [float((x >= np.float32(0.1)).sum()), float((x >= np.float32(0.6)).sum())]


def test_counts_are_right_over_long_windows():
    x = np.array([0.1, 0.3, 1 / 3, 0.7, 0.999], np.float32)
    spikes = js.encode.Rate(100_000, v_init=0.0).encode(x)
    np.testing.assert_allclose(np.asarray(spikes).sum(0), np.floor(100_000 * x.astype(float)), atol=1)
    assert set(np.unique(spikes)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: js.encode.Rate(3, v_init=np.nan), "Rate.v_init: got nan"),
        (lambda: js.encode.Rate(3, v_init="a"), "v_init: got 'a'"),
        (lambda: js.encode.Rate(3, v_init=[[1.0]]), "v_init: got shape"),
        (lambda: js.encode.LinearLatency(3, first_step=3), "first_step: got 3; allowed: below n_steps = 3"),
        (lambda: js.encode.LinearLatency(3, theta=1.5), "theta: got 1.5"),
        (lambda: js.encode.MembraneLatency(3, theta=1.0), "theta: got 1.0; allowed: > 0 and < 1"),
        (lambda: js.encode.MembraneLatency(3, tau_steps=0.0), "tau_steps: got 0.0"),
        (lambda: js.encode.Phase(25), "n_bits: got 25; allowed: 1 to 24"),
        (lambda: js.encode.Burst(9, 3, 4, 3), "max_interval_steps: got 3"),
        (lambda: js.encode.Poisson(9, max_rate_Hz=-1.0, dt_ms=1.0), "max_rate_Hz: got -1.0"),
        (lambda: js.encode.PopulationRate(9, 1), "n_fields: got 1"),
        (lambda: js.encode.PopulationLatency(9, 5, low=1.0, high=1.0), "high: got 1.0; allowed: above low"),
        (lambda: js.encode.PopulationRate(9, 3).encode(0.5), "x is one number"),
    ],
)
def test_wrong_parameters_say_what_is_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make()
