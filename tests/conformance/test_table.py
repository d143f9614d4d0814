"""What must hold for every model, ours or a user's."""

import io
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from tests.conformance.table import ROWS, Row

STEPS = 60
EAGER = 3
Out = dict[str, Any]


class Outcome:
    """A row run once, with what the tests look at."""

    def __init__(self, row: Row) -> None:
        self.row, self.traces = row, 0
        self.net, self.other = row.build(1.0), row.build(1.05)
        self.run = eqx.filter_jit(self._run)
        self.state, self.out = self.run(self.net, self.net.init_state())
        self.other_out = self.run(self.other, self.other.init_state())[1]

    def _run(self, net: js.Network, state: js.NetworkState) -> tuple[js.NetworkState, Out]:
        self.traces += 1
        return self.record(net, state, STEPS)

    def record(self, net: js.Network, state: js.NetworkState, steps: int) -> tuple[js.NetworkState, Out]:
        return js.run(net, steps, state=state, record=[js.record.Spikes("E"), js.record.State(self.row.watch)])


@pytest.fixture(scope="module", params=ROWS, ids=str)
def outcome(request: pytest.FixtureRequest) -> Outcome:
    return Outcome(request.param)


def leaves(tree: Any) -> list[Any]:
    return [x for x in jax.tree.leaves(tree) if eqx.is_array(x)]


def assert_close(got: Any, wanted: Any) -> None:
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


def test_acts(outcome: Outcome) -> None:
    watched = np.asarray(outcome.out[outcome.row.watch])
    assert np.isfinite(watched).all()
    assert np.ptp(watched) > 1e-3
    if outcome.row.spikes:
        assert 0 < outcome.out["spikes"]["E"].sum() < STEPS * watched.shape[1]


def test_new_values_count_and_compile_nothing(outcome: Outcome) -> None:
    assert outcome.traces == 1
    changed = np.asarray(outcome.out[outcome.row.watch]) != np.asarray(outcome.other_out[outcome.row.watch])
    assert changed.any() == outcome.row.shows


def test_without_jit(outcome: Outcome) -> None:
    with jax.disable_jit():
        _, out = outcome.record(outcome.net, outcome.net.init_state(), EAGER)
    assert_close(out, jax.tree.map(lambda x: x[:EAGER], outcome.out))


def test_vmap_is_a_loop_and_gradients_are_finite(outcome: Outcome) -> None:
    lanes, shared = eqx.partition(outcome.net, eqx.is_inexact_array)  # lanes share the graph
    pair = jax.tree.map(lambda a, b: jnp.stack([a, b]), lanes, eqx.filter(outcome.other, eqx.is_inexact_array))

    def loss(lane: Any) -> tuple[Any, Out]:
        net = eqx.combine(lane, shared)
        out = outcome.record(net, net.init_state(), STEPS)[1]
        return jnp.sum(out["spikes"]["E"].astype(float)) + 0.1 * jnp.mean(out[outcome.row.watch]), out

    if not outcome.row.learns:
        out = jax.jit(jax.vmap(lambda lane: loss(lane)[1]))(pair)
    else:
        slope, out = jax.jit(jax.vmap(jax.grad(loss, has_aux=True)))(pair)
        assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(slope))
        assert any(bool((g != 0).any()) for g in jax.tree.leaves(slope))
    assert_close(jax.tree.map(lambda x: x[0], out), outcome.out)
    assert_close(jax.tree.map(lambda x: x[1], out), outcome.other_out)


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_stay_of_one_kind(outcome: Outcome, bits: int) -> None:
    with jax.enable_x64(bits == 64):
        net = outcome.row.build(1.0)
        shapes = eqx.filter_eval_shape(outcome.record, net, net.init_state(), 3)
    kinds = {x.dtype for x in jax.tree.leaves((eqx.filter(net, eqx.is_array), shapes)) if hasattr(x, "dtype")}
    floats = {k for k in kinds if jnp.issubdtype(k, jnp.floating)}
    assert floats == {jnp.dtype(f"float{bits}")}
    assert kinds - floats <= {jnp.dtype("int32"), jnp.dtype("uint32"), jnp.dtype(bool)}


def test_goes_on_after_saving(outcome: Outcome) -> None:
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, (outcome.net, outcome.state))
    file.seek(0)
    net, state = eqx.tree_deserialise_leaves(file, (outcome.other, outcome.other.init_state()))
    again, here = outcome.run(net, state), outcome.run(outcome.net, outcome.state)
    for a, b in zip(leaves(again), leaves(here), strict=True):
        np.testing.assert_array_equal(a, b)
    assert outcome.traces == 1
