"""What the documentation shows is executed: every Python block, every `>>> ` example, the lines a reader counts.

README marks what this file and `.ci/run` look for with a comment on the line before the block: `<!-- hello -->`,
`<!-- balanced -->` and `<!-- training -->` before Python, `<!-- demo -->` and `<!-- test -->` before the two commands.
"""

import doctest
import importlib
import inspect
import io
import pathlib
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import jax
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- *(?P<mark>\w+) *-->\s*\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```\s*$", re.MULTILINE | re.DOTALL
)
LIMITS = {"hello": 10, "balanced": 20, "training": 25}
FILES = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "jaxsyn").rglob("*.py"))]
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in FILES if path.name != "__main__"]


def blocks(page: pathlib.Path, language: str) -> list[tuple[int, str | None, str]]:
    """Line number, mark and text of each block in one language."""
    text = page.read_text()
    found = [match for match in BLOCK.finditer(text) if match["language"] == language]
    return [(text.count("\n", 0, match.start("text")) + 1, match["mark"], match["text"]) for match in found]


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda page: page.name)
def test_python_blocks_run(page: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # examples may write files
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # as the reader has them
        for line, _, text in blocks(page, "python"):
            exec(compile("\n" * (line - 1) + text, str(page), "exec"), namespace)


@pytest.mark.parametrize("mark", LIMITS)
def test_readme_examples_are_short(mark: str) -> None:
    texts = [text for _, found, text in blocks(ROOT / "README.md", "python") if found == mark]
    assert len(texts) == 1, f"README.md needs one ```python block right after the line <!-- {mark} -->"
    lines = [line for line in texts[0].splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(lines) <= LIMITS[mark], f"the {mark} example has {len(lines)} lines, limit {LIMITS[mark]}"


@pytest.mark.parametrize(("mark", "does"), [("demo", "jaxsyn demo"), ("test", "python -m pytest")])
def test_readme_commands_are_one_line(mark: str, does: str) -> None:
    texts = [text for _, found, text in blocks(ROOT / "README.md", "sh") if found == mark]
    assert len(texts) == 1, f"README.md needs one ```sh block right after the line <!-- {mark} -->"
    assert re.fullmatch(rf"[^\n]*pip install[^\n]* && {does}[^\n]*\n", texts[0]), f"one line that installs && {does}"


class EveryDocstring(doctest.DocTestFinder):
    """Finds the examples of decorated and jitted functions too: by module name, not by the globals of a wrapper."""

    def _from_module(self, module: ModuleType | None, object: Any) -> bool:
        return module is None or getattr(object, "__module__", None) == module.__name__

    def _is_routine(self, obj: Any) -> bool:
        return inspect.isroutine(inspect.unwrap(obj))


@pytest.fixture
def plain_errors() -> Iterator[None]:
    """Exceptions without the note that JAX adds about its traceback, which doctest would compare."""
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    yield
    jax.config.update("jax_traceback_filtering", before)


@pytest.mark.usefixtures("plain_errors")
@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    out = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in EveryDocstring().find(module, name):
        runner.run(example, out=out.write)
    assert runner.failures == 0, out.getvalue()
