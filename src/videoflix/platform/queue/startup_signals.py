"""Signals that stop a worker which has not started yet: it may wait for its database for hours.

procrastinate hears SIGTERM and SIGINT from the moment its worker is registered.
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
    """Ends what a process does before its worker has started, when it is told to stop."""

    def __init__(self) -> None:
        self._is_heard = False
        self._has_started = False
        self._was_told = False

    def hand_over(self) -> None:
        """Leave the signals to procrastinate, which hears them now."""
        self._has_started = True

    @contextmanager
    def cancel_on_signal(self) -> Iterator[None]:
        """Cancel the block on a signal, and end it without an error.

        A block inside of another one changes nothing. Once the worker has started, a signal that
        procrastinate does not handle (the second one) has the effect it had outside the block.
        """
        if self._is_heard or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._is_heard, self._has_started, self._was_told = True, False, False
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - only coroutines enter it
        former: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}

        def hear(number: int, frame: FrameType | None) -> None:
            if self._has_started or self._was_told:
                signal.signal(number, former[number])
                signal.raise_signal(number)
                return
            self._was_told = True
            loop.call_soon_threadsafe(task.cancel)

        for number in SIGNALS:
            signal.signal(number, hear)
        try:
            yield
        except asyncio.CancelledError:
            if not self._was_told:
                raise
            task.uncancel()
            logger.info("told to stop before there was anything to do")
        finally:
            self._is_heard = False
            for number in SIGNALS:
                if signal.getsignal(number) is hear:
                    signal.signal(number, former[number])


startup_signals = StartupSignals()
