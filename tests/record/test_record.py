"""Requests to record: their names, and what is refused when they are made."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jaxsyn as js

record = js.record


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (record.Spikes(), "spikes"),
        (record.State("E.V_mV"), "E.V_mV"),
        (record.State("E.AMPA.value", 1.0, 3), "E.AMPA.value"),
        (record.Mean("E.V_mV"), "mean E.V_mV"),
        (record.Rate("E"), "rate E"),
        (record.SpikeCount("E"), "count E"),
        (record.Weights("E_I"), "weights E_I"),
    ],
)
def test_a_request_has_the_name_of_its_result(request_: js.record.AbstractRecord, name: str) -> None:
    assert request_.name == name
    assert request_ == request_
    assert hash(request_) == hash(request_)


def test_indices_are_kept_in_the_order_given() -> None:
    assert record.State("E.V_mV", index=np.array([3, 1])).index == (3, 1)
    assert record.State("E.V_mV", index=2).index == (2,)
    assert record.Weights("E", index=range(2)).index == (0, 1)
    assert record.State("E.V_mV", index=[]).index == ()
    assert record.Spikes(["E", "I"]).populations == ("E", "I")
    assert record.Spikes("E").populations == ("E",)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: record.State("V_mV"), r"record\.State: got 'V_mV'; allowed: 'population\.field' such as 'E\.V_mV'"),
        (lambda: record.State("E.a.b.c"), r"record\.State: got 'E\.a\.b\.c'"),
        (lambda: record.Mean("V_mV"), r"got 'V_mV'"),
        (lambda: record.State("E.V_mV", 0.0), r"record\.State\.every_ms: got 0\.0; allowed: > 0, a multiple of dt_ms"),
        (lambda: record.State("E.V_mV", float("nan")), r"record\.State\.every_ms: got nan"),
        (lambda: record.Mean("E.V_mV", -1.0), r"record\.Mean\.every_ms: got -1\.0"),
        (lambda: record.Rate("E", 0.0), r"record\.Rate\.every_ms: got 0\.0"),
        (lambda: record.Weights("E", float("inf")), r"record\.Weights\.every_ms: got inf"),
        (lambda: record.State("E.V_mV", index=[-1]), r"record\.State\.index: got \[-1\]; allowed: whole numbers >= 0"),
        (lambda: record.State("E.V_mV", index=[0.5]), r"record\.State\.index: got \[0\.5\]"),
        (lambda: record.Weights("E", index=[[0]]), r"record\.Weights\.index"),
    ],
)
def test_bad_requests_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
