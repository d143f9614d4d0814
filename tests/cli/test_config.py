"""Configurations: all that is valid builds, and all else is refused with file, field, got, allowed and remedy."""

import copy
import json
import pathlib
from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import jaxsyn as js
from jaxsyn.cli._build import Builder
from jaxsyn.cli._config import parse, read
from jaxsyn.cli._problems import ConfigError

from .conftest import SMALL, Config, call, changed

Write = Callable[..., pathlib.Path]
HERE = pathlib.Path(__file__).parent


def build(config: Config, folder: pathlib.Path = HERE) -> tuple[js.Network, list[js.record.AbstractRecord]]:
    file = folder / "net.json"
    builder = Builder(file, parse(file, config))
    return builder.network(), builder.records()


def network(populations: Config, **rest: Any) -> Config:
    return {"network": {"dt_ms": 0.1}, "populations": populations, "run": {"duration_ms": 1.0}, **rest}


def test_the_small_network() -> None:
    net, records = build(SMALL)
    assert (net.size("E"), net.size("I"), net.dt_ms, int(net.seed)) == (20, 5, 0.1, 1)
    assert [r.name for r in records] == ["spikes", "E.V_mV", "rate E", "count I"]
    assert np.all(np.asarray(net.groups[net.place("E")[0]].refractory_ms) == 2.0)


def test_toml_and_json_say_the_same(tmp_path: pathlib.Path) -> None:
    text = '[network]\ndt_ms = 0.1\n[populations.E]\nmodel = "LIF"\nsize = 3\n[run]\nduration_ms = 5\n'
    (tmp_path / "a.toml").write_text(text)
    content = read(tmp_path / "a.toml")
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read(tmp_path / "a.json") == content
    assert build(content)[0].size() == 3


MODELS: dict[str, Config] = {
    "AccumulateFire": {"wait_steps": 2, "window_steps": 3},
    "AdEx": {"b_pA": [0.0, 10.0, 20.0]},
    "Difference": {},
    "DiscreteALIF": {"beta": 0.2},
    "DiscreteCuBaLIF": {"alpha": 0.5},
    "DiscreteIF": {"v_init": 0.5},
    "DiscreteLIF": {"reset": "zero", "detach_reset": True},
    "DiscreteLIF.from_tau": {"tau_m_ms": 20.0, "dt_ms": 0.1},
    "EIF": {"Delta_T_mV": 3.0},
    "HodgkinHuxley": {
        "C_pF": 1,
        "g_Na_nS": 120,
        "g_K_nS": 36,
        "g_L_nS": 1,
        "E_Na_mV": 50,
        "E_K_mV": -77,
        "E_L_mV": -54,
    },
    "HodgkinHuxley.squid": {"area_um2": 200.0},
    "HodgkinHuxley.traub_miles": {},
    "HodgkinHuxley.wang_buzsaki": {},
    "Izhikevich": {"a_per_ms": 0.1},
    "IzhikevichPublished": {"dt_ms": 0.1, "substeps": 2},
    "LIF": {"tau_m_ms": 10},
    "LeakyIntegrator": {"decay": 0.5},
    "Relay": {},
    "SignedIF": {"threshold": 2},
}
RECEPTORS: dict[str, Config] = {
    "AMPA": {"tau_ms": 1.0},
    "NMDA": {"Mg_mM": 0.5},
    "GABA_A": {},
    "Current": {"kinetics": {"kind": "Alpha", "tau_ms": 3.0}},
    "Conductance": {"kinetics": {"kind": "DualExponential", "tau_rise_ms": 1.0}, "E_rev_mV": -80.0},
    "Delta": {},
}
RULES: dict[str, Config] = {
    "all_to_all": {"autapses": False},
    "block_model": {"sizes": [2, 4], "probability": [[0.5, 0.1], [0.1, 0.5]]},
    "distance_dependent": {
        "kernel": {"kind": "gaussian_kernel", "p0": 0.9, "scale": 2.0},
        "layout": {"kind": "grid", "spacing": 2.0},
        "box": 20.0,
    },
    "edges": {"pre": [0, 1], "post": [1, 2]},
    "fixed_in_degree": {"k": 2, "multapses": True},
    "fixed_out_degree": {"k": 2},
    "fixed_probability": {"p": 0.5},
    "fixed_total": {"n": 7},
    "one_to_one": {},
    "small_world": {"k": 2, "p": 0.1},
}
TRANSFORMS: dict[str, Config] = {
    "dense": {"bias": True},
    "identity": {},
    "chain": {"transforms": [{"kind": "dense", "n_out": 6, "weight": 0.5}, "batch_norm", {"kind": "identity"}]},
    "conv": {"channels": 1, "kernel": [3], "padding": 1, "input_shape": [1, 6], "bias": 0.1},
    "max_pool": {"kernel": [1], "input_shape": [1, 6]},
    "avg_pool": {"kernel": [1], "input_shape": [1, 6]},
    "flatten": {},
    "reshape": {"shape": [6]},
    "batch_norm": {"momentum": 0.2},
    "self_attention": {"shape": [1, 6]},
    "query_sum": {"shape": [1, 6]},
    "query_key_attention": {"shape": [1, 6]},
}
SOURCES = {"self_attention": ["q", "k", "v"], "query_key_attention": ["q", "k"]}  # of transforms of several
STIMULI: dict[str, Config] = {
    "constant": {"I_pA": 5.0},
    "step": {"I_pA": [1, 2, 3, 4, 5, 6], "start_ms": 1.0, "stop_ms": 2.0},
    "ramp": {"I_pA": 5.0, "stop_ms": 2.0},
    "sine": {"I_pA": 5.0, "frequency_Hz": 10.0},
    "sampled": {"I_pA": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 0, 0, 0, 0, 0]], "every_ms": 0.5},
    "ornstein_uhlenbeck": {"mean_pA": 1.0, "sd_pA": 1.0, "tau_ms": 1.0},
    "gaussian_noise": {"I_pA": 1.0},
    "poisson": {"rate_Hz": 10.0, "weight_nS": {"AMPA": 1.0}},
    "inhomogeneous_poisson": {"rate_Hz": [1.0, 2.0], "every_ms": 0.5, "weight_nS": {"AMPA": 1.0}},
    "spike_times": {"times_ms": [0.1, 0.5], "neurons": [0, 5], "weight_nS": {"AMPA": [1, 2, 3, 4, 5, 6]}},
}
RECORDS: dict[str, Config] = {
    "spikes": {"populations": ["E"]},
    "state": {"variable": "E.AMPA.value", "every_ms": 0.2, "index": 3},
    "mean": {"variable": "E.V_mV"},
    "rate": {"population": "E"},
    "spike_count": {"population": "E"},
    "weights": {"projection": "E_E", "index": [0]},
}
CELLS = {"E": {"model": "EIF", "size": 6, "receptors": {"AMPA": {}, "GABA_A": "GABA_A"}}}
UNITS = {"Current": "pA", "Delta": "mV"}


@pytest.mark.parametrize("model", MODELS)
def test_every_neuron_can_be_named(model: str) -> None:
    net, _ = build(network({"E": {"model": model, "size": 3, "parameters": MODELS[model]}}))
    neuron = net.groups[0].neuron
    assert type(neuron).__name__ == model.split(".")[0]
    for name, value in MODELS[model].items():
        if hasattr(neuron, name) and not isinstance(value, str | bool):
            assert np.allclose(np.asarray(getattr(neuron, name)), value)


@pytest.mark.parametrize("kind", RECEPTORS)
def test_every_receptor_can_be_named(kind: str) -> None:
    projection = {"source": "E", "target": "E", "rule": "all_to_all", "delay_ms": 1.0}
    projection[f"weight_{UNITS.get(kind, 'nS')}"] = {"r": {"distribution": "normal", "mean": 1.0, "std": 0.1}}
    cell = {"model": "LIF", "size": 3, "receptors": {"r": {"kind": kind, **RECEPTORS[kind]}}}
    net, _ = build(network({"E": cell}, projections={"E_E": projection}))
    assert len(set(net.synapses("E_E")["weight r"])) == 9


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_can_be_named(rule: str) -> None:
    projection = {
        "source": "E",
        "target": "E",
        "rule": {"kind": rule, **RULES[rule]},
        "weight_nS": {"AMPA": 1.0, "GABA_A": {"distribution": "TruncatedNormal", "mean": 1.0, "std": 1.0, "low": 0}},
        "delay_ms": {"distribution": "uniform", "low": 0.2, "high": 2.0},
        "short_term": {"kind": "TsodyksMarkram", "U": 0.3},
    }
    net, _ = build(network(CELLS, projections={"E_E": projection}))
    assert len(net.synapses("E_E")["pre"]) > 0


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_can_be_named(transform: str) -> None:
    rule = {"kind": transform, **TRANSFORMS[transform]}
    source = SOURCES.get(transform, "a")
    populations = {n: {"model": "DiscreteLIF", "size": 6} for n in (*source, "b")}
    net, _ = build(network(populations, projections={"a_b": {"source": source, "target": "b", "rule": rule}}))
    assert net.links[0].name == "a_b"


@pytest.mark.parametrize("kind", STIMULI)
def test_every_stimulus_can_be_named(kind: str) -> None:
    net, _ = build(network(CELLS, stimuli={"s": {"kind": kind, "target": "E", **STIMULI[kind]}}))
    assert net.stimuli["s"].size == 6


def test_every_record_can_be_named() -> None:
    projection = {"source": "E", "target": "E", "rule": "one_to_one", "weight_nS": {"AMPA": 1.0}, "delay_ms": 0.1}
    config = network(CELLS, projections={"E_E": projection})
    config["run"]["record"] = [{"kind": kind, **table} for kind, table in RECORDS.items()]
    net, records = build(config)
    solution = js.simulate(net, 1.0, record=records)
    assert {*solution.spikes, *solution.states, *solution.reductions} == {
        *("E", "E.AMPA.value", "weights E_E", "mean E.V_mV", "rate E", "count E")
    }


def test_nothing_is_left_out() -> None:
    """What the rooms export has a case above."""
    from jaxsyn.cli._registry import models

    tables = {
        js.neurons.AbstractNeuron: MODELS,
        js.receptors.AbstractReceptor: RECEPTORS,
        js.connect.AbstractRule: RULES,
        js.connect.AbstractTransform: TRANSFORMS,
        js.stimuli.AbstractStimulus: STIMULI,
        js.record.AbstractRecord: RECORDS,
    }
    for base, cases in tables.items():
        assert set(models(base)) == set(cases)


def test_arrays_may_stand_in_files(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "spikes.npz", times=[0.3, 0.7], neurons=[1, 2])
    np.save(tmp_path / "weights.npy", np.linspace(1.0, 2.0, 6))
    spikes = {"kind": "spike_times", "target": "E", "weight_nS": {"AMPA": {"file": "weights.npy"}}}
    spikes["times_ms"] = {"file": "spikes.npz", "array": "times"}
    spikes["neurons"] = {"file": "spikes.npz", "array": "neurons"}
    net, _ = build(network(CELLS, stimuli={"s": spikes}), tmp_path)
    assert int(net.stimuli["s"].stimulus.last_tick) == 7
    assert float(net.stimuli["s"].weights["AMPA"][-1]) == 2.0


ADEX = {"model": "AdEx", "size": 2}
BAD: list[tuple[str, Any, str, str]] = [
    # entry, value, field in the message, what else the message says
    ("network", ..., "network", "it has to be given"),
    ("network.dt", 0.1, "network.dt", "unknown key 'dt'|dt_ms, seed|did you mean dt_ms?"),
    ("network.dt_ms", 0.0, "network.dt_ms", "0.0|a number > 0 and <= 100"),
    ("network.dt_ms", "0.1", "network.dt_ms", "'0.1'|a number > 0"),
    ("network.dt_ms", True, "network.dt_ms", "True|a number > 0"),
    ("network.seed", 1.5, "network.seed", "1.5|a whole number from 0 to 4294967295"),
    ("network.seed", -1, "network.seed", "-1|a whole number from 0"),
    ("populations", {}, "populations", "at least one table"),
    ("populations", 3, "populations", "3|a table"),
    ("populations.a+b", ADEX, "populations.a+b", "a name without '.' and '+'"),
    ("populations.E", 3, "populations.E", "3|AdEx, Difference, DiscreteALIF"),
    ("populations.E", "LIF", "populations.E", "'LIF'|a table"),
    (
        "populations.E.model",
        "Adex2",
        "populations.E.model",
        "'Adex2'|AdEx, Difference, DiscreteALIF|did you mean AdEx?",
    ),
    ("populations.E.model", ..., "populations.E.model", "nothing|AdEx|add model"),
    ("populations.E.size", ..., "populations.E.size", "nothing|it has to be given"),
    ("populations.E.size", -1, "populations.E.size", "-1|a whole number from 0"),
    ("populations.E.parameters", {"tau": 1.0}, "populations.E.parameters.tau", "unknown key|tau_m_ms"),
    ("populations.E.parameters", {"tau_m_ms": -1}, "populations.E.parameters.tau_m_ms", "-1|each > 0"),
    ("populations.E.parameters", {"tau_m_ms": [1.0, "a"]}, "populations.E.parameters.tau_m_ms", "'a'|numbers"),
    ("populations.E.parameters", {"tau_m_ms": [1, 2]}, "populations.E", "tau_m_ms has 2 values for 20 neurons"),
    ("populations.E.receptors", {"AMPAR": {}}, "populations.E.receptors.AMPAR", "'AMPAR'|did you mean AMPA?"),
    ("populations.E.receptors", 3, "populations.E.receptors", "3|a table"),
    ("populations.E.receptors.AMPA.kinetics", "Beta", "populations.E.receptors.AMPA.kinetics", "'Beta'|Alpha, Dual"),
    ("populations.E.integrator", "RK5", "populations.E.integrator", "'RK5'|Euler, Exact, ExponentialEuler, RK2, RK4"),
    ("populations.E.integrator", {"kind": "RK4", "on_grid": 1}, "populations.E.integrator.on_grid", "1|true or false"),
    ("populations.E.initial", {"V": -60.0}, "populations.E", "unknown initial variable 'V'|V_mV"),
    ("populations.E.refractory_ms", -1.0, "populations.E.refractory_ms", "-1.0|>= 0"),
    ("populations.H", {"model": "HodgkinHuxley", "size": 1}, "populations.H.parameters", "it has to be given"),
    ("projections.E_I.source", "X", "projections.E_I.source", "'X'|E, I"),
    ("projections.E_I.target", ["I", "J"], "projections.E_I.target", "'J'|E, I"),
    ("projections.E_I.target", 3, "projections.E_I.target", "3|a text or a list"),
    ("projections.E_I.rule", "fixed_prob", "projections.E_I.rule", "'fixed_prob'|did you mean fixed_probability?"),
    ("projections.E_I.rule", {"kind": "fixed_probability", "p": 2}, "projections.E_I.rule", "2|>= 0 and <= 1"),
    ("projections.E_I.rule", {"kind": "fixed_total", "n": 1.5}, "projections.E_I.rule.n", "1.5|a whole number"),
    ("projections.E_I.rule", {"p": 0.1}, "projections.E_I.rule.kind", "nothing|all_to_all"),
    ("projections.E_I.weight_pA", {"GABA": 1.0}, "projections.E_I.weight_pA.GABA", "'GABA'|AMPA"),
    ("projections.E_I.weight_pA", "big", "projections.E_I.weight_pA", "'big'|a number or a list of numbers"),
    ("projections.E_I.weight_pA", ..., "projections.E_I", "weight of AMPA: none given"),
    ("projections.E_I.weight_nS", 1.0, "projections.E_I", "weights in pA and nS|one unit"),
    ("projections.E_I.delay_ms", 0.25, "projections.E_I.delay_ms", "0.25|a multiple of network.dt_ms = 0.1|take 0.2"),
    ("projections.E_I.delay_ms", {"distribution": "uni"}, "projections.E_I.delay_ms.distribution", "'uni'|uniform"),
    ("projections.E_I.delay_ms", {"file": "no.npy"}, "projections.E_I.delay_ms", "No such file|an .npy file"),
    ("projections.E_I.propagation", "fast", "projections.E_I.propagation", "'fast'|'auto', 'sparse' or 'bcoo'"),
    ("projections.E_I.short_term", "STP", "projections.E_I.short_term", "'STP'|TsodyksMarkram"),
    ("stimuli.noise.kind", "noise", "stimuli.noise.kind", "'noise'|constant, gaussian_noise"),
    ("stimuli.noise.tau_ms", ..., "stimuli.noise.tau_ms", "nothing|it has to be given|add tau_ms"),
    ("stimuli.noise.tau_ms", 0, "stimuli.noise.tau_ms", "0|each > 0"),
    ("stimuli.noise.target", "J", "stimuli.noise.target", "'J'|E, I"),
    ("stimuli.bias.I_pA", {"distribution": "uniform"}, "stimuli.bias.I_pA", "a number, a list, {file = ...}"),
    ("projections.E_I.rule", "one_to_one", "projections.E_I", "OneToOne"),
    ("stimuli.bias.I_pA", [1.0, 2.0], "stimuli.bias", "2 values|a scalar or 5"),
    ("stimuli.bias.drive", 1.0, "stimuli.bias", "either I_pA"),
    ("run", ..., "run", "it has to be given"),
    ("run.duration_ms", 0.05, "run.duration_ms", "0.05|a multiple of network.dt_ms = 0.1|take 0.1"),
    ("run.duration_ms", float("nan"), "run.duration_ms", "nan|a number > 0"),
    ("run.checkpoint_every_ms", 0.33, "run.checkpoint_every_ms", "a multiple of network.dt_ms"),
    ("run.checkpoint_keep", 0, "run.checkpoint_keep", "0|a whole number from 1 to 1000"),
    ("run.stream", False, "run.stream", "false with checkpoint_every_ms|true|resuming needs"),
    ("run.record", {"kind": "spikes"}, "run.record", "a list"),
    ("run.record.0.kind", "spike", "run.record[0].kind", "'spike'|did you mean spikes?"),
    ("run.record.1.variable", "X.V_mV", "run.record[1].variable", "'X'|E, I"),
    ("run.record.1.variable", "E", "run.record[1]", "'E'|'population.field'"),
    ("run.record.1.every_ms", 0.15, "run.record[1].every_ms", "0.15|a multiple of network.dt_ms"),
    ("run.record.1.index", [-1], "run.record[1]", "[-1]|whole numbers >= 0"),
    ("run.record.3.population", "J", "run.record[3].population", "'J'|E, I"),
]


@pytest.mark.parametrize(("path", "value", "field", "said"), BAD, ids=[f"{b[0]}={str(b[1])[:12]}" for b in BAD])
def test_what_is_wrong_is_named(path: str, value: Any, field: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(changed(path, value))
    fields = {p.field: p for p in caught.value.problems}
    assert field in fields
    text = "\n".join(fields[field].lines())
    assert "net.json" in text
    for part in said.split("|"):
        assert part in text


def test_all_problems_are_named_at_once() -> None:
    config = changed("network.dt_ms", -1)
    config["populations"]["E"]["size"] = -1
    config["stimuli"]["noise"]["colour"] = "pink"
    with pytest.raises(ConfigError) as caught:
        build(config)
    fields = {p.field for p in caught.value.problems}
    assert fields == {"network.dt_ms", "populations.E.size", "stimuli.noise.colour"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("net.toml", "[network\n", "line 1"),
        ("net.json", '{"network": }', "line 1 column 13"),
        ("net.json", '{"a": 1, "a": 2}', "key 'a' stands there twice"),
        ("net.yaml", "a: 1", "*.toml or *.json"),
        ("net.toml", b"\xff\xfe", "UTF-8"),
        ("net.json", "[1, 2]", "a table"),
    ],
)
def test_broken_files_are_refused(tmp_path: pathlib.Path, name: str, text: str | bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    out = call("run", file, "--out", tmp_path / "out")
    assert out.exit_code == 2
    assert str(file) in out.stderr
    assert said in out.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_refused(tmp_path: pathlib.Path) -> None:
    out = call("run", tmp_path / "none.toml")
    assert out.exit_code == 2
    assert "No such file or directory" in out.stderr


@pytest.mark.parametrize(
    ("save", "table", "said"),
    [
        (lambda f: np.save(f, np.asarray([{}])), {}, "arrays of objects are not read"),
        (lambda f: np.savez(f, a=[1.0]), {"array": "b"}, "which has a|name one of these"),
        (lambda f: np.savez(f, a=[1.0]), {}, "array None of|name one of these"),
        (lambda f: np.save(f, [1.0]), {"array": "b"}, "which has one array without a name"),
        (lambda f: np.save(f, ["x"]), {}, "an array of <U1|save it as numbers"),
        (lambda f: f.write(b"rubbish"), {}, "an .npy file"),
        (lambda f: f.write(b"PK\x03\x04rubbish"), {}, "an .npy file"),
    ],
)
def test_broken_arrays_are_refused(tmp_path: pathlib.Path, save: Any, table: Config, said: str) -> None:
    with (tmp_path / "array").open("wb") as file:
        save(file)
    config = changed("projections.E_I.delay_ms", {"file": "array", **table})
    with pytest.raises(ConfigError) as caught:
        build(config, tmp_path)
    for part in said.split("|"):
        assert part in str(caught.value)


TABLES = ["", "network", "populations.E", "projections.E_I", "projections.E_I.rule", "stimuli.noise", "run"]
TABLES += ["run.record.1", "populations.E.receptors.AMPA", "populations.E.receptors.AMPA.kinetics"]
KEYS = st.text("abcdefghijklmnopqrstuvwxyzABC_123", min_size=1, max_size=12)


@hypothesis.given(table=st.sampled_from(TABLES), key=KEYS)
def test_unknown_keys_are_refused(tmp_path_factory: pytest.TempPathFactory, table: str, key: str) -> None:
    config: Any = copy.deepcopy(SMALL)
    at = config
    for part in table.split(".") if table else ():
        at = at[int(part)] if isinstance(at, list) else at[part]
    known = {"populations", "projections", "stimuli", "network", "run", "weight", "drive", "gain", "initial", "stream"}
    hypothesis.assume(key not in at and key not in known)
    at[key] = 1
    folder = tmp_path_factory.mktemp("unknown")
    (folder / "net.json").write_text(json.dumps(config))
    out = call("run", folder / "net.json", "--out", folder / "out")
    assert out.exit_code == 2
    named = table.replace(".1", "[1]")
    assert f"net.json: {named}.{key}".replace(": .", ": ") in out.stderr
    assert "unknown key" in out.stderr
    assert "allowed:" in out.stderr
    assert "remedy:" in out.stderr
    assert not (folder / "out").exists()


NUMBERS = st.floats(0.5, 50.0).map(lambda x: round(x, 3))
VALUES = st.one_of(
    NUMBERS,
    st.builds(lambda a, b: {"distribution": "uniform", "low": a, "high": a + b}, NUMBERS, NUMBERS),
    st.builds(lambda a, b: {"distribution": "log_normal", "mean": a, "std": b}, NUMBERS, NUMBERS),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    names = draw(st.lists(st.text("EIabc_1", min_size=1, max_size=4), min_size=1, max_size=3, unique=True))
    receptors = {name: RECEPTORS[name] for name in ("AMPA", "NMDA", "GABA_A")}
    models = st.sampled_from(["LIF", "EIF", "AdEx", "izhikevich", "HodgkinHuxley.squid"])
    populations: Config = {}
    for name in names:
        populations[name] = {"model": draw(models), "size": draw(st.integers(0, 8)), "receptors": receptors}
        if draw(st.booleans()):
            populations[name]["refractory_ms"] = draw(NUMBERS)
        if draw(st.booleans()):
            populations[name]["initial"] = {"V_mV": {"distribution": "normal", "mean": -60.0, "std": draw(NUMBERS)}}
    some = st.lists(st.sampled_from(names), min_size=1, max_size=len(names), unique=True)
    projections = {}
    for i in range(draw(st.integers(0, 3))):
        projections[f"p{i}"] = {
            "source": draw(st.sampled_from(names)),
            "target": draw(some),
            "rule": draw(st.sampled_from(["all_to_all", {"kind": "FixedProbability", "p": draw(st.floats(0, 1))}])),
            "weight_nS": draw(st.dictionaries(st.sampled_from(list(receptors)), VALUES, min_size=1)),
            "delay_ms": draw(
                st.one_of(st.integers(1, 40).map(lambda k: k / 10), VALUES.filter(lambda v: type(v) is dict))
            ),
        }
    stimuli = {
        f"s{i}": {
            "kind": "poisson",
            "target": draw(some),
            "rate_Hz": draw(NUMBERS),
            "weight_nS": {"AMPA": draw(NUMBERS)},
        }
        for i in range(draw(st.integers(0, 2)))
    }
    run = {"duration_ms": draw(st.integers(1, 1000)) / 10, "record": [{"kind": "rate", "population": names[0]}]}
    seed = draw(st.integers(0, 2**32 - 1))
    parts = {"populations": populations, "projections": projections, "stimuli": stimuli, "run": run}
    return {"network": {"dt_ms": 0.1, "seed": seed}, **parts}


@hypothesis.given(config=configs())
def test_valid_configurations_build(config: Config) -> None:
    net, records = build(config)
    assert {n: net.size(n) for n in net.populations()} == {n: p["size"] for n, p in config["populations"].items()}
    assert int(net.seed) == config["network"]["seed"]
    assert len(records) == 1
    again, _ = build(json.loads(json.dumps(config)))
    for name in config["projections"]:
        one, two = net.synapses(name), again.synapses(name)
        assert all(np.array_equal(one[k], two[k]) for k in one)
