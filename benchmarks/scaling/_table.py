"""The table of estimates."""

import json
from typing import Any

import jaxsyn as js

NEURONS = (10**6, 10**7, 10**8, 10**9)
DEVICES = (1, 8, 64, 1024)
DEVICE_BYTES = 141e9  # of an H200
RATE_HZ = 5.0
INPUTS = 1000


def parts(n: int, inputs: int) -> tuple[dict[str, js.Population], dict[str, js.Projection], dict[str, Any]]:
    """Populations, projections and stimuli of a balanced network of n neurons with so many inputs each."""
    current = {"x": js.receptors.Current(js.receptors.Exponential(2.0))}
    cells = {"E": js.Population(js.neurons.LIF(), n * 4 // 5, current)}
    cells["I"] = js.Population(js.neurons.LIF(), n - n * 4 // 5, current)
    degree = js.connect.FixedInDegree
    projections = {
        "E_all": js.Projection("E", ("E", "I"), degree(inputs * 4 // 5), weight_pA=16.0, delay_ms=1.5),
        "I_all": js.Projection("I", ("E", "I"), degree(inputs - inputs * 4 // 5), weight_pA=-96.0, delay_ms=1.5),
    }
    return cells, projections, {"drive": js.stimuli.Poisson(("E", "I"), rate_Hz=3000.0, weight_pA=64.0)}


def line(n: int, devices: int) -> dict[str, Any]:
    """One estimate."""
    sketch = js.network.sketch(*parts(n, INPUTS), dt_ms=0.1)
    found = js.plan.estimate(sketch, 1000.0, rates_Hz=RATE_HZ, devices=devices, machine=js.cost.H200)
    on_device = sum(found.memory.values())
    return {
        "neurons": n,
        "devices": devices,
        "device_GB": on_device / 1e9,
        "rows_GB": found.memory["rows"] / 1e9,
        "host_GB": found.building_bytes / 1e9,
        "run_s": found.run_s,
        "exchange_s": 10_000 * found.step.get("exchange", 0.0),
        "sent_MB": found.sent_bytes / 1e6,
        "fits": on_device < DEVICE_BYTES and not any("cannot be built" in note for note in found.notes),
    }


def table(as_json: bool) -> None:
    """Print all estimates, as JSON or as a table in Markdown."""
    lines = [line(n, devices) for n in NEURONS for devices in DEVICES]
    if as_json:
        print("\n".join(json.dumps(one) for one in lines))
        return
    heads = ("neurons", "devices", "GB a device", "of it rows", "GB to build", "s a model second", "of it exchange")
    print("| " + " | ".join([*heads, "MB a round", "fits"]) + " |")
    print("| --- " * 9 + "|")
    for one in lines:
        cells = [f"{one['neurons']:.0e}".replace("e+0", "e"), str(one["devices"])]
        cells += [f"{one[key]:.3g}" for key in ("device_GB", "rows_GB", "host_GB", "run_s", "exchange_s", "sent_MB")]
        print("| " + " | ".join([*cells, "yes" if one["fits"] else "no"]) + " |")
