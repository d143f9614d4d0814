"""Connection matrix and degrees, from every form of graph."""

import types
from typing import Any

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

from jaxsyn import plot

DENSE = np.array([[0, 1, 1], [0, 0, 1]])
PRE, POST = np.nonzero(DENSE)
FORMS: dict[str, Any] = {
    "dense": DENSE,
    "scipy": scipy.sparse.csr_array(DENSE),
    "bcoo": BCOO.fromdense(jnp.asarray(DENSE)),
    "tuple": (PRE, POST, 2, 3),
    "edges": types.SimpleNamespace(pre=PRE, post=POST),
    # two delays, two sources: rows (delay, source); one entry of padding
    "stacked": types.SimpleNamespace(row_ptr=np.array([0, 1, 1, 2, 3]), post=np.array([1, 2, 2, 0]), n_pre=2, n_post=3),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_show_the_same_matrix(form: str) -> None:
    figure = plot.connectivity(FORMS[form])
    matrix, out, into = figure.axes
    assert np.array_equal(matrix.images[0].get_array(), DENSE)
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == ("target neuron", "source neuron")
    assert matrix.get_title(loc="right") == "3 synapses"
    assert out.get_title(loc="right") == "1.5 ± 0.5"
    assert into.get_title(loc="right") == "1 ± 0.82"
    assert (out.get_ylabel(), into.get_ylabel()) == ("sources", "targets")


def test_a_large_matrix_shows_synapses_per_pair() -> None:
    r = np.random.default_rng(0)
    n, k = 1000, 40_000
    figure = plot.connectivity((r.integers(0, n, k), r.integers(0, n, k), n, n))
    density = np.asarray(figure.axes[0].images[0].get_array())
    assert density.shape == (20, 20)
    assert density.mean() == pytest.approx(k / n**2)
    assert figure.axes[-1].get_ylabel() == "synapses per pair"
    assert figure.axes[0].get_title(loc="right") == "40\N{NARROW NO-BREAK SPACE}000 synapses"


def test_into_given_axes_and_without_synapses() -> None:
    _, given = plt.subplots()
    assert plot.connectivity(np.zeros((3, 4)), ax=given) is given
    assert not np.asarray(given.images[0].get_array()).any()
    assert plot.connectivity(np.zeros((3, 4))).axes[1].get_title(loc="right") == "0 ± 0"


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ([1.0, 2.0], r"got shape \(2,\); allowed: a graph, a matrix"),
        (np.zeros((0, 3)), r"got 0 sources and 3 targets; allowed: at least one of each"),
        (([0, 1], [0], 2, 2), r"pre has shape \(2,\) and post \(1,\)"),
        (([0, 5], [0, 1], 2, 2), r"pre reaches from 0 to 5; allowed: 0..1. Number the neurons"),
    ],
)
def test_bad_graph(graph: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot.connectivity(graph)
