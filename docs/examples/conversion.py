"""An ANN for Fashion-MNIST becomes a spiking network, without loss, and then a faster one. Equinox trains the ANN.

    python docs/examples/conversion.py DIR [EPOCHS]

DIR holds fashion_mnist.npz. The ANN has activations of four levels; with four steps the spiking network gives its very
answers; for two steps the spiking network is trained on.
"""

import sys

import equinox as eqx
import jax
import numpy as np
import optax

import jaxsyn as js

folder, epochs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
with np.load(f"{folder}/fashion_mnist.npz") as file:
    x, y = file["x_train"].reshape(-1, 784), file["y_train"].astype(np.int32)
    x_test, y_test = file["x_test"].reshape(-1, 784), file["y_test"].astype(np.int32)
mean, sd = x.mean(), x.std()
x, x_test = ((images.astype(np.float32) - mean) / sd for images in (x, x_test))

keys = jax.random.split(jax.random.key(0), 3)
layers = [eqx.nn.Linear(*sizes, key=key) for key, sizes in zip(keys, ((784, 512), (512, 512), (512, 10)), strict=True)]
units = [js.convert.QCFS(threshold=2.0, levels=4) for _ in range(2)]
model = eqx.nn.Sequential([layers[0], units[0], layers[1], units[1], layers[2]])

steps = epochs * (len(y) // 128)
optimizer = optax.adamw(optax.cosine_decay_schedule(1e-3, steps), weight_decay=1e-2)
state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))


@eqx.filter_jit
def update(model, state, x, y):
    def loss(model):
        return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()

    changes, state = optimizer.update(eqx.filter_grad(loss)(model), state, eqx.filter(model, eqx.is_inexact_array))
    return eqx.apply_updates(model, changes), state


for epoch in range(epochs):
    order = np.random.default_rng(epoch).permutation(len(y))[: len(y) // 128 * 128]
    for batch in order.reshape(-1, 128):
        model, state = update(model, state, x[batch], y[batch])

exact = js.convert.from_equinox(model, x[:1000], "exact")  # four steps, the levels of the model
ann = np.asarray(jax.jit(jax.vmap(model))(x_test)).argmax(1)
same = (js.convert.predict(exact, x_test).argmax(1) == ann).mean()
fast = js.convert.from_equinox(model, x[:1000], "rate", n_steps=2)
before = (js.convert.predict(fast, x_test).argmax(1) == y_test).mean()
fast, _ = js.convert.finetune(fast, (x, y), optimizer=optax.adam(2e-4), epochs=max(1, epochs // 5), batch_size=128)
after = (js.convert.predict(fast, x_test).argmax(1) == y_test).mean()
print(f"ANN {(ann == y_test).mean():.1%}; converted, 4 steps: {same:.2%} of its answers kept; ", end="")
print(f"2 steps: {before:.1%}, after training in spikes {after:.1%}")
