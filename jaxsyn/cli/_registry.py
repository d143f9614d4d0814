"""Models by name, read from the rooms: what a room exports can be named in a configuration."""

import dataclasses
import functools
import inspect
import re
import sys
import typing
from collections.abc import Callable
from typing import Any

_SNAKE_ROOMS = ("connect", "stimuli", "record")  # named by what they do: fixed_probability, poisson, state
_INTERNAL = ("SpikeEvents",)  # what SpikeTimes becomes inside a network


@dataclasses.dataclass(frozen=True)
class Model:
    """Something that a configuration can name: how it is made, and the class whose fields know the ranges."""

    name: str
    make: Callable[..., Any]
    owner: type


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _result(function: Callable[..., Any], owner: type) -> Any:
    """The class that a function says it returns."""
    hint = typing.get_type_hints(function, localns={owner.__name__: owner}).get("return")
    return hint if inspect.isclass(hint) else None


@functools.cache
def models(base: type) -> dict[str, Model]:
    """Models of one kind by name: concrete subclasses of `base` that its room exports, and functions that make one.

    Named constructors of a class stand as `Class.constructor`, such as `HodgkinHuxley.squid`.
    """
    room = base.__module__.split(".")[1]
    named = _snake if room in _SNAKE_ROOMS else str
    out: dict[str, Model] = {}
    for name, value in vars(sys.modules[f"jaxsyn.{room}"]).items():
        if name.startswith(("_", "from_")) or name in _INTERNAL:
            continue
        if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value):
            out[named(name)] = Model(named(name), value, value)
            for method, member in vars(value).items():
                if isinstance(member, classmethod) and not method.startswith("_"):
                    bound = getattr(value, method)
                    if _result(bound, value) is value:
                        out[f"{named(name)}.{method}"] = Model(f"{named(name)}.{method}", bound, value)
        elif inspect.isfunction(value):
            result = _result(value, base)
            if result is not None and issubclass(result, base):
                out[name] = Model(name, value, result)
    return dict(sorted(out.items()))


def find(name: str, names: typing.Iterable[str]) -> str | None:
    """The listed name that is meant: upper and lower case and underscores do not matter."""
    return next((n for n in names if _fold(n) == _fold(name)), None)


def _fold(name: str) -> str:
    return name.lower().replace("_", "")
