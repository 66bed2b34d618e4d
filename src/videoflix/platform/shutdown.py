"""Tells responses without an end (server-sent events) that the server is stopping.

A server waits for responses that are under way before it ends the application's lifespan, so
the signal itself has to be heard, whichever server runs the application.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# When clients of an event stream connect again after it ended, in milliseconds.
RECONNECT_MS = 2000


class Shutdown:
    """Whether this process was told to stop, and a way to wait for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

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
        """Hear the signals before the server's own handlers do, for as long as the block lasts."""
        self._event = asyncio.Event()
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may have handlers
            return
        loop = asyncio.get_running_loop()
        former = {number: signal.getsignal(number) for number in SIGNALS}

        def hear(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            handler: Any = former[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

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
