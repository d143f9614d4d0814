"""What online rules need to know of a network: which Dense projection reaches which population, and how it forgets."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype, is_concrete
from ..connect import BoundDense
from ..network import Group, Network, TransformLink
from ..neurons import DiscreteALIF, DiscreteCuBaLIF, DiscreteIF, DiscreteLIF, LeakyIntegrator, Relay


class Edge(eqx.Module):
    """A Dense projection that is trained: its link, its ends, and its rows (sources, then a bias if there is one)."""

    link: int = eqx.field(static=True)
    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    rows: int = eqx.field(static=True)
    instant: bool = eqx.field(static=True)


class Wiring(eqx.Module):
    """The trained projections of a network and its readout."""

    edges: tuple[Edge, ...]
    readout: str = eqx.field(static=True)

    def hidden(self) -> list[str]:
        """Populations that are trained besides the readout."""
        return sorted({e.target for e in self.edges} - {self.readout})

    def onward(self, population: str) -> list[Edge]:
        """Projections within the step from a population."""
        return [e for e in self.edges if e.source == population and e.instant]


def wire(net: Network, readout: str) -> Wiring:
    """Read the wiring of a network.

    Raises:
        ValueError: Anything that online rules do not know, by name.
    """
    g, _, _ = net.place(readout)
    if not isinstance(net.groups[g].neuron, LeakyIntegrator):
        raise ValueError(
            f"online: readout {readout!r} is {type(net.groups[g].neuron).__name__}; allowed: a population of "
            "js.neurons.LeakyIntegrator, whose values the loss sees in each step"
        )
    edges = []
    for i, link in enumerate(net.links):
        if not isinstance(link, TransformLink) or not isinstance(link.transform, BoundDense):
            kind = type(link.transform).__name__ if isinstance(link, TransformLink) else "sparse"
            raise ValueError(f"online: projection {link.name!r} is {kind}; allowed: js.connect.Dense() without a Chain")
        source = link.population
        if source not in net.populations():
            raise ValueError(f"online: projection {link.name!r} has several sources; make one projection for each")
        target = _member(net.groups[link.target], link.first_target, link.n_targets)
        if net.groups[link.source].continuous:
            raise ValueError(
                f"online: population {source!r} is continuous; allowed: discrete neurons and js.neurons.Relay"
            )
        if source == readout:
            raise ValueError(f"online: projection {link.name!r} leaves the readout {readout!r}; it must be the last")
        if target != readout:
            _check_spiking(net.groups[link.target], target)
        edges.append(Edge(i, source, target, link.n_sources + (link.transform.bias is not None), link.instant))
    if readout not in {e.target for e in edges}:
        raise ValueError(f"online: no projection reaches the readout {readout!r}")
    return Wiring(tuple(edges), readout)


def _member(group: Group, first: int, size: int) -> str:
    return next(name for name, start, n in group.members if (start, n) == (first, size))


def _check_spiking(group: Group, name: str) -> None:
    model = type(group.neuron).__name__
    if group.continuous or isinstance(group.neuron, LeakyIntegrator | Relay):
        raise ValueError(
            f"online: population {name!r} is {model}; allowed between input and readout: spiking discrete neurons such "
            "as js.neurons.DiscreteLIF()"
        )
    if group.surrogate is None:
        raise ValueError(
            f"online: population {name!r} has no surrogate; give Population(..., surrogate=js.surrogate.Triangle())"
        )


def leak(net: Network, population: str) -> Array:
    """Factor by which the membrane of a population keeps its value over a step, () or (n,).

    Raises:
        ValueError: The model has no such factor.
    """
    g, first, size = net.place(population)
    neuron = net.groups[g].neuron
    if isinstance(neuron, DiscreteIF):
        return jnp.ones((), float_dtype())
    if isinstance(neuron, DiscreteLIF | DiscreteALIF | DiscreteCuBaLIF | LeakyIntegrator):
        return _alike(neuron.decay, first, size)
    raise ValueError(f"online: population {population!r} is {type(neuron).__name__}, which has no decay known here")


def _alike(decay: Array, first: int, size: int) -> Array:
    """The decay of a population within its group: one number where all are seen to be equal."""
    if not decay.ndim:
        return decay
    if not is_concrete(decay):
        return decay[first : first + size]
    own = np.asarray(decay)[first : first + size]
    return jnp.asarray(own[0] if len(set(own.tolist())) == 1 else own)


def one_leak(net: Network, population: str, rule: str) -> Array:
    """The leak of a population as one number.

    Raises:
        ValueError: Its neurons have different ones.
    """
    value = leak(net, population)
    if value.ndim:
        raise ValueError(
            f"{rule}: population {population!r} has one decay for each neuron; allowed: one number, as traces of the "
            "synapses before it are filtered with it"
        )
    return value


def neuron_state(state: Any, g: int) -> Any:
    """Neuron state of one group."""
    return state.groups[g].membrane.neuron
