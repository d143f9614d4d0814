"""fsdd: see `_spoken`."""

from ._spoken import fsdd as run  # noqa: F401
