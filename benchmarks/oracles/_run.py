"""Finds the files, runs their families in both precisions, prints the verdicts."""

import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax

from . import FAMILIES
from ._report import Case, Document, broken, merge


def run(arguments: argparse.Namespace) -> int:
    """Compare every file of a directory and print the outcome."""
    jax.config.update("jax_enable_x64", True)
    root = pathlib.Path(arguments.directory)
    if not root.is_dir():
        print(f"oracles: {root} is no directory")
        return 1
    verdicts = []
    unknown = []
    for path in _files(root):
        if arguments.only and path.stem not in arguments.only:
            continue
        if path.stem not in FAMILIES:
            unknown.append(path.stem)
            continue
        verdicts.append(verdict(path))
        _show(verdicts[-1], as_json=arguments.json, cases=arguments.cases)
    for name in unknown:
        print(json.dumps({"file": name, "known": False}) if arguments.json else f"unknown {name}")
    if not verdicts:
        print(f"oracles: no known file in {root}")
    return 0 if verdicts and all(v["pass"] for v in verdicts) else 1


def _files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    for folder in (root, root / "science"):
        yield from sorted(p for p in folder.glob("*.json") if not p.stem.startswith("cases_"))


def verdict(path: pathlib.Path) -> dict[str, Any]:
    """Outcome of one file as plain data."""
    family = importlib.import_module(f"benchmarks.oracles.{FAMILIES[path.stem]}")
    flags = getattr(family, "XLA_FLAGS", "")
    if flags and flags not in os.environ.get("XLA_FLAGS", ""):
        return _elsewhere(path, flags)
    began = time.perf_counter()
    try:
        document = json.loads(path.read_text(), parse_constant=_refuse)
        cases = cases_of(path.stem, document)
    except Exception as error:
        cases = [broken("file", f"{type(error).__name__}: {error}")]
    return verdict_of(path.stem, cases, time.perf_counter() - began)


def verdict_of(name: str, cases: list[Case], seconds: float) -> dict[str, Any]:
    """Outcome of a file from its cases."""
    figures = [f for c in cases for f in c.figures]
    worst = max(figures, key=lambda f: (f.load, f.error), default=None)
    first = next((c for c in cases if not c.ok), None)
    return {
        "file": name,
        "pass": bool(cases) and first is None,
        "cases_passed": sum(c.ok for c in cases),
        "cases": len(cases),
        "worst_error": worst.error if worst else None,
        "tolerance": worst.tolerance if worst else None,
        "worst_in": worst.what if worst else None,
        "first_failure": None if first is None else f"{first.name}: {_reason(first)}",
        "seconds": round(seconds, 1),
        "each": [(c.name, c.ok, _reason(c)) for c in cases],
    }


def _elsewhere(path: pathlib.Path, flags: str) -> dict[str, Any]:
    """Outcome of one file from a process of its own with other flags of the compiler."""
    root = str(pathlib.Path(__file__).parents[2])
    search = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "benchmarks", "oracles", str(path.parent.resolve()), "--only", path.stem, "--json"]
    setting = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(), "PYTHONPATH": search}
    done = subprocess.run([*command, "--cases"], env={**os.environ, **setting}, capture_output=True, text=True)
    try:
        outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    except (IndexError, json.JSONDecodeError):
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return verdict_of(path.stem, [broken("file", f"its process ended with {done.returncode}: {reason}")], 0.0)
    return outcome


def cases_of(name: str, document: Document) -> list[Case]:
    """Every case of a document in each precision of its family, merged by name."""
    family = importlib.import_module(f"benchmarks.oracles.{FAMILIES[name]}")
    parts: list[Case] = []
    for precision in getattr(family, "PRECISIONS", ("float64",)):
        with jax.enable_x64(precision == "float64"):
            parts += family.check(document, precision)
    return merge(parts)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not strict JSON")


def _reason(case: Case) -> str:
    bad = next((f for f in case.figures if not f.ok), None)
    if bad is not None:
        return str(bad)
    worst = max(case.figures, key=lambda f: (f.load, f.error), default=None)
    return f"{worst.what}: {worst.error:.3g} of {worst.tolerance:.3g}" if worst else "nothing compared"


def _show(v: dict[str, Any], *, as_json: bool, cases: bool) -> None:
    if as_json:
        print(json.dumps({k: x for k, x in v.items() if k != "each" or cases}), flush=True)
        return
    error, tolerance = ("-" if v[k] is None else f"{v[k]:.2g}" for k in ("worst_error", "tolerance"))
    line = f"{'pass' if v['pass'] else 'fail'} {v['file']} {v['cases_passed']}/{v['cases']} {error} {tolerance}"
    print(line + (f"  first: {v['first_failure']}" if v["first_failure"] else ""), flush=True)
    for name, ok, reason in v["each"] if cases else ():
        print(f"  {'pass' if ok else 'fail'} {name}  {reason}", flush=True)
