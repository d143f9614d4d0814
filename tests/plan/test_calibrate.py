"""Calibration measures every kind of work there is, and the constants make sense."""

import dataclasses
import math
import pathlib

import jax.numpy as jnp
import numpy as np

from jaxsyn.cost import Machine
from jaxsyn.plan import _calibrate as calibration
from jaxsyn.plan import _timing as timing


def test_a_loop_is_timed_by_its_iterations(monkeypatch):
    monkeypatch.setattr(timing, "_ENOUGH_S", 1e-3)
    matrix = jnp.full((300, 300), 1e-3)
    less, more = (timing.loop_seconds(lambda x, i, w: x @ w, jnp.ones((n, 300)), matrix, length=20) for n in (1, 300))
    assert 0.0 < less < more < 1.0


def test_kernels_and_deliveries_are_measured(monkeypatch):
    monkeypatch.setattr(timing, "_ENOUGH_S", 1e-3)
    monkeypatch.setattr(timing, "_REPEATS", 2)
    found = calibration._kernels(Machine()) | calibration._building(Machine())
    assert all(0.0 < value < 1e-3 and math.isfinite(value) for value in found.values()), found
    for row, rows, targets in ((16, 256, 1000), (1, 64, 64)):
        assert 0.0 < timing.delivery_seconds(4, row, rows, targets) < 1e-2
    assert 0.0 < timing.delivery_seconds(1, 1, 128, 64, delays=8) < 1e-2


def test_only_what_cannot_be_measured_here_keeps_its_default():
    """Every constant is measured, or known not to be: a new one is thought of."""
    names = {field.name for field in dataclasses.fields(Machine)}
    assumed = {"cache_bytes", "exchange_s", "sent_byte_s", "thread_gain", "part_bytes"}
    assumed |= {"equation_bytes", "stored_bytes", "sums_bytes"}
    source = pathlib.Path(calibration.__file__).read_text()
    measured = {name for name in names if f'"{name}"' in source or f"{name}=" in source}
    assert measured == names - assumed


def test_a_fresh_process_says_what_memory_it_takes():
    found = calibration._resident(Machine())
    if found:
        assert 50e6 < found["floor_bytes"] < 2e9
        assert 1e6 < found["compile_bytes"] < 1e9
        assert np.isfinite(found["part_s"])
