"""Spike trains for property tests."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np

T_MS = 50.0


def trains(low: int, high: int, max_spikes: int = 8) -> st.SearchStrategy[list[np.ndarray]]:
    """Lists of trains on a grid of 0.1 ms in [0, T_MS): empty trains and coincident spikes are common."""
    steps = hnp.arrays(np.int64, st.integers(0, max_spikes), elements=st.integers(0, int(T_MS * 10) - 1), unique=True)
    return st.lists(steps.map(lambda k: np.sort(k) / 10.0), min_size=low, max_size=high)
