"""A line that shows how training goes."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_line(show: bool, done: int, epochs: int) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar over epochs with the latest numbers behind it; gives the function to report an epoch to.

    Args:
        show: Whether to show it, on stderr.
        done: Epochs done before.
        epochs: Epochs of the whole.
    Example:
        >>> with progress_line(False, 0, 10) as report:
        ...     report({"epoch": 1, "train_loss": 0.5})
    """
    if not show:
        yield lambda row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.completed:g}/{task.total:g} epochs"),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=epochs, completed=done)

        def report(row: dict[str, float]) -> None:
            numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
            bar.update(task, completed=row["epoch"], description=numbers)

        yield report
