"""Several devices, several processes: the tests run in processes of their own, since JAX counts devices at its start."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
# A process that is held up for long by others must not be taken for a dead one.
PATIENCE = (
    "--xla_cpu_collective_call_warn_stuck_timeout_seconds=600 --xla_cpu_collective_call_terminate_timeout_seconds=900"
)


def test_eight_devices_give_the_spikes_of_one() -> None:
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count=8 {PATIENCE}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "devices.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=HERE.parent.parent, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
