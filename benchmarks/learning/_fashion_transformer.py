"""fashion_transformer: see `_vision`."""

from .._process import keep_memory
from ._data import Folder, Outcome


def run(seed: int, data: Folder) -> list[Outcome]:
    """Train in memory that the process keeps."""
    keep_memory()
    from ._vision import transformer

    return transformer(seed, data)
