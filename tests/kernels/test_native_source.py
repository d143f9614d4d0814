"""The C++ source under sanitizers, and without vector instructions: what it must never do, and do everywhere."""

import os
import pathlib
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from jaxsyn import kernels

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


def library_of(folder: pathlib.Path, *flags: str) -> pathlib.Path:
    """The kernels as `setup.py` builds them, but for some flags."""
    headers = pathlib.Path(str(find_spec("jaxlib").submodule_search_locations[0])) / "include"  # type: ignore[union-attr]
    sources = [str(path) for path in sorted(SOURCE.glob("*.cc"))]
    own = ["-shared", "-fPIC", "-fno-strict-aliasing", "-ffp-contract=off", *flags, "-isystem", str(headers)]
    return build(folder / "native.so", *own, *sources)


@pytest.mark.skipif(not kernels.native_available(), reason=kernels.native_status())
def test_other_machines_and_compilers_give_the_same_bits(tmp_path: pathlib.Path) -> None:
    """Without the instructions of x86, as on any other processor."""
    library = library_of(tmp_path, "-DJAXSYN_PORTABLE")
    printed = []
    for arguments in ([], [str(library)]):
        command = [sys.executable, str(HERE / "portable.py"), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert len(set(printed[0].splitlines())) == len(printed[0].splitlines()) > 10


def test_every_kernel_stays_within_its_arrays(tmp_path: pathlib.Path) -> None:
    """Addresses and undefined behavior, in a process whose allocations the sanitizer sees."""
    library = library_of(tmp_path, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    runtime = [
        subprocess.run([str(COMPILER), f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so", "libstdc++.so.6")
    ]
    environment = {**os.environ, "LD_PRELOAD": ":".join(runtime), "PYTHONPATH": str(HERE.parents[1])}
    environment["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"  # the interpreter frees not everything
    command = [sys.executable, str(HERE / "sanitized.py"), str(library)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.stdout == "ok\n", done.stderr[-4000:]
