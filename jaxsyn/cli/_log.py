"""Messages of the commands: for people, or one JSON object a line; always on stderr."""

import sys
from typing import Any


def make_logger(as_json: bool) -> Any:
    """A structlog logger of its own; what other packages do with logging stays as it is.

    Args:
        as_json: One JSON object a line instead of text.
    """
    import structlog

    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=as_json),
    ]
    if as_json:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        processors.append(structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0))
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=processors)
