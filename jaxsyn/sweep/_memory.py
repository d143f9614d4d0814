"""How many lanes fit side by side."""

from pathlib import Path
from typing import Any

import jax

_SHARE, _MOST_BYTES, _MOST_LANES = 0.25, 4 * 2**30, 1024
_FALLBACK_BYTES = 2**30


def free_bytes(device: Any) -> int:
    """Memory that is free: of the device where it says so, else of the machine."""
    found = device.memory_stats() if device.platform != "cpu" else None
    if found and "bytes_limit" in found:
        return int(found["bytes_limit"] - found.get("bytes_in_use", 0))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return _FALLBACK_BYTES


def lanes_that_fit(bytes_per_lane: int, n_lanes: int) -> int:
    """Lanes of a batch: at most a quarter of the free memory, 4 GiB, and 1024; in batches of about equal size."""
    device = jax.devices()[0]
    most = int(min(_SHARE * free_bytes(device), _MOST_BYTES) // max(bytes_per_lane, 1))
    most = max(1, min(most, _MOST_LANES, n_lanes))
    batches = -(-n_lanes // most)
    return -(-n_lanes // batches)
