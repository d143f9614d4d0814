"""fashion_mlp: see `_vision`."""

from ._vision import mlp as run  # noqa: F401
