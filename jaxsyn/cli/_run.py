"""`jaxsyn run`: a configuration, simulated into a folder, from the start or from the last checkpoint."""

import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

from .. import checkpoint
from .._core import write_whole
from .._version import __version__
from ..kernels import native_status
from ..network import Network, NetworkState, SparseLink
from ..record import AbstractRecord
from ..simulate import Solution, load_stream, simulate
from ._build import Builder
from ._config import parse, read
from ._output import population_summary, spike_arrays, state_arrays, write_json, write_npz, write_raster
from ._problems import ConfigError, Problem

COPY = "config"  # with the suffix of the original
SUFFIXES = (".toml", ".json")
RESULTS = ("spikes.npz", "states.npz", "summary.json", "raster.png")


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command line asked for.

    Attributes:
        config: The configuration.
        out: Folder of the results.
        resume: Go on from the last checkpoint in that folder.
        overwrite: Delete the results of an earlier run there.
        progress: Show a progress bar.
    """

    config: Path
    out: Path
    resume: bool = False
    overwrite: bool = False
    progress: bool = False


class _Logged:
    """Checkpoints of a run, each reported when it is written."""

    def __init__(self, folder: Path, every_ms: float | None, keep: int, log: Any) -> None:
        self.every_ms, self._log = every_ms, log
        self._kept = checkpoint.Checkpoints(folder, every_ms, keep)

    def save(self, net: Network, state: NetworkState) -> None:
        """Write a checkpoint of a state of a network."""
        self._kept.save(net, state)
        self._log.info("checkpoint", t_ms=round(int(state.tick) * net.dt_ms, 9))


class _Run:
    """One run of a configuration."""

    def __init__(self, request: Request, log: Any) -> None:
        self.request, self.log = request, log
        self.raw = read(request.config)
        self.config = parse(request.config, self.raw)
        self.builder = Builder(request.config, self.config)
        self.streams = self.config.run.stream or self.config.run.checkpoint_every_ms is not None

    def refuse(self, field: str, got: str, allowed: str, remedy: str) -> ConfigError:
        """A problem of the request itself."""
        return ConfigError([Problem(str(self.request.config), field, got, allowed, remedy)])

    def prepare(self) -> None:
        """Make the folder ready; what an earlier run left there is neither lost nor mixed in unasked."""
        out = self.request.out
        if out.exists() and not out.is_dir():
            raise self.refuse("--out", f"{out}, which is a file", "a folder", "name another one")
        left = [
            *out.glob("records/*.npz"),
            *out.glob("checkpoints/*"),
            *(out / n for n in RESULTS if (out / n).exists()),
        ]
        copies = [path for suffix in SUFFIXES if (path := out / f"{COPY}{suffix}").exists()]
        if left and self.request.resume:
            old = read(copies[0]) if copies else self.raw
            if old.get("run", {}).get("record") != self.raw["run"].get("record"):
                remedy = f"take those of {copies[0]}, or start anew with --overwrite"
                raise self.refuse("run.record", "other records", "the records of the run that is resumed", remedy)
        elif left and not self.request.overwrite:
            allowed = "a folder without results"
            remedy = "go on with --resume, replace it with --overwrite, or name another folder with --out"
            raise self.refuse("--out", f"{out}, which holds a run", allowed, remedy)
        elif left:
            for name in ("records", "checkpoints"):
                shutil.rmtree(out / name, ignore_errors=True)
            for name in RESULTS:
                (out / name).unlink(missing_ok=True)

    def copy_config(self) -> None:
        """Leave a copy of the configuration beside the results."""
        out, config = self.request.out, self.request.config
        out.mkdir(parents=True, exist_ok=True)
        copy = out / f"{COPY}{config.suffix}"
        if copy.resolve() == config.resolve():
            return
        for suffix in SUFFIXES:
            (out / f"{COPY}{suffix}").unlink(missing_ok=True)
        text = config.read_bytes()
        write_whole(copy, lambda file: _write(file, text))

    def start(self, net: Network) -> NetworkState | None:
        """State to go on from, or None to begin."""
        folder = self.request.out / "checkpoints"
        if not self.request.resume:
            return None
        if checkpoint.latest(folder) is None:
            self.log.info("no checkpoint yet, starting at 0 ms", folder=str(folder))
            return None
        try:
            state = checkpoint.restore(folder, net)
        except ValueError as error:
            said = str(error).split("; restore into", 1)[0]
            remedy = "restore that configuration, or start anew with --overwrite"
            raise self.refuse("--resume", said, "the network of the checkpoint", remedy) from error
        t_ms, duration_ms = int(state.tick) * net.dt_ms, self.config.run.duration_ms
        if int(state.tick) > self.steps(net):
            allowed = f">= {t_ms:g}, where the run already is"
            raise self.refuse("run.duration_ms", f"{duration_ms:g}", allowed, "give the whole duration, not the rest")
        self.log.info("resumed", t_ms=round(t_ms, 9))
        return state

    def steps(self, net: Network) -> int:
        """Steps of the whole run."""
        return round(float(self.config.run.duration_ms) / net.dt_ms)

    def simulate(self, net: Network, records: list[AbstractRecord], state: NetworkState | None) -> Solution:
        """The whole run as one solution; only what is left is computed."""
        out, run = self.request.out, self.config.run
        done = 0 if state is None else int(state.tick)
        stream = out / "records" if self.streams else None
        solution = None
        if done < self.steps(net) or stream is None:
            try:
                solution = simulate(
                    net,
                    (self.steps(net) - done) * net.dt_ms,
                    record=records,
                    state=state,
                    checkpoint=_Logged(out / "checkpoints", run.checkpoint_every_ms, run.checkpoint_keep, self.log),
                    stream=stream,
                    progress=self.request.progress,
                )
            except ValueError as error:  # refused before the first step
                raise self.builder.refusal(("run",), error) from error
            state = solution.final_state
        if stream is None:
            assert solution is not None
            return solution
        assert state is not None
        whole = load_stream(stream, net, record=records, state=state)
        seconds = (solution.wall_s, solution.compile_s) if solution is not None else (0.0, 0.0)
        return dataclasses.replace(whole, wall_s=seconds[0], compile_s=seconds[1])

    def write(self, net: Network, solution: Solution, seconds: dict[str, float]) -> dict[str, Any]:
        """Write the results; gives the summary."""
        out = self.request.out
        write_npz(out / "spikes.npz", spike_arrays(solution))
        write_npz(out / "states.npz", state_arrays(solution))
        write_raster(out / "raster.png", solution)
        sparse = [link.graph.n_synapses for link in net.links if isinstance(link, SparseLink)]
        summary = {
            "config": self.request.config.name,
            "jaxsyn": __version__,
            "kernels": native_status(),
            "neurons": net.size(),
            "synapses": sum(sparse),
            "dt_ms": net.dt_ms,
            "seed": int(net.seed),
            "t_start_ms": solution.t_start_ms,
            "t_stop_ms": solution.t_stop_ms,
            "result": solution.result,
            "populations": {name: population_summary(solution.spikes[name]) for name in solution.spikes},
            "seconds": {**seconds, "compile": solution.compile_s, "simulate": solution.wall_s},
        }
        write_json(out / "summary.json", summary)
        return summary


def _write(file: Any, content: bytes) -> None:
    file.write(content)


def run(request: Request, log: Any) -> dict[str, Any]:
    """Run a configuration; gives what `summary.json` holds.

    Args:
        request: What to run and where to write it.
        log: A structlog logger.
    Raises:
        ConfigError: The configuration, or the request, cannot be run.
        SimulationError: The run failed; checkpoints and streamed records up to there are kept.
    """
    whole = _Run(request, log)
    began = time.perf_counter()
    net = whole.builder.network()
    records = whole.builder.records()
    built_s = time.perf_counter() - began
    whole.prepare()
    log.info("built", neurons=net.size(), seconds=round(built_s, 3), kernels=native_status())
    state = whole.start(net)
    whole.copy_config()
    solution = whole.simulate(net, records, state)
    return whole.write(net, solution, {"build": built_s})
