"""Measured constants in the user's cache folder: written whole, checked when read."""

import dataclasses
import functools
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import jax

from .._core import float_dtype, write_whole
from .._version import __version__
from ..kernels import native_available
from ._machine import Machine

_FORMAT = 1
_REMEDY = "run `jaxsyn plan --calibrate`"


def cache_file() -> Path:
    """Where the constants of this machine are kept: `jaxsyn/machine.json` in the user's cache folder.

    `XDG_CACHE_HOME` where it is set to an absolute path, else the folder that the system has for it.

    Returns:
        The path; there may be no such file.
    Example:
        >>> cache_file().name
        'machine.json'
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        folder = Path(given)
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        folder = Path.home() / ".cache"
    return folder / "jaxsyn" / "machine.json"


@functools.cache
def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _conditions() -> dict[str, Any]:
    """What constants hold for: another value of any of these, and they are refused."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "backend": jax.default_backend(),
        "jax": jax.__version__,
        "jaxsyn": __version__,
        "native": native_available(),
        "floats": str(float_dtype()),
    }


def save_machine(machine: Machine, file: Path | None = None) -> Path:
    """Keep measured constants for later plans.

    Args:
        machine: What was measured.
        file: Where; default `cache_file()`.
    Returns:
        The file.
    Raises:
        ValueError: A constant is negative or not finite.
    Example:
        >>> import pathlib
        >>> save_machine(Machine(name="mine"), pathlib.Path("machine.json")).exists()
        True
    """
    file = cache_file() if file is None else file
    constants = _checked(dataclasses.asdict(machine))
    content = {"format": _FORMAT, "conditions": _conditions(), "constants": constants}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, lambda part: part.write(f"{json.dumps(content, indent=2)}\n".encode()))
    return file


def this_machine(file: Path | None = None) -> tuple[Machine, str]:
    """Constants to plan with, and where they are from: those measured on this machine, else the defaults.

    Args:
        file: Where to look; default `cache_file()`.
    Returns:
        The constants, and one sentence that says which they are; where a file is refused, why.
    Example:
        >>> import pathlib
        >>> this_machine(pathlib.Path("nowhere.json"))[1]
        'default constants, nothing was measured on this machine; run `jaxsyn plan --calibrate`'
    """
    file = cache_file() if file is None else file
    if not file.exists():
        return Machine(), f"default constants, nothing was measured on this machine; {_REMEDY}"
    try:
        machine = _read(file)
    except ValueError as error:
        return Machine(), f"default constants, {file} is refused: {error}; {_REMEDY}"
    return machine, f"constants measured on this machine ({machine.name})"


def _read(file: Path) -> Machine:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be read ({error})") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"is not a file of format {_FORMAT}")
    conditions = content.get("conditions")
    for name, now in _conditions().items():
        found = conditions.get(name) if isinstance(conditions, dict) else None
        if found != now:
            raise ValueError(f"measured with {name} {found!r}, this is {now!r}")
    return Machine(**_checked(content.get("constants")))


def _checked(constants: Any) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(Machine)]
    if not isinstance(constants, dict) or sorted(constants) != sorted(names):
        raise ValueError(f"got constants {list(constants or ())}; allowed: {', '.join(names)}")
    for name, value in constants.items():
        if name == "name":
            if not isinstance(value, str):
                raise ValueError(f"name: got {value!r}; allowed: a text")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
            raise ValueError(f"{name}: got {value!r}; allowed: a finite number >= 0")
    return {name: constants[name] for name in names}
