"""Random trained-looking networks as lists of layers: every kind of layer, in every order that shapes allow."""

from typing import Any

import numpy as np

Layers = list[dict[str, Any]]
Floats = np.ndarray[Any, Any]


class Maker:
    """Draws layers one after the other and follows the shape."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        axes = int(self.rng.integers(0, 3))
        self.levels = int(self.rng.integers(1, 9))
        sizes = {0: (12,), 1: (3, 14), 2: (2, 8, 8)}[axes]
        self.input_shape = self.shape = tuple(int(n + self.rng.integers(0, 3)) for n in sizes)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def bias(self, n: int, shift: float = 0.0) -> Floats | None:
        return self.rng.normal(shift, 0.3, n) if self.chance(0.7) or shift else None

    def affine(self, shift: float = 0.0) -> dict[str, Any]:
        """Linear layer or convolution with random stride, padding and groups."""
        axes, c = len(self.shape) - 1, self.shape[0]
        if not axes:
            n = int(self.rng.integers(4, 14))
            weight = self.rng.normal(0, 1.6 / np.sqrt(c), (n, c))
            self.shape = (n,)
            return {"kind": "linear", "weight": weight, "bias": self.bias(n, shift)}
        groups = c if self.chance(0.2) else 1
        n = int(groups * self.rng.integers(1, 4)) if groups > 1 else int(self.rng.integers(2, 6))
        kernel = tuple(int(min(self.rng.integers(1, 4), s)) for s in self.shape[1:])
        padding = tuple(int(self.rng.integers(0, 2)) if k > 1 else 0 for k in kernel)
        stride = tuple(int(self.rng.integers(1, 3)) for _ in kernel)
        fan_in = c // groups * np.prod(kernel)
        weight = self.rng.normal(0, 1.6 / np.sqrt(fan_in), (n, c // groups, *kernel))
        windows = zip(self.shape[1:], kernel, stride, padding, strict=True)
        self.shape = (n, *((s + 2 * p - k) // t + 1 for s, k, t, p in windows))
        layer = {"kind": f"conv{axes}d", "weight": weight, "bias": self.bias(n, shift), "groups": groups}
        return layer | {"stride": stride, "padding": padding}

    def norm(self) -> dict[str, Any]:
        """Batch normalization, scales of either sign."""
        c = self.shape[0]
        gamma = self.rng.uniform(0.5, 1.5, c) * self.rng.choice([-1.0, 1.0], c)
        found = {"kind": "batchnorm", "mean": self.rng.normal(0, 0.3, c), "var": self.rng.uniform(0.3, 1.5, c)}
        return found | {"gamma": gamma, "beta": self.rng.normal(0.2, 0.3, c), "eps": 1e-5}

    def activation(self) -> dict[str, Any]:
        return {"kind": "qcfs", "lambda": float(self.rng.uniform(0.6, 2.0)), "levels": self.levels}

    def pool(self) -> Layers:
        """A pool where there is room for it."""
        if len(self.shape) == 1 or min(self.shape[1:]) < 2:
            return []
        kernel = (2,) * (len(self.shape) - 1)
        stride = tuple(int(self.rng.integers(1, 3)) for _ in kernel)
        self.shape = (self.shape[0], *((s - 2) // t + 1 for s, t in zip(self.shape[1:], stride, strict=True)))
        return [{"kind": "avgpool" if self.chance(0.6) else "maxpool", "kernel": kernel, "stride": stride}]

    def residual(self) -> dict[str, Any]:
        """A block whose branch keeps the shape; its skip is the identity or a layer of one pixel."""
        c, axes = self.shape[0], len(self.shape) - 1
        size = (3,) * axes

        def same(kernel: tuple[int, ...]) -> dict[str, Any]:
            weight = self.rng.normal(0, 1.2 / np.sqrt(c * np.prod(kernel)), (c, c, *kernel))
            if not axes:
                return {"kind": "linear", "weight": weight, "bias": self.bias(c)}
            padding = tuple(k // 2 for k in kernel)
            return {"kind": f"conv{axes}d", "weight": weight, "bias": self.bias(c), "stride": (1,) * axes,
                    "padding": padding, "groups": 1}  # fmt: skip

        branch = ([self.norm()] if self.chance(0.5) else []) + [same(size), self.activation(), same(size)]
        skip = [same((1,) * axes)] if self.chance(0.4) else []
        return {"kind": "residual", "branch": branch + ([self.norm()] if self.chance(0.4) else []), "skip": skip}

    def network(self) -> Layers:
        """Two to four blocks and a readout; one layer in five networks is dead."""
        layers: Layers = []
        blocks = int(self.rng.integers(2, 5))
        dead = int(self.rng.integers(0, blocks)) if self.chance(0.2) else -1
        for k in range(blocks):
            layers.append(self.affine(shift=-40.0 if k == dead else 0.0))
            layers += [self.norm()] if k != dead and self.chance(0.5) else []
            layers.append(self.activation())
            layers += self.pool() if self.chance(0.4) else []
            if self.chance(0.35):
                layers += [self.residual(), *(self.pool() if self.chance(0.2) else []), self.activation()]
        if len(self.shape) > 1:
            layers.append({"kind": "flatten"})
            self.shape = (int(np.prod(self.shape)),)
        return [*layers, self.affine()]


def architecture(seed: int) -> tuple[Layers, tuple[int, ...], int]:
    """A random network: its layers, the shape of its input, and the levels of its activations."""
    maker = Maker(seed)
    return maker.network(), maker.input_shape, maker.levels


def inputs(seed: int, shape: tuple[int, ...], n: int) -> Floats:
    """Samples, half of them far outside of [0, 1] on either side."""
    rng = np.random.default_rng([seed, 1])
    return np.concatenate([rng.uniform(0, 1, (n - n // 2, *shape)), rng.uniform(-3, 6, (n // 2, *shape))])
