"""Entries of a folder: complete or absent, numbered, the oldest deleted; also when the writer is killed."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from jaxsyn.checkpoint import latest, restore_tree, save_tree

LIKE = {"w": np.zeros(3, np.float32)}


def write(folder: pathlib.Path, value: int, **options: int) -> None:
    save_tree(folder, {"w": np.full(3, value, np.float32)}, **options)


def names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_kill_at_any_moment_leaves_the_previous_or_the_new_one(tmp_path: pathlib.Path) -> None:
    script = pathlib.Path(__file__).parent / "killed.py"
    command = [sys.executable, "-W", "ignore", str(script), str(tmp_path), "12"]  # forks of JAX warn
    root = str(script.parents[2])
    out = subprocess.run(
        command, capture_output=True, text=True, env={**_environment(), "PYTHONPATH": root}, timeout=300
    )
    assert out.returncode == 0, out.stderr
    report = json.loads(out.stdout)
    assert report["points"] >= 10  # operations on files at which the writer was killed
    assert report["old"] >= 10
    assert report["new"] >= 1
    assert len(report["left"]) == 1  # nothing half-written stays
    assert report["left"][0].startswith("checkpoint-")


def _environment() -> dict[str, str]:
    import os

    return {k: v for k, v in os.environ.items() if not k.startswith("COV")}


def test_keeps_the_newest_by_order_of_writing(tmp_path: pathlib.Path) -> None:
    for value, step in ((1, 10), (2, 30), (3, 20)):
        write(tmp_path, value, step=step, keep=2)
    assert names(tmp_path) == ["checkpoint-000002-step-30", "checkpoint-000003-step-20"]
    assert latest(tmp_path) == 20
    assert restore_tree(tmp_path, LIKE)["w"][0] == 3
    assert restore_tree(tmp_path, LIKE, step=30)["w"][0] == 2


def test_an_entry_can_be_named_itself(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 1, step=10, keep=2)
    write(tmp_path, 2, step=20, keep=2)
    assert restore_tree(tmp_path / "checkpoint-000001-step-10", LIKE)["w"][0] == 1


def test_unknown_step_lists_those_that_are_there(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 1, step=10, keep=2)
    write(tmp_path, 2, step=20, keep=2)
    with pytest.raises(ValueError, match=r"got step 15; allowed: 10, 20, or None for the newest"):
        restore_tree(tmp_path, LIKE, step=15)


def test_empty_folder_is_refused(tmp_path: pathlib.Path) -> None:
    assert latest(tmp_path) is None
    with pytest.raises(ValueError, match="there is none; give the folder"):
        restore_tree(tmp_path, LIKE)


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: pathlib.Path) -> None:
    import os
    import socket

    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    abandoned = tmp_path / f".part-{socket.gethostname()}-{dead.pid}-0123abcd"
    living = tmp_path / f".part-{socket.gethostname()}-{os.getppid()}-0123abcd"
    elsewhere = tmp_path / f".part-another.host-{dead.pid}-0123abcd"
    for folder in (abandoned, living, elsewhere):
        folder.mkdir()
    write(tmp_path, 1)
    assert names(tmp_path) == sorted([living.name, elsewhere.name, "checkpoint-000001-step-0"])


def test_a_number_that_another_process_took_is_not_used_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jaxsyn.checkpoint import _folder

    write(tmp_path, 1)
    seen = _folder.entries
    calls: list[int] = []

    def late(folder: pathlib.Path) -> list[_folder.Entry]:
        calls.append(1)
        return [] if len(calls) == 1 else seen(folder)  # as if the other one had been written just after the look

    monkeypatch.setattr(_folder, "entries", late)
    write(tmp_path, 2, keep=2)
    assert names(tmp_path) == ["checkpoint-000001-step-0", "checkpoint-000002-step-0"]


def test_a_failed_write_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxsyn.checkpoint._entry._write_orbax", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, 2)
    assert names(tmp_path) == ["checkpoint-000001-step-0"]
    assert restore_tree(tmp_path, LIKE)["w"][0] == 1
