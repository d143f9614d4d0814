"""Records resolved against a network: what is refused there, and what the pure run gives."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js
from tests.simulate.zoo import network, simple

record = js.record


pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.mark.parametrize(
    "go", [lambda net, r: js.run(net, 3, record=r), lambda net, r: js.simulate(net, 0.3, record=r)]
)
@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("E.V_mV", r"record: got 'E'; allowed: objects of js\.record, such as js\.record\.Spikes\(\)"),
        ([record.Spikes], r"record: got <class .*Spikes'>; allowed: objects of js\.record"),
        ([record.Spikes("A")], r"unknown population 'A'; the network has \['E', 'I', 'S'\]"),
        ([record.State("A.V_mV")], r"unknown population 'A'"),
        ([record.Rate("A")], r"unknown population 'A'"),
        ([record.SpikeCount("A")], r"unknown population 'A'"),
        ([record.State("E.w_pA")], r"record: unknown variable 'E\.w_pA'; 'E' has V_mV, x\.value"),
        ([record.State("E.y.value")], r"record: unknown variable 'E\.y\.value'"),
        ([record.Mean("S.V_mV")], r"record: unknown variable 'S\.V_mV'; 'S' has "),
        ([record.State("E.V_mV", index=[40])], r"record 'E\.V_mV': index 40 is out of range; 'E' has 40 neurons"),
        ([record.State("I.V_mV", index=[10])], r"record 'I\.V_mV': index 10 is out of range; 'I' has 10 neurons"),
        (
            [record.State("E.V_mV", every_ms=0.15)],
            r"record 'E\.V_mV': every_ms: got 0\.15 ms; allowed: a positive multiple",
        ),
        ([record.Rate("E", every_ms=0.01)], r"record 'rate E': every_ms: got 0\.01 ms"),
        ([record.Weights("E_all", every_ms=0.25)], r"record 'weights E_all': every_ms: got 0\.25 ms"),
        (
            [record.Weights("A")],
            r"record 'weights A': unknown sparse projection; the network has \['E_all', 'I_E', 'I_I'\]",
        ),
        ([record.Weights("S_E")], r"record 'weights S_E': unknown sparse projection"),
        (
            [record.Weights("I_I", index=[10**6])],
            r"record 'weights I_I': index 1000000 is out of range; it has \d+ synapses",
        ),
        ([record.Spikes("E"), record.Spikes("I")], r"record: 'spikes' is asked for twice; keep one"),
        ([record.Rate("E", 1.0), record.Rate("E", 2.0)], r"record: 'rate E' is asked for twice"),
        ([record.State("E.V_mV"), record.State("E.V_mV", 1.0)], r"record: 'E\.V_mV' is asked for twice"),
    ],
)
def test_bad_records_are_refused(go: Any, records: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        go(network(), records)


def test_the_pure_run_gives_what_the_driver_gives() -> None:
    """Spikes dense instead of listed; everything else alike."""
    records = [
        record.Spikes(),
        record.State("a.x.value", every_ms=0.6, index=[7, 2]),
        record.Mean("a.V_mV", every_ms=0.4),
        record.Rate("a", every_ms=1.2),
        record.SpikeCount("a"),
        record.Weights("loop", every_ms=3.0, index=[5, 1]),
    ]
    sol = js.simulate(simple(), 6.0, record=records)
    _, out = js.run(simple(), 60, record=records)
    assert set(out) == {r.name for r in records}
    assert np.array_equal(out["a.x.value"], sol.states["a.x.value"].values)
    assert np.array_equal(out["mean a.V_mV"], sol.reductions["mean a.V_mV"].values)
    np.testing.assert_allclose(out["rate a"], sol.reductions["rate a"].values, rtol=1e-6)
    assert np.array_equal(out["count a"], sol.reductions["count a"])
    assert out["count a"].sum() > 10
    assert np.array_equal(out["weights loop"][:, 0], sol.states["weights loop"].values)
    steps, neurons = np.nonzero(np.asarray(out["spikes"]["a"]))
    np.testing.assert_allclose((steps + 1) * 0.1, sol.spikes["a"].times_ms)
    assert np.array_equal(neurons, sol.spikes["a"].neurons)


def test_weights_cannot_be_counted_in_a_graph_that_is_traced() -> None:
    with pytest.raises(ValueError, match=r"record 'weights loop': the graph is traced.*close over it"):
        jax.eval_shape(lambda net: js.run(net, 2, record=[record.Weights("loop")]), simple())
    assert jax.eval_shape(lambda: js.run(simple(), 2, record=[record.Weights("loop")])[1])["weights loop"].shape[0] == 2
