"""A progress bar, and a clock for compilation."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator

import jax.monitoring

_spans: list[tuple[float, float]] = []


@functools.cache
def _listen() -> None:
    """Note what JAX reports about tracing, lowering and compiling; registered once."""

    def on_duration(event: str, duration_secs: float, **_: str | int) -> None:
        if not event.startswith("/jax/core/compile/"):
            return
        end = time.perf_counter()
        start = end - duration_secs
        while _spans and _spans[-1][0] >= start:  # lowering traces what is inside, and reports that first
            _spans.pop()
        _spans.append((max(start, _spans[-1][1]) if _spans else start, end))

    jax.monitoring.register_event_duration_secs_listener(on_duration)


def compile_seconds() -> float:
    """Seconds that this process has spent on compiling since the first call."""
    _listen()
    return sum(end - start for start, end in _spans)


@contextlib.contextmanager
def progress_bar(show: bool, total_ms: float) -> Iterator[Callable[[float], None]]:
    """A bar over model time; gives the function to report progress to.

    Args:
        show: Whether to show it, on stderr.
        total_ms: Model time of the whole, ms.
    Example:
        >>> with progress_bar(False, 100.0) as report:
        ...     report(50.0)
    """
    if not show:
        yield lambda done_ms: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.completed:g}/{task.total:g} ms"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("simulate", total=total_ms)
        yield lambda done_ms: bar.update(task, completed=done_ms)
