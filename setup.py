"""The optional native kernels; everything else is declared in pyproject.toml.

One plain shared library, `jaxsyn/kernels/_native.so`, that holds no Python symbol: it is loaded with ctypes, so one
build serves every Python version. Without a compiler, or without the headers that jaxlib ships, the installation goes
on and jaxsyn runs in pure JAX; `jaxsyn.kernels.native_status()` says so.

For development: `python setup.py build_ext --inplace` (again after each change of the C++ source).
"""

import importlib.util
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

FOLDER = "jaxsyn/kernels/csrc"
SOURCES = [f"{FOLDER}/{name}.cc" for name in ("jaxsyn_kernels", "elementwise", "spike_products", "threads")]
UNIX_FLAGS = [
    *("-O3", "-g0", "-std=c++17", "-fvisibility=hidden", "-DNDEBUG", "-fno-strict-aliasing"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),  # same bits on all machines
]
MSVC_FLAGS = ["/O2", "/std:c++17", "/fp:precise", "/DNDEBUG"]


def jaxlib_headers() -> str | None:
    """The header folder of the installed jaxlib, found without importing it."""
    spec = importlib.util.find_spec("jaxlib")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        headers = Path(folder) / "include"
        if (headers / "xla" / "ffi" / "api" / "ffi.h").is_file():
            return str(headers)
    return None


class BuildPlainLibrary(build_ext):
    """Builds a library without a Python entry point and without the interpreter's name in its own."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(Path(*fullname.split("."))) + (".dll" if sys.platform == "win32" else ".so")

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []

    def build_extension(self, ext: Extension) -> None:
        msvc = self.compiler.compiler_type == "msvc"
        # As system headers those of jaxlib give no warnings.
        includes = [argument for folder in ext.include_dirs for argument in ("/I" if msvc else "-isystem", folder)]
        ext.extra_compile_args = [*(MSVC_FLAGS if msvc else UNIX_FLAGS), *includes]
        ext.include_dirs = []
        super().build_extension(ext)


class PlainWheel(bdist_wheel):
    """A wheel for one platform and every Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def extensions() -> list[Extension]:
    """The native kernels, or nothing where their headers are missing."""
    headers = jaxlib_headers()
    if headers is None:
        print("warning: jaxlib's headers were not found; jaxsyn is built without its native kernels", file=sys.stderr)
        return []
    return [
        Extension(
            *("jaxsyn.kernels._native", SOURCES),
            include_dirs=[headers],
            depends=[f"{FOLDER}/{name}.h" for name in ("products", "share", "threads")],
            language="c++",
            optional=True,
        )
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildPlainLibrary, "bdist_wheel": PlainWheel})
