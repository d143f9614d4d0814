"""Second process of the demo: `python -m jaxsyn.cli._demo_resume CHECKPOINTS DURATION_MS RESULT`.

It builds the network anew, restores the checkpoint in the middle of the run, simulates the rest and writes what it got.
"""

import sys
from pathlib import Path

from ..checkpoint import restore
from ..record import Spikes
from ..simulate import simulate
from ._demo_network import arrays_of, network
from ._output import write_npz


def resume(folder: Path, duration_ms: float, result: Path) -> None:
    """Simulate from the middle of a run of `duration_ms` to its end."""
    net, half_ms = network(), duration_ms / 2.0
    state = restore(folder, net, step=round(half_ms / net.dt_ms))
    solution = simulate(net, half_ms, record=Spikes(), state=state)
    write_npz(result, iter(arrays_of(solution, half_ms).items()))


if __name__ == "__main__":
    resume(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
