"""First part of the demo: a balanced cortical network, simulated once in one go and once from its checkpoint."""

import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .. import checkpoint, circuits
from .._core import child
from ..analysis import NetworkStatistics, network_statistics
from ..network import Network, NetworkState
from ..record import Spikes
from ..simulate import Solution, simulate
from ._output import spike_arrays

SEED = 0


def network() -> Network:
    """The network of the demo; the second process builds it anew from the same seed."""
    return circuits.cortical_adex(seed=SEED)


def simulate_whole(net: Network, duration_ms: float, folder: Path) -> Solution:
    """Simulate without interruption, with a checkpoint in the middle and one at the end."""
    checkpoints = checkpoint.Checkpoints(folder, every_ms=duration_ms / 2.0)
    return simulate(net, duration_ms, record=Spikes(), checkpoint=checkpoints)


def activity(solution: Solution, t_start_ms: float) -> dict[str, NetworkStatistics]:
    """Statistics by population, without the start of the run."""
    return {
        name: network_statistics(solution.spikes[name], t_start_ms=t_start_ms, t_stop_ms=solution.t_stop_ms)
        for name in solution.spikes
    }


def start_second_half(duration_ms: float, folder: Path, result: Path) -> subprocess.Popen[str]:
    """Simulate from the checkpoint in the middle to the end, in a fresh process."""
    arguments = [str(folder), str(duration_ms), str(result)]
    command, environment = child("-m", f"{__package__}._demo_resume", *arguments)
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def arrays_of(solution: Solution, t_start_ms: float) -> dict[str, np.ndarray[Any, Any]]:
    """Everything that has to agree: spikes after a time, and the state of all neurons and receptors at the end."""
    arrays = dict(spike_arrays(solution))
    for name in solution.spikes:
        late = arrays[f"{name}/times_ms"] > t_start_ms
        arrays[f"{name}/times_ms"] = arrays[f"{name}/times_ms"][late]
        arrays[f"{name}/neurons"] = arrays[f"{name}/neurons"][late]
    return {**arrays, "t_start_ms": np.asarray(t_start_ms), **_membranes(solution.final_state)}


def _membranes(state: NetworkState) -> dict[str, np.ndarray[Any, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path([group.membrane for group in state.groups])
    return {f"end{jax.tree_util.keystr(path)}": np.asarray(leaf) for path, leaf in leaves}


def first_difference(whole: dict[str, np.ndarray[Any, Any]], result: Path) -> str | None:
    """Name of the first array of the resumed run that is not the same in every bit, or None."""
    with np.load(result, allow_pickle=False) as file:
        resumed: dict[str, np.ndarray[Any, Any]] = dict(file)
    for name in sorted({*whole, *resumed}):
        if name not in whole or name not in resumed:
            return name
        a, b = whole[name], resumed[name]
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            return name
    return None
