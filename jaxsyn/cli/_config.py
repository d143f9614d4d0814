"""Configuration files: TOML or JSON, read into tables whose every key, form and range is checked."""

import functools
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from ..connect import AbstractRule, AbstractTransform
from ..neurons import AbstractIntegrator, AbstractNeuron
from ..plasticity import AbstractShortTerm
from ..receptors import AbstractReceptor
from ..record import AbstractRecord
from ..stimuli import AbstractStimulus
from ._problems import ConfigError, Place, Problem, closest, field_name, shown
from ._registry import Model, models
from ._schema import WEIGHTS, Table, check_numbers, check_whole, choice, component, union, values

_WORDS = {
    "string_pattern_mismatch": "a name without '.' and '+'",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "too_short": "at least one table",
}
_LONGEST_MS = 1e9  # 11 days of model time; the step counter holds 2^31 steps


def _number(**limits: float) -> Any:
    return Annotated[Any, pydantic.PlainValidator(check_numbers(limits, scalar=True))]


def _whole(low: int, high: int) -> Any:
    return Annotated[int, pydantic.PlainValidator(check_whole(low, high))]


def _named(kind: Any) -> Any:
    """Tables by name; names hold neither `.` nor `+`, which join names elsewhere."""
    return dict[Annotated[str, pydantic.StringConstraints(pattern=r"^[^.+]+$")], kind]


def _table(name: str, **fields: Any) -> type[Table]:
    made: type[Table] = pydantic.create_model(name, __base__=Table, __module__=__name__, **fields)
    return made


def _population(model: Model, shared: Mapping[str, Any]) -> type[Table]:
    parameters = component(model)
    required = any(field.is_required() for field in parameters.model_fields.values())
    return _table(f"population {model.name}", **shared, parameters=(parameters, ... if required else None))


def _with_kind(receptors: Any) -> Any:
    """A receptor whose table names no kind is of the kind that it is called: `AMPA = {}`."""
    if not isinstance(receptors, Mapping):
        return receptors
    return {k: {"kind": k, **v} if isinstance(v, Mapping) else v for k, v in receptors.items()}


def _flat(parameters: Any) -> Any:
    """Paths of parameters as texts; TOML reads those without quotes as tables in tables."""
    if not isinstance(parameters, Mapping):
        return parameters
    out: dict[str, Any] = {}
    for key, value in parameters.items():
        inner = _flat(value) if isinstance(value, Mapping) and not isinstance(value.get("file"), str) else None
        out |= {key: value} if inner is None else {f"{key}.{path}": v for path, v in inner.items()}
    return out


def _sweep() -> type[Table]:
    return _table(
        "sweep",
        parameters=(Annotated[dict[str, values({})], pydantic.BeforeValidator(_flat)], {}),  # type: ignore[misc]
        seeds=(list[_whole(0, 2**32 - 1)], None),  # type: ignore[misc]
        zipped=(bool, False),
        keep=(bool, True),
        batch_size=(_whole(1, 10**9), None),
    )


@functools.cache
def schema() -> type[Table]:
    """The table of a whole file, built from the models that the rooms export."""
    receptors: Any = Annotated[_named(union(AbstractReceptor)), pydantic.BeforeValidator(_with_kind)]
    neurons = {
        name: _population(
            model,
            {
                "model": (str, ...),
                "size": (_whole(0, 10**9), ...),
                "receptors": (receptors, None),
                "integrator": (union(AbstractIntegrator), None),
                "refractory_ms": (values({"low": 0.0}), None),
                "initial": (dict[str, values({}, distribution=True)], None),  # type: ignore[misc]
            },
        )
        for name, model in models(AbstractNeuron).items()
    }
    rules = {n: component(m, "kind") for base in (AbstractRule, AbstractTransform) for n, m in models(base).items()}
    projection = _table(
        "projection",
        source=(str | list[str], ...),
        target=(str | list[str], ...),
        rule=(choice(rules, "kind"), ...),
        **{weight: (values({}, distribution=True, mapping=True), None) for weight in WEIGHTS},
        delay_ms=(values({"low": 0.0}, distribution=True), None),
        gain=(_number(), None),
        short_term=(union(AbstractShortTerm), None),
        propagation=(Literal["auto", "sparse", "bcoo"], None),
        storage=(Literal["full", "float16", "bfloat16", "int16", "int8"], None),
    )
    network = _table(
        "network",
        dt_ms=(_number(above=0.0, high=100.0), ...),
        seed=(_whole(0, 2**32 - 1), 0),
        threads=(_whole(1, 256), 1),
    )
    run = _table(
        "run",
        duration_ms=(_number(above=0.0, high=_LONGEST_MS), ...),
        record=(list[union(AbstractRecord)], None),  # type: ignore[misc]
        checkpoint_every_ms=(_number(above=0.0, high=_LONGEST_MS), None),
        checkpoint_keep=(_whole(1, 1000), 2),
        stream=(bool, None),
    )
    return _table(
        "configuration",
        network=(network, ...),
        populations=(Annotated[_named(choice(neurons, "model")), pydantic.Field(min_length=1)], ...),
        projections=(_named(projection), {}),
        stimuli=(_named(union(AbstractStimulus)), {}),
        run=(run, ...),
        sweep=(_sweep(), None),
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"key {twice!r} stands there twice")
    return dict(pairs)


def read(file: Path) -> Any:
    """The raw content of a TOML or JSON file.

    Raises:
        ConfigError: Not there, of another type, or not well-formed; says at which line.
    """

    def refuse(got: str, allowed: str, remedy: str) -> ConfigError:
        return ConfigError([Problem(str(file), field_name(()), got, allowed, remedy)])

    if file.suffix not in (".toml", ".json"):
        raise refuse(f"a file named {file.name}", "*.toml or *.json", "rename it")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise refuse(f"no readable file ({reason})", "a text file in UTF-8", "check the path") from None
    try:
        return tomllib.loads(text) if file.suffix == ".toml" else json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise refuse(str(error), f"well-formed {file.suffix[1:].upper()}", "correct that line") from None


def parse(file: Path, raw: Any) -> Any:
    """The content of a file as checked tables.

    Raises:
        ConfigError: Unknown keys or names, values of a wrong form or out of range; all of them.
    """
    try:
        return schema().model_validate(raw)
    except pydantic.ValidationError as error:
        found: dict[str, Problem] = {}
        for detail in error.errors(include_url=False):
            problem = _explain(file, raw, detail)
            first = found.setdefault(problem.field, problem)
            if first is not problem and problem.allowed not in first.allowed:  # the parts of a union
                merged = f"{first.allowed} or {problem.allowed}"
                found[problem.field] = Problem(first.file, first.field, first.got, merged, first.remedy)
        raise ConfigError(list(found.values())) from None


def _place(raw: Any, loc: Place, *, missing: bool) -> tuple[Place, Any]:
    """Where in the file an error is: its path without the names of the types that were tried; and what stands there."""
    place: list[str | int] = []
    for i, part in enumerate(loc):
        inside = isinstance(raw, Mapping) and part in raw
        if inside or (isinstance(raw, list) and isinstance(part, int) and part < len(raw)):
            place, raw = [*place, part], raw[part]
        elif missing and i == len(loc) - 1:
            return (*place, part), None
    return tuple(place), raw


def _explain(file: Path, raw: Any, detail: Any) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    place, found = _place(raw, detail["loc"], missing=kind == "missing")
    allowed = context.get("allowed", "")
    if kind in ("key", "model"):
        key, names = context["key"], ", ".join(allowed)
        if kind == "key":
            hint = closest(str(key), allowed) or "remove it"
            return Problem(str(file), field_name((*place, key)), f"unknown key {key!r}", names, hint)
        name = found.get(key) if isinstance(found, Mapping) else found
        at = (*place, key) if isinstance(found, Mapping) else place
        if name is None and len(place) > 1 and place[-2] == "receptors":  # its name stands for its kind
            name, at = place[-1], place
        if name is None:
            return Problem(str(file), field_name(at), "nothing", names, f"add {key} = ...")
        return Problem(str(file), field_name(at), shown(name), names, closest(str(name), allowed))
    if kind == "missing":
        return Problem(str(file), field_name(place), "nothing", "it has to be given", f"add {place[-1]}")
    if kind == "number":
        return Problem(str(file), field_name(place), shown(context["bad"]), allowed, "give such a value")
    said = _WORDS.get(kind, str(detail["msg"]).removeprefix("Input should be "))
    return Problem(str(file), field_name(place), shown(found), allowed or said, "give such a value")
