"""Stop a worker that has not started yet, such as one that waits for its database.

procrastinate handles SIGTERM and SIGINT only once its worker is registered.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)


class StartupSignals:
    """Handles SIGTERM and SIGINT until the worker has started."""

    def __init__(self) -> None:
        self._installed = False
        self._has_started = False
        self._stop_requested = False

    def hand_over(self) -> None:
        """Leave the signals to procrastinate, which handles them from now on."""
        self._has_started = True

    @contextmanager
    def cancel_on_signal(self) -> Iterator[None]:
        """Cancel the block on a signal and leave it without an error.

        Nested blocks have no effect. Once the worker has started, a signal that procrastinate
        does not handle (the second one) is passed to the previous handler.
        """
        if self._installed or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._installed, self._has_started, self._stop_requested = True, False, False
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - only coroutines enter it
        previous: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}

        def handle(number: int, frame: FrameType | None) -> None:
            if self._has_started or self._stop_requested:
                signal.signal(number, previous[number])
                signal.raise_signal(number)
                return
            self._stop_requested = True
            loop.call_soon_threadsafe(task.cancel)

        for number in SIGNALS:
            signal.signal(number, handle)
        try:
            yield
        except asyncio.CancelledError:
            if not self._stop_requested:
                raise
            task.uncancel()
            logger.info("stopped by a signal before the worker had started")
        finally:
            self._installed = False
            for number in SIGNALS:
                if signal.getsignal(number) is handle:
                    signal.signal(number, previous[number])


startup_signals = StartupSignals()
