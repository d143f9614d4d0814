"""Writes checkpoints in child processes that are killed: at each file operation in turn, then at many moments.

After each kill the next child first reads what is there. Prints how many kills left the old and how many the new one.
Run as `python killed.py FOLDER MOMENTS`.
"""

import json
import os
import pathlib
import signal
import sys
import time
from typing import Any

import numpy as np

from jaxsyn.checkpoint import restore_tree, save_tree

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
LIKE = {"w": np.zeros(2000, np.float32), "step": 0}


def tree(value: int) -> dict[str, Any]:
    return {"w": np.full(2000, value, np.float32), "step": value}


def check(folder: pathlib.Path, allowed: set[int]) -> int:
    """Read the newest checkpoint; it must be whole and one of those that may be there."""
    found = restore_tree(folder, LIKE)
    assert found["step"] in allowed, found
    assert bool(np.all(found["w"] == found["step"])), found
    return int(found["step"])


def die_at(folder: pathlib.Path, count: int) -> None:
    """Kill this process at its count-th operation on files of the folder."""
    left = count

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in EVENTS and str(folder) in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def in_child(
    folder: pathlib.Path, value: int, allowed: set[int], kill_at: int, kill_after_s: float
) -> tuple[bool, int]:
    """Check, then write `value`, killed on the way or not. Gives whether it was killed, and what it had found."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, f"{check(folder, allowed):8}".encode())
            if kill_at:
                die_at(folder, kill_at)
            save_tree(folder, tree(value), step=value)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found = int(pipe.read(8) or -1)
        if kill_after_s >= 0.0:
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    killed = os.WIFSIGNALED(status)
    assert killed or status == 0, "a child failed"
    return killed, found


def main(folder: pathlib.Path, moments: int) -> None:
    allowed, points, outcomes = {0}, 0, {"old": 0, "new": 0}
    if os.fork() == 0:  # this process itself writes nothing: it would have threads, and forks must not
        save_tree(folder / "kept", tree(0))
        os._exit(0)
    os.wait()
    plan = [(k, -1.0) for k in range(1, 1000)] + [(0, 0.15 * k / moments) for k in range(moments + 1)]
    plan.append((0, -1.0))  # the last one is left alone
    finished = False
    for value, (at, after_s) in enumerate(plan, 1):
        if finished and at:
            continue  # the write has fewer operations than this
        killed, found = in_child(folder / "kept", value, allowed, at, after_s)
        if len(allowed) == 2:
            outcomes["new" if found == max(allowed) else "old"] += 1
        finished = finished or bool(at and not killed)
        points += bool(at and killed)
        allowed = {found, value} if killed else {value}
    print(json.dumps({"points": points, **outcomes, "left": sorted(p.name for p in (folder / "kept").iterdir())}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
