"""The order of a step, against a simulator in NumPy; zero-delay chains; refractoriness; arrivals at once and later."""

from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import jaxsyn as js
from tests.network import reference as ref

DT_MS, N_STEPS = 0.5, 70


def spike_set(array: Any) -> set[tuple[int, int]]:
    """Spikes of `js.run`, (steps, n), as (step, neuron) with steps counted from 1."""
    return {(int(k) + 1, int(i)) for k, i in np.argwhere(np.asarray(array))}


@st.composite
def values(draw: st.DrawFn, n: int, low: float, high: float) -> Any:
    """One number, or one for each of n."""
    seed = draw(st.integers(0, 2**16))
    numbers = np.random.default_rng(seed).uniform(low, high, n)
    return numbers if draw(st.booleans()) else float(numbers[0]) if n else low


@st.composite
def populations(draw: st.DrawFn) -> dict[str, ref.Cells]:
    out = {}
    for name in "abcd"[: draw(st.integers(1, 4))]:
        n = draw(st.integers(1, 4))
        ranges = {"tau_m_ms": (5, 30), "C_pF": (100, 300), "E_L_mV": (-70, -60)}
        ranges |= {"V_th_mV": (-52, -48), "V_reset_mV": (-65, -58)}
        model = {k: draw(values(n, *r)) for k, r in ranges.items()}
        taus = {r: {"x": 2.0, "y": 7.0}[r] for r in draw(st.sampled_from(["", "x", "y", "xy"]))}
        held = draw(st.sampled_from([None, 0, 3, np.arange(n)]))
        start = draw(values(n, -65.0, -51.0))
        out[name] = ref.Cells(n, model, taus, draw(st.booleans()), held, draw(values(n, 0.0, 600.0)), start)
    return out


@st.composite
def projections(draw: st.DrawFn, cells: dict[str, ref.Cells]) -> list[ref.Synapses]:
    out = []
    for _ in range(draw(st.integers(1, 5))):
        targets = tuple(draw(st.lists(st.sampled_from(sorted(cells)), min_size=1, max_size=3, unique=True)))
        source = draw(st.sampled_from(sorted(cells)))
        common = set.intersection(*(set(cells[t].taus) for t in targets))
        kinds = [{r} for r in sorted(common)] + [common] * (len(common) > 1)
        kinds += [{"j"}] * all(cells[t].jumps for t in targets)
        if not kinds:
            continue
        kind = sorted(draw(st.sampled_from(kinds)))
        n = draw(st.sampled_from([0, 1, 5, 9]))
        rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        pre = rng.integers(0, cells[source].n, n)
        post = rng.integers(0, sum(cells[t].n for t in targets), n)
        shortest = int(kind == ["j"] and source >= min(targets))  # along the alphabet there is no loop
        steps = rng.integers(shortest, 4, n)
        high = 12.0 if kind == ["j"] else 900.0
        weights = {r: rng.uniform(-0.3 * high, high, n) for r in kind}
        if draw(st.booleans()):
            steps, weights = shortest, {r: 0.7 * high for r in kind}
        out.append(ref.Synapses(source, targets, pre, post, weights, steps))
    return out


@st.composite
def models(draw: st.DrawFn) -> tuple[dict[str, ref.Cells], list[ref.Synapses]]:
    cells = draw(populations())
    return cells, draw(projections(cells))


@hypothesis.settings(max_examples=20)
@hypothesis.given(models())
def test_a_step_is_what_the_description_says(model: Any) -> None:
    cells, synapses = model
    expected, V = ref.simulate(cells, synapses, DT_MS, N_STEPS)
    with jax.enable_x64(True):
        net = ref.network(cells, synapses, DT_MS)
        state, out = jax.jit(lambda net: js.run(net, N_STEPS, record=[js.record.Spikes()]))(net)
        for name in cells:
            assert spike_set(out["spikes"][name]) == expected[name]
            np.testing.assert_allclose(net.view(state, name).neuron.V_mV, V[name], rtol=0, atol=1e-9)
    hypothesis.event(f"spikes: {min(sum(map(len, expected.values())), 50) // 10}0s, groups: {len(net.groups)}")
