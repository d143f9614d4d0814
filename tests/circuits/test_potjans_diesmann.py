"""The microcircuit: numbers of the paper, scaling, what it refuses; its rates are held by the reference file."""

import numpy as np
import pytest

import jaxsyn as js


def test_numbers_at_a_tenth():
    net = js.circuits.potjans_diesmann(0.1, 0.1, seed=2)
    assert [net.size(p) for p in net.populations()] == [2068, 583, 2192, 548, 485, 106, 1440, 295]
    synapses = net.synapses("L4E_L23E")
    assert len(synapses["pre"]) == 202536
    weight = np.concatenate([np.ravel(net.synapses(f"{p}_all")["weight psc"]) for p in ("L23E", "L6E")])
    doubled = np.ravel(synapses["weight psc"])
    assert weight.mean() == pytest.approx(277.675, rel=2e-3)  # of NEST's script
    assert doubled.mean() == pytest.approx(2 * 277.675, rel=2e-3)
    assert weight.std() == pytest.approx(27.77, rel=1e-2)
    assert weight.min() > 0.0 > np.max(net.synapses("L4I_all")["weight psc"])
    delays = net.synapses("L4I_all")["delay_ms"]
    assert delays.min() == pytest.approx(0.1)
    assert 0.7 < delays.mean() < 0.85


def test_it_is_as_active_as_nest_says():
    net = js.circuits.potjans_diesmann(0.1, 0.1, seed=3)
    sol = js.simulate(net, 700.0, record=js.record.Spikes())
    expected = {"L4E": 4.0, "L4I": 4.94, "L5E": 6.5, "L5I": 7.7, "L6I": 6.97}  # +- 15 % in half a second
    for population, rate_Hz in expected.items():
        assert sol.spikes[population].between(200.0, 700.0).rate_Hz() == pytest.approx(rate_Hz, rel=0.15)


def test_direct_current_instead_of_poisson_input():
    net = js.circuits.potjans_diesmann(0.02, 1.0, external="dc")
    assert list(net.stimuli) == ["dc"]
    assert float(net.stimuli["dc"].stimulus.amplitude[0]) == pytest.approx(8.0 * 1600 * 87.808494 * 0.5e-3, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_scale": 0.0}, "n_scale: got 0.0; allowed: above 0 and at most 1"),
        ({"k_scale": 1.5}, "k_scale: got 1.5"),
        ({"external": "noise"}, "external: got 'noise'; allowed: 'poisson', 'dc'"),
    ],
)
def test_what_it_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        js.circuits.potjans_diesmann(**options)
