"""The house rules: who may import whom, how large things are, what they are called, and that they are explained.

Each message names the place and says what to do. A rule that is wrong is changed here, in the open, for every room.
"""

import ast
import dataclasses
import graphlib
import importlib
import inspect
import pathlib
import re
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import jaxsyn

PACKAGE = pathlib.Path(__file__).parent.parent / "jaxsyn"

# A room imports from lower floors only. The package itself ("") stands above the rooms that it re-exports.
FLOORS = {
    **dict.fromkeys(("_version", "_core", "units", "kernels"), 0),
    **dict.fromkeys(("surrogate", "connect", "encode", "analysis", "cost"), 1),
    **dict.fromkeys(("neurons", "receptors", "stimuli", "plasticity", "record"), 2),
    "network": 3,
    "simulate": 4,
    **dict.fromkeys(("train", "convert", "fit", "hardware", "checkpoint"), 5),
    **dict.fromkeys(("sweep", "health", "interop", "plot", "circuits", "plan"), 5),
    "": 6,
    **dict.fromkeys(("cli", "__main__"), 7),
}
ARROWS = {("kernels", "_core"), ("units", "_core"), ("__main__", "cli")}
ARROWS |= {("train", "checkpoint"), ("convert", "train"), ("hardware", "train"), ("health", "checkpoint")}
ARROWS |= {("sweep", "checkpoint")}

# `import jaxsyn` may load none of these. A room listed here is loaded on first use and may import its own at the top.
HEAVY = {"diffrax", "matplotlib", "orbax", "pydantic", "rich", "scipy", "structlog", "tensorstore", "typer"}
HEAVY_ROOMS = {"plot": {"matplotlib"}, "checkpoint": {"orbax", "tensorstore"}, "cli": HEAVY, "__main__": HEAVY}

FILE_LINES, FUNCTION_LINES, PARAMETERS = 400, 60, 8  # each stays below

UNITS = {"mV", "ms", "pA", "nS", "pF", "Hz", "mM", "um", "degC"}
FOREIGN_UNITS = {
    "V",
    "mv",
    "uV",
    "sec",
    "seconds",
    "us",
    "ns",
    "nA",
    "uA",
    "mA",
    "pS",
    "uS",
    "mS",
    "S",
    "nF",
    "uF",
    "F",
}
FOREIGN_UNITS |= {"hz", "kHz", "khz", "uM", "nM", "mm", "cm", "GOhm", "MOhm"}
DENSITY = {"cm2"}  # densities enter only through named constructors such as `from_densities`
PURE = {"steps", "step", "index", "fraction", "ratio", "factor", "bins", "bits"}
SYMBOLS = {"V", "E", "I", "g", "C", "R"}  # alone the symbol of a normalized equation; with a subscript a physical field
QUANTITIES = {"tau", "rate", "delay", "duration", "dt", "refractory", "period", "interval", "current", "voltage"}
QUANTITIES |= {"conductance", "capacitance", "frequency", "distance", "radius", "onset", "latency", "times"}
NO_PHYSICS = {"_core", "_version", "kernels", "__main__", ""}  # these see arrays and counts

MODELS = {"AbstractNeuron", "AbstractReceptor", "AbstractShortTerm"}  # what derives from these names its source
BASES = {"Parameters", "Table"}  # nothing is left abstract in these: models and config tables derive from them

ROOMS = sorted(
    room for room in FLOORS if room and (PACKAGE / room).is_dir() and (PACKAGE / room / "__init__.py").exists()
)
PUBLIC_ROOMS = [room for room in ROOMS if not room.startswith("_")]
PUBLIC_ROOMS += ["units"] if (PACKAGE / "units.py").exists() else []
every_room = pytest.mark.parametrize("room", [*ROOMS, ""], ids=[*ROOMS, "jaxsyn"])
every_public_room = pytest.mark.parametrize("room", PUBLIC_ROOMS)


def check(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)


def dotted(path: pathlib.Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {dotted(path): path for path in SOURCES}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def files_of(room: str) -> list[pathlib.Path]:
    return [path for name, path in MODULES.items() if room_of(name) == room]


def place(path: pathlib.Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 1)}"


def imports(path: pathlib.Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every imported module, with `from .a import b` resolved to `a.b` where that is a module."""
    package = dotted(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(SOURCES[path]):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield node, inner if inner in MODULES else source


def at_import_time(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when the module is imported: not those in functions, not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import_time(child)


def test_every_file_stands_in_a_known_room() -> None:
    unknown = {room_of(name) for name in MODULES} - set(FLOORS)
    check([f"jaxsyn/{room}: not in FLOORS; put the idea into an existing room, or add the floor" for room in unknown])


@every_room
def test_imports_go_down(room: str) -> None:
    problems = []
    for path in files_of(room):
        for node, target in imports(path):
            other = room_of(target)
            if target.split(".")[0] != "jaxsyn" or other == room:
                continue
            if FLOORS[other] >= FLOORS[room] and (room, other) not in ARROWS:
                shown = f"{room or 'jaxsyn'} (floor {FLOORS[room]}) imports {target} (floor {FLOORS[other]})"
                problems.append(f"{place(path, node)}: {shown}; move what both need to a lower floor, or pass it in")
            elif target.count(".") > 1 and target.split(".")[2].startswith("_"):
                problems.append(f"{place(path, node)}: imports the private {target}; re-export the name in {other}")
    check(problems)


def test_no_import_cycles() -> None:
    graph = {name: {target for _, target in imports(path) if target in MODULES} for name, path in MODULES.items()}
    cycle: list[str] = []
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1][::-1]
    check([f"import cycle {' -> '.join(cycle)}; move what they share to a file of its own"] if cycle else [])


@every_room
def test_sizes(room: str) -> None:
    problems = []
    for path in files_of(room):
        lines = len(path.read_text().splitlines())
        if lines >= FILE_LINES:
            problems.append(f"{place(path, SOURCES[path])}: {lines} lines, limit {FILE_LINES}; split it by idea")
        for owner in ast.walk(SOURCES[path]):
            for node in ast.iter_child_nodes(owner):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    faults = size_faults(node, method=isinstance(owner, ast.ClassDef))
                    problems += [f"{place(path, node)}: {node.name} {fault}" for fault in faults]
    check(problems)


def size_faults(node: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool) -> Iterator[str]:
    doc = ast.get_docstring(node, clean=False)
    lines = (node.end_lineno or 0) - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)
    if lines >= FUNCTION_LINES:
        yield f"has {lines} lines without docstring, limit {FUNCTION_LINES}; give its parts names"
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    count = len(arguments) + bool(node.args.vararg) + bool(node.args.kwarg)
    count -= bool(method and arguments and arguments[0].arg in ("self", "cls"))
    if count >= PARAMETERS and node.name != "__init__":  # the arguments of __init__ are the fields of the class
        yield f"has {count} parameters, limit {PARAMETERS}; group those that travel together in a class"


@pytest.mark.parametrize("room", ROOMS)
def test_room_is_private_files_and_one_list_of_names(room: str) -> None:
    problems = []
    for path in files_of(room):
        if not path.name.startswith("_"):
            problems.append(f"{place(path, SOURCES[path])}: rename to _{path.name}: only names are public")
    path = MODULES[f"jaxsyn.{room}"]
    if not ast.get_docstring(SOURCES[path]):
        problems.append(f"{place(path, SOURCES[path])}: say what the room is for and how to add one more of its kind")
    for node in SOURCES[path].body[1:]:
        ours = isinstance(node, ast.ImportFrom) and node.level == 1
        if not ours or any(alias.asname != alias.name for alias in node.names):
            problems.append(f"{place(path, node)}: only `from ._x import Y as Y` here; move the rest to a private file")
    check(problems)


@every_room
def test_heavy_packages_are_imported_late(room: str) -> None:
    problems = []
    for path in files_of(room):
        top = {id(node) for node in at_import_time(SOURCES[path])}
        for node, target in imports(path):
            package = target.split(".")[0]
            if id(node) in top and package in HEAVY - HEAVY_ROOMS.get(room, set()):
                problems.append(f"{place(path, node)}: imports {package} at the top; import it in the function")
    check(problems)


def test_import_jaxsyn_loads_nothing_heavy() -> None:
    code = "import sys, jax, equinox; had = set(sys.modules); import jaxsyn; print(*(set(sys.modules) - had))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {name.split(".")[0] for name in loaded} & HEAVY
    check([f"`import jaxsyn` loads {name}; import it in the function that needs it" for name in sorted(heavy)])


def own_classes(room: str) -> list[type]:
    modules = [importlib.import_module(name) for name in MODULES if room_of(name) == room]
    return [c for m in modules for c in vars(m).values() if inspect.isclass(c) and c.__module__ == m.__name__]


@every_public_room
def test_abstract_or_final(room: str) -> None:
    problems = []
    for cls in own_classes(room):
        where = f"{cls.__module__}.{cls.__qualname__}"
        named = cls.__name__.lstrip("_").startswith("Abstract")
        for base in cls.__bases__:
            ours = base.__module__.split(".")[0] == "jaxsyn" and not issubclass(base, BaseException)
            if ours and base.__name__ not in BASES and not base.__name__.lstrip("_").startswith("Abstract"):
                problems.append(f"{where}: derives from the concrete {base.__name__}; wrap it, or share a function")
        missing = [*getattr(cls, "__abstractmethods__", ()), *getattr(cls, "__abstractvars__", ())]
        if named and not missing:
            problems.append(f"{where}: is named Abstract but leaves nothing abstract; rename it, or make it a function")
        if missing and not named and not getattr(cls, "_is_protocol", False):
            problems.append(f"{where}: leaves {sorted(missing)} abstract; write them, or rename it Abstract...")
    check(problems)


@every_public_room
def test_states_end_in_state(room: str) -> None:
    problems = []
    for path in files_of(room):
        for node in ast.walk(SOURCES[path]):
            if isinstance(node, ast.FunctionDef) and node.name == "init_state" and node.returns:
                names = re.findall(r"\w+", ast.unparse(node.returns))
                if not any(name.endswith(("State", "StateT", "PyTree")) or name in ("Any", "None") for name in names):
                    got = ast.unparse(node.returns)
                    problems.append(f"{place(path, node)}: init_state returns {got}; name that module ...State")
    check(problems)


def public_objects(room: str) -> Iterator[tuple[str, Any]]:
    module = importlib.import_module(f"jaxsyn.{room}")
    for name, value in vars(module).items():
        origin = getattr(value, "__module__", None) or ""
        if not name.startswith("_") and callable(value) and origin.startswith(f"jaxsyn.{room}"):
            yield name, value


def parameters_of(value: Any) -> list[str]:
    if typing.is_typeddict(value):
        return list(value.__annotations__)
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls", "args", "kwargs")]


def public_methods(value: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in vars(value).items() if inspect.isclass(value) else ():
        bound = getattr(value, name, None)
        if not name.startswith("_") and isinstance(member, Callable | staticmethod | classmethod) and callable(bound):
            yield name, bound


def unit_fault(name: str) -> str | None:
    tokens = name.split("_")
    wrong = FOREIGN_UNITS.intersection(tokens[1:])
    if wrong and not DENSITY.intersection(tokens):
        return f"carries {wrong.pop()}, which is no unit of the house; convert at the border to one of {sorted(UNITS)}"
    physical = tokens[0] in QUANTITIES or (tokens[0] in SYMBOLS and len(tokens) > 1)
    if physical and not (UNITS | PURE | DENSITY).intersection(tokens):
        return f"is physical; add its unit, one of {sorted(UNITS)}; a count of steps ends in _steps"
    return None


@every_public_room
def test_physical_names_carry_their_unit(room: str) -> None:
    problems = []
    for name, value in public_objects(room) if room not in NO_PHYSICS else ():
        owners = {name: value} | {f"{name}.{method}": bound for method, bound in public_methods(value)}
        parameters = [(owner, argument) for owner, bound in owners.items() for argument in parameters_of(bound)]
        if dataclasses.is_dataclass(value):
            parameters += [(name, field.name) for field in dataclasses.fields(value)]
        for owner, argument in dict.fromkeys(parameters):
            fault = unit_fault(argument)
            if fault and not argument.startswith("_"):
                problems.append(f"jaxsyn.{room}.{owner}: {argument} {fault}")
    check(problems)


def doc_faults(room: str, name: str, value: Any) -> Iterator[str]:
    doc = inspect.cleandoc(value.__doc__ or "")
    if not doc or doc.startswith(f"{name}("):  # the second is what dataclasses write
        yield "has no docstring; one line, equation, Args with shapes and units, Raises, References, Example"
        return
    if not doc.splitlines()[0].endswith("."):
        yield "starts with a line that is not one sentence; say there what it does"
    state = name.endswith("State")
    unnamed = [p for p in parameters_of(value) if not re.search(rf"(?<!\w){re.escape(p)}(?!\w)", doc)]
    if unnamed and not issubclass(value if inspect.isclass(value) else object, BaseException):
        yield f"does not explain {', '.join(unnamed)}; add to Args, with shape and unit"
    if parameters_of(value) and not state and not re.search(r"^(Args|Attributes):", doc, re.M):
        yield "has parameters but no section Args"
    if not state and not name.startswith("Abstract") and not typing.is_typeddict(value):
        if ">>> " not in doc:
            yield "has no example; add Example: with a few runnable `>>> ` lines"
        model = MODELS.intersection(base.__name__ for base in getattr(value, "__mro__", ())) or room == "circuits"
        if model and "References:" not in doc:
            yield "names no source; add References: author (year), title, equation"
    for method, bound in public_methods(value):
        if not inspect.getdoc(bound):
            yield f"has an undocumented method {method}; one line, with shapes and units"


@every_public_room
def test_every_public_name_is_explained(room: str) -> None:
    found = [(name, fault) for name, value in public_objects(room) for fault in doc_faults(room, name, value)]
    check([f"jaxsyn.{room}.{name} {fault}" for name, fault in found])


def test_the_package_names_what_it_offers() -> None:
    assert isinstance(jaxsyn, ModuleType)
    assert jaxsyn.__doc__
    assert re.fullmatch(r"\d+\.\d+\.\d+(\w*)", jaxsyn.__version__)
