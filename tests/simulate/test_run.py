"""The pure run: gradients against a plain scan written by hand, batches, jit, refusals, inputs."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js
from tests.simulate.zoo import simple

DT, STEPS, N = 0.5, 40, 6
RNG = np.random.default_rng(11)
PRE, POST = RNG.integers(0, N, 20), RNG.integers(0, N, 20)
STEPS_OF_DELAY = RNG.integers(0, 4, 20)
WEIGHT_PA = RNG.normal(100.0, 150.0, 20)
START_MV = RNG.uniform(-60.0, -50.5, N)
DRIVE_PA = RNG.uniform(150.0, 500.0, N)
LOOK_V, LOOK_S = RNG.normal(size=(STEPS, N)), RNG.normal(size=(STEPS, N))
CELL = {"tau_m_ms": 12.0, "C_pF": 150.0, "E_L_mV": -62.0, "V_th_mV": -50.0, "V_reset_mV": -58.0}


@pytest.fixture
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def recurrent(**options: Any) -> js.Network:
    """LIF neurons with current synapses among themselves, delays 0 to 3 steps, refractory for 2."""
    receptors = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
    model = js.neurons.LIF(**{k: jnp.full(N, v) for k, v in CELL.items()})
    integrator = js.neurons.Exact(on_grid=True)
    surrogate = options.pop("surrogate", js.surrogate.SuperSpike())
    native = options.pop("native", None)
    cells = js.Population(
        model,
        N,
        receptors,
        integrator=integrator,
        refractory_ms=2 * DT,
        surrogate=surrogate,
        initial={"V_mV": START_MV},
    )
    rule, delay_ms = js.connect.Edges(PRE, POST), STEPS_OF_DELAY * DT
    loop = js.Projection("a", "a", rule, weight_pA=WEIGHT_PA, delay_ms=delay_ms, gain=1.5, **options)
    drive = js.stimuli.Constant("a", I_pA=DRIVE_PA)
    return js.Network({"a": cells}, {"loop": loop}, {"dc": drive}, dt_ms=DT, native=native)


@jax.custom_jvp
def spike(gap: jax.Array) -> jax.Array:
    return (gap >= 0).astype(gap.dtype)


@spike.defjvp
def _spike_jvp(primals: Any, tangents: Any) -> Any:
    (gap,), (d_gap,) = primals, tangents
    return spike(gap), d_gap / (1.0 + 10.0 * jnp.abs(gap)) ** 2


def by_hand(p: dict[str, jax.Array]) -> jax.Array:
    """The same network as a scan over (V, current, refractory, history of spikes), with a full matrix per delay."""
    matrix = jnp.zeros((4, N, N)).at[STEPS_OF_DELAY, PRE, POST].add(p["weight"])
    decay_V, decay_I = jnp.exp(-DT / p["tau_m_ms"]), jnp.exp(-DT / 3.0)
    into = (decay_V - decay_I) * 3.0 * p["tau_m_ms"] / (p["tau_m_ms"] - 3.0) / p["C_pF"]
    push = (1.0 - decay_V) * p["tau_m_ms"] / p["C_pF"]

    def step(carry: Any, look: Any) -> Any:
        V, current, left, sent = carry
        free = p["E_L_mV"] + (V - p["E_L_mV"]) * decay_V + current * into + p["drive"] * push
        V, current = jnp.where(left > 0, V, free), current * decay_I
        s = jnp.where(left > 0, 0.0, spike(V - p["V_th_mV"]))
        V = V + s * (p["V_reset_mV"] - V)
        left = jnp.where(s > 0, 2, jnp.maximum(left - 1, 0))
        sent = jnp.concatenate([s[None], sent[:-1]])
        current = current + p["gain"] * jnp.einsum("dp,dpq->q", sent, matrix)
        return (V, current, left, sent), jnp.sum(look[0] * V) + jnp.sum(look[1] * s)

    start = (p["V_mV"], jnp.zeros(N), jnp.zeros(N, jnp.int32), jnp.zeros((4, N)))
    _, parts = jax.lax.scan(step, start, (jnp.asarray(LOOK_V), jnp.asarray(LOOK_S)))
    return jnp.sum(parts)


PARTS: dict[str, Callable[[js.Network], Any]] = {
    "gain": lambda net: net.links[0].gain,
    "drive": lambda net: net.stimuli["dc"].stimulus.amplitude,
    "V_mV": lambda net: net.groups[0].start.neuron.V_mV,
    **{name: (lambda net, name=name: getattr(net.groups[0].neuron, name)) for name in CELL},
}
RECORD = [js.record.Spikes(), js.record.State("a.V_mV")]


def look(net: js.Network, **options: Any) -> jax.Array:
    _, out = js.run(net, STEPS, record=RECORD, **options)
    return jnp.sum(out["a.V_mV"] * LOOK_V) + jnp.sum(out["spikes"]["a"] * LOOK_S)


def parts_of(net: js.Network) -> dict[str, Any]:
    return {name: where(net) for name, where in PARTS.items()} | {"weight": net.links[0].weight}


def with_parts(net: js.Network, parts: dict[str, Any]) -> js.Network:
    for name, where in (PARTS | {"weight": lambda net: net.links[0].weight}).items():
        net = eqx.tree_at(where, net, parts[name])
    return net


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("options", [{}, {"propagation": "bcoo"}])
def test_gradients_of_a_recurrent_network_are_those_of_a_plain_scan(options: dict[str, Any]) -> None:
    net = recurrent(**options)
    synapses = net.synapses("loop")
    order = np.lexsort((POST, PRE, STEPS_OF_DELAY))
    assert np.array_equal(synapses["pre"], PRE[order])
    plain = parts_of(net) | {"weight": jnp.asarray(WEIGHT_PA)}
    value, expected = jax.jit(jax.value_and_grad(by_hand))(plain)
    got_value, got = jax.jit(jax.value_and_grad(lambda parts: look(with_parts(net, parts))))(parts_of(net))
    np.testing.assert_allclose(got_value, value, rtol=1e-12)
    _, out = js.run(net, STEPS, record=RECORD)
    assert 10 < float(out["spikes"]["a"].sum()) < 120
    for name, gradient in expected.items():
        assert np.all(np.asarray(gradient) != 0), name
        ours = np.asarray(got[name])
        if name == "weight":
            assert not ours[0, 20:].any()  # padding
            ours, gradient = ours[0, :20], gradient[order]
        np.testing.assert_allclose(ours, gradient, rtol=1e-10, atol=1e-10 * np.abs(gradient).max(), err_msg=name)


class ShiftedBoxcar(js.surrogate.AbstractSurrogate):
    """Soft spikes in their own way, that have a derivative where `derivative` says none."""

    def __call__(self, gap: jax.Array) -> jax.Array:
        return jnp.where(gap > -5.0, 0.01 * (gap + 5.0), 0.0)

    def derivative(self, gap: jax.Array) -> jax.Array:
        return jnp.zeros_like(gap)


@pytest.mark.parametrize("native", [None, False])
@pytest.mark.parametrize("surrogate", [js.surrogate.Triangle(k=0.3), js.surrogate.Boxcar(k=2.0), ShiftedBoxcar()])
def test_skipping_emissions_without_derivative_changes_no_gradient(
    monkeypatch: pytest.MonkeyPatch, surrogate: Any, native: bool | None
) -> None:
    """Sparse links carry nothing back to emissions of 0 at which the surrogate is 0; these are marked by their sign."""
    net = recurrent(surrogate=surrogate, native=native)
    gradient = lambda: jax.grad(lambda parts: look(with_parts(net, parts)))(parts_of(net))  # noqa: E731
    got = gradient()
    end, out = js.run(net, STEPS, record=RECORD)
    spikes, ring = np.asarray(out["spikes"]["a"]), np.asarray(end.groups[0].values)
    assert not np.signbit(spikes).any()
    assert np.signbit(ring).any() == isinstance(surrogate, js.surrogate.Triangle | js.surrogate.Boxcar)
    monkeypatch.setattr(type(net.groups[0]), "marks", False)
    jax.clear_caches()
    for name, expected in gradient().items():
        assert np.any(np.asarray(expected) != 0), name
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(got[name], expected, rtol=1e-4, atol=1e-5 * scale, err_msg=name)


def test_differentiating_a_batch_is_a_batch_of_derivatives_and_traces_once() -> None:
    net, traces = recurrent(), []

    def loss(weight: jax.Array, gain: jax.Array) -> jax.Array:
        traces.append(None)
        return look(with_parts(net, parts_of(net) | {"weight": weight, "gain": gain}))

    gradient = jax.jit(jax.grad(loss, (0, 1)))
    weights = jnp.stack([factor * net.links[0].weight for factor in (0.5, 1.0, 1.5)])
    gains = jnp.array([1.0, 2.0, 1.5])
    single = [gradient(w, g) for w, g in zip(weights, gains, strict=True)]
    assert len(traces) == 1
    batch = jax.jit(jax.vmap(jax.grad(loss, (0, 1))))(weights, gains)
    for k, one in enumerate(single):
        for a, b in zip(one, batch, strict=True):
            np.testing.assert_allclose(b[k], a, rtol=2e-3, atol=1e-4 * float(jnp.abs(a).max()))


def test_rates_counts_and_means_carry_the_gradient_of_what_they_sum() -> None:
    net = recurrent()
    record = [*RECORD, js.record.SpikeCount("a"), js.record.Rate("a", every_ms=4 * DT), js.record.Mean("a.V_mV")]

    window_s = 4 * DT * 1e-3

    def sums(weight: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of the spikes, thrice, and of the voltages, twice."""
        _, out = js.run(eqx.tree_at(lambda n: n.links[0].weight, net, weight), STEPS, record=record)
        rate, mean = jnp.sum(out["rate a"]) * N * window_s, jnp.sum(out["mean a.V_mV"]) * N
        both = jnp.stack([jnp.sum(out["spikes"]["a"]), jnp.sum(out["count a"]), rate, jnp.sum(out["a.V_mV"]), mean])
        return both, both

    jacobian, values = jax.jit(jax.jacrev(sums, has_aux=True))(net.links[0].weight)
    for k, reference in ((1, 0), (2, 0), (4, 3)):
        np.testing.assert_allclose(values[k], values[reference], rtol=1e-5)
        np.testing.assert_allclose(jacobian[k], jacobian[reference], rtol=1e-4, atol=1e-5)
        assert np.abs(jacobian[k]).max() > 0


def chain(surrogate: Any = None) -> js.Network:
    """Dense layers without delay, a layer that talks to itself a step later, and an input that skips them."""
    return js.Network(
        {
            "out": js.Population(js.neurons.LeakyIntegrator(0.95), 2),
            "g": js.Population(js.neurons.DiscreteLIF(0.9, reset="zero"), 3, surrogate=surrogate),
            "h": js.Population(js.neurons.DiscreteLIF(jnp.full(5, 0.8)), 5, surrogate=surrogate),
            "in": js.Population(js.neurons.Relay(), 4),
        },
        {
            "w1": js.Projection("in", "h", js.connect.Dense(bias=True)),
            "w2": js.Projection("h", "g", js.connect.Dense(), gain=2.0),
            "w3": js.Projection("g", "out", js.connect.Dense()),
            "loop": js.Projection("h", "h", js.connect.Dense(), delay_ms=1.0),
            "skip": js.Projection("in", "out", js.connect.Dense(), delay_ms=3.0),
        },
        dt_ms=1.0,
        seed=5,
    )


def chain_by_hand(p: dict[str, Any], inputs: jax.Array) -> jax.Array:
    h, g, out, s_h, total = jnp.zeros(5), jnp.zeros(3), jnp.zeros(2), jnp.zeros(5), 0.0
    for k in range(inputs.shape[0]):
        h = p["decay"] * h + inputs[k] @ p["w1"] + p["bias"] + s_h @ p["loop"]
        s_h = spike(h - 1.0)
        h = h - s_h
        g = 0.9 * g + p["gain"] * (s_h @ p["w2"])
        s_g = spike(g - 1.0)
        g = g * (1.0 - s_g)
        out = 0.95 * out + s_g @ p["w3"] + (inputs[k - 3] @ p["skip"] if k >= 3 else 0.0)
        total = total + jnp.sum(out * LOOK_V[k, :2])
    return total


@pytest.mark.usefixtures("x64")
def test_gradients_of_a_dense_chain_are_those_of_a_plain_scan() -> None:
    net = chain(js.surrogate.SuperSpike())
    place = {link.name: i for i, link in enumerate(net.links)}
    g = net.place("h")[0]

    def where(net: js.Network) -> list[Any]:
        weights = [net.links[place[name]].transform.weight for name in ("w1", "w2", "w3", "loop", "skip")]
        bias, gain = net.links[place["w1"]].transform.bias, net.links[place["w2"]].gain
        return [*weights, bias, gain, net.groups[g].neuron.decay]

    def ours(parts: list[Any], inputs: jax.Array) -> jax.Array:
        _, out = js.run(eqx.tree_at(where, net, parts), 16, inputs={"in": inputs}, record=[js.record.Spikes("out")])
        return jnp.sum(out["spikes"]["out"] * LOOK_V[:16, :2])

    def plain(parts: list[Any], inputs: jax.Array) -> jax.Array:
        names = ("w1", "w2", "w3", "loop", "skip", "bias", "gain", "decay")
        return chain_by_hand(dict(zip(names, parts, strict=True)), inputs)

    inputs = jnp.asarray(RNG.random((16, 4)) * 4.0)
    parts = where(net)
    got, expected = (jax.jit(jax.value_and_grad(f, (0, 1)))(parts, inputs) for f in (ours, plain))
    for a, b in zip(*map(jax.tree.leaves, (got, expected)), strict=True):
        assert np.any(np.asarray(b) != 0)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


LOCATED, ON_GRID = js.neurons.Exact(), js.neurons.Exact(on_grid=True)
CURRENT = {"x": js.receptors.Current(js.receptors.Exponential(3.0))}
LOSSES: dict[str, Callable[[Any, dict[str, Any]], jax.Array]] = {
    "voltage": lambda state, out: jnp.sum(out["b.V_mV"]),
    "mean": lambda state, out: jnp.sum(out["mean b.V_mV"]),
    "spikes": lambda state, out: jnp.sum(out["spikes"]["b"].astype(jnp.float32)),
    "rate": lambda state, out: jnp.sum(out["rate b"]),
    "count": lambda state, out: jnp.sum(out["count b"].astype(jnp.float32)),
    "final state": lambda state, out: jnp.sum(state.groups[-1].membrane.neuron.V_mV),
}
EVERYTHING = [
    js.record.Spikes(),
    js.record.State("b.V_mV"),
    js.record.Mean("b.V_mV"),
    js.record.Rate("b"),
    js.record.SpikeCount("b"),
]


def pair(a: Any, b: Any, source: Any = None, target: Any = None, **options: Any) -> js.Network:
    """a -> b and b -> b with integrators and surrogates as given."""
    cells = {
        "a": js.Population(js.neurons.LIF(), 4, CURRENT, integrator=a, surrogate=source),
        "b": js.Population(js.neurons.LIF(), 3, CURRENT, integrator=b, surrogate=target, initial={"V_mV": -51.0}),
    }
    options = {"weight_pA": 300.0, "delay_ms": 0.2} | options
    projections = {name: js.Projection(*name, js.connect.AllToAll(), **options) for name in ("ab", "bb")}
    return js.Network(cells, projections, {"dc": js.stimuli.Constant("a", I_pA=400.0)}, dt_ms=0.1)


SURROGATE = js.surrogate.SuperSpike()
WEIGHT: Callable[[js.Network], Any] = lambda net: net.links[0].weight  # noqa: E731
CASES = {
    "located": (pair(LOCATED, LOCATED), WEIGHT, "a"),
    "on the grid": (pair(ON_GRID, ON_GRID), WEIGHT, "a"),
    "gain": (pair(LOCATED, LOCATED), lambda net: net.links[0].gain, "a"),
    "drive of the source": (pair(LOCATED, ON_GRID), lambda net: net.stimuli["dc"].stimulus.amplitude, "a"),
    "by Runge-Kutta": (pair(js.neurons.RK4(), ON_GRID), lambda net: net.groups[0].neuron.C_pF, "a"),
    "only the target has one": (pair(LOCATED, ON_GRID, None, SURROGATE), WEIGHT, "a"),
    "only the source has one": (pair(ON_GRID, ON_GRID, SURROGATE), WEIGHT, "b"),
    "the loop is by ids": (pair(ON_GRID, ON_GRID, SURROGATE), lambda net: net.links[1].weight, "b"),
    "parameter of the target": (pair(ON_GRID, LOCATED, SURROGATE), lambda net: net.groups[-1].neuron.tau_m_ms, "b"),
    "as a matrix": (pair(LOCATED, LOCATED, propagation="bcoo"), WEIGHT, r"a\+b"),  # one group
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", CASES)
def test_a_gradient_through_spikes_without_surrogate_is_refused(case: str, loss: str) -> None:
    net, where, name = CASES[case]

    def total(part: jax.Array) -> jax.Array:
        return LOSSES[loss](*js.run(eqx.tree_at(where, net, part), 30, record=EVERYTHING))

    with pytest.raises(ValueError, match=rf"population '{name}' has no surrogate.*surrogate=js\.surrogate\.SuperSpike"):
        jax.eval_shape(jax.grad(total), where(net))


def test_a_gradient_through_discrete_neurons_without_surrogate_is_refused() -> None:
    net = chain()

    def total(weight: jax.Array) -> jax.Array:
        changed = eqx.tree_at(lambda n: n.links[0].transform.weight, net, weight)
        _, out = js.run(changed, 5, inputs={"in": jnp.ones((5, 4))}, record=[js.record.Spikes()])
        return jnp.sum(out["spikes"]["out"])

    with pytest.raises(ValueError, match="population 'h' has no surrogate"):
        jax.grad(total)(net.links[0].transform.weight)


@pytest.mark.parametrize("native", [None, False])
def test_a_batch_is_what_its_lanes_are_alone(native: bool | None) -> None:
    net = simple(native=native)
    wheres: list[tuple[Callable[[js.Network], Any], jax.Array]] = [
        (lambda n: n.seed, jnp.array([0, 1, 7], jnp.uint32)),
        (lambda n: n.links[0].gain, jnp.array([0.0, 1.0, 2.0])),
        (lambda n: n.groups[0].neuron.tau_m_ms, jnp.array([10.0, 20.0, 30.0])),
    ]

    def spikes(*lane: jax.Array) -> jax.Array:
        changed = net
        for (where, _), value in zip(wheres, lane, strict=True):
            changed = eqx.tree_at(where, changed, value)
        return js.run(changed, 100, record=[js.record.Spikes()])[1]["spikes"]["a"]

    plain = [where(net) for where, _ in wheres]
    single = jax.jit(spikes)
    for k, (_, values) in enumerate(wheres):
        axes = tuple(0 if i == k else None for i in range(3))
        lanes = [*plain[:k], values, *plain[k + 1 :]]
        batch = jax.jit(jax.vmap(spikes, axes))(*lanes)
        alone = [single(*plain[:k], value, *plain[k + 1 :]) for value in values]
        assert np.array_equal(batch, jnp.stack(alone))
        assert len({int(one.sum()) for one in alone}) == 3


def test_jit_changes_nothing() -> None:
    net, record = simple(), [js.record.Spikes(), js.record.State("a.V_mV")]
    compiled = jax.jit(lambda net: js.run(net, 60, record=record))(net)
    for a, b in zip(*map(jax.tree.leaves, (js.run(net, 60, record=record), compiled)), strict=True):
        assert np.array_equal(a, b)
    with jax.disable_jit():
        _, out = js.run(net, 2, record=record)
    np.testing.assert_allclose(out["a.V_mV"], compiled[1]["a.V_mV"][:2], rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_a_run_is_as_long_as_asked_down_to_nothing() -> None:
    net = simple()
    state, out = js.run(net, 0, record=[js.record.Spikes(), js.record.State("a.V_mV"), js.record.SpikeCount("a")])
    assert int(state.tick) == 0
    assert {k: np.shape(v) for k, v in out.items() if k != "spikes"} == {"a.V_mV": (0, 40), "count a": (40,)}
    assert out["spikes"]["a"].shape == (0, 40)
    assert int(js.run(net, np.int64(2))[0].tick) == 2


def test_no_spike_is_lost_from_a_state_with_little_room() -> None:
    """The final state of `simulate` has room for the spikes that came so far; `run` cannot repeat, so it makes room."""
    net = simple()
    small, full = net.init_state(capacity=1), net.init_state()
    for a, b in zip(*(jax.tree.leaves(js.run(net, 100, state=s)[0]) for s in (small, full)), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": -1}, r"run\.n_steps: got -1; allowed: a whole number >= 0"),
        ({"n_steps": True}, r"run\.n_steps: got True"),
        ({"inputs": {"E": np.zeros((3, 40))}}, r"unknown population 'E'; the network has \['a'\]"),
        ({"inputs": {"a.y": np.zeros((3, 40))}}, r"inputs\['a\.y'\]: unknown receptor 'y'; 'a' has \['x'\]"),
        (
            {"inputs": {"a": np.zeros((3, 4))}},
            r"inputs\['a'\]: got shape \(3, 4\); allowed: \(3, 40\), steps x neurons",
        ),
        ({"inputs": {"a": 1.0}}, r"inputs\['a'\]: got shape \(\); allowed: \(3, 40\)"),
        ({"inputs": {"a": np.zeros((3, 40), complex)}}, r"inputs\['a'\]: got complex128 values; allowed: real numbers"),
        ({"inputs": {"a": ["b"]}}, r"inputs\['a'\]: got <U1 values; allowed: real numbers"),
        ({"state": chain().init_state()}, r"state: .* belongs to another network"),
        ({"record": ["a.V_mV"]}, r"record: got 'a\.V_mV'; allowed: objects of js\.record"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        js.run(simple(), **({"n_steps": 3} | arguments))


def test_a_state_of_another_size_is_refused_by_name() -> None:
    net, cells = simple(), js.Population(js.neurons.LIF(), 3, CURRENT, integrator=ON_GRID, refractory_ms=0.5)
    loop = js.Projection("a", "a", js.connect.AllToAll(), weight_pA=32.0, delay_ms=0.3)
    other = js.Network(
        {"a": cells}, {"loop": loop}, {"drive": js.stimuli.Poisson("a", rate_Hz=1.0, weight_pA=1.0)}, dt_ms=0.1
    )
    with pytest.raises(
        ValueError, match=r"state: groups\[0\].*V_mV: got float32\[3\], allowed: float32\[40\]; it belongs to"
    ):
        js.run(net, 3, state=other.init_state())


def test_a_gradient_through_short_term_plasticity_is_refused_unless_it_is_whole() -> None:
    """The state of the synapse remembers spikes, not their gradient; weights, gains and its own parameters are fine."""
    cells = {"a": js.Population(js.neurons.LIF(), 4, surrogate=SURROGATE)}
    cells["b"] = js.Population(js.neurons.LIF(), 3, CURRENT, surrogate=SURROGATE)
    rule, short_term = js.connect.AllToAll(), js.plasticity.TsodyksMarkram()
    projection = js.Projection("a", "b", rule, weight_pA=300.0, delay_ms=0.2, short_term=short_term)
    drive = js.stimuli.Constant("a", I_pA=400.0)
    net = js.Network(cells, {"ab": projection}, {"dc": drive}, dt_ms=0.1)

    def total(where: Callable[[js.Network], Any]) -> Any:
        def loss(part: jax.Array) -> jax.Array:
            _, out = js.run(eqx.tree_at(where, net, part), 120, record=[js.record.State("b.V_mV")])
            return jnp.sum(out["b.V_mV"])

        return jax.jit(jax.grad(loss))(where(net))

    assert float(total(lambda net: net.links[0].gain)) != 0.0
    with pytest.raises(
        ValueError, match=r"projection 'ab': short-term plasticity remembers whole spikes of population 'a'"
    ):
        total(lambda net: net.stimuli["dc"].stimulus.amplitude)


def test_a_network_of_another_float_type_is_refused() -> None:
    net = simple()
    with jax.enable_x64(True):
        for go in (lambda: js.run(net, 2), lambda: js.simulate(net, 0.2)):
            with pytest.raises(
                ValueError, match=r"network: built with float32, but jax_enable_x64 makes floats float64 now"
            ):
                go()
