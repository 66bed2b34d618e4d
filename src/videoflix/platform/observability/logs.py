"""Structured logs: JSON, or colours in a terminal, with secrets masked.

All loggers are included, also those of the standard library (uvicorn, procrastinate, SQLAlchemy).
Lines carry their context: request ID and user ID, or job ID.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog
from litestar.logging.config import BaseLoggingConfig
from litestar.types import Logger
from structlog.contextvars import merge_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.types import Processor

from videoflix.platform.observability.log_handlers import LostLineCounter
from videoflix.platform.observability.masking import masked
from videoflix.platform.server.client_address import current_scope
from videoflix.settings import settings

# Verbose loggers, or ones that duplicate our own lines.
QUIET = {
    "procrastinate": logging.WARNING,
    "psycopg.pool": logging.ERROR,  # logged once by platform/queue/outage.py
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "botocore": logging.WARNING,
}
# Attribute of a record that holds its final fields, already masked.
READY = "ready"
Line = MutableMapping[str, Any]


class Stderr(LostLineCounter, logging.StreamHandler[Any]):
    """Write to the current sys.stderr."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        raise AttributeError("the stream is always sys.stderr")


def set_up() -> None:
    """Configure all logging of this process; idempotent."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_context(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = Stderr()
    handler.setFormatter(formatter(_format_in_force()))
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if not isinstance(kept, Stderr)] + [handler]
    root.setLevel(settings.log_level)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = (
            [],
            name != "uvicorn.access",
        )  # replaced by our access log


class Formatter(ProcessorFormatter):
    """Render `READY` records directly, without the processor chain, for fast access logging."""

    def __init__(self, render: Processor, **chain: Any) -> None:
        super().__init__(**chain)
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        ready = record.__dict__.get(READY)
        if ready is None:
            return super().format(record)
        line = {
            **ready,
            "event": record.msg,
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        return str(self._render(None, record.levelname.lower(), line))


def formatter(kind: Literal["json", "console"]) -> logging.Formatter:
    """Return the formatter of our own and of foreign records."""
    render: Processor
    if kind == "json":
        render = structlog.processors.JSONRenderer(_encoded)
    else:
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    return Formatter(
        render,
        foreign_pre_chain=[*_context(), ExtraAdder()],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask,
            render,
        ],
    )


def _context() -> list[Processor]:
    return [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_user,
    ]


def _format_in_force() -> Literal["json", "console"]:
    if settings.log_format == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return settings.log_format


def add_user(_: Any, __: str, line: Line) -> Line:
    """Add the ID of the request's user, if known."""
    scope: Any = current_scope.get()
    if scope is not None and scope.get("user") is not None:
        line.setdefault("user_id", scope["user"].user_id)
    return line


def mask(_: Any, __: str, line: Line) -> Line:
    """Mask secrets in all fields."""
    return {name: masked(value, name) for name, value in line.items()}


def _encoded(line: Line, **_: Any) -> str:
    return msgspec.json.encode(line).decode()


class StructuredLogs(BaseLoggingConfig):
    """Litestar's logging configuration; exceptions are logged by our error handlers."""

    log_exceptions: Literal["always", "debug", "never"] = "never"
    exception_logging_handler = None
    traceback_line_limit = 0

    def __init__(self) -> None:
        self.disable_stack_trace = set()

    def configure(self) -> Any:
        set_up()
        return logging.getLogger

    @staticmethod
    def set_level(logger: Logger, level: int) -> None:
        logging.getLogger(str(getattr(logger, "name", ""))).setLevel(level)
