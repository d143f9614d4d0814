"""The native library: found beside this file, loaded with ctypes, registered with XLA once.

Nothing here is needed for a result: without the library the same operations run in pure JAX, only slower. The status
text says which of the two is in force, and what to do about it.
"""

import ctypes
import functools
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import jax

# Raised together with `jaxsyn_kernels_version` in csrc/jaxsyn_kernels.cc whenever an operand list changes.
_VERSION = 11
_NAMES = (
    *("push", "pull", "outer", "deliver", "emit", "tally", "pack", "settle", "elementwise"),
    *("recurrence", "spike_matmul", "spike_outer"),
)
_TARGETS = tuple(f"jaxsyn_{name}" for name in _NAMES)
_REMEDY = "With a C++17 compiler, reinstall jaxsyn, or run `python setup.py build_ext --inplace` in a source checkout."


def _paths(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("_native*")) if path.suffix in (".so", ".dll", ".dylib")]


@functools.cache
def _load(folder: Path) -> str:
    """Load and register the library of a folder; returns why that failed, or an empty string."""
    paths = _paths(folder)
    if not paths:
        return f"it was not built. {_REMEDY}"
    try:
        library = ctypes.CDLL(str(paths[0]))
        version = int(library.jaxsyn_kernels_version())
        if version != _VERSION:
            return f"{paths[0].name} has version {version}, this jaxsyn needs {_VERSION}. {_REMEDY}"
        capsule: Any = jax.ffi.pycapsule
        for name in _TARGETS:
            jax.ffi.register_ffi_target(name, capsule(getattr(library, name)), platform="cpu")
    except Exception as error:  # a library for another machine, or built against newer headers than this jaxlib's
        return f"{paths[0].name} could not be used with jaxlib {installed_version('jaxlib')}: {error}. {_REMEDY}"
    return ""


def native_available() -> bool:
    """Whether the native CPU kernels are built, loaded and registered.

    Returns:
        True where `native=True` may be asked for.
    Example:
        >>> from jaxsyn import kernels
        >>> kernels.native_available() or "not built" in kernels.native_status()
        True
    """
    return _load(Path(__file__).parent) == ""


def native_status() -> str:
    """One sentence: native kernels in use, or why not and what to do.

    Returns:
        Text for a person, as `jaxsyn info` prints it.
    Example:
        >>> from jaxsyn import kernels
        >>> kernels.native_status().startswith("native kernels:")
        True
    """
    reason = _load(Path(__file__).parent)
    if reason:
        return f"native kernels: not available, {reason}"
    programs = {0: "not in use, they need Linux on x86-64 with AVX2", 2: "in use, AVX2", 512: "in use, AVX-512"}[
        elementwise_supported()
    ]
    return f"native kernels: available (CPU); elementwise programs: {programs}"


@functools.cache
def elementwise_supported() -> int:
    """What this processor and system run of elementwise programs.

    Returns:
        0: none, XLA computes instead; 2: those with AVX2; 512: AVX-512 too.
    Example:
        >>> from jaxsyn import kernels
        >>> kernels.elementwise_supported() in (0, 2, 512)
        True
    """
    if not native_available():
        return 0
    return int(ctypes.CDLL(str(_paths(Path(__file__).parent)[0])).jaxsyn_elementwise_supported())


def require_native(native: bool) -> bool:
    """Return `native`, or raise where it is asked for and cannot be had.

    Raises:
        ValueError: the native library is not available.
    """
    if native and not native_available():
        raise ValueError(f"native: got True, but the {native_status()} Or pass native=False.")
    return native
