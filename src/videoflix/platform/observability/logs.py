"""Logs as structured lines: JSON for machines, colours in a terminal, never a secret.

Everything goes this way, the standard library's loggers (uvicorn, procrastinate, SQLAlchemy) too.
A line carries what it belongs to: the request's id and the person who asked, or the job's id.
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

# These say too much, or say again what we say ourselves.
QUIET = {
    "procrastinate": logging.WARNING,
    "psycopg.pool": logging.ERROR,  # the queue's manager says it once
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "botocore": logging.WARNING,
}
# The attribute of a record that holds its fields, without secrets.
READY = "ready"
Line = MutableMapping[str, Any]


class Stderr(LostLineCounter, logging.StreamHandler[Any]):
    """Writes to whatever sys.stderr is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        raise AttributeError("it follows sys.stderr")


def set_up() -> None:
    """Have everything that this process logs go one way; may be called again."""
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
        logger.handlers, logger.propagate = [], name != "uvicorn.access"  # we have our own


class Formatter(ProcessorFormatter):
    """Renders what is `READY` as it is: the line of each request must not cost more than that."""

    def __init__(self, render: Processor, **chain: Any) -> None:
        super().__init__(**chain)
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """The standard library's hook."""
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
    """Makes a line of a record, ours or the standard library's."""
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
        add_person,
    ]


def _format_in_force() -> Literal["json", "console"]:
    if settings.log_format == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return settings.log_format


def add_person(_: Any, __: str, line: Line) -> Line:
    """Say who asked, once that is known."""
    scope: Any = current_scope.get()
    if scope is not None and scope.get("user") is not None:
        line.setdefault("user_id", scope["user"].user_id)
    return line


def mask(_: Any, __: str, line: Line) -> Line:
    """Take out secrets, wherever in the line they are."""
    return {name: masked(value, name) for name, value in line.items()}


def _encoded(line: Line, **_: Any) -> str:
    return msgspec.json.encode(line).decode()


class StructuredLogs(BaseLoggingConfig):
    """Litestar's way of asking for loggers; our error handlers say what there is to say."""

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
