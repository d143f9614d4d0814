"""The spiking transformer: sizes, binary spikes, gradients, what it refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsyn as js

NET = js.circuits.spiking_transformer((1, 8, 12), 3, channels=8, heads=2, blocks=("query_key", "self"))
SPIKING = ["embed", "places", "s0", "q0", "chosen0", "k0", "attended0", "m0", "h0", "s1", "qkv1", "attended1"]
SPIKING += ["m1", "h1", "last"]


def shown(net, x, **options):
    """Readout and spikes for one image; with batch statistics where asked for."""
    drive = jnp.broadcast_to(x.reshape(-1), (3, 96))
    record = [js.record.State("out.v"), js.record.Spikes(SPIKING)]
    end, out = js.run(net, 3, inputs={"in": drive}, record=record, **options)
    return out["out.v"], out["spikes"], end.links


def test_sizes():
    tokens = 2 * 3
    want = {"in": 96, "embed": 4 * 4 * 6, "qkv1": 3 * 8 * tokens, "chosen0": 2 * tokens, "h1": 16 * tokens, "out": 3}
    assert {name: NET.size(name) for name in want} == want


def test_spikes_are_binary_and_training_moves_every_matrix():
    x = 2.0 * jax.random.normal(jax.random.key(0), (6, 8, 12))
    y = jnp.arange(6, dtype=jnp.int32) % 3
    weights, rest = eqx.partition(NET, js.train.trainable(NET))

    @eqx.filter_jit
    def loss(weights):
        def one(x):
            return shown(eqx.combine(weights, rest), x, training=True, axis_name="batch")

        v, spikes, links = jax.vmap(one, out_axes=(0, 0, None), axis_name="batch")(x)
        scores = jax.nn.log_softmax(v[:, -1])
        return -jnp.take_along_axis(scores, y[:, None], axis=1).mean(), (spikes, links)

    (value, (spikes, links)), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(weights)
    assert np.isfinite(value)
    for name in SPIKING:
        assert set(np.unique(spikes[name])) <= {0.0, 1.0}, name
    assert np.sum(spikes["attended0"]) > 0
    moving = jax.tree_util.tree_leaves_with_path(gradient)
    assert len(moving) == len(jax.tree.leaves(weights))
    assert all(np.isfinite(g).all() for _, g in moving)
    kernels = [(jax.tree_util.keystr(path), g) for path, g in moving if g.ndim > 1]
    still = [path for path, g in kernels if not np.abs(g).sum() > 0]
    assert not still
    means = [s.statistics[1].mean for s in links if len(s.statistics) > 1 and hasattr(s.statistics[1], "mean")]
    assert means
    assert all(np.ndim(m) == 1 for m in means)


BAD = {
    "image": ({"image": (1, 10, 8)}, "divisible by 4"),
    "channels": ({"channels": 7, "heads": 1}, "even number of channels"),
    "heads": ({"channels": 8, "heads": 3}, "heads"),
    "kind": ({"blocks": ("soft",)}, "got 'soft'; allowed: query_key, self"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sizes_are_named(name):
    options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        js.circuits.spiking_transformer(**options)
