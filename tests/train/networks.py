"""Small networks that learn."""

import numpy as np

import jaxsyn as js


def small(n_in=4, n_out=3, *, readout=None, seed=0, hidden=None):
    """in -> hidden -> out, spiking in between."""
    return js.Network(
        {
            "in": js.Population(js.neurons.Relay(), n_in),
            "hidden": js.Population(hidden or js.neurons.DiscreteLIF(), 16, surrogate=js.surrogate.SuperSpike(k=5.0)),
            "out": readout or js.Population(js.neurons.LeakyIntegrator(), n_out),
        },
        {
            "in_hidden": js.Projection("in", "hidden", js.connect.Dense(bias=True)),
            "hidden_out": js.Projection("hidden", "out", js.connect.Dense(bias=True)),
        },
        dt_ms=1.0,
        seed=seed,
    )


def spiking_readout(n_out=3):
    return js.Population(js.neurons.DiscreteLIF(), n_out, surrogate=js.surrogate.SuperSpike(k=5.0))


def blobs(samples=90, n_in=4, n_out=3, seed=0):
    """Clouds around random corners: easy for any learner that works."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(0.0, 1.5, (n_out, n_in))
    y = np.arange(samples) % n_out
    return (centers[y] + 0.1 * rng.normal(size=(samples, n_in))).astype(np.float32), y
