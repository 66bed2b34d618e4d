"""Graceful shutdown of the API.

On SIGTERM the API drains: for HTTP_DRAIN_SECONDS it serves as before, while /health/ready fails and
every response closes its connection, so that proxies send new requests elsewhere. Then endless
responses (server-sent events) are ended.

A server waits for responses in progress before it ends the application's lifespan, so the
application has to handle the signal itself.
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
# Reconnection time of event streams, in milliseconds.
RECONNECT_MS = 2000


class Shutdown:
    """Shutdown state of this process."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.draining = False

    @property
    def has_begun(self) -> bool:
        return self._event.is_set()

    def begin(self) -> None:
        self._event.set()

    async def wait_for(self, other: asyncio.Event | None, seconds: float) -> bool:
        """Wait for the event, shutdown or timeout; return whether the event is set."""
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
        """Intercept the server's signal handlers while the block runs.

        The server receives the first SIGTERM after HTTP_DRAIN_SECONDS, other signals at once.
        """
        self._event = asyncio.Event()
        self.draining = False
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread can set signal handlers
            return
        loop = asyncio.get_running_loop()
        previous = {number: signal.getsignal(number) for number in SIGNALS}

        def stop(number: int, frame: FrameType | None) -> None:
            self.begin()
            handler: Any = previous[signal.Signals(number)]
            handler(number, frame)

        def handle(number: int, frame: FrameType | None) -> None:
            first, self.draining = not self.draining, True
            if first and number == signal.SIGTERM and settings.http_drain_seconds > 0:
                logger.info("draining for %g s", settings.http_drain_seconds)
                loop.call_soon_threadsafe(
                    loop.call_later, settings.http_drain_seconds, stop, number, frame
                )
            else:
                loop.call_soon_threadsafe(
                    self.begin
                )  # wakes the event loop, which a signal does not
                stop(number, frame)

        handled = [number for number in SIGNALS if callable(previous[number])]
        for number in handled:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number in handled:
                if signal.getsignal(number) is handle:
                    signal.signal(number, previous[number])


shutdown = Shutdown()
