"""`jaxsyn info`: versions, devices, and which kernels are in use and why."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "diffrax", "orbax-checkpoint", "numpy", "matplotlib")


def installed(name: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def memory_bytes() -> tuple[int, int]:
    """Memory of this machine: all of it, and what is free for new work (all of it where the system does not say)."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    try:
        with open("/proc/meminfo") as file:
            rows = dict(line.split(":", 1) for line in file)
        return total, int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return total, total


def info() -> dict[str, Any]:
    """What there is on this machine, as a table for JSON."""
    import jax

    from .._core import float_dtype
    from .._version import __version__
    from ..kernels import native_available, native_status

    total, available = memory_bytes()
    return {
        "jaxsyn": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "packages": {name: installed(name) for name in PACKAGES},
        "cpus": os.cpu_count(),
        "memory_GiB": round(total / 2**30, 1),
        "memory_available_GiB": round(available / 2**30, 1),
        "backend": jax.default_backend(),
        "devices": [{"kind": d.device_kind, "platform": d.platform, "id": d.id} for d in jax.devices()],
        "x64": float_dtype() == "float64",
        "kernels": {"native": native_available(), "why": native_status()},
    }


def text(found: dict[str, Any]) -> str:
    """The same for a person."""
    packages = ", ".join(f"{name} {number or 'missing'}" for name, number in found["packages"].items())
    devices = ", ".join(f"{d['platform']}:{d['id']} {d['kind']}" for d in found["devices"])
    memory = f"{found['memory_GiB']} GiB, {found['memory_available_GiB']} GiB available"
    rows = {
        "jaxsyn": found["jaxsyn"],
        "python": f"{found['python']} ({found['executable']})",
        "platform": f"{found['platform']}, {found['cpus']} CPUs, {memory}",
        "packages": packages,
        "devices": f"{devices} (default: {found['backend']})",
        "numbers": "float64 (jax_enable_x64)" if found["x64"] else "float32 (default of JAX)",
        "kernels": found["kernels"]["why"],
    }
    return "\n".join(f"{name:<10}{value}" for name, value in rows.items())
