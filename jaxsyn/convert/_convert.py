"""The front door: a trained model and data to calibrate on give a spiking network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

from ._ann import Activation, Ann, check_batch
from ._cache import calibrate_cached
from ._calibrate import AbstractCalibration, Percentile, calibrate
from ._converted import Converted, check_steps, make
from ._equinox import read_equinox
from ._first_spike import FirstSpike, first_spike
from ._fold import fold
from ._layers import read_layers
from ._network import Mode

MODES = ("rate", "signed", "exact", "first-spike")


class Options(TypedDict, total=False):
    """Keyword options of conversion.

    Attributes:
        n_steps: Steps that a sample is shown for, T >= 1; default: the levels of a quantized model, else 8.
        thresholds: How thresholds of ReLU layers are calibrated; default `Percentile(99.9)`.
        scale_per_ms: First-spike mode: activation that 1 ms stands for; default 0.1.
        cache: Folder where calibrated thresholds are kept by content, see `calibrate_cached`; default: nowhere.
    """

    n_steps: int | None
    thresholds: AbstractCalibration
    scale_per_ms: float
    cache: str | Path | None


def convert(ann: Ann, calibration: Any, mode: str = "rate", **options: Unpack[Options]) -> Converted | FirstSpike:
    """Convert a model that was read already. See `from_equinox` and `from_layers`, which read and convert.

    Args:
        ann: The model.
        calibration: Samples, shape (samples, *input_shape).
        mode: As in `from_equinox`.
        options: See `Options`.
    Returns:
        The converted network.
    Raises:
        ValueError: Unknown mode or option, calibration that does not fit.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "weight": np.eye(2), "bias": None}, {"kind": "relu"}]
        >>> ann = js.convert.read_layers(layers, (2,))
        >>> js.convert.convert(ann, np.ones((5, 2)), "rate", n_steps=4).run_steps
        4
    """
    unknown = sorted(set(options) - set(Options.__annotations__))
    if unknown:
        raise ValueError(f"convert: unknown option {unknown[0]!r}; allowed: {', '.join(Options.__annotations__)}")
    if mode not in MODES:
        raise ValueError(f"convert.mode: got {mode!r}; allowed: {', '.join(MODES)}")
    useless = {"n_steps", "thresholds", "cache"} if mode == "first-spike" else {"scale_per_ms"}
    for name, value in options.items():
        if name in useless:
            raise ValueError(f"convert.{name}: got {value!r}; allowed: nothing, mode {mode!r} has none; drop it")
    data = check_batch("calibration", calibration, ann.input_shape)
    folded = fold(ann)
    if mode == "first-spike":
        return first_spike(folded, data, options.get("scale_per_ms", 0.1))
    n_steps = options.get("n_steps")
    n_steps = default_steps(ann) if n_steps is None else n_steps
    check_steps(n_steps)
    settings = (folded, data, options.get("thresholds", Percentile()), n_steps)
    cache = options.get("cache")
    found = calibrate(*settings) if cache is None else calibrate_cached(*settings, cache)
    return make(folded, found, cast(Mode, mode), n_steps)


def from_equinox(
    model: Any,
    calibration: Any,
    mode: str = "rate",
    *,
    state: Any = None,
    carry: bool = False,
    **options: Unpack[Options],
) -> Converted | FirstSpike:
    """Convert a trained Equinox model; `read_equinox` says which layers there may be.

    Modes:
    - "rate": integrate-and-fire neurons that start at half their threshold. The output may be read after any step;
      it approaches that of the model as steps grow.
    - "signed": the same, but neurons also take spikes back, which undoes errors from the order of arrival.
    - "exact": each layer listens for n_steps, then fires for n_steps; the counts equal the activations of the model
      quantized to n_steps levels, up to float rounding at the boundary between two counts (docs/conversion.md).
    - "first-spike": every neuron fires at most once, in continuous time; output and gradient equal the ReLU model's.

    Args:
        model: A callable of one sample, channels first.
        calibration: Samples to find thresholds of ReLU layers with, shape (samples, *input_shape).
        mode: "rate", "signed", "exact" or "first-spike".
        state: State of batch normalization, as `eqx.nn.make_with_state` gives it.
        carry: Carry layers without a spiking counterpart as graded events instead of refusing them.
        options: See `Options`.
    Returns:
        The converted network.
    Raises:
        UnsupportedLayer: A layer without a spiking counterpart, by its path.
        ValueError: Calibration that does not fit the model, unknown mode or option.
    Example:
        >>> import equinox as eqx, jax, numpy as np, jaxsyn as js
        >>> model = eqx.nn.MLP(4, 2, 8, 1, key=jax.random.key(0))
        >>> snn = js.convert.from_equinox(model, np.ones((5, 4)), "exact", n_steps=4)
        >>> sorted(snn.net.populations())
        ['in', 'layer_layers_0_relu', 'out']
    """
    data = check_batch("calibration", calibration)
    return convert(read_equinox(model, data.shape[1:], state=state, carry=carry), data, mode, **options)


def from_layers(
    layers: Sequence[Mapping[str, Any]],
    calibration: Any,
    mode: str = "rate",
    *,
    weights: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> Converted | FirstSpike:
    """Convert a list of layers, as `read_layers` takes it: plain arrays, or names in a state dict.

    Args:
        layers: Dictionaries with "kind" and the keys of that kind.
        calibration: Samples, shape (samples, *input_shape); the shape of the input is taken from it.
        mode: As in `from_equinox`.
        weights: Arrays by name for layers that have a "name".
        options: See `Options`.
    Returns:
        The converted network.
    Raises:
        ValueError: A layer that is unknown or does not fit, by its path; calibration that does not fit.
    Example:
        >>> import numpy as np, jaxsyn as js
        >>> layers = [{"kind": "linear", "name": "fc"}, {"kind": "relu"}]
        >>> state = {"fc.weight": np.ones((3, 2)), "fc.bias": np.zeros(3)}
        >>> js.convert.from_layers(layers, np.ones((5, 2)), "exact", weights=state, n_steps=4).run_steps
        8
    """
    data = check_batch("calibration", calibration)
    return convert(read_layers(layers, data.shape[1:], weights), data, mode, **options)


def default_steps(ann: Ann) -> int:
    """The levels of a quantized model where all of its activations have the same number, else 8."""
    ops = [ann.nodes[i].op for i in ann.activations]
    levels = {op.levels for op in ops if isinstance(op, Activation)}
    only = next(iter(levels)) if len(levels) == 1 else None
    return 8 if only is None else only
