"""The command line itself: help, versions, what it loads, the commands that only pass things on."""

import json
import pathlib
import subprocess
import sys
import types
from typing import Any

import pytest

import jaxsyn

from .conftest import call

ROOT = pathlib.Path(__file__).parents[2]


def test_help_names_the_commands() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for name in ("run", "plan", "demo", "info", "doctor"):
        assert name in result.stdout
    assert "--resume" in call("run", "--help").stdout
    assert call().exit_code == 2  # no command: the help, as bad usage


def test_version() -> None:
    result = call("--version")
    assert (result.exit_code, result.stdout.strip()) == (0, jaxsyn.__version__)


def test_module_and_script_are_the_same_command() -> None:
    out = subprocess.run([sys.executable, "-m", "jaxsyn", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (out.returncode, out.stdout.strip()) == (0, jaxsyn.__version__)
    assert 'jaxsyn = "jaxsyn.cli:main"' in (ROOT / "pyproject.toml").read_text()


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from jaxsyn.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(out.stdout.split())
    assert not loaded & {"matplotlib", "orbax", "tensorstore", "pydantic", "structlog", "scipy", "diffrax"}


def test_info() -> None:
    text = call("info")
    assert text.exit_code == 0
    assert "native kernels:" in text.stdout
    found = json.loads(call("info", "--json").stdout)
    assert found["jaxsyn"] == jaxsyn.__version__
    assert set(found["packages"]) >= {"jax", "jaxlib", "equinox", "orbax-checkpoint"}
    assert found["kernels"]["native"] is jaxsyn.kernels.native_available()
    assert found["devices"][0]["platform"] == "cpu"
    assert found["memory_GiB"] >= found["memory_available_GiB"] > 0


def test_what_cannot_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from jaxsyn.cli import _info

    assert _info.installed("no-such-package") is None

    def refuse(*_: object) -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr("builtins.open", refuse)
    total, available = _info.memory_bytes()
    assert total == available > 0


@pytest.mark.parametrize(("report", "code"), [({"ok": True}, 0), ({}, 0), ({"ok": False}, 1)])
def test_demo_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, report: dict[str, Any], code: int
) -> None:
    calls = []
    module: Any = types.ModuleType("jaxsyn.cli._demo")
    module.run_demo = lambda *given: calls.append(given) or report
    monkeypatch.setitem(sys.modules, "jaxsyn.cli._demo", module)
    assert call("demo", "--quick", "--out", tmp_path).exit_code == code
    ((out, quick, console),) = calls
    assert (out, quick) == (tmp_path, True)
    assert hasattr(console, "print")
