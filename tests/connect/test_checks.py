"""What users pass: wrong types are refused by name (here directly: in tests beartype stops them at the public call)."""

import numpy as np
import pytest

from jaxsyn import connect
from jaxsyn.connect import _checks as check
from jaxsyn.connect import _transform

BAD = {
    "text": (lambda: check.number("p", "0.1"), "p: got '0.1'; allowed: a finite number. Give one plain number."),
    "bool": (lambda: check.probability("p", True), "p: got True; allowed: a finite number >= 0 and <= 1."),
    "nan": (lambda: check.number("p", float("nan")), "p: got nan"),
    "float": (lambda: check.count("Rule.k", 2.0), "Rule.k: got 2.0; allowed: a whole number >= 0. Give an int"),
    "yes": (lambda: check.count("k", True), "k: got True"),
    "flag": (lambda: check.flag("autapses", 1), "autapses: got 1; allowed: True or False"),
    "size": (lambda: _transform.sizes("kernel", 3), "kernel: got 3; allowed: a tuple of whole numbers >= 1"),
    "object": (lambda: check.finite("weight", [None], (1,)), "weight: got dtype object; allowed: numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_types_are_named(name):
    make, message = BAD[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        make()
    assert message in str(error.value)


def test_any_real_type_will_do():
    assert check.number("x", np.float32(0.5)) == 0.5
    assert check.number("x", 1) == 1.0
    assert check.count("n", np.int32(3)) == 3
    assert check.flag("f", np.bool_(True)) is True
    assert check.indices("pre", np.array([1, 2], np.uint8)).dtype == np.int64


EQUAL = {
    "dense": lambda w: connect.Dense(bias=w),
    "dense list": lambda w: connect.Dense(bias=list(w)),
    "conv": lambda w: connect.Conv(2, (3,), weight=w),
    "edges": lambda w: connect.Edges([0, 1], [1, 0], w),
    "positions": lambda w: connect.Positions(w[:, None]),
    "rule": lambda w: connect.FixedProbability(w[0]),
    "layout": lambda w: connect.DistanceDependent(connect.ConstantKernel(0.5), layout=connect.Positions(w[:, None])),
}


@pytest.mark.parametrize("name", EQUAL)
def test_specifications_compare_by_content(name):
    """They are static fields of a network: equal ones must compile to one program."""
    make = EQUAL[name]
    one, same, other = make(np.array([0.5, 2.0])), make(np.array([0.5, 2.0])), make(np.array([0.25, 2.0]))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "something else"
    assert connect.Dense(weight=connect.Uniform(0.0, 1.0)) == connect.Dense(weight=connect.Uniform(0.0, 1.0))
    assert connect.Dense(weight=0.5) != connect.Dense(weight=np.array([0.5, 0.25]))
    assert connect.Dense() != connect.Dense(bias=True)
