"""Checks of arguments that several functions share."""

from typing import Any

import numpy as np


def check_keep(owner: str, keep: Any) -> None:
    """Raise `ValueError` unless at least one checkpoint is kept."""
    if isinstance(keep, bool) or not isinstance(keep, int | np.integer) or keep < 1:
        raise ValueError(f"{owner}.keep: got {keep!r}; allowed: a whole number >= 1, how many checkpoints stay")


def check_step(owner: str, step: Any) -> None:
    """Raise `ValueError` unless the step is a whole number >= 0."""
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 0:
        raise ValueError(f"{owner}.step: got {step!r}; allowed: a whole number >= 0")
