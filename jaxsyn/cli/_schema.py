"""Pydantic tables made from signatures: one for each model, with the ranges that its fields declare."""

import dataclasses
import functools
import inspect
import math
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Union

import jax
import numpy as np
import numpy.typing as npt
import pydantic
from pydantic_core import PydanticCustomError

from ..connect import AbstractDistribution
from ._registry import Model, find, models

WEIGHTS = ("weight_nS", "weight_pA", "weight_mV", "weight")

Limits = Mapping[str, Any]


class EventWeight:
    """Stands for the type of the weights of a stimulus: numbers, or numbers by receptor."""


class _Context(dict[str, Any]):
    """What an error carries; types that hold one have to be hashable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class Table(pydantic.BaseModel):
    """A table of the file: keys that it does not know are refused with the ones that it does."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)

    KEY: ClassVar[str] = ""  # the key that names the model; a bare text may stand for the whole table

    @pydantic.model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, str) and cls.KEY:
            data = {cls.KEY: data}
        if not isinstance(data, Mapping):
            raise PydanticCustomError("form", "not a table", {"allowed": "a table"})
        for key in data:
            if key not in cls.model_fields:
                raise PydanticCustomError("key", "unknown key", {"key": key, "allowed": list(cls.model_fields)})
        return data


class FileTable(Table):
    """An array that stands in a file beside the configuration: `.npy`, or `.npz` with the name of the array."""

    file: str
    array: str | None = None


class Component(Table):
    """A table that makes one model."""

    MODEL: ClassVar[Model]


def check_numbers(limits: Limits, scalar: bool = False) -> Callable[[Any], Any]:
    """A validator of numbers, or lists of them, within limits."""
    low, high, above = (limits.get(k) for k in ("low", "high", "above"))
    bounds = [f"> {above:g}"] if above is not None else []
    bounds += [f">= {low:g}"] if low is not None else []
    bounds += [f"<= {high:g}"] if high is not None else []
    what = "a number" if scalar else "a number or a list of numbers" + (", each" if bounds else "")
    allowed = " ".join([what, " and ".join(bounds)]).rstrip()

    def fits(x: Any) -> bool:
        if isinstance(x, bool) or not isinstance(x, int | float) or math.isnan(x):
            return False
        if math.isinf(x) and not limits.get("infinite"):
            return False
        return not (
            (low is not None and x < low) or (high is not None and x > high) or (above is not None and x <= above)
        )

    def validate(value: Any) -> Any:
        rows = value if isinstance(value, list) and not scalar else [value]
        for row in rows:
            for x in row if isinstance(row, list) and rows is value else [row]:
                if not fits(x):
                    raise PydanticCustomError("number", "not such a number", {"allowed": allowed, "bad": x})
        return value

    return validate


def check_whole(low: int | None = None, high: int | None = None) -> Callable[[Any], int]:
    """A validator of whole numbers within limits."""
    allowed = "a whole number"
    if low is not None:
        allowed += f" >= {low}" if high is None else f" from {low} to {high}"

    def validate(value: Any) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or (low is not None and value < low) or (high is not None and value > high):
            raise PydanticCustomError("number", "not such a number", {"allowed": allowed, "bad": value})
        return int(value)

    return validate


def _either(parts: Iterable[Any]) -> Any:
    """The union of types that are known only now."""
    return functools.reduce(operator.or_, parts)


def _form(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "(numbers)"
    return "(distribution)" if "distribution" in value else "(file)" if "file" in value else "(mapping)"


def values(limits: Limits, *, distribution: bool = False, mapping: bool = False) -> Any:
    """Type of a number, a list of numbers, an array in a file; also of a distribution, or of these by receptor."""
    numbers = Annotated[Any, pydantic.PlainValidator(check_numbers(limits))]
    parts = [Annotated[numbers, pydantic.Tag("(numbers)")], Annotated[FileTable, pydantic.Tag("(file)")]]
    said = ["a number", "a list", "{file = ...}"]
    if distribution:
        parts.append(Annotated[union(AbstractDistribution, "distribution"), pydantic.Tag("(distribution)")])
        said.append("{distribution = ...}")
    if mapping:
        inner: Any = values(limits, distribution=distribution)
        parts.append(Annotated[dict[str, inner], pydantic.Tag("(mapping)")])
        said.append("{receptor = ...}")
    choose = pydantic.Discriminator(
        _form,
        custom_error_type="form",
        custom_error_message="-",
        custom_error_context=_Context(allowed=", ".join(said)),
    )
    return Annotated[_either(parts), choose]


def union(base: type, key: str = "kind", within: tuple[str, ...] = ()) -> Any:
    """Type of a table that makes a model of one kind, chosen by its key; `within` lists models around this one."""
    tables = {name: component(model, key, within) for name, model in models(base).items() if name not in within}
    return choice(tables, key)


def choice(tables: Mapping[str, type[Table]], key: str) -> Any:
    """Type of one of several tables, told apart by the model that they name."""

    def tag(value: Any) -> str | None:
        name = value.get(key) if isinstance(value, Mapping) else value
        return (find(name, tables) or name) if isinstance(name, str) else None

    context = _Context(key=key, allowed=list(tables))
    choose = pydantic.Discriminator(
        tag, custom_error_type="model", custom_error_message="-", custom_error_context=context
    )
    return Annotated[_either(Annotated[t, pydantic.Tag(name)] for name, t in tables.items()), choose]


@functools.cache
def component(model: Model, key: str = "", within: tuple[str, ...] = ()) -> type[Component]:
    """The table of one model: its arguments with their ranges, and the key that names it."""
    fields: dict[str, Any] = {key: (str, ...)} if key else {}
    for name, parameter in _arguments(model).items():
        kind = translate(parameter.annotation, limits_of(model.owner, parameter), (*within, model.name))
        if kind is not None:
            required = parameter.default is inspect.Parameter.empty
            fields[name] = (kind, ...) if required else (kind, None)
    made: type[Component] = pydantic.create_model(model.name, __base__=Component, __module__=__name__, **fields)
    made.MODEL, made.KEY = model, key
    return made


def _arguments(model: Model) -> dict[str, inspect.Parameter]:
    """Arguments by name; `**weights` stands for the weights, other `**options` for the fields of the class."""
    out: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(model.make).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            out[name] = parameter
        elif name == "weights":
            keyword = inspect.Parameter.KEYWORD_ONLY
            out |= {w: inspect.Parameter(w, keyword, default=None, annotation=EventWeight) for w in WEIGHTS}
        else:
            out = {**inspect.signature(model.owner).parameters, **out}
    return out


def limits_of(owner: type, parameter: inspect.Parameter) -> Limits:
    """Range that the field of this name declares."""
    fields = {f.name: f.metadata for f in dataclasses.fields(owner)} if dataclasses.is_dataclass(owner) else {}
    limits = dict(fields.get(parameter.name, {}))
    if isinstance(parameter.default, float) and math.isinf(parameter.default):
        limits["infinite"] = True
    return limits


def _is_array(hint: Any) -> bool:
    arrays = (inspect.Parameter.empty, Any, jax.Array, np.ndarray, npt.ArrayLike)
    return any(hint is a for a in arrays) or typing.get_origin(hint) is np.ndarray


def translate(hint: Any, limits: Limits, within: tuple[str, ...] = ()) -> Any:
    """The type that a file can give for an annotation, or None where it cannot give one."""
    if hint is EventWeight or _is_array(hint):
        return values(limits, mapping=hint is EventWeight)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _translate_union([a for a in inner if a is not type(None)], limits, within)
    if origin is Literal or hint in (bool, str):
        return hint
    if hint is float:
        return Annotated[Any, pydantic.PlainValidator(check_numbers(limits, scalar=True))]
    if hint is int:
        return Annotated[int, pydantic.PlainValidator(check_whole())]
    if origin in (list, Sequence):
        return list[translate(inner[0], limits, within)]  # type: ignore[misc]
    if origin is tuple:
        parts = tuple(a if a is Ellipsis else translate(a, limits, within) for a in inner)
        return Annotated[tuple[parts], pydantic.Field(strict=False)]  # type: ignore[valid-type]
    base: Any = hint
    if inspect.isclass(hint) and inspect.isabstract(hint) and len(models(base)) > 1:
        return union(base, within=within)
    return None


def _translate_union(hints: list[Any], limits: Limits, within: tuple[str, ...]) -> Any:
    drawn = any(inspect.isclass(h) and issubclass(h, AbstractDistribution) for h in hints)
    if drawn or any(str(h).startswith(("numpy._typing", "collections.abc.Buffer")) for h in hints):
        form = values(limits, distribution=drawn)
        return _either((bool, form)) if bool in hints else form
    parts = tuple(t for t in (translate(h, limits, within) for h in hints) if t is not None)
    return _either(parts) if parts else None
