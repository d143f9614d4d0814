"""The raw lines: a machine, then one JSON object for each run, appended as they come."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
from collections.abc import Sequence
from typing import Any

from benchmarks._process import ROOT, elsewhere
from benchmarks.peers import run_peer

from ._plan import Run

Line = dict[str, Any]


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions; nothing that names the machine."""
    cpu = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory_GB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "numpy")}
    about = {"cpu": cpu, "cores": cores, "memory_GB": round(memory_GB, 1), "system": platform.system()}
    return {**about, "Python": platform.python_version(), **versions}


def commit() -> str:
    """The commit that is measured, with a + if what is measured was changed since; nothing outside a clone."""
    try:
        of = [["git", "rev-parse", "--short=7", "HEAD"], ["git", "status", "--porcelain", "jaxsyn", "benchmarks"]]
        said = [subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.strip() for words in of]
    except OSError:
        return ""
    return said[0] + "+" * bool(said[1])


@dataclasses.dataclass
class Results:
    """What a file holds."""

    path: pathlib.Path
    machine: dict[str, Any]
    lines: dict[str, Line]

    @classmethod
    def open(cls, path: pathlib.Path, here: dict[str, Any]) -> "Results":
        """Read a file, or begin one.

        Raises:
            SystemExit: The file is damaged, or of another machine.
        """
        if not path.exists():
            return cls(path, here, {})
        try:
            first, *rest = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
            there, lines = first["machine"], {line["run"]: line for line in rest}
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"report: {path} is no file of results ({error!r}); give another with --results") from None
        differs = [key for key in {**there, **here} if there.get(key) != here.get(key)]
        if differs:
            shown = ", ".join(f"{key} {there.get(key)} there, {here.get(key)} here" for key in differs)
            raise SystemExit(f"report: {path} is of another machine ({shown}); begin another with --results")
        return cls(path, there, lines)

    def append(self, key: str, line: Line) -> None:
        """Keep the line of a run."""
        self.lines[key] = {"run": key, "commit": commit(), **line}
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps({"machine": self.machine}) + "\n", encoding="utf-8")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[key]) + "\n")

    def of(self, run: Run) -> Line | None:
        """The line of a run, if it was done."""
        return self.lines.get(run.key)

    def together(self, runs: Sequence[Run]) -> Line | None:
        """One line for runs that differ in their seed: median of medians, extremes of times and rates."""
        lines = [line for run in runs if (line := self.of(run)) is not None]
        if not lines:
            return None
        seconds = [line["run_s_per_bio_s"] for line in lines]
        low = min(line["run_s_per_bio_s_min"] for line in lines)
        high = max(line["run_s_per_bio_s_max"] for line in lines)
        rates = [line.get(f"rate_Hz{end}", line["rate_Hz"]) for line in lines for end in ("_min", "_max")]
        times = {"run_s_per_bio_s": statistics.median(seconds), "run_s_per_bio_s_min": low, "run_s_per_bio_s_max": high}
        mean = statistics.mean(line["rate_Hz"] for line in lines)
        return {**lines[0], **times, "rate_Hz": mean, "rate_Hz_min": min(rates), "rate_Hz_max": max(rates)}


def execute(run: Run, python: str | None) -> Line:
    """The line of a run, or one with `error`."""
    if run.simulator != "jaxsyn":
        return run_peer(run.simulator, python, run.task, run.options)
    try:
        long = run.task == "long"  # which ends with 1 where a run was not as it must be
        lines = elsewhere("long", accept=(0, 1)) if long else elsewhere("speed", run.task, *run.options)
        return {"simulator": "jaxsyn", **lines[-1]}
    except SystemExit as error:
        return {"simulator": "jaxsyn", "error": str(error).strip().splitlines()[-1]}
