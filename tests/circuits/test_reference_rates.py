"""The published networks reproduce the rates that other simulators give for them."""

import numpy as np
import pytest

import jaxsyn as js

SEEDS = range(1, 6)


def statistics(build, duration_ms, **options):
    """Mean and standard error over seeds of rate and CV, by population, without the first 200 ms."""
    rows = []
    for seed in SEEDS:
        sol = js.simulate(build(seed=seed, **options), duration_ms, record=js.record.Spikes())
        stats = [js.analysis.network_statistics(sol.spikes[p].between(200.0, duration_ms)) for p in ("E", "I")]
        rows.append([stats[0].rate_Hz, stats[1].rate_Hz, stats[0].isi_cv])
    rows = np.asarray(rows)
    return rows.mean(0), rows.std(0, ddof=1)


@pytest.mark.parametrize(
    ("build", "duration_ms", "options", "expected", "sd", "n_ref"),
    [
        (js.circuits.coba, 1000.0, {}, (19.50, 19.10, 1.58), (0.41, 0.14), 4),
        (js.circuits.cuba, 1000.0, {}, (5.77, 5.60, 0.50), (0.15, 0.06), 6),
        (
            js.circuits.brunel,
            2200.0,
            {"n": 1250, "g": 6.0, "eta": 1.5, "J_mV": 0.5},
            (28.01, 28.86, 0.948),
            (0.40, 0.21),
            6,
        ),
    ],
    ids=["coba", "cuba", "brunel"],
)
def test_rates_and_irregularity_agree_with_nest(build, duration_ms, options, expected, sd, n_ref):
    mean, own_sd = statistics(build, duration_ms, **options)
    for k in range(2):
        allowed = 3.0 * np.sqrt(sd[k] ** 2 / n_ref + own_sd[k] ** 2 / len(SEEDS)) + 0.02 * expected[k]
        assert abs(mean[k] - expected[k]) <= allowed, (mean, expected)
    assert abs(mean[2] - expected[2]) <= 0.05, (mean, expected)


def test_a_network_of_another_size_keeps_the_number_of_inputs():
    net = js.circuits.coba(1000, seed=3)
    pre = net.synapses("E_all")["pre"]
    assert 0.9 < len(pre) / 1000 / 64 < 1.1
