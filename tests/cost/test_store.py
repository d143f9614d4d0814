"""Measured constants are kept, read back, and refused where they do not belong."""

import json
import pathlib

import pytest

from jaxsyn.cost import Machine, cache_file, save_machine, this_machine


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return save_machine(Machine(name="mine", event_s=1.5e-9), tmp_path / "deep" / "machine.json")


def test_what_is_kept_is_read_back(file: pathlib.Path) -> None:
    machine, source = this_machine(file)
    assert machine == Machine(name="mine", event_s=1.5e-9)
    assert source == "constants measured on this machine (mine)"
    assert [p.name for p in file.parent.iterdir()] == ["machine.json"]


def test_without_a_file_the_defaults_are_named(tmp_path: pathlib.Path) -> None:
    machine, source = this_machine(tmp_path / "machine.json")
    assert machine == Machine()
    assert "nothing was measured" in source
    assert "jaxsyn plan --calibrate" in source


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("conditions", "processor"), "another", "measured with processor 'another'"),
        (("conditions", "jax"), "0.0.1", "measured with jax '0.0.1'"),
        (("conditions", "cores"), 10_000, "measured with cores 10000"),
        (("conditions", "native"), None, "measured with native None"),
        (("conditions",), [], "measured with processor None"),
        (("format",), 99, "not a file of format 1"),
        (("constants", "event_s"), -1.0, "event_s: got -1.0"),
        (("constants", "event_s"), float("nan"), "event_s: got nan"),
        (("constants", "event_s"), "1e-9", "event_s: got '1e-9'"),
        (("constants", "event_s"), True, "event_s: got True"),
        (("constants", "name"), 3, "name: got 3"),
        (("constants", "more"), 1.0, "allowed: name, step_s"),
        (("constants",), None, "got constants []"),
    ],
    ids=lambda x: ".".join(map(str, x)) if isinstance(x, tuple) else "",
)
def test_what_does_not_belong_here_is_refused_with_the_reason(file, place, value, reason) -> None:
    content = json.loads(file.read_text())
    at = content
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    file.write_text(json.dumps(content))
    machine, source = this_machine(file)
    assert machine == Machine()
    assert reason in source
    assert "is refused" in source


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"text"', "\x00", "[" * 100_000])
def test_a_damaged_file_is_refused(file: pathlib.Path, text: str) -> None:
    file.write_text(text)
    assert "is refused" in this_machine(file)[1]


def test_nothing_senseless_is_kept(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="call_s: got inf"):
        save_machine(Machine(call_s=float("inf")), tmp_path / "machine.json")
    assert not list(tmp_path.iterdir())


def test_the_cache_folder_is_the_one_that_is_asked_for(monkeypatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_file() == tmp_path / "jaxsyn" / "machine.json"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert cache_file().is_absolute()
