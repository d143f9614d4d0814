"""Large networks on many devices: `python -m benchmarks scaling [--check] [--json]`.

Without `--check` a table of estimates for H200 GPUs, whose constants are assumed, not measured: memory of a device,
computing time for a second of the model and its parts, bytes of a round of exchange. N LIF neurons (80 excitatory and
20 inhibitory of 100), 1000 inputs each, one delay of 1.5 ms, Poisson drive, 5 Hz.

With `--check` small networks of the same kind run on 8 simulated CPU devices. Exit status 1 unless the spikes are those
of one device and a loop over windows holds one collective operation; the bytes of a device and of a message are shown
beside those of the model. No speed is measured: the devices share the cores.

Keys: neurons, devices, device_GB, rows_GB, host_GB, run_s, exchange_s, sent_MB, fits; with `--check` neurons, devices,
synapses, synapse_bytes, synapse_bytes_model, row_bytes, row_bytes_model, message_bytes, collectives, window_steps,
spikes, spikes_equal, ok.
"""

import argparse
import os


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `scaling`."""
    parser.add_argument("--check", action="store_true", help="compare with small runs on 8 simulated devices")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(arguments: argparse.Namespace) -> int:
    """Print the table, or check it."""
    if arguments.check:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
        from ._check import check

        return check(arguments.json)
    from ._table import table

    table(arguments.json)
    return 0
