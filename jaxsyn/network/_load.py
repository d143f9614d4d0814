"""What a network has to do in a step, known from its shapes and from how often its neurons fire."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import numpy as np

from ..cost import Delivery, Work, step_seconds, this_machine, tree_bytes, work_of
from ._link import SparseLink
from ._network import SUMMARY_ROWS, Network, NetworkState
from ._step import prepare, step

Rates = float | Mapping[str, float]
RATE_HZ = 10.0  # of every neuron where none is given: cortex at rest fires at 1 to 10 Hz, driven at 10 to 50
_MANY = 10_000  # steps over which the preparation of a run is spread


def population_rates(net: Network, rates_Hz: Rates) -> dict[str, float]:
    """Mean rate of each population, Hz.

    Args:
        net: The network, or its shapes.
        rates_Hz: One rate for all, or one for each population.
    Returns:
        Rates by population.
    Raises:
        ValueError: A rate is missing, of a population that there is not, negative or not finite.
    Example:
        >>> import jaxsyn as js
        >>> js.network.population_rates(js.circuits.coba(100), 20.0)
        {'E': 20.0, 'I': 20.0}
    """
    names = list(net.populations())
    given = dict(rates_Hz) if isinstance(rates_Hz, Mapping) else dict.fromkeys(names, rates_Hz)
    if sorted(given) != sorted(names):
        raise ValueError(f"rates_Hz: got rates of {sorted(given)}; allowed: one number, or one for each of {names}")
    for name, rate in given.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not 0.0 <= rate < np.inf:
            raise ValueError(f"rates_Hz: got {rate!r} for {name!r}; allowed: a finite number >= 0, Hz")
    return {name: float(given[name]) for name in names}


def deliveries(net: Network, synapses: Sequence[float], rates_Hz: Mapping[str, float]) -> list[Delivery]:
    """What the sparse projections deliver in a step.

    Args:
        net: The network, or its shapes.
        synapses: Number of synapses of each link, in their order.
        rates_Hz: Mean rate of each population.
    Returns:
        One for each link whose synapses cost by the spike (BCOO and trained delays cost by the synapse).
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)
        >>> round(sum(d.events for d in js.network.deliveries(net, [6400, 1600], {"E": 20.0, "I": 20.0})), 3)
        16.0
    """
    out = []
    for link, count in zip(net.links, synapses, strict=True):
        if not isinstance(link, SparseLink) or link.form == "bcoo" or link.delays is not None:
            continue
        fired = rates_Hz[link.population] * net.dt_ms * 1e-3
        graph_bytes = tree_bytes((link.graph.post, link.weight))
        target_bytes = len(link.receptors) * link.graph.n_post * link.gain.dtype.itemsize
        out.append(
            Delivery(
                spikes=fired * link.n_sources,
                delays=link.graph.n_delays,
                events=fired * count * len(link.receptors),
                graph_bytes=float(graph_bytes),
                row_bytes=float(tree_bytes(link.graph.row_ptr)),
                target_bytes=float(target_bytes),
            )
        )
    return out


def step_work(net: Network) -> Work:
    """What a step does beside delivering spikes, counted from its jaxpr.

    Args:
        net: The network, or its shapes.
    Returns:
        The work of one step in a loop.
    Example:
        >>> import jaxsyn as js
        >>> round(js.network.step_work(js.circuits.coba(100)).steps)
        1
    """

    def steps(net: Network, state: NetworkState) -> object:
        prepared = prepare(net)
        return jax.lax.scan(lambda s, _: (step(net, prepared, s, {})[0], None), state, None, length=_MANY)[0]

    jaxpr, _, _ = eqx.filter_make_jaxpr(steps)(net, eqx.filter_eval_shape(lambda n: n.init_state(), net))
    return work_of(jaxpr).scaled(1.0 / _MANY)


def model_second(net: Network, synapses: Sequence[float], rates_Hz: Rates) -> float:
    """Seconds that a second of model time takes on this machine, without records.

    Args:
        net: The network, or its shapes.
        synapses: Number of synapses of each link, in their order.
        rates_Hz: Mean rates.
    Returns:
        Seconds of computing for a second of the model.
    Example:
        >>> import jaxsyn as js
        >>> net = js.circuits.coba(100)
        >>> 0.0 < js.network.model_second(net, [6400, 1600], 20.0) < 10.0
        True
    """
    rates = population_rates(net, rates_Hz)
    parts = deliveries(net, synapses, rates)
    seconds = step_seconds(
        step_work(net), parts, this_machine()[0], spiking=spiking(net, rates), native=net.native, threads=net.threads
    )
    return sum(seconds.values()) * 1000.0 / net.dt_ms


def spiking(net: Network, rates_Hz: Mapping[str, float]) -> float:
    """Mean number of spikes of a neuron in a step.

    Args:
        net: The network, or its shapes.
        rates_Hz: Mean rate of each population.
    Returns:
        Spikes of a neuron in a step, on average over all neurons.
    Example:
        >>> import jaxsyn as js
        >>> js.network.spiking(js.circuits.coba(100), {"E": 10.0, "I": 10.0})
        0.001
    """
    total = sum(rate * net.size(name) for name, rate in rates_Hz.items())
    return float(total / max(net.size(), 1) * net.dt_ms * 1e-3)


def _time_row(net: Network, synapses: Sequence[int]) -> str:
    seconds = model_second(net, synapses, RATE_HZ)
    return (
        f"a model second: about {seconds:.2g} s of computing if all fire at {RATE_HZ:g} Hz; js.plan.estimate says more"
    )


SUMMARY_ROWS.append(_time_row)
