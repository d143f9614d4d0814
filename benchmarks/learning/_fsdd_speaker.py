"""fsdd_speaker: see `_spoken`."""

from ._spoken import fsdd_speaker as run  # noqa: F401
