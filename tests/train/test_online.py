"""Online rules against backpropagation through time, against NumPy, in memory, and in what they refuse."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxsyn as js
from jaxsyn.connect import AbstractBoundTransform

pytestmark = pytest.mark.usefixtures("short_chunks")

N, Dense = js.neurons, js.connect.Dense
T = 40


class Detached(AbstractBoundTransform):
    """A projection through which no gradient passes to its source."""

    inner: AbstractBoundTransform

    def __call__(self, x, statistics, *, training=False, axis_name=None):
        return self.inner(jax.lax.stop_gradient(x), statistics)

    def init_statistics(self):
        return ()


def squared(y, target):
    return 0.5 * jnp.sum((y - target) ** 2)


def recurrent(neuron=None, sizes=(4, 6, 2), *, loop=True, decay=0.8, in_delay=0.0):
    hidden = js.Population(neuron or N.DiscreteLIF(threshold=0.6), sizes[1], surrogate=js.surrogate.Triangle(k=0.3))
    projections = {
        "in": js.Projection(
            "in", "hidden", Dense(bias=True, weight=js.connect.Uniform(-0.4, 0.6)), delay_ms=in_delay, gain=1.3
        ),
        "out": js.Projection("hidden", "out", Dense(bias=True)),
    }
    if loop:
        projections["loop"] = js.Projection(
            "hidden", "hidden", Dense(weight=js.connect.Uniform(-0.5, 0.5)), delay_ms=2.0
        )
    readout = js.Population(N.LeakyIntegrator(decay=decay), sizes[2])
    populations = {"in": js.Population(N.Relay(), sizes[0]), "hidden": hidden, "out": readout}
    return js.Network(populations, projections, dt_ms=1.0, seed=3)


def stack(neuron=None, sizes=(4, 6, 5, 2), decay=0.8):
    def cells(n):
        return js.Population(neuron or N.DiscreteLIF(threshold=0.6), n, surrogate=js.surrogate.Triangle(k=0.3))

    populations = {"in": js.Population(N.Relay(), sizes[0]), "h1": cells(sizes[1]), "h2": cells(sizes[2])}
    populations["out"] = js.Population(N.LeakyIntegrator(decay=decay), sizes[3])
    names = list(populations)
    projections = {b: js.Projection(a, b, Dense(bias=True)) for a, b in itertools.pairwise(names)}
    return js.Network(populations, projections, dt_ms=1.0, seed=3)


def data(n_in=4, n_out=2, steps=T, seed=0):
    rng = np.random.default_rng(seed)
    x, y = 2.0 * (rng.random((steps, n_in)) < 0.4), rng.normal(size=(steps, n_out))
    dtype = jnp.result_type(float)
    return {"in": jnp.asarray(x, dtype)}, jnp.asarray(y, dtype)


def through_time(net, inputs, targets, detached=()):
    """Loss, gradient and spikes by js.run, sources of some projections held constant."""
    weights, rest = eqx.partition(net, js.train.trainable(net))

    def loss(weights):
        full = eqx.combine(weights, rest)
        for i, link in enumerate(net.links):
            if link.name in detached:
                full = eqx.tree_at(lambda n, i=i: n.links[i].transform, full, Detached(full.links[i].transform))
        records = [js.record.State("out.v"), js.record.Spikes("hidden")]
        _, out = js.run(full, len(targets), inputs=inputs, record=records)
        return jax.vmap(squared)(out["out.v"], targets).sum(), out["spikes"]["hidden"].sum()

    (value, spikes), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
    return value, gradient, spikes


def assert_same_trees(got, want, rtol):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * float(jnp.abs(b).max() + 1e-30))


NEURONS = {
    "LIF": lambda: N.DiscreteLIF(threshold=0.6),
    "LIF zero detached": lambda: N.DiscreteLIF(threshold=0.6, reset="zero", detach_reset=True),
    "ALIF": lambda: N.DiscreteALIF(threshold=0.5, rho=0.95, beta=0.2),
    "ALIF by neuron": lambda: N.DiscreteALIF(
        threshold=0.5, decay=np.linspace(0.5, 0.95, 6), beta=np.linspace(0, 0.3, 6)
    ),
    "CuBaLIF": lambda: N.DiscreteCuBaLIF(threshold=0.6),
    "IF": lambda: N.DiscreteIF(threshold=0.9),
}


@pytest.mark.parametrize("model", NEURONS)
def test_eprop_is_backpropagation_with_recurrent_spikes_held_constant(model):
    with jax.enable_x64(True):
        net = recurrent(NEURONS[model](), in_delay=1.0)
        inputs, targets = data()
        got = js.train.online(net, js.train.EProp(), inputs, targets, squared)
        loss, gradient, spikes = through_time(net, inputs, targets, detached=("loop",))
        assert spikes > 10
        np.testing.assert_allclose(got.loss, loss, rtol=1e-12)
        assert_same_trees(got.gradient, gradient, 1e-12)
        full = through_time(net, inputs, targets)[1]  # the loop does carry something
        assert float(jnp.abs(full.links[0].transform.weight - gradient.links[0].transform.weight).max()) > 1e-3


def test_eprop_and_otpe_are_exact_without_a_loop():
    net = recurrent(loop=False)
    inputs, targets = data()
    _, gradient, spikes = through_time(net, inputs, targets)
    assert spikes > 10
    for rule in (js.train.EProp(), js.train.OTPE()):
        assert_same_trees(js.train.online(net, rule, inputs, targets, squared).gradient, gradient, 1e-5)
    rough = js.train.online(net, js.train.OTTT(), inputs, targets, squared).gradient
    np.testing.assert_allclose(
        rough.links[1].transform.weight, gradient.links[1].transform.weight, rtol=1e-4, atol=1e-4
    )
    a, b = rough.links[0].transform.weight.ravel(), gradient.links[0].transform.weight.ravel()
    assert 0.3 < float(a @ b / jnp.linalg.norm(a) / jnp.linalg.norm(b)) < 0.9999


def test_readout_without_one_decay_is_exact_under_ottt():
    net = recurrent(loop=False, decay=[0.5, 0.9])
    inputs, targets = data()
    gradient = through_time(net, inputs, targets)[1]
    got = js.train.online(net, js.train.OTTT(), inputs, targets, squared).gradient
    np.testing.assert_allclose(got.links[1].transform.weight, gradient.links[1].transform.weight, rtol=1e-4, atol=1e-4)


def published(net, x, targets, rule):
    """OTTT and OTPE of a stack, as published, in NumPy: traces forward, signals within the step."""
    links = {k.name: k.transform for k in net.links}
    W = {k: np.asarray(t.weight, float) for k, t in links.items()}
    b = {k: np.asarray(t.bias, float) for k, t in links.items()}
    lam, kappa, theta, height = 0.9, 0.8, 0.6, 0.3
    layers = ("h1", "h2")
    v = {k: np.zeros(W[k].shape[1]) for k in layers}
    y = np.zeros(2)
    a = {k: np.zeros(W[k].shape[0] + 1) for k in W}
    late = {k: np.zeros((W[k].shape[0] + 1, W[k].shape[1])) for k in layers}
    G = {k: np.zeros((W[k].shape[0] + 1, W[k].shape[1])) for k in W}
    total = 0.0
    for now, target in zip(x, targets, strict=True):
        sent, psi = now, {}
        for k in layers:
            u = lam * v[k] + sent @ W[k] + b[k]
            a[k] = lam * a[k] + np.append(sent, 1.0)
            psi[k] = height * np.maximum(0, 1 - np.abs(u - theta))
            sent = (u >= theta).astype(float)
            v[k] = u - theta * sent
            late[k] = {"h1": lam, "h2": kappa}[k] * late[k] + np.outer(a[k], psi[k])
        y = kappa * y + sent @ W["out"] + b["out"]
        a["out"] = kappa * a["out"] + np.append(sent, 1.0)
        total += 0.5 * ((y - target) ** 2).sum()
        wanted = {"h2": W["out"] @ (y - target)}
        wanted["h1"] = W["h2"] @ (wanted["h2"] * psi["h2"])
        G["out"] += np.outer(a["out"], y - target)
        for k in layers:
            G[k] += late[k] * wanted[k] if rule == "OTPE" else np.outer(a[k], wanted[k] * psi[k])
    return total, G


@pytest.mark.parametrize("rule", ["OTTT", "OTPE"])
def test_stacks_follow_the_published_formulas(rule):
    with jax.enable_x64(True):
        net = stack(N.DiscreteLIF(threshold=0.6, detach_reset=True))
        inputs, targets = data()
        got = js.train.online(net, getattr(js.train, rule)(), inputs, targets, squared)
        loss, want = published(net, np.asarray(inputs["in"]), np.asarray(targets), rule)
        np.testing.assert_allclose(got.loss, loss, rtol=1e-10)
        for link in got.gradient.links:
            own = np.concatenate([link.transform.weight, link.transform.bias[None]])
            assert np.abs(want[link.name]).max() > 1e-2
            np.testing.assert_allclose(own, want[link.name], atol=1e-9)


@pytest.mark.parametrize("rule", ["EProp", "OTTT", "OTPE"])
def test_memory_does_not_depend_on_the_steps(rule):
    net = recurrent(loop=rule != "OTPE")

    def gradient(x, targets):
        return js.train.online(net, getattr(js.train, rule)(), {"in": x}, targets, squared).gradient

    def temporaries(steps):
        shapes = [jax.ShapeDtypeStruct((steps, n), jnp.float32) for n in (4, 2)]
        return jax.jit(gradient).lower(*shapes).compile().memory_analysis().temp_size_in_bytes

    few, many = temporaries(256), temporaries(16384)
    assert abs(many - few) <= 0.05 * few


@pytest.mark.parametrize("rule", ["EProp", "OTTT"])
def test_parts_of_a_sequence_add_up(rule):
    net, chosen = recurrent(), getattr(js.train, rule)()
    inputs, targets = data()
    whole = js.train.online(net, chosen, inputs, targets, squared)
    first = js.train.online(net, chosen, {"in": inputs["in"][:15]}, targets[:15], squared)
    rest = js.train.online(net, chosen, {"in": inputs["in"][15:]}, targets[15:], squared, state=first.state)
    summed = jax.tree.map(lambda a, b: a + b, first.gradient, rest.gradient)
    assert_same_trees(summed, whole.gradient, 1e-5)
    np.testing.assert_allclose(first.loss + rest.loss, whole.loss, rtol=1e-5)
    np.testing.assert_allclose(first.output * 15 + rest.output * 25, whole.output * 40, rtol=1e-4, atol=1e-4)
    assert int(rest.state.network.tick) == T


def test_random_feedback_and_batches():
    net = stack()
    feedback = js.train.random_feedback(net, seed=1)
    assert {p: B.shape for p, B in feedback.items()} == {"h1": (6, 2), "h2": (5, 2)}
    rule = js.train.EProp(feedback)
    batch = [data(seed=s) for s in range(3)]
    inputs, targets = ({"in": jnp.stack([b[0]["in"] for b in batch])}, jnp.stack([b[1] for b in batch]))

    @jax.jit
    def together(rule, inputs, targets):
        got = jax.vmap(lambda x, y: js.train.online(net, rule, x, y, squared))(inputs, targets)
        return got.gradient

    gradients = together(rule, inputs, targets)
    one = js.train.online(net, rule, {"in": inputs["in"][2]}, targets[2], squared).gradient
    assert_same_trees(jax.tree.map(lambda g: g[2], gradients), one, 1e-5)
    other = js.train.online(net, js.train.EProp(js.train.random_feedback(net, seed=2)), *data(seed=2), squared).gradient
    assert float(jnp.abs(other.links[0].transform.weight - one.links[0].transform.weight).max()) > 1e-3
    np.testing.assert_allclose(other.links[2].transform.weight, one.links[2].transform.weight, rtol=1e-5)


@pytest.mark.parametrize("rule", ["EProp", "random", "OTTT", "OTPE"])
def test_rules_learn(rule):
    """Each of four inputs is to be followed by its own level, a step of the optimizer after each part."""
    net = recurrent(N.DiscreteALIF(threshold=0.5) if rule in ("EProp", "random") else None, (8, 24, 2))
    chosen = js.train.EProp(js.train.random_feedback(net)) if rule == "random" else getattr(js.train, rule)()
    rng = np.random.default_rng(0)
    x = {"in": jnp.asarray(rng.random((50, 8)) < 0.3, jnp.float32)}
    y = jnp.asarray(np.sin(np.arange(50) / 8)[:, None] * np.array([1.0, -0.5]), jnp.float32)
    weights, rest = eqx.partition(net, js.train.trainable(net))
    optimizer = optax.adam(1e-2)

    @jax.jit
    def update(weights, state):
        got = js.train.online(eqx.combine(weights, rest), chosen, x, y, squared)
        with jax.numpy_dtype_promotion("standard"):  # the optimizer's own code may promote
            changes, state = optimizer.update(got.gradient, state)
        return eqx.apply_updates(weights, changes), state, got.loss

    state, losses = optimizer.init(weights), []
    for _ in range(150):
        weights, state, loss = update(weights, state)
        losses.append(float(loss))
    assert losses[-1] < 0.4 * losses[0], losses[::30]


def conv():
    populations = {"in": js.Population(N.Relay(), 16), "out": js.Population(N.LeakyIntegrator(), 18)}
    layer = js.connect.Conv(2, (2, 2), input_shape=(1, 4, 4))
    return js.Network(populations, {"c": js.Projection("in", "out", layer)}, dt_ms=1.0)


def sparse():
    populations = {"in": js.Population(N.Relay(), 4), "out": js.Population(N.LeakyIntegrator(), 4)}
    return js.Network(populations, {"s": js.Projection("in", "out", js.connect.OneToOne(), weight=1.0)}, dt_ms=1.0)


def changed(**hidden):
    """in -> hidden -> out with another hidden population or another projection from it."""
    population = {"neuron": N.DiscreteLIF(), "surrogate": js.surrogate.Triangle()} | hidden.pop("population", {})
    out_delay = hidden.pop("out_delay", 0.0)
    population = js.Population(population.pop("neuron"), 6, **population)
    readout = hidden.pop("readout", N.LeakyIntegrator())
    populations = {"in": js.Population(N.Relay(), 4), "hidden": population, "out": js.Population(readout, 2)}
    target = {"weight_mV": 1.0} if population.receptors else {}
    projections = {
        "in": js.Projection("in", "hidden", Dense(), **target),
        "out": js.Projection("hidden", "out", Dense(), delay_ms=out_delay),
    }
    return js.Network(populations, projections, dt_ms=1.0)


def fork():
    cells = js.Population(N.DiscreteLIF(), 5, surrogate=js.surrogate.Triangle())
    populations = {"in": js.Population(N.Relay(), 4), "h1": cells, "h2": cells}
    populations["out"] = js.Population(N.LeakyIntegrator(), 2)
    pairs = [("in", "h1"), ("h1", "h2"), ("h1", "out"), ("h2", "out")]
    return js.Network(populations, {f"{a}_{b}": js.Projection(a, b, Dense()) for a, b in pairs}, dt_ms=1.0)


EPROP, OTTT, OTPE = js.train.EProp(), js.train.OTTT(), js.train.OTPE()
LIF = {"neuron": N.LIF(), "receptors": {"in": js.receptors.Delta()}}


@pytest.mark.parametrize(
    ("make", "rule", "message"),
    [
        (conv, EPROP, "projection 'c' is .*allowed: js.connect.Dense"),
        (sparse, EPROP, "projection 's' is sparse"),
        (lambda: changed(population={"surrogate": None}), EPROP, "population 'hidden' has no surrogate"),
        (lambda: changed(population=LIF), EPROP, "population 'hidden' is LIF; allowed"),
        (lambda: changed(population={"neuron": N.Relay(), "surrogate": None}), EPROP, "'hidden' is Relay"),
        (lambda: changed(readout=N.DiscreteLIF()), EPROP, "readout 'out' is DiscreteLIF"),
        (lambda: changed(out_delay=1.0), EPROP, "'hidden' has no projection of delay 0 to the readout"),
        (lambda: changed(out_delay=1.0), OTTT, "no projections of delay 0 lead from population 'hidden'"),
        (lambda: changed(out_delay=1.0), OTPE, "no projections of delay 0 lead from population 'hidden'"),
        (lambda: changed(population={"neuron": N.DiscreteALIF()}), OTTT, "'hidden' is DiscreteALIF"),
        (lambda: changed(readout=N.LeakyIntegrator([0.1, 0.2])), EPROP, "one decay for each neuron"),
        (lambda: changed(readout=N.LeakyIntegrator([0.1, 0.2])), OTPE, "one decay for each neuron"),
        (stack, EPROP, "'h1' has no projection of delay 0 to the readout.*random_feedback"),
        (fork, OTPE, r"'h1' projects to \['h2', 'out'\]"),
        (lambda: stack(), js.train.EProp({"h3": jnp.zeros((2, 2))}), "unknown population 'h3'"),
        (lambda: stack(), js.train.EProp({"h1": jnp.zeros((2, 2))}), r"feedback\['h1'\]: got shape \(2, 2\)"),
        (lambda: stack(), js.train.EProp({"h1": jnp.zeros((6, 2))}), r"feedback\['h2'\]: got shape none"),
    ],
)
def test_what_a_rule_does_not_know_is_refused_by_name(make, rule, message):
    net = make()
    inputs = {"in": jnp.zeros((3, net.size("in")))}
    with pytest.raises(ValueError, match=message):
        js.train.online(net, rule, inputs, jnp.zeros((3, net.size("out"))), squared)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ({"in": np.zeros((2, 3, 4))}, np.zeros((3, 2)), r"allowed: \(T, 4\)"),
        ({"in": np.zeros((0, 4))}, np.zeros((0, 2)), "T >= 1"),
        ({"in": np.zeros((3, 4))}, np.zeros((4, 2)), r"inputs\['in'\] has 3, .* has 4"),
        ({"in": np.zeros((3, 4))}, np.float32(0.0), "numbers of steps differ"),
        ({}, np.zeros((3, 2)), "got none"),
        ({"inn": np.zeros((3, 4))}, np.zeros((3, 2)), "unknown population 'inn'"),
    ],
)
def test_wrong_inputs_are_refused(inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        js.train.online(recurrent(), EPROP, inputs, targets, squared)
