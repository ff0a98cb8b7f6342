"""Logs: events with allowed fields, on stderr, at the edges only.

An event says what happened, how long it took and how it ended. A field that is not in ALLOWED_FIELDS is dropped, so
that no id of content, no bearer, no address and no text can slip into a log by a careless call; an upload's URL
appears only as the hash that the relay itself knows it by.
"""

import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

ALLOWED_FIELDS: Final = frozenset(
    {
        "event",
        "level",
        "timestamp",
        # what and how it ended
        "method",
        "route",
        "status",
        "code",
        "error",
        "where",
        # how much and how long
        "count",
        "jobs",
        "milliseconds",
        "size_bytes",
        "free_bytes",
        # the process itself
        "process",
        "version",
        "listen",
        "setting",
        "upload_hash",
    }
)

Event = MutableMapping[str, Any]


def allowed_only(_logger: object, _method: str, event: Event) -> Event:
    """The event without every field that is not allowed."""
    return {name: value for name, value in event.items() if name in ALLOWED_FIELDS}


def set_up_logs(*, as_json: bool) -> None:
    """From here on, events go to stderr: as JSON lines for machines, else as lines for people."""
    render = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allowed_only,
            render,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def event_log() -> Callable[..., Any]:
    """Logs one event: `log("upload.finished", size_bytes=…)`."""
    return structlog.get_logger().info  # type: ignore[no-any-return]  # structlog's loggers are made at run time


def place_of(error: BaseException) -> str:
    """Where an unexpected error came from, as module and line: never its text, which may quote what it choked on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
