"""The C++ source under sanitizers: what it must never do, whatever it is given."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
SOURCE = HERE.parents[1] / "jaxsyn/kernels/csrc"
COMPILER = shutil.which("g++") or shutil.which("clang++")


def build(tmp_path: pathlib.Path, *arguments: str) -> pathlib.Path:
    """Compile and link, or skip where there is no compiler with what is asked for."""
    if COMPILER is None:
        pytest.skip("there is no C++ compiler")
    out = tmp_path / "driver"
    command = [COMPILER, "-std=c++17", "-O1", "-g", "-pthread", f"-I{SOURCE}", "-o", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode and "cannot find" in done.stderr and "san" in done.stderr:
        pytest.skip("the compiler has no such sanitizer")
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("sanitizer", ["none", "thread"])
def test_worker_threads(tmp_path: pathlib.Path, sanitizer: str) -> None:
    flags = [] if sanitizer == "none" else [f"-fsanitize={sanitizer}"]
    driver = build(tmp_path, *flags, str(HERE / "pool_driver.cc"), str(SOURCE / "threads.cc"))
    arguments = [] if sanitizer == "none" else ["without a fork"]
    done = subprocess.run([driver, *arguments], capture_output=True, text=True, timeout=300)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this kernel lays out memory in a way that the sanitizer does not know")
    assert done.stdout == "ok\n", done.stderr
