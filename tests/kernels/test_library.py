"""The native library: found or not, usable or not, and what jaxsyn says and does then."""

import importlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsyn import kernels
from tests.kernels.reference import needs_native

library = importlib.import_module("jaxsyn.kernels._library")
ROOT = pathlib.Path(__file__).parent.parent.parent


def test_status_and_availability_agree() -> None:
    assert kernels.native_available() == ("available (CPU)" in kernels.native_status())


def test_a_library_that_was_not_built(tmp_path: pathlib.Path) -> None:
    assert "was not built. With a C++17 compiler, reinstall jaxsyn" in library._load(tmp_path)


def test_a_library_that_cannot_be_loaded(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_native.so").write_text("not a library")
    assert "_native.so could not be used with jaxlib" in library._load(tmp_path)


@needs_native
def test_a_library_of_another_version(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (built,) = pathlib.Path(library.__file__).parent.glob("_native.*")
    shutil.copy(built, tmp_path)
    monkeypatch.setattr(library, "_VERSION", 99)
    assert re.search(r"has version \d+, this jaxsyn needs 99", library._load(tmp_path))


def test_asking_for_what_is_not_there_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_load", lambda folder: "it was not built. Build it.")
    assert not kernels.native_available()
    with pytest.raises(ValueError, match=r"native: got True, but .* not built\. Build it\. Or pass native=False"):
        kernels.pack(np.zeros(3, bool), native=True)
    assert kernels.pack(np.zeros(3, bool), native=False).tolist() == [0]


@needs_native
def test_native_calls_are_for_cpus_only() -> None:
    """One program for several platforms: the native kernel on a CPU, the JAX form elsewhere."""
    emit = lambda s: kernels.emit(s, jnp.zeros((2, 3), jnp.int32), jnp.zeros(2, jnp.int32), 0, 0, native=True)  # noqa: E731
    traced = jax.jit(emit).trace(jax.ShapeDtypeStruct((5,), jnp.bool_))
    assert "@jaxsyn_emit" in traced.lower(lowering_platforms=("cpu",)).as_text()
    for platform in ("cuda", "tpu"):
        assert "@jaxsyn_emit" not in traced.lower(lowering_platforms=(platform,)).as_text()


def test_installation_goes_on_without_a_compiler(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    environment = os.environ | {"CC": "/no/such/compiler", "CXX": "/no/such/compiler"}
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", str(tmp_path), "--build-temp", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "jaxsyn.kernels._native" in done.stderr + done.stdout
    assert not list(tmp_path.rglob("_native*.so"))
