"""What happens between the signal to stop and the end of serving.

First the API drains: for HTTP_DRAIN_SECONDS it serves as before, while /health/ready fails and
every response closes its connection, so that proxies send what is new elsewhere. Then responses
without an end (server-sent events) are told to end.

A server waits for responses that are under way before it ends the application's lifespan, so
the signal itself has to be heard, whichever server runs the application.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from videoflix.settings import settings

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# When clients of an event stream connect again after it ended, in milliseconds.
RECONNECT_MS = 2000


class Shutdown:
    """Whether this process was told to stop, and a way to wait for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.draining = False

    @property
    def has_begun(self) -> bool:
        return self._event.is_set()

    def begin(self) -> None:
        self._event.set()

    async def wait_for(self, other: asyncio.Event | None, seconds: float) -> bool:
        """Wait until the event is set, we stop, or time is up; whether the event is set."""
        waiting = [asyncio.ensure_future(self._event.wait())]
        if other is not None:
            waiting.append(asyncio.ensure_future(other.wait()))
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return other is not None and other.is_set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the signals before the server's own handlers do, for as long as the block lasts.

        The server hears of the first SIGTERM after HTTP_DRAIN_SECONDS, of any other at once.
        """
        self._event = asyncio.Event()
        self.draining = False
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may have handlers
            return
        loop = asyncio.get_running_loop()
        former = {number: signal.getsignal(number) for number in SIGNALS}

        def stop(number: int, frame: FrameType | None) -> None:
            self.begin()
            handler: Any = former[signal.Signals(number)]
            handler(number, frame)

        def hear(number: int, frame: FrameType | None) -> None:
            first, self.draining = not self.draining, True
            if first and number == signal.SIGTERM and settings.http_drain_seconds > 0:
                logger.info("draining for %g s", settings.http_drain_seconds)
                loop.call_soon_threadsafe(
                    loop.call_later, settings.http_drain_seconds, stop, number, frame
                )
            else:
                loop.call_soon_threadsafe(self.begin)  # wakes the loop, which a signal does not
                stop(number, frame)

        handled = [number for number in SIGNALS if callable(former[number])]
        for number in handled:
            signal.signal(number, hear)
        try:
            yield
        finally:
            for number in handled:
                if signal.getsignal(number) is hear:
                    signal.signal(number, former[number])


shutdown = Shutdown()
