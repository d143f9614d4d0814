"""The C++ source under sanitizers: what it must never do, whatever it is given."""

import os
import pathlib
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

HERE = pathlib.Path(__file__).parent
SOURCE = HERE.parents[1] / "jaxsyn/kernels/csrc"
COMPILER = shutil.which("g++")


def build(out: pathlib.Path, *arguments: str) -> pathlib.Path:
    """Compile and link, or skip where there is no compiler with what is asked for."""
    if COMPILER is None:
        pytest.skip("there is no g++")
    command = [COMPILER, "-std=c++17", "-O1", "-g", "-pthread", f"-I{SOURCE}", "-o", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "cannot find" in done.stderr and "san" in done.stderr:
        pytest.skip("the compiler has no such sanitizer")
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("sanitizer", ["none", "thread"])
def test_worker_threads(tmp_path: pathlib.Path, sanitizer: str) -> None:
    flags = [] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]
    driver = build(tmp_path / "driver", *flags, str(HERE / "pool_driver.cc"), str(SOURCE / "threads.cc"))
    arguments = [] if sanitizer == "none" else ["without a fork"]
    done = subprocess.run([driver, *arguments], capture_output=True, text=True, timeout=300)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this kernel lays out memory in a way that the sanitizer does not know")
    assert done.stdout == "ok\n", done.stderr


def test_every_kernel_stays_within_its_arrays(tmp_path: pathlib.Path) -> None:
    """Addresses and undefined behavior, in a process whose allocations the sanitizer sees."""
    headers = pathlib.Path(str(find_spec("jaxlib").submodule_search_locations[0])) / "include"  # type: ignore[union-attr]
    sources = [str(path) for path in sorted(SOURCE.glob("*.cc"))]
    flags = ["-shared", "-fPIC", "-fno-strict-aliasing", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    library = build(tmp_path / "native.so", *flags, "-isystem", str(headers), *sources)
    runtime = [
        subprocess.run([str(COMPILER), f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")
    ]
    environment = {**os.environ, "LD_PRELOAD": ":".join(runtime), "PYTHONPATH": str(HERE.parents[1])}
    environment["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"  # the interpreter frees not everything
    command = [sys.executable, str(HERE / "sanitized.py"), str(library)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.stdout == "ok\n", done.stderr[-4000:]
