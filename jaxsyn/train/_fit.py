"""Training on a data set: a short loop around one compiled step."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._core import Array, float_dtype
from ..network import Network, bounded
from ._progress import progress_line
from ._task import AbstractTask
from ._trainable import trainable

Data: TypeAlias = Sequence[Any]  # samples (k, ...) and labels (k,)
History: TypeAlias = dict[str, list[float]]


class TrainingError(RuntimeError):
    """Training stopped because loss or gradient are not finite.

    The network with the last good parameters is kept in the attribute `net`, what was measured until then in `history`.

    Args:
        message: What happened, where, and what to do.
        net: The network before the bad step.
        history: As `fit` returns it, of the epochs that were finished.
    Example:
        >>> TrainingError("loss is not finite", None, {}).history
        {}
    """

    def __init__(self, message: str, net: Network | None, history: History) -> None:
        super().__init__(message)
        self.net, self.history = net, history


class FitOptions(TypedDict, total=False):
    """Keyword options of `fit`.

    Attributes:
        batch_size: Samples in a step; default 32.
        seed: Seed of the order of the samples; default 0.
        test: Held-out samples and labels, scored after each epoch; never trained on.
        parameters: What is trained besides the weights, as in `trainable`.
        report: Called after each epoch with the latest entry of the history.
        progress: Show a line on stderr with epochs, losses and accuracies so far; default False.
        checkpoint: Folder to which everything is written after each epoch; where it holds an earlier call with the
            same arguments that was ended, training goes on from there, to the same bits.
        patience: Stop when the loss (of `test`, where given) has not been lower for so many epochs, >= 1.
    """

    batch_size: int
    seed: int
    test: Data | None
    parameters: Sequence[str]
    report: Callable[[dict[str, float]], None]
    progress: bool
    checkpoint: str | os.PathLike[str] | None
    patience: int | None


def fit(
    net: Network, data: Data, task: AbstractTask, *, optimizer: Any, epochs: int, **options: Unpack[FitOptions]
) -> tuple[Network, History]:
    """Train the weights of a network with an optimizer of optax.

    Each epoch shows every sample once, in an order that follows from the seed alone. The mean over a batch of the loss
    of each sample is minimized; its gradient passes through spikes by the surrogate of their population.

    Args:
        net: The network to begin with; left as it is.
        data: Samples (k, ...) and labels (k,), NumPy or JAX arrays.
        task: What is to be learned, such as `Classification(n_steps=10)`.
        optimizer: Any `optax.GradientTransformation`, such as `optax.adam(5e-3)`.
        epochs: Times that every sample is shown, >= 0.
        options: See `FitOptions`: batch_size, seed, test, parameters, report, progress, checkpoint,
            patience.
    Returns:
        The trained network, and loss and accuracy of each epoch by name: "train_loss" and "train_accuracy" (measured
        while training, before each step), with `test` also "test_loss" and "test_accuracy".
    Raises:
        ValueError: Data that do not fit the network, unknown options or parameters, batch normalization (its running
            statistics need a loop of your own: `js.run(..., training=True)`).
        TrainingError: Loss or gradient not finite; its `net` has the last good parameters.
    Example:
        >>> import jaxsyn as js, optax
        >>> x, y, *held_out = js.train.digits()
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 64), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 10)}, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> task = js.train.Classification(n_steps=2)
        >>> net, history = js.train.fit(net, (x, y), task, optimizer=optax.sgd(1.0), epochs=3)
        >>> history["train_accuracy"][-1] > 0.8
        True
    """
    settings = _checked(net, epochs, options)
    x, y = _arrays(net, data, task)
    held_out = None if settings.get("test") is None else _arrays(net, settings["test"], task)
    weights, rest = eqx.partition(net, trainable(net, parameters=settings.get("parameters", ())))
    columns = _COLUMNS if held_out is not None else _COLUMNS[:2]
    weights, state, history = _resumed(settings.get("checkpoint"), weights, optimizer.init(weights), columns)
    done = len(history.get("train_loss", ()))
    with progress_line(settings.get("progress", False), done, epochs) as show:
        for epoch in range(done, epochs):
            if _stalled(history, settings.get("patience")):
                break
            order = np.random.Generator(np.random.Philox(key=[settings["seed"], epoch])).permutation(len(y))
            total = np.zeros(2)
            for batch, counts in _batches(order, settings["batch_size"]):
                step = _step(weights, rest, state, (x[batch], y[batch], counts), task, optimizer.update)
                weights, state, sums, finite = step
                if not finite:
                    message = f"fit: loss or gradient is not finite in epoch {epoch + 1}; {_REMEDY}"
                    raise TrainingError(message, eqx.combine(weights, rest), history)
                total += np.asarray(sums)
            row = {"train_loss": total[0] / len(y), "train_accuracy": total[1] / len(y)}
            if held_out is not None:
                row["test_loss"], row["test_accuracy"] = _scores(eqx.combine(weights, rest), held_out, task)
            for name, value in row.items():
                history.setdefault(name, []).append(float(value))
            _keep(settings.get("checkpoint"), weights, state, history)
            for report in (show, settings.get("report", lambda _: None)):
                report({"epoch": epoch + 1, **row})
    return eqx.combine(weights, rest), history


def evaluate(net: Network, data: Data, task: AbstractTask) -> tuple[float, float]:
    """Mean loss and accuracy of a network on a data set.

    Args:
        net: The network.
        data: Samples (k, ...) and labels (k,), k >= 1.
        task: What was learned.
    Returns:
        Mean loss, and share of right answers.
    Raises:
        ValueError: Data that do not fit the network.
    Example:
        >>> import jaxsyn as js
        >>> net = js.Network({"in": js.Population(js.neurons.Relay(), 64), "out": js.Population(
        ...     js.neurons.LeakyIntegrator(), 10)}, {"w": js.Projection("in", "out", js.connect.Dense())}, dt_ms=1.0)
        >>> _, _, *held_out = js.train.digits()
        >>> loss, share = js.train.evaluate(net, held_out, js.train.Classification(n_steps=2))
        >>> share < 0.5
        True
    """
    return _scores(net, _arrays(net, data, task), task)


_REMEDY = (
    "try a smaller learning rate, or clip: optax.chain(optax.clip_by_global_norm(1.0), ...); the last good "
    "parameters are in the attribute `net` of this error"
)
_EVALUATED_TOGETHER = 256
_COLUMNS = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")


def _resumed(folder: Any, weights: Any, state: Any, columns: Sequence[str]) -> tuple[Any, Any, History]:
    """Weights, state of the optimizer and history of the last epoch in a folder, or as they are given."""
    if folder is None:
        return weights, state, {}
    from ..checkpoint import latest, restore_tree

    epochs = latest(folder)
    if epochs is None:
        return weights, state, {}
    like = {"weights": weights, "state": state, "history": np.zeros((epochs, len(columns)))}
    kept = restore_tree(folder, like)
    rows = np.asarray(kept["history"])
    return kept["weights"], kept["state"], {name: rows[:, k].tolist() for k, name in enumerate(columns)}


def _keep(folder: Any, weights: Any, state: Any, history: History) -> None:
    """Write everything that the next epoch depends on."""
    if folder is None:
        return
    from ..checkpoint import save_tree

    rows = np.asarray(list(history.values()), np.float64).T
    save_tree(folder, {"weights": weights, "state": state, "history": rows}, step=len(rows))


def _stalled(history: History, patience: int | None) -> bool:
    """Whether the loss that decides has not been lower for `patience` epochs."""
    losses = history.get("test_loss", history.get("train_loss", []))
    return patience is not None and len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])


def _losses(net: Network, batch: tuple[Array, Array, Array], task: AbstractTask) -> tuple[Array, Array]:
    """Mean loss of a batch, and the sums of losses and scores, shape (2,); samples count by `batch[2]`, 0 or 1."""
    x, y, counts = batch
    loss, score = jax.vmap(task.evaluate, (None, 0, 0))(net, x, y)
    sums = jnp.stack([jnp.sum(jnp.where(counts > 0, z, 0.0)) for z in (loss, score.astype(loss.dtype))])
    return sums[0] / jnp.sum(counts), sums


@eqx.filter_jit
def _step(
    weights: Any,
    rest: Any,
    state: Any,
    batch: tuple[Array, Array, Array],
    task: AbstractTask,
    update: Callable[..., Any],
) -> tuple[Any, Any, Array, Array]:
    """One step of the optimizer, not taken where it is not finite; compiled once for a shape of network and batch."""

    def mean_loss(weights: Any) -> tuple[Array, Array]:
        return _losses(eqx.combine(weights, rest), batch, task)

    (loss, sums), gradient = eqx.filter_value_and_grad(mean_loss, has_aux=True)(weights)
    updates, new_state = update(gradient, state, weights)
    new = bounded(eqx.apply_updates(weights, updates))
    finite = jnp.isfinite(loss)
    for leaf in jax.tree.leaves(new):
        finite &= jnp.all(jnp.isfinite(leaf))
    kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), (new, new_state), (weights, state))
    return *kept, sums, finite


@eqx.filter_jit
def _sums(net: Network, batch: tuple[Array, Array, Array], task: AbstractTask) -> Array:
    return _losses(net, batch, task)[1]


def _scores(net: Network, data: tuple[Array, Array], task: AbstractTask) -> tuple[float, float]:
    x, y = data
    total = np.zeros(2)
    for batch, counts in _batches(np.arange(len(y)), _EVALUATED_TOGETHER):
        total += np.asarray(_sums(net, (x[batch], y[batch], counts), task))
    return float(total[0] / len(y)), float(total[1] / len(y))


def _batches(order: np.ndarray[Any, Any], size: int) -> Iterator[tuple[np.ndarray[Any, Any], Array]]:
    """Indices and weights of batches of equal size; the last is filled up with samples of weight 0."""
    size = min(size, len(order))
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        counts = (np.arange(size) < len(batch)).astype(float_dtype())
        yield np.resize(batch, size), jnp.asarray(counts)


def _arrays(net: Network, data: Data, task: AbstractTask) -> tuple[Array, Array]:
    """Samples and labels on the device, checked against the network."""
    try:
        x, y = (np.asarray(part) for part in data)
    except (TypeError, ValueError):
        raise ValueError("data: got something else; allowed: two arrays, samples (k, ...) and labels (k,)") from None
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y) or not len(y):
        raise ValueError(
            f"data: got shapes {x.shape} and {y.shape}; allowed: equally many samples and labels, at least 1"
        )
    if x.dtype.kind not in "fiub":
        raise ValueError(f"data: got samples of type {x.dtype}; allowed: numbers")
    if not np.isfinite(x).all():
        bad = int(np.argmin(np.isfinite(x).reshape(len(x), -1).all(axis=1)))
        raise ValueError(f"data: sample {bad} is not finite; repair it or leave it out")
    task.check(net, x, y)
    shown = jnp.asarray(x) if x.dtype.kind == "b" else jnp.asarray(x, float_dtype())  # spikes stay bool
    return shown, jnp.asarray(y, jnp.int32 if y.dtype.kind in "iu" else float_dtype())


def _checked(net: Network, epochs: int, options: FitOptions) -> dict[str, Any]:
    """The options with defaults, checked."""
    unknown = sorted(set(options) - set(FitOptions.__annotations__))
    if unknown:
        raise ValueError(f"fit: unknown option {unknown[0]!r}; allowed: {', '.join(FitOptions.__annotations__)}")
    settings: dict[str, Any] = {"batch_size": 32, "seed": 0, **options}
    for name, value, low in (
        ("epochs", epochs, 0),
        ("batch_size", settings["batch_size"], 1),
        ("seed", settings["seed"], 0),
        ("patience", settings.get("patience") or 1, 1),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise ValueError(f"fit.{name}: got {value!r}; allowed: a whole number >= {low}")
    if any(jax.tree.leaves(jax.eval_shape(link.init_state).statistics) for link in net.links):
        raise ValueError(
            "fit: the network has batch normalization, whose running statistics are state; write the loop with "
            "js.run(..., training=True, axis_name='batch') and carry the statistics yourself"
        )
    return settings
