"""What is wrong with a configuration, in the form that a person needs: file, field, got, allowed, remedy."""

import dataclasses
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Place = tuple[str | int, ...]

_SENTENCE = re.compile(
    r"^(?:(?P<what>[^;]*?): )?got (?P<got>.*?)[;,] allowed: (?P<allowed>.*?)(?:(?:; |(?<!e\.g)\. )(?P<remedy>.+))?$",
    re.DOTALL,
)


def field_name(place: Place) -> str:
    """Dotted path of a field, list entries in brackets: `run.record[1].every_ms`."""
    out = ""
    for part in place:
        out += f"[{part}]" if isinstance(part, int) else f".{part}"
    return out.lstrip(".") or "(whole file)"


def shown(value: Any) -> str:
    """A value as it stands in the file, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def closest(name: str, names: Iterable[str]) -> str:
    """A hint at the name that was probably meant, or an empty text."""
    folded = {n.lower().replace("_", ""): n for n in names}
    found = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.5)
    return f"did you mean {folded[found[0]]}?" if found else ""


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was found, what may stand there, what to do."""

    file: str
    field: str
    got: str
    allowed: str
    remedy: str

    @classmethod
    def from_message(cls, file: Path, place: Place, message: str) -> "Problem":
        """From a `ValueError` of the library, which says the same in one sentence."""
        match = _SENTENCE.match(message)
        if match is None:
            return cls(str(file), field_name(place), message, "", "")
        got = f"{match['what']}: {match['got']}" if match["what"] else match["got"]
        return cls(str(file), field_name(place), got, match["allowed"], match["remedy"] or "")

    def lines(self) -> list[str]:
        """The problem as text."""
        plain = not (self.allowed or self.remedy)
        rows = [f"{self.file}: {self.field}", f"  {self.got}" if plain else f"  got:     {self.got}"]
        rows += [f"  allowed: {self.allowed}"] if self.allowed else []
        rows += [f"  remedy:  {self.remedy}"] if self.remedy else []
        return rows


class ConfigError(Exception):
    """A configuration that cannot be run; holds all problems that were found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(line for p in self.problems for line in p.lines()))
