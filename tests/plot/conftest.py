"""Pictures are closed after each test; a solution as the drawing functions see it."""

import types
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    before = dict(plt.rcParams)
    yield
    assert dict(plt.rcParams) == before, "a picture changed the user's settings"
    plt.close("all")


def recorded_spikes(n: int, rate_Hz: float, T_ms: float, seed: int) -> types.SimpleNamespace:
    """Poisson spikes in the form that a solution carries."""
    r = np.random.default_rng(seed)
    k = r.poisson(n * rate_Hz * T_ms / 1000)
    times = np.sort(r.uniform(0, T_ms, k))
    return types.SimpleNamespace(times_ms=times, neurons=r.integers(0, n, k), n=n, t_start_ms=0.0, t_stop_ms=T_ms)


@pytest.fixture
def solution() -> types.SimpleNamespace:
    r = np.random.default_rng(2)
    times = np.arange(0.0, 400.0, 1.0)
    traces = {
        "E.V_mV": types.SimpleNamespace(
            times_ms=times, values=r.normal(-60, 2, (400, 3)), index=np.array([0, 4, 9]), unit="mV"
        ),
        "I.GABA_A.g_nS": types.SimpleNamespace(
            times_ms=times, values=r.uniform(0, 5, (400, 2)), index=np.array([1, 2]), unit="nS"
        ),
    }
    spikes = {"E": recorded_spikes(320, 8.0, 400.0, 0), "I": recorded_spikes(80, 15.0, 400.0, 1)}
    return types.SimpleNamespace(spikes=spikes, states=traces)
