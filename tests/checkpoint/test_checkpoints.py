"""Checkpoints of a run: when they are written, what is read back, what is refused."""

import json
import pathlib
from typing import Any

import jax
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.checkpoint import Checkpoints, latest, restore, restore_tree, save
from jaxsyn.checkpoint._entry import digest
from jaxsyn.checkpoint._folder import entries


def build(n: int = 200, **options: Any) -> js.Network:
    cells = js.Population(js.neurons.LIF(), n, {"exc": js.receptors.Delta()}, refractory_ms=1.0)
    rule = js.connect.FixedProbability(0.1)
    drive = js.stimuli.OrnsteinUhlenbeck("E", mean_pA=350.0, sd_pA=200.0, tau_ms=5.0)
    options = {"seed": 0, **options}
    return js.Network(
        {"E": cells},
        {"E_E": js.Projection("E", "E", rule, weight_mV=0.1, delay_ms=1.5)},
        {"drive": options.pop("drive", drive)},
        dt_ms=0.1,
        **options,
    )


def steps(folder: pathlib.Path) -> list[int]:
    return [entry.step for entry in entries(folder)]


def same(a: Any, b: Any) -> bool:
    return all(jax.tree.leaves(jax.tree.map(lambda x, y: np.asarray(x).tobytes() == np.asarray(y).tobytes(), a, b)))


def test_one_every_so_often_and_one_at_the_end(tmp_path: pathlib.Path) -> None:
    net = build(10)
    js.simulate(net, 25.0, checkpoint=Checkpoints(tmp_path / "all", every_ms=10.0, keep=9))
    assert steps(tmp_path / "all") == [100, 200, 250]
    js.simulate(net, 25.0, checkpoint=Checkpoints(tmp_path / "two", every_ms=10.0))
    assert steps(tmp_path / "two") == [200, 250]
    js.simulate(net, 25.0, checkpoint=Checkpoints(tmp_path / "end"))
    assert steps(tmp_path / "end") == [250]
    assert latest(tmp_path / "end") == 250


def test_an_earlier_checkpoint_goes_on_to_the_same_end(tmp_path: pathlib.Path) -> None:
    net = build(50)
    whole = js.simulate(net, 30.0, record=js.record.Spikes(), checkpoint=Checkpoints(tmp_path, every_ms=10.0, keep=3))
    rest = js.simulate(net, 20.0, record=js.record.Spikes(), state=restore(tmp_path, net, step=100))
    assert len(rest.spikes["E"]) > 0
    later = whole.spikes["E"].between(10.0, 30.0)
    assert np.array_equal(rest.spikes["E"].times_ms, later.times_ms)
    assert same(rest.final_state, whole.final_state)


def test_room_for_spikes_may_have_grown(tmp_path: pathlib.Path) -> None:
    net = build(200, drive=js.stimuli.Constant("E", I_pA=5000.0))  # all spike in the same step
    small = js.simulate(net, 5.0, capacity=1)
    state = small.final_state
    assert state.groups[0].ids.shape[1] > 1
    save(tmp_path, net, state)
    found = restore(tmp_path, net)
    assert same(found, state)
    a = js.simulate(net, 5.0, state=found, record=js.record.Spikes())
    b = js.simulate(net, 10.0, record=js.record.Spikes())
    assert len(a.spikes["E"]) > 0
    assert np.array_equal(a.spikes["E"].times_ms, b.spikes["E"].between(5.0, 10.0).times_ms)


@pytest.mark.parametrize("n", [0, 1])
def test_smallest_populations(tmp_path: pathlib.Path, n: int) -> None:
    net = build(n)
    state = js.simulate(net, 5.0).final_state
    save(tmp_path, net, state)
    assert same(restore(tmp_path, net), state)


def test_save_replaces_what_was_there(tmp_path: pathlib.Path) -> None:
    net = build(10)
    later = js.simulate(net, 5.0).final_state
    save(tmp_path, net, later)
    save(tmp_path, net, net.init_state())
    assert steps(tmp_path) == [0]
    assert int(restore(tmp_path, net).tick) == 0


def test_arrays_of_another_form_are_refused(tmp_path: pathlib.Path) -> None:
    net = build(10)
    save(tmp_path, net, net.init_state())
    (path,) = tmp_path.glob("*/metadata.json")
    good = json.loads(path.read_text())

    def refuse(message: str, arrays: list[Any] | None = None, **changes: Any) -> None:
        content = {**good, **changes, "arrays": arrays if arrays is not None else good["arrays"]}
        content.pop("sha256")
        path.write_text(json.dumps({**content, "sha256": digest(content)}))
        with pytest.raises(ValueError, match=message):
            restore(tmp_path, net)

    name = "groups.0.membrane.neuron.V_mV"
    others = [spec for spec in good["arrays"] if spec["name"] != name]
    refuse(rf"{name} is only in the state of the network", others)
    refuse("extra is only in the state of the checkpoint", [*good["arrays"], {**others[0], "name": "extra"}])
    changed = {"name": name, "shape": [11], "dtype": "float32", "sha256": ""}
    refuse(rf"{name} is float32\[10\], the checkpoint has float32\[11\]", [*others, changed])
    ring = next(spec for spec in others if spec["name"] == "groups.0.ids")
    wide = {**ring, "shape": [ring["shape"][0], 11]}
    rest = [spec for spec in good["arrays"] if spec is not ring and spec["name"] != "groups.0.ids"]
    refuse(r"groups.0.ids is int32\[\d+, 10\], the checkpoint has int32\[\d+, 11\]", [*rest, wide])
    refuse("its description of the network is malformed", network={"dt_ms": 0.1})
    refuse("its description of the network is malformed", network=None)


def test_state_is_taken_over_on_request(tmp_path: pathlib.Path) -> None:
    net = build(50)
    state = js.simulate(net, 5.0).final_state
    save(tmp_path, net, state)
    with pytest.raises(ValueError, match=r"seed is 1, .* or pass strict=False to take over its state all the same"):
        restore(tmp_path, build(50, seed=1))
    assert same(restore(tmp_path, build(50, seed=1), strict=False), state)
    with pytest.raises(ValueError, match=r"population 'E' has 60 neurons, the checkpoint has 50; .* saved$"):
        restore(tmp_path, build(60), strict=False)


def test_a_state_is_no_tree(tmp_path: pathlib.Path) -> None:
    net = build(10)
    save(tmp_path, net, net.init_state())
    with pytest.raises(ValueError, match=r"holds a network state; use jaxsyn.checkpoint.restore"):
        restore_tree(tmp_path, net.init_state())


def test_a_tree_is_no_state(tmp_path: pathlib.Path) -> None:
    from jaxsyn.checkpoint import save_tree

    save_tree(tmp_path, {"w": 1.0})
    with pytest.raises(ValueError, match=r"holds a tree; use jaxsyn.checkpoint.restore_tree"):
        restore(tmp_path, build(10))


def test_metadata_names_the_network_and_the_time(tmp_path: pathlib.Path) -> None:
    net = build(10)
    js.simulate(net, 5.0, checkpoint=Checkpoints(tmp_path))
    (path,) = tmp_path.glob("*/metadata.json")
    metadata = json.loads(path.read_text())
    assert (metadata["kind"], metadata["step"], metadata["t_ms"]) == ("network state", 50, 5.0)
    assert metadata["network"]["populations"]["E"]["neurons"] == 10
    assert metadata["network_sha256"] == digest(metadata["network"])
    assert metadata["network"]["seed"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_ms": 0.0}, r"Checkpoints.every_ms: got 0.0; allowed: > 0"),
        ({"every_ms": float("nan")}, r"Checkpoints.every_ms: got nan"),
        ({"keep": 0}, r"Checkpoints.keep: got 0; allowed: a whole number >= 1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Checkpoints("unused", **options)


def test_a_period_off_the_grid_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"checkpoint.every_ms: got 0.25 ms; allowed: a positive multiple of dt_ms"):
        js.simulate(build(10), 5.0, checkpoint=Checkpoints(tmp_path, every_ms=0.25))
