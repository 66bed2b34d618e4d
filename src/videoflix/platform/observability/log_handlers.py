"""Log handlers on a disk that may be full: lines are counted, not replaced by call stacks."""

import logging
from logging.handlers import RotatingFileHandler


class LostLineCounter(logging.Handler):
    """Mixin for a handler: count records that cannot be written, and log the count afterwards.

    The standard library prints a call stack on stderr for each of them.
    """

    lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """The standard library's hook."""
        before = self.lost
        super().emit(record)
        if before and self.lost == before:  # it can be written again
            self.lost = 0
            super().emit(lost_lines(before))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The standard library's hook."""
        self.lost += 1


class LogFile(LostLineCounter, RotatingFileHandler):
    """A log file of bounded size."""


def lost_lines(count: int) -> logging.LogRecord:
    message = f"{count} log lines could not be written"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
