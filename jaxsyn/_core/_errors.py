"""Errors that are not plain `ValueError`, and whose fault an error is."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def named(owner: str) -> Iterator[None]:
    """Put the owner, such as "projection 'E_I'", before a `ValueError` that does not name it."""
    try:
        yield
    except ValueError as error:
        if owner in str(error):
            raise
        raise ValueError(f"{owner}: {error}") from error


class SimulationError(RuntimeError):
    """A run went wrong at run time: non-finite state, or a capacity that may not grow.

    Raised by `simulate` at a chunk border, with the population, the step and the quantity named. The last good
    state is kept in the attribute `state`; `simulate(..., throw=False)` returns the solution up to there instead.

    Args:
        message: What happened, where, and what to do.
        state: The last good network state, or None.
    Example:
        >>> raise SimulationError("E.V_mV is not finite at step 12")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        SimulationError: E.V_mV is not finite at step 12
    """

    def __init__(self, message: str, state: object = None) -> None:
        super().__init__(message)
        self.state = state
