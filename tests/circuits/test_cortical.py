"""The cortical network is asynchronous and irregular from the start on, as its docstring says."""

import numpy as np

import jaxsyn as js


def test_asynchronous_irregular():
    sol = js.simulate(js.circuits.cortical_adex(seed=7), 700.0, record=js.record.Spikes())
    e, i = (js.analysis.network_statistics(sol.spikes[p], t_start_ms=200.0, t_stop_ms=700.0) for p in ("E", "I"))
    assert 5.0 < e.rate_Hz < 7.2
    assert 10.5 < i.rate_Hz < 13.5
    assert min(e.isi_cv, i.isi_cv) > 0.65  # the window is short
    assert max(e.pair_correlation, i.pair_correlation) < 0.01
    early = sol.spikes["E"].between(100.0, 400.0).rate_Hz()
    assert abs(early - sol.spikes["E"].between(400.0, 700.0).rate_Hz()) < 1.0


def test_a_small_one_keeps_the_number_of_inputs():
    net = js.circuits.cortical_adex(1000, seed=3)
    synapses = net.synapses("E_all")
    assert 0.9 < len(synapses["pre"]) / 1000 / 64 < 1.1
    assert len(np.unique(synapses["delay_ms"])) == 21
    assert set(np.unique(synapses["post_population"])) == {"E", "I"}
