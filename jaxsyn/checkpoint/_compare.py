"""The first difference between two networks, in the words of the person who built them."""

from collections.abc import Iterator
from typing import Any

from ._describe import Table

_PLURAL = ("connections", "delays", "weights", "samples")
_ROOMS = (("populations", "population"), ("projections", "projection"), ("stimuli", "stimulus"))


def first_difference(here: Table, saved: Table, *, strict: bool) -> str | None:
    """The first thing in which a network differs from the one in a checkpoint, or None.

    Args:
        here: Description of the network at hand.
        saved: Description in the checkpoint.
        strict: Whether everything must agree, or only what gives the state its form.
    Returns:
        The difference in words, or None.
    Example:
        >>> import jaxsyn as js
        >>> from jaxsyn.checkpoint import describe
        >>> nets = [js.Network({"E": js.Population(js.neurons.LIF(), n)}, dt_ms=0.1) for n in (10, 20)]
        >>> first_difference(*(describe(net) for net in nets), strict=True)
        "population 'E' has 10 neurons, the checkpoint has 20"
    """
    return next(_differences(here, saved, strict), None)


def _differences(here: Table, saved: Table, strict: bool) -> Iterator[str]:
    if here["numbers"] != saved["numbers"]:
        yield f"numbers are {here['numbers']}, the checkpoint has {saved['numbers']} (jax_enable_x64)"
    if here["dt_ms"] != saved["dt_ms"]:
        yield f"dt_ms is {here['dt_ms']}, the checkpoint has {saved['dt_ms']}"
    for key, word in _ROOMS if strict else _ROOMS[:2]:
        yield from _names(here[key], saved[key], word)
    for key, word in _ROOMS if strict else _ROOMS[:1]:
        for name in here[key]:
            if name in saved[key]:
                yield from _structure(here[key][name], saved[key][name], f"{word} {name!r}")
    if not strict:
        return
    if here["seed"] != saved["seed"]:
        yield f"seed is {here['seed']}, the checkpoint has {saved['seed']}"
    for name, mine in here["projections"].items():
        yield from _drawn(mine["drawn"], saved["projections"][name]["drawn"], f"projection {name!r}")
    for key, word in _ROOMS:
        for name in here[key]:
            yield from _values(here[key][name]["values"], saved[key][name]["values"], f"{word} {name!r}")


def _names(here: Table, saved: Table, word: str) -> Iterator[str]:
    for name in here:
        if name not in saved:
            yield f"{word} {name!r} is not in the checkpoint, which has {sorted(saved)}"
    for name in saved:
        if name not in here:
            yield f"{word} {name!r} of the checkpoint is missing; the network has {sorted(here)}"
    if list(here) != list(saved):
        yield f"{word} names are in the order {list(here)}, in the checkpoint {list(saved)}"


def _structure(here: Table, saved: Table, where: str) -> Iterator[str]:
    for key in [k for k in here if k not in ("drawn", "values")]:
        mine, theirs = here[key], saved.get(key)
        if mine == theirs:
            continue
        if key == "neurons":
            yield f"{where} has {mine} neurons, the checkpoint has {theirs}"
        elif key == "receptors" and isinstance(mine, dict) and isinstance(theirs, dict):
            yield from _receptors(mine, theirs, where)
        else:
            yield f"{where}: {key} is {_short(mine)}, the checkpoint has {_short(theirs)}"


def _drawn(here: Table, saved: Table, where: str) -> Iterator[str]:
    for key, text in (("synapses", "{} synapses"), ("longest delay", "delays up to {} steps")):
        if here.get(key) != saved.get(key):
            yield f"{where} has {text.format(here.get(key))}, the checkpoint has {saved.get(key)}"


def _receptors(here: Table, saved: Table, where: str) -> Iterator[str]:
    if list(here) != list(saved):
        yield f"{where} has receptors {list(here)}, the checkpoint has {list(saved)}"
    for name in here:
        if name in saved and here[name] != saved[name]:
            yield f"{where}: receptor {name!r} is {_short(here[name])}, the checkpoint has {_short(saved[name])}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 160 else text[:157] + "..."


def _values(here: dict[str, str], saved: dict[str, str], where: str) -> Iterator[str]:
    for name in [*here, *saved]:
        mine, theirs = here.get(name), saved.get(name)
        if mine == theirs:
            continue
        if mine is None or theirs is None or "sha256" in mine or "sha256" in theirs:
            yield f"{where}: {name} {'differ' if name in _PLURAL else 'differs'}"
        else:
            yield f"{where}: {name} is {mine}, the checkpoint has {theirs}"
