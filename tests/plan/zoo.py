"""Networks whose memory is measured in a fresh process: parts, duration, records."""

import jaxsyn as js


def _net(n, rule, n_targets=None, **options):
    def make():
        start = {"V_mV": js.connect.Uniform(-70.0, -50.0)}  # not all at once
        cells = {"E": js.Population(js.neurons.LIF(), n, {"r": js.receptors.Delta()}, refractory_ms=2.0, initial=start)}
        if n_targets:
            cells["I"] = js.Population(js.neurons.LIF(), n_targets, {"r": js.receptors.Delta()}, refractory_ms=2.0)
        target = "I" if n_targets else "E"
        projections = {"p": js.Projection("E", target, rule, **options)} if rule else {}
        return cells, projections, {"dc": js.stimuli.Constant("E", I_pA=300.0)}

    return make


_COUNTS = js.record.SpikeCount("E")
ZOO = {
    "weights": (
        _net(10_000, js.connect.FixedProbability(0.1), weight_mV=js.connect.Normal(0.1, 0.01), delay_ms=1.5),
        10.0,
        [_COUNTS],
    ),
    "in_degree": (_net(10_000, js.connect.FixedInDegree(1000), weight_mV=1e-4, delay_ms=1.5), 10.0, [_COUNTS]),
    "delays": (
        _net(50_000, js.connect.FixedOutDegree(200), weight_mV=1e-4, delay_ms=js.connect.Uniform(0.5, 3.0)),
        10.0,
        [_COUNTS],
    ),
    "spikes": (_net(20_000, None), 1000.0, [_COUNTS, js.record.Spikes()]),
    "state": (_net(10_000, None), 300.0, [_COUNTS, js.record.State("E.V_mV", every_ms=0.1)]),
    "blocks": (
        _net(4000, js.connect.BlockModel((4000,), ((0.5,),)), weight_mV=1e-4, delay_ms=1.5),
        10.0,
        [_COUNTS],
    ),
}
