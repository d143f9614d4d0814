"""Equinox models: traced by JAX with their layers as opaque marks, so that any code between the layers is followed."""

import contextlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._core import float_dtype
from ._ann import Ann, Shape
from ._builder import Builder, UnsupportedLayer, Value
from ._jaxpr import Unknown, follow
from ._qcfs import QCFS

_OPEN = (eqx.nn.Sequential, eqx.nn.MLP, eqx.nn.Shared)  # what they do is seen in the layers they call
_SAME = (eqx.nn.BatchNorm, eqx.nn.Dropout, eqx.nn.Identity, QCFS)  # give the shape that they get
_POOLS = (eqx.nn.AvgPool1d, eqx.nn.AvgPool2d, eqx.nn.MaxPool1d, eqx.nn.MaxPool2d)
_MEANS = (eqx.nn.AdaptiveAvgPool1d, eqx.nn.AdaptiveAvgPool2d)
_KNOWN = (*_SAME, *_POOLS, *_MEANS, eqx.nn.Linear, eqx.nn.Conv1d, eqx.nn.Conv2d)
_MARK = "jaxsyn layer "


class _Mark(eqx.nn.StatefulLayer):
    """Stands in for a layer while the model is traced: gives an array of the right shape under the name of its path.

    Arrays of the layer are arguments of the call, so that what the model does to them on the way is seen.
    """

    layer: Any
    path: str = eqx.field(static=True)
    carry: bool = eqx.field(static=True)

    def __call__(self, x: Any, *others: Any, state: Any = None, key: Any = None, **options: Any) -> Any:
        state = others[0] if others and isinstance(self.layer, eqx.nn.BatchNorm) else state
        if not isinstance(self.layer, _KNOWN) and (not self.carry or len(others) or state is not None):
            raise _unsupported(self.layer, self.path)
        arrays = eqx.filter(self.layer, eqx.is_array)
        shape = _output_shape(self.layer, x, self.path)

        def mark(x: Any, arrays: Any) -> Any:
            return jnp.broadcast_to(x.reshape(-1)[0], shape)  # depends on x, as vmap asks for

        mark.__name__ = f"{_MARK}{self.path}"
        out = jax.jit(mark)(jnp.asarray(x), arrays)
        return (out, state) if isinstance(self.layer, eqx.nn.BatchNorm) else out

    def __getattr__(self, name: str) -> Any:
        if name in ("layer", "path", "carry") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.layer, name)

    def is_stateful(self) -> bool:
        """Whether it is called with a state, as batch normalization is."""
        return isinstance(self.layer, eqx.nn.StatefulLayer) and self.layer.is_stateful()


class _Scope(eqx.Module):
    """Names what a function does after the place of the `Lambda` that holds it."""

    function: Callable[..., Any]
    path: str = eqx.field(static=True)

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        def scope(x: Any) -> Any:
            return self.function(x)

        scope.__name__ = f"jaxsyn scope {self.path}"
        return jax.jit(scope)(x)


def read_equinox(model: Any, input_shape: Shape, *, state: eqx.nn.State | None = None, carry: bool = False) -> Ann:
    """The network that an Equinox model computes at inference.

    The model is traced by calling it with one sample. Layers: Linear, Conv1d, Conv2d (groups, stride, padding,
    dilation), BatchNorm, AvgPool and MaxPool in one and two dimensions, adaptive average pooling that divides evenly,
    Dropout, Identity, Sequential (nested), MLP, Lambda, QCFS. Between them: ReLU, `jnp.maximum(x, 0)`, ReLU6 and
    clipping from 0, sums (residual blocks), products and sums with constants, matrix products, reshaping, global means.

    Args:
        model: The model; a callable of one sample.
        input_shape: Shape of one sample.
        state: State of batch normalization, as `eqx.nn.make_with_state` gives it.
        carry: Carry layers without a spiking counterpart by differences of accumulated outputs, which is exact at the
            last step, but graded events and no spikes; otherwise they are refused.
    Returns:
        The network, with the path of each layer in the model, such as "layers[2]".
    Raises:
        UnsupportedLayer: A layer or an operation without a spiking counterpart, by its path.
        ValueError: The model cannot be called with such a sample, or batch normalization was given no state.
    Example:
        >>> import equinox as eqx, jax
        >>> model = eqx.nn.MLP(4, 2, 8, 1, key=jax.random.key(0))
        >>> [node.path for node in read_equinox(model, (4,)).nodes]
        ['in', 'layers[0]', 'layers[0].relu', 'layers[1]']
    """
    if not callable(model):
        raise ValueError(f"model: got {type(model).__name__}; allowed: a callable of one sample")
    layers: dict[str, Any] = {}
    marked = _mark(eqx.nn.inference_mode(model), layers, carry)
    closed = _traced(marked, tuple(int(n) for n in input_shape), state)
    builder = Builder(tuple(int(n) for n in input_shape))

    def placed(name: str) -> Callable[[list[Any]], Any] | None:
        path = name.removeprefix(_MARK)
        return partial(_layer, builder, layers[path], path, (state, carry)) if name.startswith(_MARK) else None

    (output,) = follow(closed, builder, placed, carry)
    if isinstance(output, Unknown):
        raise UnsupportedLayer("model", output.why, "give values of layers alone")
    if not isinstance(output, Value):
        raise ValueError("model: got an output that does not depend on the input; allowed: a trained network")
    return builder.finish(output)


def _traced(model: Any, input_shape: Shape, state: Any) -> Any:
    """The program of a model for one sample: with its state, and with a key where it asks for one."""
    names: Mapping[str, Any] = {}
    with contextlib.suppress(TypeError, ValueError):
        names = inspect.signature(model).parameters

    def call(x: Any, *keys: Any) -> Any:
        options = {"key": keys[0]} if keys else {}
        out = model(x, **options) if state is None else model(x, state, **options)
        found = jax.tree.leaves(out[0] if state is not None and isinstance(out, tuple) else out)
        if len(found) != 1 or not eqx.is_array(found[0]):
            raise ValueError(
                f"model: got {len(found)} outputs in a {type(out).__name__}; allowed: one array; wrap the model so "
                "that it gives the output to convert"
            )
        return found[0]

    keys = (jax.random.key(0),) if "key" in names else ()
    try:
        return jax.make_jaxpr(call)(jnp.zeros(input_shape, float_dtype()), *keys)
    except ValueError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"model: got {type(error).__name__} when called with one sample of shape {input_shape}: {reason}; allowed: "
            "what the model takes; give calibration data of shape (samples, *input_shape), and state=... where the "
            "model asks for one"
        ) from error


def _mark(model: Any, layers: dict[str, Any], carry: bool) -> Any:
    """The model with a mark in place of each layer; `layers` gets them by path."""

    def is_layer(part: Any) -> bool:
        if isinstance(part, QCFS):
            return True
        library = type(part).__module__.startswith("equinox.nn")
        return library and isinstance(part, eqx.Module) and not isinstance(part, (*_OPEN, eqx.nn.StateIndex))

    def replaced(path: Any, part: Any) -> Any:
        if not is_layer(part):
            return part
        name = jax.tree_util.keystr(path).removeprefix(".") or "model"
        if isinstance(part, eqx.nn.Lambda):
            return _Scope(part.fn, name)
        layers[name] = part
        return _Mark(part, name, carry)

    return jax.tree_util.tree_map_with_path(replaced, model, is_leaf=is_layer)


def _output_shape(layer: Any, x: Any, path: str) -> Shape:
    """Shape that a layer gives, from the layer itself."""
    if isinstance(layer, _SAME):
        return tuple(x.shape)
    try:
        return tuple(jax.eval_shape(lambda y: layer(y), jnp.zeros(x.shape, float_dtype())).shape)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} ({type(layer).__name__}): got an input of shape {x.shape}; allowed: what the layer takes; {reason}"
        ) from None


def _layer(builder: Builder, layer: Any, path: str, setting: tuple[Any, bool], given: list[Any]) -> Any:
    """What a layer gives, called with an input and with its arrays as they are then."""
    x, *arrays = given
    if any(isinstance(a, Value | Unknown) for a in arrays):
        raise UnsupportedLayer(path, "weights that depend on the input", "use constant weights")
    if isinstance(x, Unknown):
        raise UnsupportedLayer(path, x.why, "give it values of layers alone")
    own, rest = eqx.partition(layer, eqx.is_array)
    now = eqx.combine(jax.tree.unflatten(jax.tree.structure(own), arrays), rest)
    if isinstance(x, Value):
        return _place(builder, x, now, path, setting)
    if isinstance(now, eqx.nn.BatchNorm):
        raise UnsupportedLayer(path, "batch normalization of a constant", "leave it out")
    return now(x)


def _unsupported(layer: Any, path: str) -> UnsupportedLayer:
    return UnsupportedLayer(
        path,
        type(layer).__name__,
        "replace it (a ReLU, QCFS, batch normalization or average pooling converts), or pass carry=True, which sends "
        "outputs of a layer with one input as graded events",
    )


def _place(builder: Builder, x: Value, layer: Any, path: str, setting: tuple[Any, bool]) -> Value:
    """One more layer of the library in the network."""
    state, carry = setting
    if isinstance(layer, eqx.nn.Dropout | eqx.nn.Identity):
        return x
    if isinstance(layer, QCFS):
        return builder.quantized(x, layer.threshold, layer.levels, path)
    if isinstance(layer, eqx.nn.Linear):
        if len(x.shape) != 1 or layer.weight.ndim != 2:
            what = f"Linear under jax.vmap, input {x.shape} and weight {layer.weight.shape}"
            raise UnsupportedLayer(path, what, "flatten before it, or use a Conv1d with a window of 1, channels first")
        return builder.linear(x, layer.weight, layer.bias, path)
    if isinstance(layer, eqx.nn.Conv1d | eqx.nn.Conv2d):
        return _conv(builder, x, layer, path)
    if isinstance(layer, eqx.nn.BatchNorm):
        return _batch_norm(builder, x, layer, path, state)
    if isinstance(layer, _POOLS):
        padding = _even(layer.padding, path)
        found = builder.pool(x, (layer.kernel_size, layer.stride, padding), isinstance(layer, _POOLS[2:]), path)
        if found.shape != _output_shape(layer, x, path):
            raise UnsupportedLayer(path, "pooling with use_ceil over an incomplete window", "use windows that divide")
        return found
    if isinstance(layer, _MEANS):
        target = tuple(layer.target_shape)
        if not any(n % k for n, k in zip(x.shape[1:], target, strict=True)):
            kernel = tuple(n // k for n, k in zip(x.shape[1:], target, strict=True))
            return builder.pool(x, (kernel, kernel, (0,) * len(kernel)), False, path)
    if carry:
        return builder.function(x, layer, path)
    raise _unsupported(layer, path)


def _conv(builder: Builder, x: Value, layer: eqx.nn.Conv, path: str) -> Value:
    if layer.padding_mode != "ZEROS":
        raise UnsupportedLayer(path, f"padding_mode {layer.padding_mode!r}", "use padding_mode='ZEROS'")
    weight, bias = layer.weight, layer.bias
    if any(d > 1 for d in layer.dilation):
        sizes = tuple((k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
        places = (slice(None), slice(None), *(slice(None, None, d) for d in layer.dilation))
        weight = jnp.zeros((*weight.shape[:2], *sizes), weight.dtype).at[places].set(weight)
    padding: Any = layer.padding
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(x.shape[1:], weight.shape[2:], layer.stride, padding)
    window = (tuple(layer.stride), _even(padding, path), layer.groups)
    return builder.conv(x, weight, bias, window, path)


def _even(padding: Any, path: str) -> Shape:
    """Padding that is the same on both sides."""
    if any(low != high for low, high in padding):
        raise UnsupportedLayer(path, f"uneven padding {tuple(padding)}", "pad both sides alike")
    return tuple(int(low) for low, _ in padding)


def _batch_norm(builder: Builder, x: Value, layer: eqx.nn.BatchNorm, path: str, state: Any) -> Value:
    if state is None:
        raise ValueError(
            f"{path} (BatchNorm): got no state; allowed: the state that eqx.nn.make_with_state gave and training "
            "changed; pass state=..."
        )
    if layer.mode == "ema":
        mean, var = state.get(layer.ema_state_index)
    else:
        count = state.get(layer.batch_counter)
        mean, var = state.get(layer.batch_state_index)
        scale = jnp.where(count == 0, 1.0, 1.0 - layer.momentum ** count.astype(float_dtype()))
        mean, var = mean / scale, var / scale
    found = {"mean": mean, "var": var, "gamma": layer.weight, "beta": layer.bias}
    return builder.batch_norm(x, found, layer.eps, path)
