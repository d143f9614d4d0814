"""convert_conv: see `_convert_images`."""

from ._convert_images import conv as run  # noqa: F401
