"""fashion_conv: see `_vision`."""

from ._vision import conv as run  # noqa: F401
