"""Trained delays rounded to whole steps, and what that costs."""

from typing import NamedTuple

from ..network import Network, freeze
from ._fit import Data, evaluate
from ._task import AbstractTask


class Frozen(NamedTuple):
    """A network with rounded delays, beside what it was.

    Attributes:
        net: The network with delays of whole steps, as `js.freeze` gives it.
        loss_before, accuracy_before: Mean loss and share of right answers with the delays that were trained.
        loss_after, accuracy_after: The same with the rounded ones.
    Example:
        >>> Frozen(None, 0.5, 0.9, 0.5, 0.9).accuracy_after
        0.9
    """

    net: Network | None
    loss_before: float
    accuracy_before: float
    loss_after: float
    accuracy_after: float


def frozen(net: Network, data: Data, task: AbstractTask) -> Frozen:
    """Round the trained delays of a network to whole steps, and score it before and after.

    Args:
        net: The network.
        data: Samples (k, ...) and labels (k,), k >= 1, such as held-out ones.
        task: What was learned.
    Returns:
        The plain network, with loss and accuracy before and after.
    Raises:
        ValueError: Data that do not fit the network.
    Example:
        >>> import jaxsyn as js
        >>> delay_ms = js.connect.TrainableDelay(max_ms=3.0)
        >>> w = js.Projection("in", "out", js.connect.Dense(), delay_ms=delay_ms)
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 64), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 10)}, {"w": w}, dt_ms=1.0)
        >>> _, _, *held_out = js.train.digits()
        >>> found = js.train.frozen(net, held_out, js.train.Classification(n_steps=6))
        >>> abs(found.accuracy_after - found.accuracy_before) < 0.2
        True
    """
    plain = freeze(net)
    return Frozen(plain, *evaluate(net, data, task), *evaluate(plain, data, task))
