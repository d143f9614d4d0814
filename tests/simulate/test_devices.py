"""Several devices, several processes: these tests start processes, since JAX counts devices at its start."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
from jaxlib import _jax

import jaxsyn as js
from tests.simulate.zoo import simple

HERE = pathlib.Path(__file__).parent
# A process that is held up for long by others must not be taken for a dead one.
PATIENCE = (
    "--xla_cpu_collective_call_warn_stuck_timeout_seconds=600 --xla_cpu_collective_call_terminate_timeout_seconds=900"
)


def test_eight_devices_give_the_spikes_of_one() -> None:
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count=8 {PATIENCE}", "JAX_PLATFORMS": "cpu"}
    env.pop("PYTEST_ADDOPTS", None)  # what is asked of the whole suite, such as a coverage, is not asked of this file
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "devices.py")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=HERE.parent.parent, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "[100%]" in done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_give_the_spikes_of_one(tmp_path: pathlib.Path) -> None:
    if not hasattr(_jax, "make_gloo_tcp_collectives"):
        pytest.skip("this jaxlib was built without gloo, the collective operations between processes on CPUs")
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count=2 {PATIENCE}", "JAX_PLATFORMS": "cpu"}
    root, port = HERE.parent.parent, str(free_port())
    script = [sys.executable, "-m", "tests.simulate.processes"]
    started = [
        subprocess.Popen(
            [*script, str(k), "2", port, str(tmp_path)],
            env=env,
            cwd=root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for k in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=900) for process in started]
    finally:
        for process in started:
            process.kill()
    if any("Gloo context initialization failed: DEADLINE_EXCEEDED" in error for _, error in outputs):
        pytest.skip("the machine is so busy that the processes did not meet within the 30 s that gloo waits")
    assert [p.returncode for p in started] == [0, 0], outputs
    one, other = (json.loads(out.splitlines()[-1]) for out, _ in outputs)
    assert one == other
    net = simple()
    record = [js.record.Spikes(), js.record.State("a.V_mV", every_ms=5.0), js.record.Rate("a", 5.0)]
    alone = js.simulate(net, 20.0, record=record)
    assert len(one["times"]) > 100
    np.testing.assert_array_equal(one["times"], alone.spikes["a"].times_ms)
    np.testing.assert_array_equal(one["neurons"], alone.spikes["a"].neurons)
    np.testing.assert_allclose(one["V"], alone.states["a.V_mV"].values, rtol=2e-6, atol=1e-5)
    np.testing.assert_array_equal(one["rates"], alone.reductions["rate a"].values)
    saved = js.checkpoint.restore(tmp_path, net)
    assert int(saved.tick) == one["tick"] == 200
    np.testing.assert_allclose(saved.groups[0].membrane.neuron.V_mV, one["V"][-1], rtol=2e-6, atol=1e-5)
