"""`jaxsyn doctor`: what is wrong with an installation or a machine, and what to do about it."""

import dataclasses
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._info import installed, memory_bytes

BAD_JAXLIB = ("0.11.1",)  # updates loop carries slowly on the CPU
_GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Check:
    """Outcome of one check: "ok", "warn" or "fail", what was found, and what to do."""

    name: str
    status: str
    found: str
    remedy: str = ""


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 0.12.0.1 is (0, 12, 0, 1)."""
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def check_versions(python: tuple[int, int], jax: str | None, jaxlib: str | None, backend: str) -> Check:
    """Whether Python, jax and jaxlib go together."""
    name, found = "versions", f"Python {python[0]}.{python[1]}, jax {jax}, jaxlib {jaxlib}"
    if python < (3, 11):
        return Check(name, "fail", found, "use Python 3.11 or later")
    if jax is None or jaxlib is None:
        return Check(name, "fail", found, "pip install jaxsyn in this environment")
    if _numbers(jaxlib)[:3] in [_numbers(bad) for bad in BAD_JAXLIB]:
        remedy = "pip install 'jax!=0.11.1' 'jaxlib!=0.11.1'; this jaxlib updates the state of a run slowly on the CPU"
        return Check(name, "fail", found, remedy)
    if _numbers(jaxlib)[:2] < (0, 10) or _numbers(jax)[:2] < (0, 10):
        return Check(name, "fail", found, "pip install -U 'jax>=0.10.2' 'jaxlib>=0.10.2'")
    if _numbers(jax)[:2] != _numbers(jaxlib)[:2]:
        return Check(
            name, "warn", found, f"pip install 'jaxlib~={'.'.join(jax.split('.')[:3])}', the one that fits jax"
        )
    if backend != "cpu" and (_numbers(jax)[:3] < (0, 11, 1) or python < (3, 12)):
        return Check(
            name, "warn", found, "on a GPU use Python >= 3.12 and jax >= 0.11.2; older ones scatter slowly there"
        )
    return Check(name, "ok", found)


def check_native() -> Check:
    """Whether the native kernels are there and give what pure JAX gives."""
    import jax.numpy as jnp

    from ..kernels import native_available, native_status, push

    status, name = native_status(), "kernels"
    if not native_available():
        return Check(name, "warn", status, "runs are slower; install a C++17 compiler, then reinstall jaxsyn")
    row_ptr, post = jnp.asarray([0, 2, 3], jnp.int32), jnp.asarray([0, 2, 1], jnp.int32)
    weight, source = jnp.asarray([[1.0, 2.0, 4.0]]), jnp.asarray([0.5, 1.0])
    zero = [jnp.zeros(3)]
    native, plain = (np.asarray(push(zero, row_ptr, post, weight, source, native=n)[0]) for n in (True, False))
    if not np.array_equal(native, plain):
        remedy = "reinstall jaxsyn so that they are built anew, and report this"
        return Check(name, "fail", f"native kernels give {native.tolist()} where {plain.tolist()} is right", remedy)
    return Check(name, "ok", f"{status}, and agree with pure JAX")


def check_compiler() -> Check:
    """Whether the native kernels could be built here."""
    from ..kernels import native_available

    found = next((p for c in (os.environ.get("CXX"), "c++", "g++", "clang++") if c and (p := shutil.which(c))), None)
    if found is not None:
        return Check("compiler", "ok", found)
    if native_available():
        return Check("compiler", "ok", "no C++ compiler, and none is needed: the native kernels are there")
    return Check(
        "compiler", "warn", "no C++ compiler", "install one (apt install g++, xcode-select --install), then jaxsyn"
    )


def check_memory(total: int, available: int) -> Check:
    """Whether there is room for a network of some size; 1e7 synapses take about 0.2 GiB."""
    found = f"{available / _GIB:.1f} of {total / _GIB:.1f} GiB available"
    if available < 0.5 * _GIB:
        return Check("memory", "fail", found, "close other programs: the compiler of JAX alone may need this much")
    if available < 2 * _GIB:
        return Check("memory", "warn", found, "enough for about 1e7 synapses; close other programs for more")
    return Check("memory", "ok", found)


def check_numbers(x64: bool) -> Check:
    """Which numbers are in force; both are fine, mixing them is not."""
    if x64:
        found = "float64 (jax_enable_x64 is set): twice the memory, and checkpoints of float32 runs do not fit"
        return Check("numbers", "ok", found)
    return Check("numbers", "ok", "float32; set JAX_ENABLE_X64=1 for float64")


def check_determinism(flags: str) -> Check:
    """Whether the same program gives the same bits twice, with none of the flags that give that up."""
    import jax
    import jax.numpy as jnp

    name = "same bits"
    fast = [f for f in flags.split() if "fast_math" in f and not f.endswith("=false")]
    if fast:
        return Check(name, "fail", f"XLA_FLAGS has {fast[0]}", "drop it: sums may then change from run to run")

    def sums(x: Any) -> Any:
        return jnp.cumsum(jnp.sin(x))[-1] + jnp.sum(jnp.exp(x))

    x = jnp.asarray(np.random.default_rng(0).normal(size=20000), jnp.float32)
    first, second = (np.asarray(jax.jit(lambda y: sums(y))(x)).tobytes() for _ in range(2))  # compiled twice
    if first != second:
        return Check(
            name,
            "fail",
            "the same sum gave two results",
            "use the CPU, or set XLA_FLAGS=--xla_gpu_deterministic_ops=true",
        )
    return Check(name, "ok", "the same sum, compiled twice, gives the same bits")


def check_devices(platforms: list[str], gpu: str | None, asked: str) -> Check:
    """Whether a GPU that is there is used."""
    found = ", ".join(platforms)
    if gpu is None or any(p != "cpu" for p in platforms):
        return Check("devices", "ok", found)
    if asked:
        return Check("devices", "ok", f"{found}, as JAX_PLATFORMS={asked} asks for; a GPU is there too ({gpu})")
    return Check(
        "devices", "warn", f"{found}, but {gpu} shows a GPU", "pip install 'jaxsyn[cuda12]' (Python >= 3.12) to use it"
    )


def visible_gpu() -> str | None:
    """What shows that this machine has a GPU of NVIDIA, or None."""
    return next((p for p in ("/dev/nvidia0", "/proc/driver/nvidia/version") if Path(p).exists()), None)


def check_writable(name: str, folder: Path) -> Check:
    """Whether files can be made and renamed in a folder (or the nearest one above it that exists)."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryDirectory(dir=there) as inside:
            (Path(inside) / "a").write_text("jaxsyn")
            (Path(inside) / "a").rename(Path(inside) / "b")
    except OSError as error:
        return Check(name, "fail", f"{folder}: {error.strerror or error}", "name a folder that you may write to")
    free = shutil.disk_usage(there).free
    if free < _GIB:
        return Check(
            name, "warn", f"{folder}: {free / _GIB:.2f} GiB free", "make room: records and checkpoints may not fit"
        )
    return Check(name, "ok", f"{folder}, {free / _GIB:.0f} GiB free")


def _safely(name: str, check: Callable[[], Check]) -> Check:
    """A check that cannot even be made has failed."""
    try:
        return check()
    except Exception as error:
        return Check(name, "fail", f"{type(error).__name__}: {error}", "reinstall jaxsyn in a new environment")


def examine(out: Path) -> Iterator[Check]:
    """All checks of this machine.

    Args:
        out: Folder where results will be written.
    """
    import jax

    from .._core import float_dtype

    flags, asked = os.environ.get("XLA_FLAGS", ""), os.environ.get("JAX_PLATFORMS", "")
    try:
        backend, platforms = jax.default_backend(), [d.platform for d in jax.devices()]
    except Exception as error:  # whatever a backend says that cannot be started
        reason = str(error).splitlines() or [type(error).__name__]
        yield Check(
            "devices", "fail", f"JAX_PLATFORMS={asked!r}: {reason[0]}", "unset JAX_PLATFORMS, or install what it names"
        )
        return
    yield check_versions(sys.version_info[:2], installed("jax"), installed("jaxlib"), backend)
    yield check_devices(platforms, visible_gpu(), asked)
    yield _safely("kernels", check_native)
    yield check_compiler()
    yield check_memory(*memory_bytes())
    yield check_numbers(bool(float_dtype() == "float64"))
    yield _safely("same bits", lambda: check_determinism(flags))
    yield check_writable("results", out)
    cache = getattr(jax.config, "jax_compilation_cache_dir", None)
    if cache and "://" not in str(cache):
        yield check_writable("compilation cache", Path(cache))
    yield check_writable("temporary files", Path(tempfile.gettempdir()))
