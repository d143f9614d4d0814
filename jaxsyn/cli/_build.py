"""From a checked configuration to a network and its records."""

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from .. import record as records
from ..network import Network, Population, Projection, Sketch, sketch
from ._problems import ConfigError, Place, Problem, closest, field_name, shown
from ._schema import WEIGHTS, Component, FileTable

T = TypeVar("T")

_OWNER = re.compile(r"\b(population|projection|stimulus) '([^']+)'", re.IGNORECASE)
_ROOMS = {"population": "populations", "projection": "projections", "stimulus": "stimuli"}


class Builder:
    """Makes the objects of a configuration; a refusal of the library becomes a problem with its place in the file."""

    def __init__(self, file: Path, config: Any) -> None:
        self.file, self.config = file, config

    def network(self) -> Network:
        """The network.

        Raises:
            ConfigError: Something does not fit together.
        """
        return self._assemble(Network)

    def sketch(self) -> Sketch:
        """The network by its shapes, with nothing drawn.

        Raises:
            ConfigError: Something does not fit together.
        """
        return self._assemble(sketch)

    def _assemble(self, make: Callable[..., T]) -> T:
        problems = list(self._problems())
        if problems:
            raise ConfigError(problems)
        config = self.config
        populations = {n: self._population(n, p) for n, p in config.populations.items()}
        projections = {n: self._projection(n, p) for n, p in config.projections.items()}
        stimuli = {n: self.make(s, ("stimuli", n)) for n, s in config.stimuli.items()}
        return self._try(
            ("network",),
            make,
            populations,
            projections,
            stimuli,
            dt_ms=config.network.dt_ms,
            seed=config.network.seed,
            threads=config.network.threads,
        )

    def records(self) -> list[records.AbstractRecord]:
        """What to record; all spikes where the configuration does not say."""
        if self.config.run.record is None:
            return [records.Spikes()]
        return [self.make(r, ("run", "record", i)) for i, r in enumerate(self.config.run.record)]

    def make(self, node: Any, place: Place) -> Any:
        """The object that a table, a list or a number of the file stands for."""
        if isinstance(node, Component):
            given = [name for name in node.model_fields_set if name != node.KEY]
            arguments = {name: self.make(getattr(node, name), (*place, name)) for name in given}
            return self._try(place, node.MODEL.make, **arguments)
        if isinstance(node, FileTable):
            return self._array(node, place)
        if isinstance(node, Mapping):
            return {key: self.make(value, (*place, key)) for key, value in node.items()}
        if isinstance(node, list | tuple) and node and isinstance(node[0], Component):
            return tuple(self.make(value, (*place, i)) for i, value in enumerate(node))
        return node

    def _population(self, name: str, node: Any) -> Population:
        place = ("populations", name)
        make = type(node).model_fields["parameters"].annotation.MODEL.make
        neuron = (
            self._try(place, make) if node.parameters is None else self.make(node.parameters, (*place, "parameters"))
        )
        options = self._options(node, ("integrator", "refractory_ms", "initial"), place)
        receptors = self.make(node.receptors or {}, (*place, "receptors"))
        return self._try(place, Population, neuron, node.size, receptors, **options)

    def _projection(self, name: str, node: Any) -> Projection:
        place = ("projections", name)
        options = self._options(node, (*WEIGHTS, "delay_ms", "gain", "short_term", "propagation", "storage"), place)
        return self._try(place, Projection, node.source, node.target, self.make(node.rule, (*place, "rule")), **options)

    def _options(self, node: Any, names: tuple[str, ...], place: Place) -> dict[str, Any]:
        return {n: self.make(getattr(node, n), (*place, n)) for n in names if n in node.model_fields_set}

    def _try(self, place: Place, make: Callable[..., T], *args: Any, **options: Any) -> T:
        try:
            return make(*args, **options)
        except (TypeError, ValueError) as error:
            raise self.refusal(place, error) from error

    def refusal(self, place: Place, error: Exception) -> ConfigError:
        """What the library refused as a problem of the file."""
        owner = _OWNER.search(str(error))
        if owner is not None and place[0] in ("network", "run") and len(place) == 1:
            place = (_ROOMS[owner[1].lower()], owner[2])
        return ConfigError([Problem.from_message(self.file, place, str(error))])

    def _array(self, node: FileTable, place: Place) -> np.ndarray[Any, Any]:
        """An array of numbers from a file beside the configuration; never unpickled."""
        path = self.file.parent / node.file
        allowed = "an .npy file, or an .npz file and the name of one of its arrays"

        def refuse(got: str, remedy: str) -> ConfigError:
            return ConfigError([Problem(str(self.file), field_name(place), got, allowed, remedy)])

        try:
            with open(path, "rb") as file:
                found = np.load(file, allow_pickle=False)
                if isinstance(found, np.ndarray) and node.array is None:
                    array = found
                elif isinstance(found, np.ndarray) or node.array is None or node.array not in found:
                    names = ", ".join(getattr(found, "files", ())) or "one array without a name"
                    raise refuse(f"array {node.array!r} of {path}, which has {names}", "name one of these")
                else:
                    array = found[node.array]
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise refuse(f"{path}: {error}", "check the path; arrays of objects are not read") from None
        if array.dtype.kind not in "biuf":
            raise refuse(f"{path}: an array of {array.dtype}", "save it as numbers")
        return array

    def _problem(self, place: Place, got: str, allowed: str, remedy: str = "") -> Problem:
        return Problem(str(self.file), field_name(place), got, allowed, remedy)

    def _problems(self) -> Iterator[Problem]:
        """What the parts of the file say about each other."""
        yield from self._times()
        yield from self._names()
        run = self.config.run
        if run.checkpoint_every_ms is not None and run.stream is False:
            place = ("run", "stream")
            yield self._problem(place, "false with checkpoint_every_ms", "true", "resuming needs the streamed records")

    def _times(self) -> Iterator[Problem]:
        """Times that have to lie on the grid of steps."""
        dt_ms, run = self.config.network.dt_ms, self.config.run
        times: list[tuple[Place, Any]] = [
            (("run", "duration_ms"), run.duration_ms),
            (("run", "checkpoint_every_ms"), run.checkpoint_every_ms),
        ]
        times += [
            (("run", "record", i, "every_ms"), getattr(r, "every_ms", None)) for i, r in enumerate(run.record or ())
        ]
        times += [(("projections", n, "delay_ms"), p.delay_ms) for n, p in self.config.projections.items()]
        for place, time_ms in times:
            if not isinstance(time_ms, int | float) or (time_ms == 0 and place[-1] == "delay_ms"):
                continue
            steps = round(time_ms / dt_ms)
            if steps < 1 or abs(steps - time_ms / dt_ms) > 1e-4:
                near = f"{max(steps, 1) * dt_ms:g}"
                yield self._problem(place, shown(time_ms), f"a multiple of network.dt_ms = {dt_ms:g}", f"take {near}")

    def _names(self) -> Iterator[Problem]:
        """Names that have to stand for a population of the file, or a receptor of it."""
        config = self.config
        for room, name, node in [
            *(("projections", n, p) for n, p in config.projections.items()),
            *(("stimuli", n, s) for n, s in config.stimuli.items()),
        ]:
            targets = [node.target] if isinstance(node.target, str) else node.target
            ends_from = node.source if room == "projections" else []
            sources = [ends_from] if isinstance(ends_from, str) else ends_from
            ends = [*(("target", t) for t in targets), *(("source", s) for s in sources)]
            for key, population in ends:
                yield from self._known((room, name, key), population, config.populations)
            for weight in WEIGHTS:
                given = getattr(node, weight, None)
                for receptor in given if isinstance(given, dict) else ():
                    for target in targets:
                        known = getattr(config.populations.get(target), "receptors", None)
                        if target in config.populations:
                            yield from self._known((room, name, weight, receptor), receptor, known or {})
        for i, r in enumerate(config.run.record or ()):
            for key in ("variable", "population", "populations", "projection"):
                value = getattr(r, key, None)
                for text in [value] if isinstance(value, str) else value or []:
                    among = config.projections if key == "projection" else config.populations
                    first = text.split(".")[0] if key == "variable" else text
                    yield from self._known(("run", "record", i, key), first, among)

    def _known(self, place: Place, name: str, names: Mapping[str, Any]) -> Iterator[Problem]:
        if name not in names:
            yield self._problem(place, shown(name), ", ".join(names) or "none is defined", closest(name, names))
