"""Small networks on simulated devices: spikes, collective operations, bytes."""

import json
import re
from typing import Any

import jax
import numpy as np

import jaxsyn as js
from jaxsyn.simulate._devices import program_text

from ._table import parts

SIZES = ((2000, 100), (20_000, 100))
DEVICES = (2, 8)
KINDS = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter|collective-broadcast"


def line(n: int, inputs: int, devices: int) -> dict[str, Any]:
    """One network on some devices."""
    net = js.Network(*parts(n, inputs), dt_ms=0.1, seed=1)
    sharded = js.shard(net, jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("devices",)))
    one, many = (js.simulate(x, 100.0, record=js.record.Spikes()) for x in (net, sharded))
    equal = all(
        np.array_equal(one.spikes[p].times_ms, many.spikes[p].times_ms)
        and np.array_equal(one.spikes[p].neurons, many.spikes[p].neurons)
        for p in one.spikes
    )
    collectives = len(re.findall(rf"= \S+ (?:{KINDS})(?:-start)?\(", program_text(sharded, 15 * 20)))
    graphs = [link.graph for link in sharded.parts.links]
    estimate = js.plan.estimate(net, 100.0, rates_Hz=one.spikes["E"].rate_Hz(), devices=devices)
    synapses = sum(graph.post.nbytes for graph in graphs) // devices
    rows = sum(graph.row_ptr.nbytes for graph in graphs) // devices
    spikes = sum(len(one.spikes[p]) for p in one.spikes)
    return {
        "neurons": n,
        "devices": devices,
        "synapses": sum(link.graph.n_synapses for link in net.links),
        "synapse_bytes": synapses,
        "synapse_bytes_model": estimate.memory["targets"],
        "row_bytes": rows,
        "row_bytes_model": estimate.memory["rows"],
        "message_bytes": estimate.sent_bytes,
        "collectives": collectives,
        "window_steps": sharded.window_steps,
        "spikes": spikes,
        "spikes_equal": equal,
        "ok": equal and spikes > 100 and collectives == 1 and sharded.window_steps == 15,
    }


def check(as_json: bool) -> int:
    """Run all; 0 if all agree."""
    lines = [line(n, inputs, devices) for n, inputs in SIZES for devices in DEVICES]
    if as_json:
        print("\n".join(json.dumps(one) for one in lines))
    else:
        print("| " + " | ".join(name.replace("_", " ") for name in lines[0]) + " |")
        print("| --- " * len(lines[0]) + "|")
        for one in lines:
            print("| " + " | ".join(f"{v:.0f}" if isinstance(v, float) else str(v) for v in one.values()) + " |")
    return 0 if all(one["ok"] for one in lines) else 1
