"""fashion_transformer: see `_vision`."""

from ._vision import transformer as run  # noqa: F401
