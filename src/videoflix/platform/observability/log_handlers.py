"""Log handlers that count lost records, for example on a full disk."""

import logging
from logging.handlers import RotatingFileHandler


class LostLineCounter(logging.Handler):
    """Handler mixin: count records that cannot be written, and log the count afterwards.

    The standard library prints a traceback to stderr for each of them.
    """

    lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self.lost
        super().emit(record)
        if before and self.lost == before:  # writing succeeds again
            self.lost = 0
            super().emit(lost_lines(before))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self.lost += 1


class LogFile(LostLineCounter, RotatingFileHandler):
    """A rotating log file of bounded size."""


def lost_lines(count: int) -> logging.LogRecord:
    message = f"{count} log lines could not be written"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
