"""A stimulus cut for some of its neurons gives them the values that it gives them in the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

S, N, DT_MS = js.stimuli, 12, 0.5
TIMES = np.arange(1, 31) * DT_MS
STIMULI = {
    "constant": S.Constant("E", I_pA=np.arange(N)),
    "ramp": S.Ramp("E", I_pA=np.arange(N), stop_ms=7.0),
    "sampled": S.Sampled("E", I_pA=np.arange(5.0 * N).reshape(5, N), every_ms=1.0),
    "ou": S.OrnsteinUhlenbeck("E", mean_pA=np.arange(N), sd_pA=2.0, tau_ms=5.0),
    "gaussian": S.GaussianNoise("E", I_pA=3.0),
    "poisson": S.Poisson("E", rate_Hz=100.0 * np.arange(N), weight=1.0),
    "table": S.InhomogeneousPoisson("E", rate_Hz=200.0 * np.ones((5, N)), every_ms=2.0, weight=1.0),
    "function": S.InhomogeneousPoisson("E", rate_Hz=lambda t: 90.0 * t, max_rate_Hz=2000.0, weight=1.0),
    "events": S.SpikeTimes("E", times_ms=TIMES, neurons=(7 * np.arange(30)) % N, weight=1.0),
}


def values(stimulus: js.stimuli.AbstractStimulus, index: np.ndarray, state: object) -> np.ndarray:
    """Values (steps, k) at neurons `index` of a bound stimulus for them."""
    draw, out = S.Draw(jnp.uint32(3), 7), []
    prepared = stimulus.prepare(jnp.asarray(index, jnp.uint32), DT_MS)
    for tick in range(25):
        value, state = stimulus.sample(prepared, state, draw, jnp.asarray(tick, jnp.int32))
        out.append(np.broadcast_to(np.asarray(value), index.shape))
    return np.array(out)


@pytest.mark.parametrize("name", STIMULI)
@pytest.mark.parametrize("index", [[3, 4, 5, 6], [8, 9, 10, 11, 11, 11], [0]])
def test_a_part_has_the_values_of_the_whole(name: str, index: list[int]) -> None:
    whole, part = STIMULI[name].bind(N, DT_MS), np.array(index)
    state = whole.init_state(N, S.Draw(jnp.uint32(3), 7))
    expected = values(whole, np.arange(N), state)
    assert len(np.unique(expected)) > 1
    if name == "events":  # an event goes to the first of equal indices; the others stand in for nothing
        part = np.unique(part)
    got = values(whole.take(part), part, jax.tree.map(lambda x: x[part], state))
    rounding = 1e-6 if name in ("gaussian", "ou") else 0.0  # XLA rounds the logarithm by the place in a vector
    np.testing.assert_allclose(got, expected[:, part], rtol=rounding, atol=rounding)


def test_a_function_with_a_rate_for_each_neuron_cannot_be_cut() -> None:
    rate = jnp.arange(4.0)
    stimulus = S.InhomogeneousPoisson("E", rate_Hz=lambda t: t * rate, max_rate_Hz=100.0, weight=1.0)
    with pytest.raises(ValueError, match="cannot be cut; give samples"):
        stimulus.take(np.arange(2))
