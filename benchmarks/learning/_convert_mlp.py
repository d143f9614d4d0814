"""convert_mlp: see `_convert_images`."""

from ._convert_images import mlp as run  # noqa: F401
